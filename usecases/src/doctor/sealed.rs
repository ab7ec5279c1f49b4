//! Daemon, module, token, PIN, KEK, DEK and its cache.

use std::time::Duration;

use domain::{CacheCopy, KekState};
use ports::{
    CachedDek, Dek, FaultKind, Found, NodeRecord, PinState, Token, TokenCopy, TokenSession,
};

use super::Doctor;
use crate::error::Error;
use crate::refused::CacheAlone;
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
        self.copies(record);
        let unwrapped = self
            .module()
            .and_then(|()| self.token(record))
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
        let copy = record.sealing.only_copy();
        match dek_ways::ensure_consistent(self.node, record, completed, copy, None) {
            Ok(()) => self.pass("keys_agree", "what the database says of the keys agrees"),
            Err(refused) => self.fault("keys_agree", refused),
        }
    }

    /// The tokens that the DEK is wrapped for, and whether what is kept for each can be right.
    fn copies(&mut self, record: &NodeRecord) {
        const NAME: &str = "token_copies";
        let copies = &record.sealing.copies;
        let damaged = copies.iter().find(|copy| {
            let found = dek_ways::contradiction(self.node, record, false, Some(copy), None);
            found.is_some_and(|found| found.is_about_the_kek())
        });
        let Some(TokenCopy { label, serial, .. }) = damaged else {
            let serials: Vec<_> = copies.iter().map(|copy| copy.serial.as_str()).collect();
            return match serials.as_slice() {
                [] => self.pass(NAME, "the DEK is wrapped for no token"),
                serials => self.pass(NAME, format!("for serial {}", serials.join(", "))),
            };
        };
        self.warn(
            NAME,
            format!(
                "what is kept for the token {label:?} (serial {serial}) names two KEKs, or none"
            ),
            format!(
                "with that token in use, run `trustpointctl keys rotate-kek`; where it is gone, \
                 `trustpointctl keys forget-token {serial}`"
            ),
        );
    }

    /// What to do where the KEK does not give the DEK.
    fn way_back(&self, record: &NodeRecord) -> String {
        if record.sealing.is_sealed() {
            dek_ways::way_back_without_kek(self.node, record)
        } else {
            format!("run {}", dek_ways::set_up_again(record))
        }
    }

    fn module(&mut self) -> Option<()> {
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
        match session::reach(self.node) {
            Ok(module) => {
                self.pass("hsm_module", module.description());
                Some(())
            }
            Err(fault) => {
                self.fault("hsm_module", fault);
                self.not_asked("hsm_token", "the module cannot be used");
                None
            }
        }
    }

    fn token(&mut self, record: &NodeRecord) -> Option<Box<dyn Token>> {
        const NAME: &str = "hsm_token";
        let seen = session::find(self.node, Duration::ZERO, Some(record));
        let token = match seen.map(|seen| seen.found) {
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
        let seen = format!("{:?}, serial {}; {}", info.label, info.serial, info.device);
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
        if !record.sealing.is_sealed() {
            self.warn(
                "kek",
                "the database knows of no KEK yet",
                format!("run {}", dek_ways::set_up_again(record)),
            );
            return None;
        }
        match session::copy_for(self.node, &*session, &record.sealing) {
            Ok(Some(copy)) if self.kek(&*session, record, copy) => {
                self.dek(&*session, record, copy)
            }
            Ok(Some(_)) => None,
            Ok(None) => {
                let serial = &session.info().serial;
                let detail = format!("the DEK is not wrapped for this token (serial {serial})");
                self.kek_lost = true;
                let kind = FaultKind::HsmUnavailable;
                self.fail("kek", kind, detail, self.way_back(record));
                None
            }
            Err(fault) => {
                self.fault("kek", fault);
                None
            }
        }
    }

    fn kek(&mut self, session: &dyn TokenSession, record: &NodeRecord, copy: &TokenCopy) -> bool {
        const NAME: &str = "kek";
        let Some(kek) = &copy.kek else {
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
        copy: &TokenCopy,
    ) -> Option<Dek> {
        const NAME: &str = "dek";
        let (Some(kek), Some(wrapped)) = (&copy.kek, &copy.wrapped) else {
            self.fail(
                NAME,
                FaultKind::DataCorrupt,
                "the database holds no DEK that the KEK has wrapped",
                self.way_back(record),
            );
            return None;
        };
        match session.unwrap_dek(kek, &wrapped.dek).map_err(Error::from) {
            Ok(dek) => self.judge(record, copy, dek),
            Err(fault) if fault.kind() == FaultKind::DataCorrupt => {
                self.kek_lost = true;
                let ways = dek_ways::ways(self.node, &record.sealing, KekState::Absent);
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

    /// Whether what the KEK unwraps is the DEK of this database.
    fn judge(&mut self, record: &NodeRecord, copy: &TokenCopy, dek: Dek) -> Option<Dek> {
        const NAME: &str = "dek";
        match dek_ways::ensure_consistent(self.node, record, false, Some(copy), Some(&dek)) {
            Ok(()) => {
                let right = "the KEK unwraps it: 32 bytes, the one of this database";
                self.pass(NAME, right);
                Some(dek)
            }
            Err(refused) => {
                self.fault(NAME, refused);
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
        let copy = dek_ways::cache_copy(self.node, &record.sealing, &cached);
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
