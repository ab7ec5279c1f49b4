//! Daemon, module, token, PIN, KEK, DEK and its cache.

use std::time::Duration;

use ports::{CachedDek, Dek, FaultKind, NodeRecord, PinState, Token, TokenRecord, TokenSight};

use super::{Doctor, is_softhsm};
use crate::token;

const RECOVER: &str = "bring the old token back, or run `trustpointctl startup` and then \
                       `trustpointctl recover`";

impl Doctor<'_> {
    /// Gives back the DEK, where it is accessible.
    pub(super) fn sealed(&mut self, record: Option<&NodeRecord>) -> Option<Dek> {
        if !is_softhsm(record) {
            self.pass("hsm", "no HSM is needed: the storage is not SoftHSM");
            return None;
        }
        let record = record?;
        let token = self.reach(record);
        let unwrapped = token.and_then(|token| self.keys(&token, record));
        self.cache(record, unwrapped)
    }

    fn reach(&mut self, record: &NodeRecord) -> Option<Token> {
        match self.node.hsm.probe_daemon() {
            Ok(None) => self.pass(
                "hsm_daemon",
                "none is configured: the module works in process",
            ),
            Ok(Some(daemon)) => self.pass("hsm_daemon", format!("{daemon} accepts connections")),
            Err(fault) => {
                self.fault("hsm_daemon", &fault);
                self.not_asked("hsm_module", "the daemon cannot be reached");
                self.not_asked("hsm_token", "the daemon cannot be reached");
                return None;
            }
        }
        match self.node.hsm.reach(Duration::ZERO, &mut |_| ()) {
            Ok(library) => self.pass("hsm_module", library),
            Err(fault) => {
                self.fault("hsm_module", &fault);
                self.not_asked("hsm_token", "the module cannot be used");
                return None;
            }
        }
        self.token(record)
    }

    fn token(&mut self, record: &NodeRecord) -> Option<Token> {
        const NAME: &str = "hsm_token";
        let found = match self
            .node
            .hsm
            .find_token(&token::query(self.node, Some(record)))
        {
            Ok(TokenSight::Present(found)) => found,
            Ok(TokenSight::Absent { others, .. }) => {
                let label = &self.node.settings.token_label;
                let others = if others.is_empty() {
                    "there is no initialised one".to_owned()
                } else {
                    format!("there are: {}", others.join(", "))
                };
                let detail = format!("no token is named {label:?}; {others}");
                self.kek_lost = true;
                self.fail(NAME, FaultKind::HsmUnavailable, detail, RECOVER);
                return None;
            }
            Err(fault) => {
                self.fault(NAME, &fault);
                return None;
            }
        };
        let seen = format!("{:?}, serial {}", found.label, found.serial);
        if let Err(fault) = token::refuse_foreign(self.node, &found, record.installation.as_ref()) {
            self.fault(NAME, &fault);
            return None;
        }
        self.pass(NAME, seen);
        self.pin_budget(found.pin);
        Some(found)
    }

    fn pin_budget(&mut self, pin: PinState) {
        const NAME: &str = "pin_budget";
        match pin {
            PinState::Fine => self.pass(NAME, "no wrong PIN since the last login"),
            PinState::CountLow => self.warn(
                NAME,
                "wrong PINs were tried: the tries run low",
                "see that every user of the token has the right PIN; a login that works puts it \
                 right",
            ),
            PinState::FinalTry => self.fail(
                NAME,
                FaultKind::Denied,
                "the next wrong PIN locks the token",
                "log in once by hand with the PIN that is surely right (`pkcs11-tool --login`)",
            ),
            PinState::Locked => self.fail(
                NAME,
                FaultKind::Denied,
                "the user PIN is locked",
                "set it anew with the SO PIN (`pkcs11-tool --init-pin`)",
            ),
            PinState::NotInitialised => self.fail(
                NAME,
                FaultKind::Denied,
                "the token has no user PIN",
                "set it with the SO PIN (`pkcs11-tool --init-pin`)",
            ),
        }
    }

    fn keys(&mut self, token: &Token, record: &NodeRecord) -> Option<Dek> {
        let login = self
            .node
            .pins
            .user_pin()
            .and_then(|pin| self.node.hsm.login(token, &pin));
        match login {
            Ok(()) => self.pass("pin", "the token accepts it"),
            Err(fault) => {
                self.fault("pin", &fault);
                self.not_asked("kek", "the login was refused");
                self.not_asked("dek", "the login was refused");
                return None;
            }
        }
        let Some(known) = &record.token else {
            self.warn(
                "kek",
                "the database knows of no KEK yet",
                "run `trustpointctl setup --storage softhsm`",
            );
            return None;
        };
        self.kek(known).then(|| self.dek(known)).flatten()
    }

    fn kek(&mut self, known: &TokenRecord) -> bool {
        const NAME: &str = "kek";
        let Some(kek) = &known.kek else {
            self.fail(
                NAME,
                FaultKind::DataCorrupt,
                "the database names no KEK",
                RECOVER,
            );
            return false;
        };
        match self.node.hsm.has_kek(kek) {
            Ok(true) => {
                self.pass(NAME, format!("{kek} is on the token"));
                true
            }
            Ok(false) => {
                let detail = format!("{kek} is not on the token");
                self.kek_lost = true;
                self.fail(NAME, FaultKind::HsmUnavailable, detail, RECOVER);
                false
            }
            Err(fault) => {
                self.fault(NAME, &fault);
                false
            }
        }
    }

    fn dek(&mut self, known: &TokenRecord) -> Option<Dek> {
        const NAME: &str = "dek";
        let (Some(kek), Some(blob)) = (&known.kek, &known.encrypted_dek) else {
            self.fail(
                NAME,
                FaultKind::DataCorrupt,
                "the database holds no DEK that the KEK has wrapped",
                RECOVER,
            );
            return None;
        };
        match self.node.hsm.unwrap_dek(kek, blob) {
            Ok(dek) if self.is_its(known, &dek) => {
                self.pass(
                    NAME,
                    "the KEK unwraps it: 32 bytes, the one of this database",
                );
                Some(dek)
            }
            Ok(_) => {
                self.fail(
                    NAME,
                    FaultKind::DataCorrupt,
                    "the KEK unwraps another DEK than the one of this database",
                    "restore a backup or snapshot of the database",
                );
                None
            }
            Err(fault) => {
                self.fault(NAME, &fault);
                None
            }
        }
    }

    fn cache(&mut self, record: &NodeRecord, unwrapped: Option<Dek>) -> Option<Dek> {
        const NAME: &str = "dek_cache";
        let path = self.node.dek_cache.path();
        match self.node.dek_cache.read() {
            Ok(CachedDek::Present(dek))
                if record
                    .token
                    .as_ref()
                    .is_some_and(|known| self.is_its(known, &dek)) =>
            {
                self.pass(NAME, format!("{path} holds the DEK of this database"));
                if self.kek_lost {
                    self.warn(
                        "dek_last_copy",
                        "the DEK is left in the cache alone, and gone with the next restart of \
                         the container",
                        "bring the token back, or see that the backup password is known, before \
                         anything is restarted",
                    );
                }
                return unwrapped.or(Some(dek));
            }
            Ok(CachedDek::Present(_)) => self.warn(
                NAME,
                format!("{path} holds the DEK of another database"),
                "the next start does not use it",
            ),
            Ok(CachedDek::Unusable(why)) => self.warn(NAME, why, "the next start does not use it"),
            Ok(CachedDek::Absent) => self.pass(NAME, "nothing is cached"),
            Err(fault) => self.fault(NAME, &fault),
        }
        unwrapped
    }

    fn is_its(&self, known: &TokenRecord, dek: &Dek) -> bool {
        let expected = known.dek_check_value.as_ref();
        expected.is_none_or(|expected| *expected == self.node.seals.check_value(dek))
    }
}
