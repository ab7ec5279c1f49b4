//! The token that wraps the DEK (PKCS#11 v3.1), as a chain of types: a [`TokenModule`] that was
//! reached gives tokens, a [`Token`] that was found gives a [`TokenSession`], and keys are asked of
//! a session alone. What has to come first is seen to by the compiler.

use std::fmt;
use std::time::{Duration, Instant};

use domain::{InstallationId, KekId};

use crate::{Dek, Secret, TokenError, TokenName, WrappedDek};

/// Length of a new CKA_ID.
const KEK_ID_LENGTH: usize = 16;

/// How the token stands to user PINs (the flags of CK_TOKEN_INFO, PKCS#11 v3.1 section 3.2).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PinState {
    /// No flag is set.
    Fine,
    /// CKF_USER_PIN_COUNT_LOW: at least one wrong PIN since the last good one.
    CountLow,
    /// CKF_USER_PIN_FINAL_TRY: the next wrong PIN locks the token.
    FinalTry,
    /// CKF_USER_PIN_LOCKED.
    Locked,
    /// The user PIN was never set.
    NotInitialised,
}

impl PinState {
    /// All five.
    pub const ALL: [Self; 5] = [
        Self::Fine,
        Self::CountLow,
        Self::FinalTry,
        Self::Locked,
        Self::NotInitialised,
    ];

    /// The spelling in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::CountLow => "count_low",
            Self::FinalTry => "final_try",
            Self::Locked => "locked",
            Self::NotInitialised => "not_initialised",
        }
    }
}

/// How a DEK is wrapped; the blob names it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum WrapFormat {
    /// CKM_AES_KEY_WRAP (RFC 3394).
    AesKeyWrap,
    /// CKM_AES_KEY_WRAP_KWP (RFC 5649).
    AesKeyWrapKwp,
    /// CKM_AES_GCM with the blob's header as associated data.
    AesGcm,
}

impl WrapFormat {
    /// All three; of those that a token offers the first is used.
    pub const ALL: [Self; 3] = [Self::AesKeyWrap, Self::AesKeyWrapKwp, Self::AesGcm];

    /// The spelling in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesKeyWrap => "AES_KEY_WRAP",
            Self::AesKeyWrapKwp => "AES_KEY_WRAP_KWP",
            Self::AesGcm => "AES_GCM",
        }
    }
}

/// Which token is meant. A label is not unique and a slot number changes, so what is known beside
/// the label decides.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenQuery {
    /// CKA_LABEL of the token.
    pub label: String,
    /// The serial number that the database remembers, or that the configuration asks for.
    pub serial: Option<String>,
    /// This node's installation id, where it has one.
    pub installation: Option<InstallationId>,
}

/// How long the HSM is waited for from now on, and who is told that it is.
pub struct Patience<'a> {
    start: Instant,
    limit: Duration,
    waiting: Option<&'a mut dyn FnMut(&TokenError)>,
}

impl<'a> Patience<'a> {
    /// One try alone.
    #[must_use]
    pub fn none() -> Self {
        Self {
            start: Instant::now(),
            limit: Duration::ZERO,
            waiting: None,
        }
    }

    /// `waiting` is called before each further try.
    pub fn new(limit: Duration, waiting: &'a mut dyn FnMut(&TokenError)) -> Self {
        Self {
            start: Instant::now(),
            limit,
            waiting: Some(waiting),
        }
    }

    /// What is left of it.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.limit.saturating_sub(self.start.elapsed())
    }

    /// Says that there will be a further try, and why.
    pub fn tell(&mut self, why: &TokenError) {
        if let Some(waiting) = &mut self.waiting {
            waiting(why);
        }
    }
}

/// The device that a token is on, in its maker's words (CK_TOKEN_INFO). Displayed as
/// `"MANUFACTURER" "MODEL", firmware VERSION`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Device {
    /// Who made it.
    pub manufacturer: String,
    /// Which of the maker's devices it is.
    pub model: String,
    /// The version of its firmware: `2.6`.
    pub firmware: String,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            manufacturer,
            model,
            firmware,
        } = self;
        write!(f, "{manufacturer:?} {model:?}, firmware {firmware}")
    }
}

/// What an initialised token says of itself without a login.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenInfo {
    /// Its label.
    pub label: String,
    /// What tells it from other tokens: its serial number; for a token that has none of its own, the
    /// number that its marker gives it.
    pub serial: String,
    /// The device that it is on.
    pub device: Device,
    /// Its user PIN.
    pub pin: PinState,
    /// The installation id of this project's public marker object, where it carries one (C23).
    pub marker: Option<InstallationId>,
    /// How it wraps; `None` where it offers no authenticated mechanism this program knows.
    pub wrap_format: Option<WrapFormat>,
}

impl TokenInfo {
    /// Which token it is.
    #[must_use]
    pub fn name(&self) -> TokenName {
        TokenName {
            label: self.label.clone(),
            serial: self.serial.clone(),
        }
    }
}

