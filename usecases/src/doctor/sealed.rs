//! Daemon, module, token, PIN, KEK, DEK and its cache.

use std::time::Duration;

use domain::{CacheCopy, KekState};
use ports::{
    CachedDek, Dek, FaultKind, Found, NodeRecord, PinState, ReachedModule, Token, TokenRecord,
    TokenSession,
};

use super::Doctor;
use crate::error::Error;
use crate::refused::CacheAlone;
use crate::report::DeviceReport;
use crate::token::listed;
use crate::{dek_ways, session, storage};

impl Doctor<'_> {
    /// Gives back the DEK, where it is accessible.
    pub(super) fn sealed(&mut self, record: Option<&NodeRecord>) -> Option<Dek> {
        if let Some(record) = record {
            self.agreement(record);
        }
        let record = match record {
            Some(record) if self.has_token(Some(record)) => record,
            Some(record) if storage::is_refused(self.node, record.storage) => {
                self.not_asked("hsm", "physical HSMs are not opted in to");
                return None;
            }
            Some(_) | None => {
                self.pass("hsm", "no HSM is needed: no token belongs to the storage");
                return None;
            }
        };
        let unwrapped = self
            .module()
            .and_then(|module| self.token(module, record))
            .and_then(|token| self.keys(token, record));
        self.cache(record, unwrapped)
    }

    /// Whether what the database says of the keys can all be true.
    fn agreement(&mut self, record: &NodeRecord) {
        let raw = self
            .node
            .host
            .wizard
            .read()
            .map_or(None, |found| found.state());
        let completed = dek_ways::is_completed(record, raw);
        match dek_ways::ensure_consistent(self.node, record, completed, None) {
            Ok(()) => self.pass("keys_agree", "what the database says of the keys agrees"),
            Err(refused) => self.fault("keys_agree", refused),
        }
    }

    /// What to do where the KEK does not give the DEK.
    fn way_back(&self, record: &NodeRecord) -> String {
        record.token.as_ref().map_or_else(
            || format!("run {}", dek_ways::set_up_again(record)),
            |known| dek_ways::way_back_without_kek(self.node, record, known),
        )
    }

    fn module(&mut self) -> Option<Box<dyn ReachedModule>> {
        match self.node.secrets.module.probe_daemon() {
            Ok(None) => self.pass(
                "hsm_daemon",
                "none is configured: the module works in process",
            ),
            Ok(Some(daemon)) => self.pass("hsm_daemon", format!("{daemon} accepts connections")),
            Err(fault) => {
                self.fault("hsm_daemon", fault);
                self.not_asked("hsm_module", "the daemon cannot be reached");
                self.not_asked("hsm_token", "the daemon cannot be reached");
                return None;
            }
        }
        match session::reach(self.node, Duration::ZERO) {
            Ok(module) => {
                self.pass("hsm_module", module.description());
                Some(module)
            }
            Err(fault) => {
                self.fault("hsm_module", fault);
                self.not_asked("hsm_token", "the module cannot be used");
                None
            }
        }
    }

    fn token(
        &mut self,
        module: Box<dyn ReachedModule>,
        record: &NodeRecord,
    ) -> Option<Box<dyn Token>> {
        const NAME: &str = "hsm_token";
        let token = match session::find(self.node, module, Some(record)) {
            Ok(Found::Present(token)) => token,
            Ok(Found::Absent { others, .. }) => {
                let label = &self.node.settings.token_label;
                let others = if others.is_empty() {
                    "there is no initialised one".to_owned()
                } else {
                    format!("there are: {}", listed(&others))
                };
                let detail = format!("no token is named {label:?}; {others}");
                self.kek_lost = true;
                self.fail(
                    NAME,
                    FaultKind::HsmUnavailable,
                    detail,
                    self.way_back(record),
                );
                return None;
            }
            Err(fault) => {
                self.fault(NAME, fault);
                return None;
            }
        };
        let info = token.info();
        let seen = format!("{:?}: {}", info.label, DeviceReport::from(info));
        self.pass(NAME, seen);
        self.pin_budget(info.pin);
        Some(token)
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

    fn keys(&mut self, token: Box<dyn Token>, record: &NodeRecord) -> Option<Dek> {
        let pin = self.node.secrets.pins.user_pin();
        let session = match pin
            .map_err(Error::from)
            .and_then(|pin| Ok(token.log_in(&pin)?))
        {
            Ok(session) => session,
            Err(fault) => {
                self.fault("pin", fault);
                self.not_asked("kek", "the login was refused");
                self.not_asked("dek", "the login was refused");
                return None;
            }
        };
        self.pass("pin", "the token accepts it");
        let Some(known) = &record.token else {
            self.warn(
                "kek",
                "the database knows of no KEK yet",
                format!("run {}", dek_ways::set_up_again(record)),
            );
            return None;
        };
        self.kek(&*session, record, known)
            .then(|| self.dek(&*session, record, known))
            .flatten()
    }

    fn kek(
        &mut self,
        session: &dyn TokenSession,
        record: &NodeRecord,
        known: &TokenRecord,
    ) -> bool {
        const NAME: &str = "kek";
        let Some(kek) = &known.kek else {
            self.fail(
                NAME,
                FaultKind::DataCorrupt,
                "the database names no KEK",
                self.way_back(record),
            );
            return false;
        };
        match session.has_kek(kek).map_err(Error::from) {
            Ok(true) => {
                self.pass(NAME, format!("{kek} is on the token"));
                true
            }
            Ok(false) => {
                let detail = format!("{kek} is not on the token");
                self.kek_lost = true;
                self.fail(
                    NAME,
                    FaultKind::HsmUnavailable,
                    detail,
                    self.way_back(record),
                );
                false
            }
            Err(fault) => {
                self.fault(NAME, fault);
                false
            }
        }
    }

    fn dek(
        &mut self,
        session: &dyn TokenSession,
        record: &NodeRecord,
        known: &TokenRecord,
    ) -> Option<Dek> {
        const NAME: &str = "dek";
        let (Some(kek), Some(blob)) = (&known.kek, &known.encrypted_dek) else {
            self.fail(
                NAME,
                FaultKind::DataCorrupt,
                "the database holds no DEK that the KEK has wrapped",
                self.way_back(record),
            );
            return None;
        };
        match session.unwrap_dek(kek, blob).map_err(Error::from) {
            Ok(dek) => match dek_ways::ensure_consistent(self.node, record, false, Some(&dek)) {
                Ok(()) => {
                    self.pass(
                        NAME,
                        "the KEK unwraps it: 32 bytes, the one of this database",
                    );
                    Some(dek)
                }
                Err(refused) => {
                    self.fault(NAME, refused);
                    None
                }
            },
            Err(fault) if fault.kind() == FaultKind::DataCorrupt => {
                self.kek_lost = true;
                let ways = dek_ways::ways(self.node, known, KekState::Absent);
                let fault = match ways {
                    Ok(ways) if ways.is_in_cache_alone() => {
                        let way_back = dek_ways::way_back(self.node, record, ways);
                        CacheAlone::refused(fault, way_back).into()
                    }
                    Ok(_) | Err(_) => fault,
                };
                self.fault(NAME, fault);
                None
            }
            Err(fault) => {
                self.fault(NAME, fault);
                None
            }
        }
    }

    fn cache(&mut self, record: &NodeRecord, unwrapped: Option<Dek>) -> Option<Dek> {
        const NAME: &str = "dek_cache";
        let path = self.node.secrets.cache.path();
        let cached = match self.node.secrets.cache.read() {
            Ok(cached) => cached,
            Err(fault) => {
                self.fault(NAME, fault);
                return unwrapped;
            }
        };
        let copy = dek_ways::copy_of(self.node, record.token.as_ref(), &cached);
        match cached {
            CachedDek::Present(dek) if copy == CacheCopy::Ours => {
                self.pass(NAME, format!("{path} holds the DEK of this database"));
                if self.kek_lost {
                    self.warn(
                        "dek_last_copy",
                        "the DEK is left in the cache alone, and gone with the next restart of \
                         the container",
                        self.way_back(record),
                    );
                }
                return unwrapped.or(Some(dek));
            }
            CachedDek::Present(_) => self.warn(
                NAME,
                format!("{path} holds the DEK of another database"),
                "the next start does not use it",
            ),
            CachedDek::Unusable(why) if self.kek_lost => {
                self.warn(NAME, why, self.way_back(record));
            }
            CachedDek::Unusable(why) => self.warn(NAME, why, "the next start does not use it"),
            CachedDek::Absent => self.pass(NAME, "nothing is cached"),
        }
        unwrapped
    }
}
