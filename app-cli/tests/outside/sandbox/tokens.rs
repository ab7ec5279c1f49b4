//! The tokens of a sandbox: made, lost, brought back, and looked at with pkcs11-tool.

use std::fs;
use std::path::PathBuf;

use super::token::{Kind, Store};
use super::{PIN, SO_PIN, Sandbox, run_tool, tool};

/// The label of the token that a node uses where it is told nothing else.
const LABEL: &str = "Trustpoint-SoftHSM";

impl Sandbox {
    /// The store of its tokens.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The module of this run's tokens.
    pub fn module(&self) -> String {
        self.store.kind().module().display().to_string()
    }

    /// Every later run uses the module of this run's tokens, and finds them as they are now.
    pub fn configure_module(&mut self) {
        // The default is SoftHSM's.
        match self.store.kind() {
            Kind::SoftHsm => self.unset("TRUSTPOINT_HSM_MODULE"),
            Kind::Kryoptic | Kind::Softokn => self.set("TRUSTPOINT_HSM_MODULE", &self.module()),
        }
        if let Some(init) = self.store.module_init().unwrap() {
            self.set("TRUSTPOINT_HSM_MODULE_INIT", &init);
        }
        if let Some((variable, conf)) = self.store.environment() {
            self.set(variable, conf.to_str().unwrap());
        }
        self.set("SHIM_MODULE", &self.module());
    }

    /// Every later run uses the module of the adapter's tests, which stands before that of the
    /// tokens and fails as it is told.
    pub fn use_shim(&mut self) {
        let shim = self.shim();
        self.set("TRUSTPOINT_HSM_MODULE", shim.to_str().unwrap());
    }

    fn shim(&self) -> PathBuf {
        let source = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../adapters-hsm/tests/modules/shim.c"
        );
        let module = self.path("shim.so");
        if !module.exists() {
            let built = module.to_str().unwrap();
            tool("cc", ["-shared", "-fPIC", "-o", built, source, "-ldl"]);
        }
        module
    }

    /// Every later run finds the tokens of the other sandbox in the place of its own.
    pub fn take_tokens_of(&mut self, other: &Self) {
        self.store = other.store.clone();
        self.configure_module();
    }

    /// Runs pkcs11-tool on the token as its user, and gives back what it printed.
    #[track_caller]
    pub fn pkcs11_tool(&self, arguments: &[&str]) -> String {
        let init = self.store.module_init().unwrap();
        // It cannot hand a string to C_Initialize, and the shim can.
        let mut tool = match init {
            None => self.store.pkcs11_tool(&self.store.kind().module()),
            Some(init) => {
                let mut tool = self.store.pkcs11_tool(&self.shim());
                tool.env("SHIM_MODULE", self.module())
                    .env("SHIM_INIT", init);
                tool
            }
        };
        tool.args(["--token-label", LABEL, "--login", "--pin", PIN]);
        run_tool(tool.args(arguments))
    }

    /// CKA_IDs of the secret keys on the token.
    #[track_caller]
    pub fn keys_on_token(&self) -> Vec<String> {
        let listing = self.pkcs11_tool(&["--list-objects", "--type", "secrkey"]);
        let ids = listing
            .lines()
            .filter_map(|line| line.trim().strip_prefix("ID:"));
        let mut ids: Vec<_> = ids.map(|id| id.trim().to_owned()).collect();
        ids.sort();
        ids
    }

    /// Deletes every secret key from the token, and leaves the token.
    pub fn delete_keks(&self) {
        let ids = self.keys_on_token();
        assert!(!ids.is_empty(), "the token has no key");
        for id in ids {
            self.pkcs11_tool(&["--delete-object", "--type", "secrkey", "--id", &id]);
        }
    }

    /// Somebody else's AES key under the label of our KEK, with the CKA_ID 4711.
    pub fn add_foreign_kek(&self) {
        self.generate_key("4711");
    }

    /// Somebody else's AES key under the label of our KEK.
    pub fn generate_key(&self, id: &str) {
        let key = ["--keygen", "--key-type", "AES:32", "--id", id];
        let label = ["--label", "trustpoint-kek", "--sensitive", "--usage-wrap"];
        self.pkcs11_tool(&[&key[..], &label].concat());
    }

    /// The token is lost, and in its place is what a new one looks like: no token at all, but where
    /// the module makes none of its own one that its operator has initialised. The old token is
    /// kept aside, and its directory given back.
    pub fn lose_token(&self) -> PathBuf {
        let aside = self.path("tokens.lost");
        let _ = fs::remove_dir_all(&aside);
        fs::rename(self.store.tokens(), &aside).unwrap();
        self.new_tokens();
        aside
    }

    /// The old token is back, in the place of the other.
    pub fn bring_token_back(&self) {
        fs::remove_dir_all(self.store.tokens()).unwrap();
        fs::rename(self.path("tokens.lost"), self.store.tokens()).unwrap();
    }

    /// The old token is back, beside the other.
    pub fn bring_token_back_beside(&mut self) {
        self.store.add_from(&self.path("tokens.lost")).unwrap();
        self.configure_module();
    }

    /// Initialises the token beforehand, as an operator would, where it is not.
    #[track_caller]
    pub fn initialise_token(&self) {
        if self.store.kind().has_free_slots() {
            self.store.initialise(LABEL, SO_PIN, PIN).unwrap();
        }
    }

    /// The operator was interrupted between initialising the token and setting its user PIN.
    #[track_caller]
    pub fn half_initialise_token(&self) {
        self.store.half_initialise(LABEL, SO_PIN).unwrap();
    }

    pub(super) fn new_tokens(&self) {
        self.store.create().unwrap();
        if !self.store.kind().has_free_slots() {
            self.store.initialise(LABEL, SO_PIN, PIN).unwrap();
        }
    }
}
