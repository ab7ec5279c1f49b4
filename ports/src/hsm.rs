//! The token that wraps the DEK (PKCS#11 v3.1).

use std::time::Duration;

use domain::{InstallationId, KekId};

use crate::{Dek, Fault, FaultKind, Secret, WrappedDek};

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

/// How a DEK is wrapped; the blob names it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum WrapFormat {
    /// CKM_AES_KEY_WRAP (RFC 3394).
    AesKeyWrap,
    /// CKM_AES_GCM with the blob's header as associated data.
    AesGcm,
}

impl WrapFormat {
    /// The spelling in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesKeyWrap => "AES_KEY_WRAP",
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

/// An initialised token, as it can be seen without a login.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token {
    /// Its label.
    pub label: String,
    /// Its serial number.
    pub serial: String,
    /// Its user PIN.
    pub pin: PinState,
    /// The installation id of this project's public marker object, where it carries one (C23).
    pub marker: Option<InstallationId>,
    /// How it can wrap; `None` where it offers no authenticated mechanism this program knows.
    pub wrap_format: Option<WrapFormat>,
}

/// What a reachable module shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TokenSight {
    /// No initialised token with the label.
    Absent {
        /// Labels of the initialised tokens that are there.
        others: Vec<String>,
        /// Whether a slot is free to be initialised.
        free_slot: bool,
    },
    /// The token.
    Present(Token),
}

/// The HSM. One value serves one start; it holds at most one session.
///
/// Every call MUST come back within the configured deadline, whatever the module does: a call that
/// does not is [`crate::FaultKind::HsmUnavailable`], as are all calls after it. Unreachable MUST
/// NOT look like absent (C3): module missing or not a library, daemon down or silent, no slots at
/// all, device errors are errors, never "no token" or "no key".
///
/// Errors of every method: [`crate::FaultKind::HsmUnavailable`] for unreachable,
/// [`crate::FaultKind::Denied`] for a login or PIN that is refused,
/// [`crate::FaultKind::DataCorrupt`] for a blob or key that cannot be right,
/// [`crate::FaultKind::Config`] for a configuration that cannot be.
pub trait Hsm {
    /// Loads the module and sees that it shows at least one slot; where a daemon is configured, it
    /// is reached first. Tries again until `patience` is over where a later try could work (a
    /// daemon that is down, no slots, a device error), and not where it could not (no such file,
    /// no PKCS#11 module). `waiting` is called before each further try. Returns what answered, for
    /// the report. A second call with the module loaded MUST NOT load it again.
    ///
    /// # Errors
    /// See [`Hsm`].
    fn reach(&self, patience: Duration, waiting: &mut dyn FnMut(&Fault)) -> Result<String, Fault>;

    /// Whether the daemon accepts a connection, in one try: its address. MUST be `None` where none
    /// is configured. Says nothing of the module behind it.
    ///
    /// # Errors
    /// See [`Hsm`].
    fn probe_daemon(&self) -> Result<Option<String>, Fault>;

    /// Looks for the token without a login. Needs [`Hsm::reach`].
    ///
    /// Of several tokens with the label the one with the serial number is meant, else the one with
    /// this installation's marker, else MUST be [`crate::FaultKind::Config`] with the serial
    /// numbers listed. A token that carries another installation's marker is returned as it is:
    /// the caller must not use it.
    ///
    /// # Errors
    /// See [`Hsm`].
    fn find_token(&self, query: &TokenQuery) -> Result<TokenSight, Fault>;

    /// Logs in as the user, at most one C_Login in the life of this value (C18). MUST NOT try
    /// where the token says FINAL_TRY or LOCKED, nor with a PIN that the ledger knows as rejected
    /// by this token, nor after [`crate::MOST_UNSEEN_TRIES`] whose end nobody saw, nor where the
    /// try cannot be noted in the ledger; MUST hold the ledger from there until the end of the try
    /// is noted. A second call after a login that worked does nothing.
    ///
    /// # Errors
    /// See [`Hsm`]; MUST be [`crate::FaultKind::Denied`] for every refusal, and the ledger's own
    /// error where it cannot be used.
    fn login(&self, token: &Token, pin: &Secret) -> Result<(), Fault>;

    /// Whether the token holds the KEK with this CKA_ID. Needs [`Hsm::login`].
    ///
    /// # Errors
    /// See [`Hsm`]; MUST be [`crate::FaultKind::DataCorrupt`] for two keys with the id.
    fn has_kek(&self, kek: &KekId) -> Result<bool, Fault>;

