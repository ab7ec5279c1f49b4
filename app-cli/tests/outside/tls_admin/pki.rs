//! Keys, certificates and chains that openssl makes.

use std::path::PathBuf;

use crate::sandbox::{Sandbox, put, tool};

/// A directory of keys and certificates: a root, an intermediate, and what is asked for.
pub struct Pki {
    directory: PathBuf,
}

/// Arguments of `openssl genpkey` for each kind of key that is supported.
pub const KINDS: [(&str, &[&str]); 5] = [
    (
        "rsa2048",
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    ),
    (
        "rsa4096",
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"],
    ),
    (
        "p256",
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    ),
    (
        "p384",
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    ),
    ("ed25519", &["-algorithm", "ED25519"]),
];

impl Pki {
    /// A root and an intermediate of different kinds.
    pub fn new(sandbox: &Sandbox) -> Self {
        let pki = Self {
            directory: sandbox.path("pki"),
        };
        put(
            &pki.file("ca.ext"),
            "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n",
        );
        put(
            &pki.file("leaf.ext"),
            "subjectAltName=DNS:pki.example.org,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n",
        );
        put(&pki.file("index.txt"), "");
        put(
            &pki.file("ca.conf"),
            format!(
                "[ca]\ndefault_ca=own\n[own]\ndatabase={0}/index.txt\nnew_certs_dir={0}\n\
                 default_md=sha256\npolicy=any\nunique_subject=no\nrand_serial=yes\n\
                 [any]\ncommonName=supplied\n",
                pki.directory.display()
            ),
        );
        pki.key("root", KINDS[3].1);
        pki.key("sub", KINDS[0].1);
        let root = [
            "req", "-x509", "-key", "root.key", "-subj", "/CN=Root", "-days", "3650",
        ];
        let root = [&root[..], &["-out", "root.pem"]].concat();
        pki.openssl(&root);
        pki.certificate("sub", "root", "ca.ext", &["-days", "1000"]);
        pki
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The path of a file, for a command line.
    pub fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    /// Runs openssl; an argument that is the name of a file here is made a path.
    #[track_caller]
    pub fn openssl(&self, arguments: &[&str]) -> String {
        let is_file = |name: &str| {
            let ends = [".key", ".pem", ".csr", ".ext", ".conf", ".der"];
            ends.iter().any(|end| name.ends_with(end))
        };
        tool(
            "openssl",
            arguments.iter().map(|argument| {
                if is_file(argument) {
                    self.path(argument)
                } else {
                    (*argument).to_owned()
                }
            }),
        )
    }

    /// `name.key`, PKCS#8.
    pub fn key(&self, name: &str, kind: &[&str]) {
        let out = format!("{name}.key");
        self.openssl(&[&["genpkey"], kind, &["-out", &out]].concat());
    }

    /// `name.pem` for `name.key`, issued by `issuer`.
    pub fn certificate(&self, name: &str, issuer: &str, extensions: &str, validity: &[&str]) {
        let [key, csr, pem] = ["key", "csr", "pem"].map(|end| format!("{name}.{end}"));
        let subject = format!("/CN={name}");
        self.openssl(&["req", "-new", "-key", &key, "-subj", &subject, "-out", &csr]);
        let [by, by_key] = ["pem", "key"].map(|end| format!("{issuer}.{end}"));
        let ca = [
            "ca", "-batch", "-notext", "-config", "ca.conf", "-in", &csr, "-out", &pem,
        ];
        let by = ["-cert", &by, "-keyfile", &by_key, "-extfile", extensions];
        self.openssl(&[&ca[..], &by, validity].concat());
    }

    /// `name.key` and `name.pem` for a server, issued by the intermediate.
    pub fn server(&self, name: &str, kind: &[&str]) {
        self.key(name, kind);
        self.certificate(name, "sub", "leaf.ext", &["-days", "90"]);
    }

    /// Several files one after the other.
    pub fn join(&self, name: &str, parts: &[&str]) -> String {
        let text: String = parts.iter().map(|part| self.read(part)).collect();
        put(&self.file(name), text);
        self.path(name)
    }
}
