//! Questions to a person at a terminal. All of them are asked before the first change.

mod hidden;

use std::io::{IsTerminal as _, Write as _};

use camino::Utf8Path;
use domain::StorageType;
use ports::{CryptoError, FaultKind, PinError, Pins, Secret, TokenInfo};

use crate::config::{SecretFiles, names_in, read_password_file};
use crate::failure::Failure;
use usecases::backup_password::MIN_PASSWORD_CHARS;
use usecases::error::Error;

/// How often a person may answer wrongly.
const TRIES: usize = 3;

/// Whether there is a person to ask.
#[must_use]
pub fn is_terminal() -> bool {
    std::io::stderr().is_terminal() && hidden::Keyboard::find().is_some()
}

/// Whether `-` means a person, and no pipe.
fn is_typed_at(path: &Utf8Path) -> bool {
    path == "-" && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// What would refuse the answer anyway is found out before a person is asked.
///
/// # Errors
/// Those of `check`, where somebody is going to be asked.
pub fn before_asking(
    file: Option<&Utf8Path>,
    check: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Failure> {
    match file {
        None if is_terminal() => Ok(check()?),
        Some(_) | None => Ok(()),
    }
}

/// Runs `attempt` with the backup password that is in use: of the file where one was named, else
/// asked for. Who typed a wrong one is asked again: `attempt` must have changed nothing then.
///
/// # Errors
/// Those of `attempt`; a file that cannot be read; [`FaultKind::Usage`] where there is neither a
/// file nor a terminal.
pub fn with_known_password(
    file: Option<&Utf8Path>,
    mut attempt: impl FnMut(Secret) -> Result<(), Error>,
) -> Result<(), Failure> {
    let is_typed = file.map_or_else(is_terminal, is_typed_at);
    if is_typed {
        say("The backup password was chosen in setup; it is not the PIN. What you type is not");
        say("shown, and a wrong one changes nothing.");
    }
    let mut left = if is_typed { TRIES } else { 1 };
    loop {
        left -= 1;
        match attempt(known_password(file)?) {
            Err(Error::Crypto(CryptoError::WrongPassword)) if left > 0 => {
                say("This password does not unwrap the DEK. Nothing was changed; try again.");
            }
            ended => return Ok(ended?),
        }
    }
}

fn known_password(file: Option<&Utf8Path>) -> Result<Secret, Failure> {
    match file {
        Some(path) => secret_of(path),
        None => {
            need_terminal("the backup password", "--backup-password-file")?;
            hidden::read_hidden("Backup password: ")
        }
    }
}

/// A new backup password: of the file where one was named, else asked for twice.
///
/// # Errors
/// As [`with_known_password`], and what `check` refuses.
pub fn new_password(
    file: Option<&Utf8Path>,
    check: fn(&Secret) -> Result<(), Error>,
) -> Result<Secret, Failure> {
    match file {
        Some(path) => {
            let password = secret_of(path)?;
            check(&password)?;
            Ok(password)
        }
        None => {
            need_terminal("the backup password", "--backup-password-file")?;
            say("The backup password brings the secrets back where the token is lost. Keep it");
            say(&format!(
                "away from this machine. It has at least {MIN_PASSWORD_CHARS} characters, and is not shown."
            ));
            twice("New backup password", check)
        }
    }
}

/// Asks whether this token is to be forgotten, which cannot be undone.
///
/// # Errors
/// [`FaultKind::Usage`] without a terminal, and where the answer is not yes.
pub fn confirm_forgetting(token: &str) -> Result<(), Failure> {
    need_terminal("your consent", "--yes")?;
    say(&format!("What is kept for the {token}, is removed. Should"));
    say("that token come back, it no longer opens the secrets of this node.");
    let answer = hidden::ask_in_sight("Forget this token? [yes/no]: ")?;
    if answer.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::new(
        FaultKind::Usage,
        "the answer was not yes; nothing was changed",
        "run the command again",
    ))
}

/// The secret of a file; `-` at a terminal is asked for without echo.
///
/// # Errors
/// The file or the terminal cannot be read.
pub fn secret_of(path: &Utf8Path) -> Result<Secret, Failure> {
    if is_typed_at(path) {
        hidden::read_hidden("Backup password: ")
    } else {
        read_password_file(path)
    }
}

/// The storage, from a list; a physical HSM is on it where `physical` says so.
///
/// # Errors
/// [`FaultKind::Usage`] without a terminal or without an answer that is on the list.
pub fn storage(physical: bool) -> Result<StorageType, Failure> {
    need_terminal("the storage", "--storage")?;
    say("Where does this node keep its secrets?");
    say("  1  software  in the database, in the clear");
    say("  2  softhsm   in the database, sealed under a key that a SoftHSM token keeps");
    let question = if physical {
        say("  3  physical_hsm  sealed under a key that a device keeps, on a token that its");
        say("                   security officer has initialised");
        "Storage [1, 2, 3 or its name]: "
    } else {
        "Storage [1, 2 or its name]: "
    };
    for _ in 0..TRIES {
        let answer = hidden::ask_in_sight(question)?;
        match answer.trim() {
            "1" | "software" => return Ok(StorageType::Software),
            "2" | "softhsm" => return Ok(StorageType::SoftHsm),
            "3" | "physical_hsm" if physical => return Ok(StorageType::PhysicalHsm),
            _ => say("This is not on the list."),
        }
    }
    Err(Failure::new(
        FaultKind::Usage,
        "no storage was chosen; nothing was changed",
        "run setup again, or name it with --storage software or --storage softhsm",
    ))
}

/// Names and addresses for the certificate; none for those that are configured.
///
/// # Errors
/// Those of `check` for what was typed last.
pub fn names(
    configured: &[String],
    check: impl Fn(&[String]) -> Result<(), Error>,
) -> Result<Vec<String>, Failure> {
    say("By which names and addresses do clients reach this node?");
    let question = format!("Names, with spaces between [{}]: ", configured.join(" "));
    let mut left = TRIES;
    loop {
        let names = names_in(&hidden::ask_in_sight(&question)?);
        if names.is_empty() {
            return Ok(names);
        }
        left -= 1;
        match check(&names) {
            Ok(()) => return Ok(names),
            Err(error) if left > 0 => say(&format!("{error}.")),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether a PIN may be tried on the token, for somebody at a terminal; nobody is asked elsewhere.
///
/// # Errors
/// The terminal.
pub fn may_log_in(token: &TokenInfo) -> Result<bool, PinError> {
    if !is_terminal() {
        return Ok(false);
    }
    say(&format!(
        "Keys and wrapping are tried out after a login to the {} with the user PIN of this node.",
        token.name()
    ));
    say("A wrong PIN counts against the token.");
    let answer = hidden::ask_in_sight("Log in? [y/N]: ")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The password of this database, where there is a person to ask.
///
/// # Errors
/// The terminal.
pub fn database_password(database: &str) -> Result<Option<Secret>, Failure> {
    if !is_terminal() {
        return Ok(None);
    }
    say(&format!(
        "The database {database} wants a password. What you type is not shown."
    ));
    hidden::read_hidden("Password of the database: ").map(Some)
}

/// PINs of the configured places; what is nowhere is asked for at a terminal.
pub struct AskedPins(pub SecretFiles);

impl Pins for AskedPins {
    fn user_pin(&self) -> Result<Secret, PinError> {
        if self.0.has_user_pin() || !is_terminal() {
            return Ok(self.0.user_pin()?);
        }
        say("The user PIN opens the token at each start; of a new token it is chosen here.");
        say("What you type is not shown.");
        Ok(twice("User PIN of the token", |_| Ok(()))?)
    }

    fn so_pin(&self) -> Result<Secret, PinError> {
        if self.0.has_so_pin() || !is_terminal() {
            return Ok(self.0.so_pin()?);
        }
        say("The SO PIN (of the security officer) is chosen here. It can set a new user PIN:");
        say("keep it away from this machine.");
        Ok(twice("SO PIN for the new token", |_| Ok(()))?)
    }
}

/// What is to be done about a user PIN that was typed: the next start has nobody to ask.
#[must_use]
pub fn typed_pin(secrets: &SecretFiles) -> Option<String> {
    (!secrets.has_user_pin() && is_terminal()).then(|| {
        "the user PIN was typed here, and the next start has nobody to ask: put it into the file \
         of hsm.pin_file (/run/secrets/hsm_pin), or into HSM_PIN"
            .to_owned()
    })
}

/// Asks until the same answer came twice in a row and `check` takes it.
fn twice(what: &str, check: fn(&Secret) -> Result<(), Error>) -> Result<Secret, Failure> {
    let mut last = None;
    for _ in 0..TRIES {
        let first = hidden::read_hidden(&format!("{what}: "))?;
        if let Err(fault) = check(&first) {
            say(&format!("{fault}."));
            last = Some(fault.into());
            continue;
        }
        if hidden::read_hidden(&format!("{what} again: "))? == first {
            return Ok(first);
        }
        say("The two are not the same.");
        last = None;
    }
    Err(last.unwrap_or_else(|| {
        Failure::new(
            FaultKind::Usage,
            "the two entries were never the same; nothing was changed",
            "run the command again",
        )
    }))
}

fn need_terminal(what: &str, flag: &str) -> Result<(), Failure> {
    if is_terminal() {
        return Ok(());
    }
    Err(Failure::new(
        FaultKind::Usage,
        format!("{what} is not given, and there is no terminal to ask at"),
        format!("give it with {flag}, or run this at a terminal"),
    ))
}

/// Standard output belongs to the report.
fn say(line: &str) {
    // A terminal that takes no line takes no answer either: reading it fails next.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
