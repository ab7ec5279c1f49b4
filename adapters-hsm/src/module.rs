//! The module: loaded, initialised, seen to work, and closed again. Lives on its own thread.

use std::io;
use std::rc::Rc;

use camino::{Utf8Path, Utf8PathBuf};
use cryptoki::context::{Info, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::slot::Slot;
use ports::TokenError;

use crate::classify::{OrFailed as _, cause, failed, failure_of, is};
use crate::direct::DirectCalls;
use crate::init_string;
use crate::last_resort;
use crate::quirks::{self, Quirks};

/// The module, loaded and initialised.
pub(crate) struct Module {
    path: Utf8PathBuf,
    context: Pkcs11,
    direct: Rc<DirectCalls>,
    info: Info,
    quirks: Quirks,
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
        // Some modules say who they are before they are initialised, and are asked then: NSS softokn
        // says afterwards what its string says.
        let unasked = context.get_library_info().ok();
        if let Some(known) = &unasked {
            ensure_init_string(&path, known, init)?;
        }
        init_string::initialize(&context, init).map_err(|error| {
            if is(&error, RvError::ArgumentsBad) || matches!(error, Error::NulError(_)) {
                return bad_init_string(&path, init, cause(error));
            }
            let what = if is(&error, RvError::CryptokiAlreadyInitialized) {
                "is in use by this process"
            } else {
                "cannot be initialised"
            };
            failed(format!("the PKCS#11 module {path} {what}"), error)
        })?;
        last_resort::arm();
        let info = match unasked {
            Some(info) => info,
            None => context
                .get_library_info()
                .or_failed(|| format!("the PKCS#11 module {path} does not say what it is"))
                .inspect_err(|_| {
                    // As in `drop`.
                    let _ = context.clone().finalize();
                })?,
        };
        Ok(Self {
            direct: Rc::new(DirectCalls::new(path.clone())),
            quirks: quirks_of(&info),
            path,
            context,
            info,
        })
    }

    /// What it is, for the report, after it was seen that it shows slots.
    pub(crate) fn description(&self) -> Result<String, TokenError> {
        let slots = self.slots()?.len();
        Ok(format!(
            "{} {} by {}, {slots} slot(s), module {}",
            self.info.library_description().trim(),
            self.info.library_version(),
            self.info.manufacturer_id().trim(),
            self.path
        ))
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
            library: self.info.library_description().trim().to_owned(),
        })
    }

    /// How it has to be treated.
    pub(crate) const fn quirks(&self) -> Quirks {
        self.quirks
    }

    /// The calls that the binding cannot make.
    pub(crate) fn direct(&self) -> Rc<DirectCalls> {
        Rc::clone(&self.direct)
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

fn quirks_of(info: &Info) -> Quirks {
    quirks::of(
        info.manufacturer_id().trim(),
        info.library_description().trim(),
    )
}

/// Looks at the string before the module does: one that does not name a directory as it should would
/// crash it, and one that names an empty directory would make a token there.
fn ensure_init_string(path: &Utf8Path, known: &Info, init: Option<&str>) -> Result<(), TokenError> {
    let quirks = quirks_of(known);
    let (Some(key), Some(init)) = (quirks.directory_key, init) else {
        return Ok(());
    };
    let Some(directory) = value_of(key, init) else {
        let why = format!("there is no {key}'sql:DIRECTORY' in it");
        return Err(bad_init_string(path, Some(init), why.into()));
    };
    // Without the prefix it is no directory of this kind; several tokens are named elsewhere in it.
    match directory.strip_prefix("sql:") {
        Some(directory) if !Utf8Path::new(directory).join(quirks.token_file).exists() => {
            Err(TokenError::NoTokenFiles {
                directory: directory.to_owned(),
                module: path.to_string(),
            })
        }
        _ => Ok(()),
    }
}

/// The quoted value of a word that begins with this key.
fn value_of<'a>(key: &str, text: &'a str) -> Option<&'a str> {
    let at = text.find(key)?;
    let starts_word = text[..at]
        .chars()
        .next_back()
        .is_none_or(char::is_whitespace);
    let quoted = text[at + key.len()..].strip_prefix('\'')?;
    quoted
        .split_once('\'')
        .map(|(value, _)| value)
        .filter(|_| starts_word)
}

fn bad_init_string(
    path: &Utf8Path,
    init: Option<&str>,
    source: Box<dyn std::error::Error + Send + Sync>,
) -> TokenError {
    TokenError::InitString {
        module: path.to_string(),
        how: init.map_or("without a", |_| "with this"),
        source,
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