/// The module that is configured. Nothing is loaded yet. One value serves one process.
///
/// Of this trait and of all that it leads to: every call MUST come back within the configured
/// deadline, whatever the module does; one that does not is [`TokenError::Hangs`], as are all calls
/// after it. Unreachable MUST NOT look like absent (C3): module missing or not a library, daemon down
/// or silent, no slots at all, device errors are errors, never "no token" or "no key".
///
/// The kind of an error ([`TokenError::kind`]) MUST be [`crate::FaultKind::HsmUnavailable`] for
/// unreachable, [`crate::FaultKind::Denied`] for a login or PIN that is refused,
/// [`crate::FaultKind::DataCorrupt`] for a blob or key that cannot be right, and
/// [`crate::FaultKind::Config`] for a configuration that cannot be.
pub trait TokenModule {
    /// Loads the module and sees that it shows at least one slot; where a daemon is configured, it
    /// is reached first. Tries again until the patience is over where a later try could work (a
    /// daemon that is down, no slots, a device error), and not where it could not (no such file,
    /// no PKCS#11 module).
    ///
    /// One at a time: what came of an earlier call is dropped first. The module stays loaded all
    /// the same: a later call MUST NOT load it again.
    ///
    /// # Errors
    /// See [`TokenModule`].
    fn reach(&self, patience: &mut Patience<'_>) -> Result<Box<dyn ReachedModule>, TokenError>;

    /// Whether the daemon accepts a connection, in one try: its address. MUST be `None` where none
    /// is configured. Says nothing of the module behind it.
    ///
    /// # Errors
    /// See [`TokenModule`].
    fn probe_daemon(&self) -> Result<Option<String>, TokenError>;

    /// What was seen on the way and has to be dealt with; each is told once.
    fn take_warnings(&self) -> Vec<String>;
}

/// A module that answers.
pub trait ReachedModule {
    /// What answered, for the report.
    fn description(&self) -> &str;

    /// Looks for the token without a login. Looks again until the patience is over where it may be
    /// back then: a token that was pulled out, a slot that cannot be read.
    ///
    /// Of several tokens with the label the one with the serial number is meant, else the one with
    /// this installation's marker, else MUST be [`TokenError::Ambiguous`]. A token that carries
    /// another installation's marker is returned as it is: the caller must not use it.
    ///
    /// # Errors
    /// See [`TokenModule`].
    fn find(
        self: Box<Self>,
        query: &TokenQuery,
        patience: &mut Patience<'_>,
    ) -> Result<Found, TokenError>;

    /// Initialises a free slot: label, SO PIN, user PIN. MUST NOT touch a slot that holds an
    /// initialised token, but for one with this label and no user PIN yet, which it finishes. No
    /// login counts towards the PIN budget here.
    ///
    /// # Errors
    /// See [`TokenModule`]; MUST be [`TokenError::NoFreeSlot`] where there is none.
    fn initialise(
        self: Box<Self>,
        label: &str,
        so_pin: &Secret,
        pin: &Secret,
    ) -> Result<Box<dyn Token>, TokenError>;
}

/// What came of looking for a token.
pub enum Found {
    /// No initialised token with the label.
    Absent {
        /// The module, which can still initialise one.
        module: Box<dyn ReachedModule>,
        /// The initialised tokens that are there.
        others: Vec<TokenName>,
        /// Whether a slot is free to be initialised.
        free_slot: bool,
    },
    /// The token.
    Present(Box<dyn Token>),
}

/// One thing that was asked of a token.
#[derive(Debug)]
pub struct Trial {
    /// Its name: `wrap_aes_gcm`.
    pub name: &'static str,
    /// What came of it.
    pub result: TrialResult,
}

/// What came of a trial.
#[derive(Debug)]
pub enum TrialResult {
    /// It works, and how.
    Works(String),
    /// It does not, and this program does without.
    Lacks(String),
    /// It does not, and no KEK can be kept there.
    Fails(TokenError),
}

/// An initialised token; nobody is logged in.
pub trait Token {
    /// What it says of itself.
    fn info(&self) -> &TokenInfo;

    /// Back to its module, to finish one that has no user PIN yet.
    fn into_module(self: Box<Self>) -> Box<dyn ReachedModule>;

    /// What it says of what it can do, without a login.
    ///
    /// # Errors
    /// See [`TokenModule`].
    fn examine(&self) -> Result<Vec<Trial>, TokenError>;

    /// The names of all mechanisms that it offers (PKCS#11 v3.1, section 6) without their `CKM_`, in
    /// order; the number of one that has no name here.
    ///
    /// # Errors
    /// See [`TokenModule`].
    fn mechanisms(&self) -> Result<Vec<String>, TokenError>;

