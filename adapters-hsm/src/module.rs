//! The module: loaded, initialised, seen to work, and closed again. Lives on its own thread.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use cryptoki::context::{Info, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::slot::Slot;
use ports::TokenError;

use crate::classify::{OrFailed as _, cause, failed, failure_of, is};
use crate::init_string;
use crate::last_resort;
use crate::quirks::{self, Quirks};

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
    path: Utf8PathBuf,
    context: Pkcs11,
}

impl Module {
    /// Loads and initialises it. Where that fails nothing stays loaded, so that the next try is a
    /// fresh one.
    pub(crate) fn load(path: Utf8PathBuf, init: Option<&str>) -> Result<Self, TokenError> {
        // A bare file name is looked up by the dynamic linker.
        if path.as_str().contains('/') {
            ensure_file(&path)?;
        }
        let context = Pkcs11::new(&path).map_err(|error| not_loaded(&path, error))?;
        last_resort::arm();
        init_string::initialize(&context, init).map_err(|error| {
            if is(&error, RvError::ArgumentsBad) || matches!(error, Error::NulError(_)) {
                return TokenError::InitString {
                    module: path.to_string(),
                    how: init.map_or("without a", |_| "with this"),
                    source: cause(error),
                };
            }
            let what = if is(&error, RvError::CryptokiAlreadyInitialized) {
                "is in use by this process"
            } else {
                "cannot be initialised"
            };
            failed(format!("the PKCS#11 module {path} {what}"), error)
        })?;
        last_resort::arm();
        Ok(Self { path, context })
    }

    /// Sees that it answers and shows slots.
    pub(crate) fn info(&self) -> Result<ModuleInfo, TokenError> {
        let slots = self.slots()?.len();
        let info = self.library_info()?;
        let (library, manufacturer) = (
            info.library_description().trim(),
            info.manufacturer_id().trim(),
        );
        Ok(ModuleInfo {
            description: format!(
                "{library} {} by {manufacturer}, {slots} slot(s), module {}",
                info.library_version(),
                self.path
            ),
            quirks: quirks::of(manufacturer, library),
        })
    }

    /// All slots, of which there must be one: SoftHSM always shows one, and a p11-kit client
    /// without its server shows none. That is never "no token".
    pub(crate) fn slots(&self) -> Result<Vec<Slot>, TokenError> {
        let slots = self
            .context
            .get_all_slots()
            .or_failed(|| format!("the PKCS#11 module {} cannot list its slots", self.path))?;
        if !slots.is_empty() {
            return Ok(slots);
        }
        Err(TokenError::NoSlots {
            module: self.path.to_string(),
            library: self.library_info()?.library_description().trim().to_owned(),
        })
    }

    fn library_info(&self) -> Result<Info, TokenError> {
        self.context
            .get_library_info()
            .or_failed(|| format!("the PKCS#11 module {} does not say what it is", self.path))
    }

    /// The initialised module, as its binding has it.
    pub(crate) fn context(&self) -> &Pkcs11 {
        &self.context
    }

    /// The path, for messages.
    pub(crate) fn path(&self) -> &Utf8Path {
        &self.path
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // The daemon may be gone: there is nothing left to do about a module that says so.
        let _ = self.context.clone().finalize();
    }
}

fn ensure_file(path: &Utf8Path) -> Result<(), TokenError> {
    let (problem, error) = match path.metadata() {
        Ok(found) if found.is_file() => return Ok(()),
        Ok(_) => ("is no file", io::ErrorKind::InvalidInput.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => ("does not exist", error),
        Err(error) => ("cannot be read", error),
    };
    Err(TokenError::ModuleUnusable {
        module: path.to_string(),
        problem,
        source: error.into(),
    })
}

fn not_loaded(path: &Utf8Path, error: Error) -> TokenError {
    let module = path.to_string();
    match &error {
        Error::Pkcs11(_, _) if failure_of(&error).may_pass() => failed(
            format!("the PKCS#11 module {module} does not answer"),
            error,
        ),
        Error::MissingSymbol(_) => TokenError::NotPkcs11 {
            module,
            source: error.into(),
        },
        _ => TokenError::ModuleUnusable {
            module,
            problem: "cannot be loaded",
            source: error.into(),
        },
    }
}
