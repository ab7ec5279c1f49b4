//! What can fail on the way to the token and on it.

use std::error::Error;
use std::fmt;
use std::io;

use domain::{InstallationId, KekId};

use crate::{FaultKind, FileError, PinMemoryError, in_full};

type Source = Box<dyn Error + Send + Sync>;

/// A token by what tells it from others. Displayed as `token "LABEL" (serial NUMBER)`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenName {
    /// Its label.
    pub label: String,
    /// Its serial number.
    pub serial: String,
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token {:?} (serial {})", self.label, self.serial)
    }
}

/// What the return value of a failed call means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CallFailure {
    /// Module, daemon or token does not work at the moment.
    Unreachable,
    /// The same, as far as one can tell: modules say this of anything, of data that is damaged too.
    Vague,
    /// A PIN or a right is refused.
    Denied,
    /// What the call names is not there any more: it was found a moment ago, so this proves no
    /// loss.
    Gone,
    /// What the token was given, or gave, cannot be right.
    Corrupt,
    /// The token cannot do what the configuration asks of it.
    Config,
    /// This program made a call that it must not make.
    Internal,
}

/// A failure of the token port.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of a variant says what its fields are"
)]
pub enum TokenError {
    /// The daemon behind the module does not accept a connection.
    #[error("the HSM daemon at {daemon} cannot be reached")]
    DaemonUnreachable { daemon: String, source: io::Error },
    /// The file of the module is missing or cannot be used.
    #[error("the PKCS#11 module {module} {problem}")]
    ModuleUnusable {
        module: String,
        problem: &'static str,
        source: Source,
    },
    /// The file is a library of another kind.
    #[error("{module} is a library, but no PKCS#11 module")]
    NotPkcs11 { module: String, source: Source },
    /// C_Initialize wants another string than it was given.
    #[error("the PKCS#11 module {module} cannot be initialised {how} string of its own")]
    InitString {
        module: String,
        /// "without a" or "with this".
        how: &'static str,
        source: Source,
    },
    /// The module shows no slots, as one does whose daemon is not there. Never "no token".
    #[error("the PKCS#11 module {module} shows no slots; it calls itself {library:?}")]
    NoSlots { module: String, library: String },
    /// There is no thread for the module to run on.
    #[error("no thread could be started for the PKCS#11 module {module}")]
    NoThread { module: String, source: io::Error },
    /// A call into the module never came back, and none after it will.
    #[error("{doing} through the PKCS#11 module {module} accepts and never answers: {why}")]
    Hangs {
        doing: String,
        module: String,
        why: String,
    },
    /// The module called `exit` or crashed.
    #[error(
        "{doing}: the PKCS#11 module {module} ended the process: {how}; an object on the token \
         may be damaged"
    )]
    ProcessEnded {
        doing: String,
        module: String,
        how: String,
    },
    /// The thread of the module is not there any more.
    #[error("{doing}: the thread of the PKCS#11 module {module} has ended")]
    ThreadEnded { doing: String, module: String },
    /// A call into the module failed.
    #[error("{what}")]
    Call {
        what: String,
        failure: CallFailure,
        source: Source,
    },
    /// A label that no token can have.
    #[error("{0:?} cannot be the label of a token")]
    ImpossibleLabel(String),
    /// Several tokens could be meant.
    #[error(
        "{} tokens have the label {label:?}; their serial numbers are {}",
        serials.len(),
        serials.join(", ")
    )]
    Ambiguous { label: String, serials: Vec<String> },
    /// The token is not shown, and could be in a slot that cannot be read.
    #[error("the token {label:?} is not shown by {module}, and slot {slot} cannot be read")]
    SlotUnreadable {
        label: String,
        module: String,
        slot: u64,
        source: Source,
    },
    /// A token that is known to exist is not shown, and a slot is without one.
    #[error("the token {label:?} is not shown by {module}, and slot {slot} has no token in it")]
    SlotEmpty {
        label: String,
        module: String,
        slot: u64,
    },
    /// The token went while it was in use.
    #[error("the {0} was there a moment ago and is not shown any more")]
    TokenVanished(TokenName),
    /// What the marker on the token says cannot be right.
    #[error("the marker {marker:?} of the {token} cannot be right: {why}")]
    MarkerDamaged {
        token: TokenName,
        marker: String,
        why: String,
    },
    /// The token carries the marker of another installation.
    #[error("the {token} belongs to the installation {theirs}, not to {ours}")]
    OtherInstallation {
        token: TokenName,
        theirs: InstallationId,
        ours: InstallationId,
    },
    /// A token with the label is initialised already.
    #[error("a {0} is there already and is not initialised again")]
    AlreadyInitialised(TokenName),
    /// No slot is free for a new token.
    #[error(
        "no slot is free for a new token; the module shows the tokens {}",
        .0.join(", ")
    )]
    NoFreeSlot(Vec<String>),
    /// A slot was initialised, and its token is not shown.
    #[error("slot {slot} was initialised as {label:?} and does not show that token")]
    InitialisedNotShown { slot: u64, label: String },
    /// A new PIN of a length that the token does not take.
    #[error("the {pin} is too short or too long for this token")]
    PinLength {
        pin: &'static str,
        min: usize,
        max: usize,
    },
    /// A new PIN that is no text.
    #[error("the {0} is not UTF-8 text")]
    PinNotText(&'static str),
    /// One more wrong SO PIN would lock the token.
    #[error("the {0} has no try of the SO PIN to spare")]
    NoSoPinTry(TokenName),
    /// The token rejected the SO PIN.
    #[error("the {token} rejected the SO PIN")]
    SoPinRejected { token: TokenName, source: Source },
    /// The token takes its PIN on a reader of its own.
    #[error(
        "the {0} takes its PIN on a keypad of its own (CKF_PROTECTED_AUTHENTICATION_PATH): no start \
         could log in to it while nobody stands there"
    )]
    PinPad(TokenName),
    /// The keys of the token are open to whoever loads the module.
    #[error("the {0} asks for no login (no CKF_LOGIN_REQUIRED): its keys are open to everybody")]
    NoLoginRequired(TokenName),
    /// The token does not even show its public objects.
    #[error(
        "the {token} shows nothing without a login, so that nobody can see whose it is before a PIN \
         is tried"
    )]
    NothingPublic { token: TokenName, source: Source },
    /// There is a token that was never initialised, of a kind that this program does not initialise.
    #[error(
        "the PKCS#11 module {module} shows no token {label:?}; the one in slot {slot} was never \
         initialised, and this program does not do that with this module"
    )]
    NotInitialised {
        module: String,
        label: String,
        slot: u64,
    },
    /// The module calls its token what its configuration says, and the label is another.
    #[error(
        "the PKCS#11 module {module} shows no token {label:?}: its configuration calls them {}",
        others.join(", ")
    )]
    OtherLabels {
        module: String,
        label: String,
        others: Vec<String>,
    },
    /// The token has no user PIN.
    #[error("the {0} has no user PIN yet")]
    NoUserPin(TokenName),
    /// The user PIN is locked.
    #[error("the {0} has locked its user PIN after too many wrong ones")]
    PinLocked(TokenName),
    /// One more wrong user PIN would lock the token.
    #[error("the {0} has one try of the user PIN left, and it is not used up")]
    LastPinTry(TokenName),
    /// The user PIN is empty.
    #[error("the user PIN for the {0} is empty; it is not tried")]
    EmptyPin(TokenName),
    /// This process has tried a PIN already.
    #[error(
        "a PIN was tried in this start already, on the token with serial {0}; none is tried \
         again"
    )]
    PinTriedAlready(String),
    /// The token has rejected this PIN before.
    #[error("the user PIN for the {0} was already rejected by it and is not tried again")]
    PinRejectedBefore(TokenName),
    /// Nobody saw how the last tries of a PIN ended.
    #[error(
        "{tries} tries of the user PIN on the {token} were made, and nobody saw how they ended \
         (the process was killed, the token hung, or the power was cut): a further one might lock \
         the token and is not made"
    )]
    UnseenTries { token: TokenName, tries: u8 },
    /// What the ledger keeps of a rejected PIN is no hash.
    #[error("what is kept of a rejected PIN of the token with serial {serial} cannot be right")]
    RejectedPinUnreadable {
        serial: String,
        source: Option<Source>,
    },
    /// No PIN is tried, since the try cannot be noted.
    #[error("the user PIN is not tried on the {token}: the try cannot be noted")]
    TryNotNoted {
        token: TokenName,
        source: Box<PinMemoryError>,
    },
    /// A login failed, and how it ended could not be noted.
    #[error("{}; and that could not be noted", in_full(&**failure))]
    EndNotNoted {
        failure: Box<TokenError>,
        source: Source,
    },
    /// The login worked, and that could not be noted.
    #[error(transparent)]
    Ledger(Box<PinMemoryError>),
    /// The token has ended the login by itself.
    #[error("the {0} has forgotten the login")]
    LoginForgotten(TokenName),
    /// Several keys have the id of the KEK.
    #[error("the {token} holds {count} keys with the id {kek}")]
    SeveralKeks {
        token: TokenName,
        kek: KekId,
        count: usize,
    },
    /// The token does not protect the KEK that it was told to protect.
    #[error(
        "the {token} does not protect a KEK as it was told to: it does not say {attributes} of the new \
         one, which was destroyed"
    )]
    UnprotectedKek {
        token: TokenName,
        /// `CKA_LOCAL = true`.
        attributes: String,
    },
    /// The wrapped DEK that is stored cannot be right.
    #[error("the wrapped DEK in the database cannot be right: {0}")]
    WrappedDekDamaged(String),
    /// The token has no mechanism that this program wraps with.
    #[error(
        "the {token} offers neither AES_KEY_WRAP nor AES_KEY_WRAP_KWP nor AES_GCM through this \
         module; it offers {offered}"
    )]
    NoWrapMechanism { token: TokenName, offered: String },
    /// The token does not encrypt under the IV that it is given, and does not say under which.
    #[error(
        "the {token} answers AES_GCM with {length} bytes where 48 are due, as one does that puts an \
         IV of its own among them"
    )]
    OwnIv { token: TokenName, length: usize },
    /// The token lacks the mechanism that wrapped the DEK.
    #[error(
        "the DEK is wrapped with {mechanism}, which the {token} does not offer through this module"
    )]
    MechanismMissing {
        token: TokenName,
        mechanism: &'static str,
        source: Source,
    },
    /// What the token has wrapped it does not unwrap to the same.
    #[error("the {0} wrapped a DEK and unwraps it to another one")]
    WrapMismatch(TokenName),
    /// The files of the token could not be synced.
    #[error(transparent)]
    NotSynced(FileError),
    /// The system gives no random bytes.
    #[error("the system's random generator failed")]
    NoRandomBytes,
    /// Something that should never fail did.
    #[error("{what}")]
    Defect { what: &'static str, source: Source },
}