    /// Logs in as the user, at most one C_Login in the life of the [`TokenModule`] (C18). MUST NOT
    /// try where the token says FINAL_TRY or LOCKED, nor with a PIN that the ledger knows as
    /// rejected by this token, nor after [`crate::MOST_UNSEEN_TRIES`] whose end nobody saw, nor
    /// where the try cannot be noted in the ledger; MUST hold the ledger from there until the end
    /// of the try is noted.
    ///
    /// # Errors
    /// See [`TokenModule`]; MUST be [`crate::FaultKind::Denied`] for every refusal, and of the
    /// ledger's kind where that cannot be used.
    fn log_in(self: Box<Self>, pin: &Secret) -> Result<Box<dyn TokenSession>, TokenError>;

    /// The same for an operator who was asked just now and wants the try: also after
    /// [`crate::MOST_UNSEEN_TRIES`] whose end nobody saw. All other promises hold.
    ///
    /// # Errors
    /// As [`Token::log_in`].
    fn log_in_as_asked(self: Box<Self>, pin: &Secret) -> Result<Box<dyn TokenSession>, TokenError>;
}

/// A session in which the user is logged in.
pub trait TokenSession {
    /// What the token said of itself before the login, and its marker as it stands now.
    fn info(&self) -> &TokenInfo;

    /// Whether the token holds the KEK with this CKA_ID.
    ///
    /// # Errors
    /// See [`TokenModule`]; MUST be [`TokenError::SeveralKeks`] for two keys with the id.
    fn has_kek(&self, kek: &KekId) -> Result<bool, TokenError>;

    /// Unwraps with the KEK that the blob names.
    ///
    /// # Errors
    /// See [`TokenModule`]; MUST be [`crate::FaultKind::DataCorrupt`] for a blob that is cut,
    /// altered, or names another KEK than `kek`, and for a key that is not 32 bytes.
    fn unwrap_dek(&self, kek: &KekId, blob: &WrappedDek) -> Result<Dek, TokenError>;

    /// Wraps, unwraps what came out and compares (C16).
    ///
    /// # Errors
    /// See [`TokenModule`].
    fn wrap_dek(&self, kek: &KekId, dek: &Dek) -> Result<WrappedDek, TokenError>;

    /// Generates a KEK with a new random CKA_ID, as [`TokenSession::generate_kek_as`] does.
    ///
    /// # Errors
    /// See [`TokenModule`].
    fn generate_kek(&self) -> Result<KekId, TokenError> {
        let kek = self.new_kek_id()?;
        self.generate_kek_as(&kek)?;
        Ok(kek)
    }

    /// A random CKA_ID for a KEK that is not generated yet, so that it can be noted down before:
    /// who dies in between finds the key again.
    ///
    /// # Errors
    /// See [`TokenModule`].
    fn new_kek_id(&self) -> Result<KekId, TokenError> {
        let random = self.random(KEK_ID_LENGTH)?;
        KekId::new(random.expose()).map_err(|error| TokenError::Defect {
            what: "no id could be made for a new KEK",
            source: error.into(),
        })
    }

    /// Generates the KEK with this CKA_ID: AES-256, on the token, private, sensitive, never
    /// extractable. What the token made of that MUST be read back, and destroyed where it is another
    /// key than was asked for. MUST NOT be called where the token holds it.
    ///
    /// # Errors
    /// See [`TokenModule`].
    fn generate_kek_as(&self, kek: &KekId) -> Result<(), TokenError>;

    /// CKA_CHECK_VALUE of the KEK; MUST be `None` where the token does not hold it or gives none.
    ///
    /// # Errors
    /// See [`TokenModule`].
    fn kek_check_value(&self, kek: &KekId) -> Result<Option<Vec<u8>>, TokenError>;

    /// Destroys the KEK with this CKA_ID and no other object; `false` where the token does not
    /// hold it. What the token was given before MUST be on the disk by then.
    ///
    /// # Errors
    /// See [`TokenModule`]; MUST be [`TokenError::SeveralKeks`] for two keys with the id.
    fn destroy_kek(&self, kek: &KekId) -> Result<bool, TokenError>;

    /// Random bytes of the token's generator; of the system's where the token has none.
    ///
    /// # Errors
    /// See [`TokenModule`].
    fn random(&self, length: usize) -> Result<Secret, TokenError>;

    /// Tries out all that is asked of a token that keeps a KEK, on a key of this session alone. MUST
    /// leave nothing behind.
    ///
    /// # Errors
    /// See [`TokenModule`].
    fn try_out(&self) -> Result<Vec<Trial>, TokenError>;

    /// Leaves this installation's marker on the token, readable without a login; one that is
    /// right already stays.
    ///
    /// # Errors
    /// See [`TokenModule`]; MUST be [`TokenError::OtherInstallation`] where another's stands there.
    fn mark(&mut self, installation: &InstallationId) -> Result<(), TokenError>;
}

/// What a wrapped DEK says of itself. No token is needed for it.
pub trait DekBlobs {
    /// The format that the blob names; MUST be `None` for what is no blob of the token's.
    fn wrap_format_of(&self, blob: &WrappedDek) -> Option<WrapFormat>;

    /// The KEK that the blob names; MUST be `None` for what is no blob of the token's.
    fn kek_of(&self, blob: &WrappedDek) -> Option<KekId>;
}
