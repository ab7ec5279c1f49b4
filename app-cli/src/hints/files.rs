//! Hints for files and directories.

use std::io::ErrorKind;
use std::slice::from_ref;

use domain::SetupWizardState;
use ports::{AssetError, DekCacheError, FileError, PinMemoryError, WizardError};

use super::common::{DEFECT, FREE_SPACE};

/// For a file or directory.
pub(super) fn file(error: &FileError) -> String {
    match error {
        FileError::Operation { source, .. } => match source.kind() {
            ErrorKind::PermissionDenied => "give the user that runs this program the right to it",
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FREE_SPACE,
            ErrorKind::ReadOnlyFilesystem => "mount that file system writable",
            ErrorKind::NotFound => "check that the path exists and its volume is mounted",
            _ => "check the path and the file system it stands on",
        }
        .to_owned(),
        FileError::NoRegularFile { .. } => "move away what stands there, then start again".into(),
        FileError::TooLong { .. } => {
            "move away what stands there, then start again: no file of this kind is that long"
                .into()
        }
        FileError::OpenToAll { directory, .. } => {
            format!("`chmod o-w {directory}`, or configure a directory of this program's own")
        }
        FileError::Full { .. } => FREE_SPACE.to_owned(),
        FileError::NoFileName { .. } => "configure a path with a file name".into(),
    }
}

/// For the ledger of PIN tries.
pub(super) fn pin_memory(error: &PinMemoryError) -> String {
    match error {
        PinMemoryError::File(error) => file(error),
        PinMemoryError::Busy { path, .. } => {
            format!("wait for it to end, or find it with `fuser -v {path}`; then start again")
        }
        PinMemoryError::Untrusted { .. } => {
            "check the configured PIN, and with `pkcs11-tool --list-slots` that the token is not on \
             its last try; then remove that file and start again"
                .into()
        }
        PinMemoryError::NoHash => DEFECT.into(),
    }
}

/// For the wizard's state.
pub(super) fn wizard(error: &WizardError) -> String {
    match error {
        WizardError::File(error) => file(error),
        WizardError::NotOneState {
            directory, names, ..
        } => not_one_state(directory, names),
        WizardError::UnknownState { directory, name } => not_one_state(directory, from_ref(name)),
        WizardError::ForbiddenMove { .. } => "report this; nothing was changed".into(),
    }
}

/// Which of the files there names the state is for a person to say, who may know what put them there.
fn not_one_state(directory: &str, names: &[String]) -> String {
    const WHICH: &str =
        "WIZARD_COMPLETED is right where setup was completed (`trustpointctl history` tells)";
    let states: Vec<&str> = names
        .iter()
        .filter(|name| name.parse::<SetupWizardState>().is_ok())
        .map(String::as_str)
        .collect();
    match states.as_slice() {
        [] => format!(
            "give one file in {directory} the name of this node's state, and move any other away: \
             {WHICH}; the names are {}",
            SetupWizardState::ALL.map(SetupWizardState::name).join(", ")
        ),
        [state] if names.len() == 1 => format!(
            "move {directory}/{state} away: an empty file of that name says the state of this node"
        ),
        [state] => format!("keep {state}, and move whatever else is in {directory} away"),
        [others @ .., last] => format!(
            "remove all but one of {} and {last} from {directory}, and whatever else is there: \
             {WHICH}, else keep the one that setup had come to",
            others.join(", ")
        ),
    }
}

/// For the DEK cache.
pub(super) fn dek_cache(error: &DekCacheError) -> String {
    match error {
        DekCacheError::File(error) => file(error),
        DekCacheError::OtherOwner { user, .. } => format!(
            "mount the tmpfs with `uid={user}`, or give the directory to that user: the plain DEK \
             will stand in it"
        ),
        DekCacheError::OnDisk { directory, .. } => format!(
            "mount a tmpfs at {directory}, or set `runtime.allow_non_tmpfs` where that disk may \
             hold it"
        ),
        DekCacheError::NoDirectory { .. } => {
            "mount a tmpfs there, or configure another `runtime.dir`".into()
        }
    }
}

/// For static files and message catalogues.
pub(super) fn assets(error: &AssetError) -> String {
    match error {
        AssetError::File(error) => return file(error),
        AssetError::NoStaticRoot => "configure the static root, or no sources",
        AssetError::Overlap { .. } => "configure a static root outside of every source",
        AssetError::NoSource { .. } => "correct the configured sources of static files",
        AssetError::NoLocaleDirectory { .. } => "correct the configured locale directories",
        AssetError::NoLanguage(_) => "configure languages such as `de`, `en` or `pt_BR`",
        AssetError::Catalogue { .. } => {
            "correct that line, or take the file out of the configured locale directories; \
             `msgfmt --check` shows more"
        }
        AssetError::CatalogueTooLarge { .. } => "split it into several domains",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint_for(names: &[&str]) -> String {
        wizard(&WizardError::NotOneState {
            directory: "/state".to_owned(),
            problem: "",
            names: names.iter().map(|&name| name.to_owned()).collect(),
        })
    }

    #[test]
    fn every_state_of_the_wizard_is_named_where_none_is_there() {
        for names in [&[][..], &["WIZARD_BANANA"], &["a", "b"]] {
            let hint = hint_for(names);
            assert!(hint.contains("WIZARD_AUTO_RESTORE_HSM"), "{hint}");
        }
    }

    #[test]
    fn the_states_that_are_there_are_named_and_no_others() {
        for names in [
            &["WIZARD_COMPLETED", "WIZARD_SETUP_MODE"][..],
            &["WIZARD_COMPLETED", "WIZARD_RESTORE", "WIZARD_SETUP_MODE"],
            &["WIZARD_SETUP_MODE", "notes"],
            &["WIZARD_SETUP_MODE"],
        ] {
            let hint = hint_for(names);
            for state in SetupWizardState::ALL.map(SetupWizardState::name) {
                let is_told = state == "WIZARD_COMPLETED" && names.len() > 1;
                let is_there = names.contains(&state);
                let is_named = hint.split(|letter| !"_ABCDEFGHIJKLMNOPQRSTUVWXYZ".contains(letter));
                let is_named = is_named.into_iter().any(|word| word == state);
                assert!(is_named == is_there || is_told, "{state}: {hint}");
            }
        }
    }
}
