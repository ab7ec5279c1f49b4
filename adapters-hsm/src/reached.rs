//! The middle of the chain: a module that was reached, and a token that was found in it.

use std::thread;
use std::time::Duration;

use ports::{
    Found, Patience, ReachedModule, Secret, Token, TokenError, TokenInfo, TokenName, TokenQuery,
    TokenSession, Trial,
};

use crate::budget::Wanted;
use crate::find::{self, Search};
use crate::initialise;
use crate::login;
use crate::patience::Pauses;
use crate::session::UserSession;
use crate::shared::Lease;
use crate::slots::SlotToken;
use crate::token_session::Pkcs11Session;
use crate::trials;
use crate::worker::Remote;

/// How often a token that must exist is looked for before it counts as absent.
const MOST_LOOKS: u32 = 3;
const PAUSE_BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// A module that answers.
pub(crate) struct Reached(pub(crate) Lease);

/// What one look has shown.
enum Look {
    Absent {
        others: Vec<TokenName>,
        free_slot: bool,
    },
    Present(Opened),
}

/// A session on a token in which nobody is logged in, and what the token says of itself in it.
type Opened = (Remote<UserSession>, TokenInfo);

fn look(lease: &Lease, query: &TokenQuery) -> Result<Look, TokenError> {
    let module = &lease.loaded.module;
    let query = query.clone();
    let search = module.call("looking for the token", move |module| {
        find::find(module, &query)
    })?;
    match search {
        Search::Absent { others, free_slot } => Ok(Look::Absent { others, free_slot }),
        Search::Present(token) => open(lease, *token).map(Look::Present),
    }
}

fn open(lease: &Lease, token: SlotToken) -> Result<Opened, TokenError> {
    let session = (lease.loaded.module).make("opening a session", move |module| {
        UserSession::open(module, token)
    })?;
    let info = session.call("reading the marker", UserSession::describe)?;
    Ok((session, info))
}

fn found(lease: Lease, (session, info): Opened) -> Box<dyn Token> {
    Box::new(Pkcs11Token {
        session,
        info,
        lease,
    })
}

impl ReachedModule for Reached {
    fn description(&self) -> &str {
        &self.0.loaded.description
    }

    /// A module may show its slots as they were when it was initialised, so it is loaded afresh
    /// before each further look. SoftHSM can fail to open a token that another process is writing to,
    /// and shows it as if it were not there: where a token is known to exist, that is looked at more
    /// than once before it is believed (C3).
    fn find(
        self: Box<Self>,
        query: &TokenQuery,
        patience: &mut Patience<'_>,
    ) -> Result<Found, TokenError> {
        let mut lease = self.0;
        let mut looks = 1;
        let mut pauses = Pauses::new();
        loop {
            match look(&lease, query) {
                Ok(Look::Present(opened)) => return Ok(Found::Present(found(lease, opened))),
                Ok(Look::Absent { others, free_slot })
                    if query.serial.is_none() || looks == MOST_LOOKS =>
                {
                    return Ok(Found::Absent {
                        module: Box::new(Self(lease)),
                        others,
                        free_slot,
                    });
                }
                Ok(Look::Absent { .. }) => {
                    looks += 1;
                    thread::sleep(PAUSE_BETWEEN_LOOKS);
                }
                Err(error) => pauses.pause(patience, error)?,
            }
            lease = lease.load_afresh(|error| pauses.pause(patience, error))?;
        }
    }

    fn initialise(
        self: Box<Self>,
        label: &str,
        so_pin: &Secret,
        pin: &Secret,
    ) -> Result<Box<dyn Token>, TokenError> {
        let lease = self.0;
        let (label, so_pin, pin) = (label.to_owned(), so_pin.clone(), pin.clone());
        let token = (lease.loaded.module).call("initialising the token", move |module| {
            initialise::initialise(module, &label, &so_pin, &pin)
        })?;
        let opened = open(&lease, token)?;
        lease.flush(&opened.1)?;
        Ok(found(lease, opened))
    }
}

/// A token that was found.
struct Pkcs11Token {
    // Before the lease: the session ends before the module is free again.
    session: Remote<UserSession>,
    info: TokenInfo,
    lease: Lease,
}

impl Token for Pkcs11Token {
    fn info(&self) -> &TokenInfo {
        &self.info
    }

    fn into_module(self: Box<Self>) -> Box<dyn ReachedModule> {
        let Self { session, lease, .. } = *self;
        drop(session);
        Box::new(Reached(lease))
    }

    fn mechanisms(&self) -> Result<Vec<String>, TokenError> {
        self.session.call("asking for its mechanisms", |user| {
            user.mechanisms().names()
        })
    }

    fn examine(&self) -> Result<Vec<Trial>, TokenError> {
        self.session
            .call("asking what it can do", trials::without_login)
    }

    fn log_in(self: Box<Self>, pin: &Secret) -> Result<Box<dyn TokenSession>, TokenError> {
        self.log_in_where(pin, Wanted::ByProgram)
    }

    fn log_in_as_asked(self: Box<Self>, pin: &Secret) -> Result<Box<dyn TokenSession>, TokenError> {
        self.log_in_where(pin, Wanted::ByOperator)
    }
}

impl Pkcs11Token {
    fn log_in_where(
        self,
        pin: &Secret,
        wanted: Wanted,
    ) -> Result<Box<dyn TokenSession>, TokenError> {
        let Self {
            session,
            info,
            lease,
        } = self;
        login::log_in(&lease, &session, &info, pin, wanted)?;
        Ok(Box::new(Pkcs11Session {
            user: session,
            info,
            lease,
        }))
    }
}
