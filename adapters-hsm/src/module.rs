//! The module: loaded, initialised, seen to work, and closed again. Lives on its own thread.

use camino::{Utf8Path, Utf8PathBuf};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use ports::{Fault, FaultKind};

use crate::classify::{Class, Operation, class_of, fault, is};
use crate::last_resort;
use crate::quirks::{self, Quirks};

/// Why the module is not at hand.
pub(crate) enum LoadError {
    /// A later try would fail the same way.
    Permanent(Fault),
    /// A later try could work.
    Transient(Fault),
}

impl From<LoadError> for Fault {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Permanent(fault) | LoadError::Transient(fault) => fault,
        }
    }
}

/// What a module says of itself.
#[derive(Clone, Debug)]
pub(crate) struct ModuleInfo {
    /// For the report.
    pub(crate) description: String,
    /// How it has to be treated.
    pub(crate) quirks: Quirks,
}

/// The module, loaded and initialised.
pub(crate) struct Module {
    file: ModuleFile,
    context: Pkcs11,
}

impl Module {
    /// Loads, initialises and sees that there are slots. Where it fails nothing stays loaded, so
    /// that the next try is a fresh one.
    pub(crate) fn load(path: Utf8PathBuf) -> Result<(Self, ModuleInfo), LoadError> {
        let file = ModuleFile(path);
        let context = file.load()?;
        last_resort::arm();
        context
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
            .map_err(|error| file.not_initialised(error))?;
        last_resort::arm();
        let module = Self { file, context };
        let info = module.info()?;
        Ok((module, info))
    }

    fn info(&self) -> Result<ModuleInfo, LoadError> {
        let path = self.path();
        let info = self.context.get_library_info().map_err(|error| {
            LoadError::Transient(fault(
                Operation::Other,
                format!("the PKCS#11 module {path} does not say what it is"),
                error,
            ))
        })?;
        let library = info.library_description().trim().to_owned();
        let slots = self.context.get_all_slots().map_err(|error| {
            LoadError::Transient(fault(
                Operation::Other,
                format!("the PKCS#11 module {path} cannot list its slots"),
                error,
            ))
        })?;
        if slots.is_empty() {
            return Err(LoadError::Transient(self.no_slots(&library)));
        }
        let manufacturer = info.manufacturer_id().trim();
        Ok(ModuleInfo {
            description: format!(
                "{library} {} by {manufacturer}, {} slot(s), module {}",
                info.library_version(),
                slots.len(),
                path
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
                self.path()
            ),
            "start the daemon behind the module and check the address that the module is given \
             (P11_KIT_SERVER_ADDRESS); this says nothing about the keys on the token",
        )
    }

    /// The initialised module, as its binding has it.
    pub(crate) fn context(&self) -> &Pkcs11 {
        &self.context
    }

    /// The path, for messages.
    pub(crate) fn path(&self) -> &Utf8Path {
        &self.file.0
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // The daemon may be gone: there is nothing left to do about a module that says so.
        let _ = self.context.clone().finalize();
    }
}

/// The module's file, not loaded.
struct ModuleFile(Utf8PathBuf);

impl ModuleFile {
    fn load(&self) -> Result<Pkcs11, LoadError> {
        // A bare file name is looked up by the dynamic linker, as it always was.
        if self.0.as_str().contains('/') {
            self.check_file().map_err(LoadError::Permanent)?;
        }
        Pkcs11::new(&self.0).map_err(|error| match &error {
            Error::Pkcs11(_, _) if class_of(Operation::Other, &error) == Class::Unreachable => {
                LoadError::Transient(fault(
                    Operation::Other,
                    format!("the PKCS#11 module {} does not answer", self.0),
                    error,
                ))
            }
            Error::MissingSymbol(_) => LoadError::Permanent(self.unusable(
                format!("{} is a library, but no PKCS#11 module", self.0),
                error,
            )),
            _ => LoadError::Permanent(self.unusable(
                format!("the PKCS#11 module {} cannot be loaded", self.0),
                error,
            )),
        })
    }

    fn check_file(&self) -> Result<(), Fault> {
        match self.0.metadata() {
            Ok(found) if found.is_file() => Ok(()),
            Ok(_) => Err(self.unusable(
                format!("the PKCS#11 module {} is no file", self.0),
                std::io::Error::from(std::io::ErrorKind::InvalidInput),
            )),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(self.unusable(
                format!("the PKCS#11 module {} does not exist", self.0),
                error,
            )),
            Err(error) => Err(self.unusable(
                format!("the PKCS#11 module {} cannot be read", self.0),
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

    fn not_initialised(&self, error: Error) -> LoadError {
        let again = class_of(Operation::Other, &error) == Class::Unreachable;
        let what = if is(&error, RvError::CryptokiAlreadyInitialized) {
            format!("the PKCS#11 module {} is in use by this process", self.0)
        } else {
            format!("the PKCS#11 module {} cannot be initialised", self.0)
        };
        let fault = fault(Operation::Other, what, error);
        if again {
            LoadError::Transient(fault)
        } else {
            LoadError::Permanent(fault)
        }
    }
}
