//! The middle of the chain: a module that was reached, and a token that was found in it.

use std::thread;
use std::time::Duration;

use ports::{Found, ReachedModule, Secret, Token, TokenError, TokenInfo, TokenQuery, TokenSession};

use crate::find::{self, Search};
use crate::initialise;
use crate::login;
use crate::shared::Lease;
use crate::token_session::Pkcs11Session;

/// How often a token that must exist is looked for before it counts as absent.
const MOST_LOOKS: u32 = 3;
const PAUSE_BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// A module that answers.
pub(crate) struct Reached(pub(crate) Lease);

impl Reached {
    fn look(&self, query: &TokenQuery) -> Result<Search, TokenError> {
        let query = query.clone();
        let module = &self.0.loaded.module;
        module.call("looking for the token", move |module| {
            find::find(module, &query)
        })
    }

    fn token(self, info: TokenInfo) -> Box<dyn Token> {
        Box::new(Pkcs11Token {
            lease: self.0,
            info,
        })
    }
}

impl ReachedModule for Reached {
    fn description(&self) -> &str {
        &self.0.loaded.description
    }

    /// SoftHSM can fail to open a token that another process is writing to, and shows it as if it
    /// were not there. Where a token is known to exist, the module is loaded afresh and asked
    /// again before that is believed (C3).
    fn find(self: Box<Self>, query: &TokenQuery) -> Result<Found, TokenError> {
        let mut reached = *self;
        let mut looks = 1;
        loop {
            match reached.look(query)? {
                Search::Present(info) => return Ok(Found::Present(reached.token(info))),
                Search::Absent { others, free_slot }
                    if query.serial.is_none() || looks == MOST_LOOKS =>
                {
                    return Ok(Found::Absent {
                        module: Box::new(reached),
                        others,
                        free_slot,
                    });
                }
                Search::Absent { .. } => {}
            }
            thread::sleep(PAUSE_BETWEEN_LOOKS);
            reached = Self(reached.0.load_afresh()?);
            looks += 1;
        }
    }

    fn initialise(
        self: Box<Self>,
        label: &str,
        so_pin: &Secret,
        pin: &Secret,
    ) -> Result<Box<dyn Token>, TokenError> {
        let (label, so_pin, pin) = (label.to_owned(), so_pin.clone(), pin.clone());
        let module = &self.0.loaded.module;
        let info = module.call("initialising the token", move |module| {
            initialise::initialise(module, &label, &so_pin, &pin)
        })?;
        self.0.flush(&info)?;
        Ok(self.token(info))
    }
}

/// A token that was found.
struct Pkcs11Token {
    lease: Lease,
    info: TokenInfo,
}

impl Token for Pkcs11Token {
    fn info(&self) -> &TokenInfo {
        &self.info
    }

    fn into_module(self: Box<Self>) -> Box<dyn ReachedModule> {
        Box::new(Reached(self.lease))
    }

    fn log_in(self: Box<Self>, pin: &Secret) -> Result<Box<dyn TokenSession>, TokenError> {
        let Self { lease, info } = *self;
        let user = login::log_in(&lease, &info, pin)?;
        Ok(Box::new(Pkcs11Session { user, info, lease }))
    }
}
