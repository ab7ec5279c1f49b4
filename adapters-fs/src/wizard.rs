//! The wizard's state directory: the name of its one file is the state (C8).

use camino::Utf8PathBuf;
use domain::SetupWizardState;
use ports::{FileError, WizardDirectory, WizardError, WizardStore};

use crate::durable::{self, Directory};
use crate::file_system;

/// A file system check leaves this directory on the top of a volume.
const LOST_AND_FOUND: &str = "lost+found";

/// How often a listing that is not exactly one name is taken again. A directory that is read while
/// a name in it changes can show both names, or neither.
const LISTINGS: usize = 5;

/// The wizard's state directory.
#[derive(Clone, Debug)]
pub struct WizardDir {
    dir: Utf8PathBuf,
}

impl WizardDir {
    /// The state in the directory `dir`.
    #[must_use]
    pub fn new(dir: Utf8PathBuf) -> Self {
        Self { dir }
    }

    fn names(&self) -> Result<Vec<String>, FileError> {
        let mut names = self.list()?;
        for _ in 1..LISTINGS {
            if names.len() == 1 {
                break;
            }
            let again = self.list()?;
            let is_stable = again == names;
            names = again;
            if is_stable {
                break;
            }
        }
        Ok(names)
    }

    fn list(&self) -> Result<Vec<String>, FileError> {
        let mut names = durable::list(&self.dir)?.unwrap_or_default();
        names.retain(|name| !name.starts_with('.') && name != LOST_AND_FOUND);
        Ok(names)
    }

    fn not_one_state(&self, problem: &'static str, names: Vec<String>) -> WizardError {
        WizardError::NotOneState {
            directory: self.dir.to_string(),
            problem,
            names,
        }
    }

    /// From an empty directory.
    fn create(&self, to: SetupWizardState) -> Result<(), FileError> {
        durable::create_dirs(&self.dir, 0o700)?;
        let dir = Directory::open(&self.dir)?;
        dir.write_new(to.name(), b"", 0o600)?;
        dir.sync()
    }
}

impl WizardStore for WizardDir {
    fn read(&self) -> Result<WizardDirectory, WizardError> {
        let names = self.names()?;
        let name = match names.as_slice() {
            [] => return Ok(WizardDirectory::Empty),
            [name] => name,
            _ => return Err(self.not_one_state("holds more than one file", names)),
        };
        // A directory of that name is something that was mounted or unpacked in the wrong place.
        if self.dir.join(name).is_dir() {
            return Err(self.not_one_state("holds a directory where a file should be", names));
        }
        let state = name.parse().map_err(|_| WizardError::UnknownState {
            directory: self.dir.to_string(),
            name: name.clone(),
        })?;
        Ok(WizardDirectory::State(state))
    }

    fn go_to(&self, to: SetupWizardState) -> Result<bool, WizardError> {
        let (from, name) = match self.read() {
            Ok(WizardDirectory::Empty) => (None, None),
            Ok(WizardDirectory::State(state)) => (Some(state), Some(state.name().to_owned())),
            Err(WizardError::UnknownState { name, .. }) => (None, Some(name)),
            Err(error) => return Err(error),
        };
        if !SetupWizardState::may_move(from, to) {
            return Err(WizardError::ForbiddenMove { from, to });
        }
        match name {
            Some(_) if from == Some(to) => return Ok(false),
            Some(name) => {
                let dir = Directory::open(&self.dir)?;
                dir.rename(&name, to.name())?;
                dir.sync()?;
            }
            None => self.create(to)?,
        }
        Ok(true)
    }

    fn check_writable(&self) -> Result<(), WizardError> {
        Ok(file_system::check_writable(&self.dir, 0)?)
    }

    fn directory(&self) -> String {
        self.dir.to_string()
    }
}