impl TokenError {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Call { failure, .. } => failure.kind(),
            Self::NotSynced(error) => error.kind(),
            Self::EndNotNoted { failure, .. } => failure.kind(),
            Self::Ledger(source) | Self::TryNotNoted { source, .. } => source.kind(),
            Self::DaemonUnreachable { .. }
            | Self::ModuleUnusable { .. }
            | Self::NotPkcs11 { .. }
            | Self::NoSlots { .. }
            | Self::NoThread { .. }
            | Self::Hangs { .. }
            | Self::ProcessEnded { .. }
            | Self::SlotUnreadable { .. }
            | Self::SlotEmpty { .. }
            | Self::TokenVanished(_)
            | Self::InitialisedNotShown { .. }
            | Self::LoginForgotten(_)
            | Self::WrapMismatch(_) => FaultKind::HsmUnavailable,
            Self::PinLength { .. }
            | Self::PinNotText(_)
            | Self::NoSoPinTry(_)
            | Self::SoPinRejected { .. }
            | Self::NoUserPin(_)
            | Self::PinLocked(_)
            | Self::LastPinTry(_)
            | Self::EmptyPin(_)
            | Self::PinTriedAlready(_)
            | Self::PinRejectedBefore(_)
            | Self::UnseenTries { .. } => FaultKind::Denied,
            Self::MarkerDamaged { .. }
            | Self::RejectedPinUnreadable { .. }
            | Self::SeveralKeks { .. }
            | Self::WrappedDekDamaged(_) => FaultKind::DataCorrupt,
            Self::ImpossibleLabel(_)
            | Self::InitString { .. }
            | Self::Ambiguous { .. }
            | Self::OtherInstallation { .. }
            | Self::AlreadyInitialised(_)
            | Self::NoFreeSlot(_)
            | Self::UnprotectedKek { .. }
            | Self::NoWrapMechanism { .. }
            | Self::OwnIv { .. }
            | Self::PinPad(_)
            | Self::NoLoginRequired(_)
            | Self::NothingPublic { .. }
            | Self::OtherLabels { .. }
            | Self::NotInitialised { .. }
            | Self::MechanismMissing { .. } => FaultKind::Config,
            Self::ThreadEnded { .. } | Self::NoRandomBytes | Self::Defect { .. } => {
                FaultKind::Internal
            }
        }
    }

    /// Whether a later try could work: the token is away or busy, and what was asked changed
    /// nothing. One that hangs is not tried again: its thread is lost.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Call { failure, .. } => failure.may_pass(),
            _ => matches!(
                self,
                Self::DaemonUnreachable { .. }
                    | Self::NoSlots { .. }
                    | Self::SlotUnreadable { .. }
                    | Self::SlotEmpty { .. }
                    | Self::TokenVanished(_)
            ),
        }
    }

    /// Whether the call never came back: whoever would have answered is not asked again.
    #[must_use]
    pub const fn is_unanswered(&self) -> bool {
        matches!(self, Self::Hangs { .. } | Self::ProcessEnded { .. })
    }
}

impl CallFailure {
    /// Whether the same call could work later.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        matches!(self, Self::Unreachable | Self::Vague)
    }

    const fn kind(self) -> FaultKind {
        match self {
            Self::Unreachable | Self::Vague | Self::Gone => FaultKind::HsmUnavailable,
            Self::Denied => FaultKind::Denied,
            Self::Corrupt => FaultKind::DataCorrupt,
            Self::Config => FaultKind::Config,
            Self::Internal => FaultKind::Internal,
        }
    }
}
