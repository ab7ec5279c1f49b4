//! Hints for files and directories.

use std::io::ErrorKind;

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
        WizardError::NotOneState { .. } => format!(
            "keep the one file that names the state of this node, which is WIZARD_COMPLETED where \
             setup was completed (`trustpointctl history` tells), and remove the others; the names \
             are {}",
            SetupWizardState::ALL.map(SetupWizardState::name).join(", ")
        ),
        WizardError::ForbiddenMove { .. } => "report this; nothing was changed".into(),
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

    #[test]
    fn every_state_of_the_wizard_is_named() {
        let hint = wizard(&WizardError::NotOneState {
            directory: String::new(),
            problem: "",
            names: Vec::new(),
        });
        assert!(hint.contains("WIZARD_AUTO_RESTORE_HSM"), "{hint}");
    }
}
