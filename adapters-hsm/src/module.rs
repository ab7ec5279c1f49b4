//! The module: loaded, initialised, seen to work, and closed again. Lives on the worker's thread.

use camino::Utf8PathBuf;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use ports::{Fault, FaultKind};

use crate::classify::{Class, Operation, class_of, fault, is};
use crate::last_resort;
use crate::quirks::{self, Quirks};
use crate::session::UserSession;

/// Why the module is not at hand.
pub(crate) enum Attempt {
    /// A later try would fail the same way.
    Final(Fault),
    /// A later try could work.
    Again(Fault),
}

/// What a module says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    /// For the report.
    pub(crate) text: String,
    /// How it has to be treated.
    pub(crate) quirks: Quirks,
}

/// The module.
pub(crate) struct Module {
    path: Utf8PathBuf,
    context: Option<Pkcs11>,
    /// Open for a login that comes next.
    prepared: Option<UserSession>,
    session: Option<UserSession>,
}

impl Module {
    /// Nothing is loaded yet.
    pub(crate) fn new(path: Utf8PathBuf) -> Self {
        Self {
            path,
            context: None,
            prepared: None,
            session: None,
        }
    }

    /// Loads, initialises and sees that there are slots. Where it fails nothing stays loaded, so
    /// that the next try is a fresh one.
    pub(crate) fn open(&mut self) -> Result<Library, Attempt> {
        self.close();
        let context = self.load()?;
        last_resort::arm();
        context
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
            .map_err(|error| self.not_initialised(error))?;
        last_resort::arm();
        self.context = Some(context);
        let result = self.look();
        if result.is_err() {
            self.close();
        }
        result
    }

    fn load(&self) -> Result<Pkcs11, Attempt> {
        // A bare file name is looked up by the dynamic linker, as it always was.
        if self.path.as_str().contains('/') {
            self.check_file().map_err(Attempt::Final)?;
        }
        Pkcs11::new(&self.path).map_err(|error| match &error {
            Error::Pkcs11(_, _) if class_of(Operation::Other, &error) == Class::Unreachable => {
                Attempt::Again(fault(
                    Operation::Other,
                    format!("the PKCS#11 module {} does not answer", self.path),
                    error,
                ))
            }
            Error::MissingSymbol(_) => Attempt::Final(self.unusable(
                format!("{} is a library, but no PKCS#11 module", self.path),
                error,
            )),
            _ => Attempt::Final(self.unusable(
                format!("the PKCS#11 module {} cannot be loaded", self.path),
                error,
            )),
        })
    }

    fn check_file(&self) -> Result<(), Fault> {
        match self.path.metadata() {
            Ok(found) if found.is_file() => Ok(()),
            Ok(_) => Err(self.unusable(
                format!("the PKCS#11 module {} is no file", self.path),
                std::io::Error::from(std::io::ErrorKind::InvalidInput),
            )),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(self.unusable(
                format!("the PKCS#11 module {} does not exist", self.path),
                error,
            )),
            Err(error) => Err(self.unusable(
                format!("the PKCS#11 module {} cannot be read", self.path),
                error,
            )),
        }
    }

    fn unusable(
        &self,
        what: String,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Fault {
        Fault::new(
            FaultKind::HsmUnavailable,
            what,
            "set hsm.module to a PKCS#11 module, for SoftHSM \
             /usr/lib/softhsm/libsofthsm2.so of the package softhsm2",
        )
        .because(error)
    }

    fn not_initialised(&self, error: Error) -> Attempt {
        let again = class_of(Operation::Other, &error) == Class::Unreachable;
        let what = if is(&error, RvError::CryptokiAlreadyInitialized) {
            format!("the PKCS#11 module {} is in use by this process", self.path)
        } else {
            format!("the PKCS#11 module {} cannot be initialised", self.path)
        };
        let fault = fault(Operation::Other, what, error);
        if again {
            Attempt::Again(fault)
        } else {
            Attempt::Final(fault)
        }
    }

    fn look(&self) -> Result<Library, Attempt> {
        let context = self.context().map_err(Attempt::Final)?;
        let info = context.get_library_info().map_err(|error| {
            Attempt::Again(fault(
                Operation::Other,
                format!("the PKCS#11 module {} does not say what it is", self.path),
                error,
            ))
        })?;
        let library = info.library_description().trim().to_owned();
        let slots = context.get_all_slots().map_err(|error| {
            Attempt::Again(fault(
                Operation::Other,
                format!("the PKCS#11 module {} cannot list its slots", self.path),
                error,
            ))
        })?;
        if slots.is_empty() {
            return Err(Attempt::Again(self.no_slots(&library)));
        }
        let manufacturer = info.manufacturer_id().trim();
        Ok(Library {
            text: format!(
                "{library} {} by {manufacturer}, {} slot(s), module {}",
                info.library_version(),
                slots.len(),
                self.path
            ),
            quirks: quirks::of(manufacturer, &library),
        })
    }

    /// Never "no token": SoftHSM always shows a slot, and a p11-kit client without its server
    /// shows none.
    pub(crate) fn no_slots(&self, library: &str) -> Fault {
        Fault::new(
            FaultKind::HsmUnavailable,
            format!(
                "the PKCS#11 module {} shows no slots; it calls itself {library:?}",
                self.path
            ),
            "start the daemon behind the module and check the address that the module is given \
             (P11_KIT_SERVER_ADDRESS); this says nothing about the keys on the token",
        )
    }

    /// The initialised module.
    pub(crate) fn context(&self) -> Result<&Pkcs11, Fault> {
        self.context.as_ref().ok_or_else(|| {
            Fault::new(
                FaultKind::Internal,
                format!("the PKCS#11 module {} was not reached first", self.path),
                "this is a defect of this program: report it",
            )
        })
    }

    /// The session of the user who is logged in.
    pub(crate) fn session(&self) -> Result<&UserSession, Fault> {
        self.session.as_ref().ok_or_else(|| {
            Fault::new(
                FaultKind::Internal,
                "the token is asked for a key before the login",
                "this is a defect of this program: report it",
            )
        })
    }

    /// Whether a user is logged in.
    pub(crate) fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// Keeps a session for the login that comes next.
    pub(crate) fn prepare(&mut self, session: UserSession) {
        self.prepared = Some(session);
    }

    /// The session that was kept for a login.
    pub(crate) fn take_prepared(&mut self) -> Result<UserSession, Fault> {
        self.prepared.take().ok_or_else(|| {
            Fault::new(
                FaultKind::Internal,
                "a PIN is to be tried without a session",
                "this is a defect of this program: report it",
            )
        })
    }

    /// Keeps the session of a login that worked.
    pub(crate) fn keep(&mut self, session: UserSession) {
        self.session = Some(session);
    }

    /// The path, for messages.
    pub(crate) fn path(&self) -> &camino::Utf8Path {
        &self.path
    }

    /// Closes the session, finalises and unloads.
    pub(crate) fn close(&mut self) {
        self.prepared = None;
        self.session = None;
        if let Some(context) = self.context.take() {
            // The daemon may be gone: there is nothing left to do about a module that says so.
            let _ = context.finalize();
        }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        self.close();
    }
}