    /// Unwraps with the KEK that the blob names. Needs [`Hsm::login`].
    ///
    /// # Errors
    /// See [`Hsm`]; MUST be [`crate::FaultKind::DataCorrupt`] for a blob that is cut, altered, or
    /// names another KEK than `kek`, and for a key that is not 32 bytes.
    fn unwrap_dek(&self, kek: &KekId, blob: &WrappedDek) -> Result<Dek, Fault>;

    /// The format that the blob names; MUST be `None` for what is no blob of this port. Asks the
    /// token for nothing.
    fn wrap_format_of(&self, blob: &WrappedDek) -> Option<WrapFormat>;

    /// The KEK that the blob names; MUST be `None` for what is no blob of this port. Asks the token
    /// for nothing.
    fn kek_of(&self, blob: &WrappedDek) -> Option<KekId>;

    /// Wraps, unwraps what came out and compares (C16). Needs [`Hsm::login`].
    ///
    /// # Errors
    /// See [`Hsm`].
    fn wrap_dek(&self, kek: &KekId, dek: &Dek) -> Result<WrappedDek, Fault>;

    /// Generates a KEK with a new random CKA_ID, as [`Hsm::generate_kek_as`] does.
    ///
    /// # Errors
    /// See [`Hsm`].
    fn generate_kek(&self) -> Result<KekId, Fault> {
        let kek = self.new_kek_id()?;
        self.generate_kek_as(&kek)?;
        Ok(kek)
    }

    /// A random CKA_ID for a KEK that is not generated yet, so that it can be noted down before:
    /// who dies in between finds the key again. Needs [`Hsm::login`].
    ///
    /// # Errors
    /// See [`Hsm`].
    fn new_kek_id(&self) -> Result<KekId, Fault> {
        let random = self.random(KEK_ID_LENGTH)?;
        KekId::new(random.expose()).map_err(|error| {
            Fault::new(
                FaultKind::Internal,
                "no id could be made for a new KEK",
                "this is a defect of this program: report it",
            )
            .because(error)
        })
    }

    /// Generates the KEK with this CKA_ID: AES-256, on the token, private, sensitive, never
    /// extractable. MUST NOT be called where the token holds it. Needs [`Hsm::login`].
    ///
    /// # Errors
    /// See [`Hsm`].
    fn generate_kek_as(&self, kek: &KekId) -> Result<(), Fault>;

    /// CKA_CHECK_VALUE of the KEK; MUST be `None` where the token does not hold it or gives none.
    /// Needs [`Hsm::login`].
    ///
    /// # Errors
    /// See [`Hsm`].
    fn kek_check_value(&self, kek: &KekId) -> Result<Option<Vec<u8>>, Fault>;

    /// Destroys the KEK with this CKA_ID and no other object; `false` where the token does not
    /// hold it. What the token was given before MUST be on the disk by then. Needs [`Hsm::login`].
    ///
    /// # Errors
    /// See [`Hsm`]; MUST be [`crate::FaultKind::DataCorrupt`] for two keys with the id.
    fn destroy_kek(&self, kek: &KekId) -> Result<bool, Fault>;

    /// Random bytes of the token's generator. Needs [`Hsm::login`].
    ///
    /// # Errors
    /// See [`Hsm`].
    fn random(&self, length: usize) -> Result<Secret, Fault>;

    /// Initialises a free slot: label, SO PIN, user PIN. MUST NOT touch a slot that holds an
    /// initialised token. Needs [`Hsm::reach`]; no login counts towards the PIN budget here.
    ///
    /// # Errors
    /// See [`Hsm`]; MUST be [`crate::FaultKind::Config`] where no slot is free.
    fn initialise_token(&self, label: &str, so_pin: &Secret, pin: &Secret) -> Result<Token, Fault>;

    /// Leaves this installation's marker on the token, readable without a login; one that is
    /// right already stays. Needs [`Hsm::login`].
    ///
    /// # Errors
    /// See [`Hsm`]; MUST be [`crate::FaultKind::Config`] where another installation's stands there.
    fn mark(&self, installation: &InstallationId) -> Result<(), Fault>;

    /// Whether a call into the module never came back. The process must then end without running
    /// the module's exit handlers, which would wait for it.
    fn is_hung(&self) -> bool;

    /// What was seen on the way and has to be dealt with; each is told once.
    fn take_warnings(&self) -> Vec<String> {
        Vec::new()
    }
}
