//! What an operator does next after a refusal.

use usecases::refused::Refused;

use super::common::{RESTORE, is_on_server};

/// What to do next.
pub(super) fn of(refused: &Refused) -> String {
    const REPORT: &str = "report this with the output of `trustpointctl --format json status`";
    const NEWER: &str = "run the newer program again";
    match refused {
        Refused::NoDatabase { .. } => "run `trustpointctl startup` first, or restore a backup",
        Refused::LostDatabase { database, .. } if is_on_server(database) => {
            "correct database.url and database.schema, or restore a backup; to begin anew on purpose, \
             without what was sealed before: `trustpointctl startup --accept-new-database`"
        }
        Refused::LostDatabase { is_empty: true, .. } => {
            "find out what emptied its file (a volume that was full, a copy that was cut short), then \
             bring the newest snapshot or a backup back: `trustpointctl backup restore FILE`; to begin \
             anew on purpose, without what was sealed before: `trustpointctl startup \
             --accept-new-database`"
        }
        Refused::LostDatabase { .. } => {
            "mount the volume of the database, or restore a backup; to begin anew on purpose, \
             without what was sealed before: `trustpointctl startup --accept-new-database`"
        }
        Refused::Downgrade {
            version, snapshots, ..
        } if snapshots.is_empty() => {
            return format!(
                "run version {version} again; no snapshot fits this program, so it cannot go back"
            );
        }
        Refused::Downgrade {
            version, snapshots, ..
        } => {
            return format!(
                "run version {version} again, or go back with `trustpointctl backup restore \
                 SNAPSHOT`, the newest first: {}",
                snapshots.join(", ")
            );
        }
        Refused::NewerSchema { .. } | Refused::NewerRecord { .. } => NEWER,
        Refused::OlderSchema { .. } => {
            "run `trustpointctl startup` first: it makes a snapshot and migrates"
        }
        Refused::WrongVersion { .. } => {
            "restore a backup or snapshot of the database, or correct the one row of app_version \
             to the version that last ran on it"
        }
        Refused::Contradiction {
            found, by_password, ..
        } => {
            return format!(
                "{}; nothing was changed",
                contradiction(found.is_about_the_kek(), *by_password)
            );
        }
        Refused::PhysicalHsm { is_set_up: true } => {
            "set hsm.physical to true (TRUSTPOINT_HSM_PHYSICAL=true) where this node is to use its \
             device; else restore a backup of a node with another storage; nothing was changed"
        }
        Refused::PhysicalHsm { is_set_up: false } => {
            "set hsm.physical to true (TRUSTPOINT_HSM_PHYSICAL=true) where this node is to use its \
             device; else run setup with --storage software or --storage softhsm; nothing was changed"
        }
        Refused::NoStorage { .. } => {
            "restore a backup or snapshot of the database; the storage is the one row of \
             key_storage_config"
        }
        Refused::NoKeys { .. } => {
            "nothing is to be done here; a backup of software storage can be encrypted on its way: \
             `trustpointctl backup create - | age -p > FILE`"
        }
        Refused::NothingWrapped { .. } => {
            "nothing is wrapped by a token here; run `trustpointctl startup`"
        }
        Refused::SetUpAlready {
            is_waiting: true, ..
        } => {
            "this node waits for its backup password: run `trustpointctl recover`, or bring the old \
             token back and start again"
        }
        Refused::SetUpAlready { is_new: true, .. } => {
            "run `trustpointctl startup`: it brings up a node that is new to this database"
        }
        Refused::SetUpAlready { .. } => {
            "to begin setup again on purpose, run `trustpointctl setup --reset` first; it deletes \
             nothing"
        }
        Refused::NotSetUp { .. } => "run `trustpointctl setup`",
        Refused::NotWaiting { .. } => {
            "run `trustpointctl startup`: it finds out whether the node has to be recovered, and \
             says so"
        }
        Refused::SealedSecrets { .. } => "run setup with --storage softhsm",
        Refused::ShortPassword { .. } => {
            "choose a longer one; it alone brings the secrets back where the token is lost"
        }
        Refused::PasswordNotSet => {
            "set one with `trustpointctl keys set-backup-password` while the DEK is accessible"
        }
        Refused::DamagedPasswordBlob { .. } => {
            "while the DEK is accessible, `trustpointctl keys set-backup-password` makes it anew"
        }
        Refused::NoPassword { way_back, .. }
        | Refused::LostDek { way_back, .. }
        | Refused::DekReplaced { way_back, .. } => return way_back.clone(),
        Refused::CacheAlone(found) => return found.way_back.clone(),
        Refused::DamagedDatabase(found) => {
            return format!(
                "{}; the newest snapshot comes back with `trustpointctl backup restore {}`, without what \
                 was changed since it was made",
                super::store::store(&found.damage),
                found.snapshot
            );
        }
        Refused::LastCopy { way_back, .. } => return format!("{way_back}; then try again"),
        Refused::OtherDek { .. } | Refused::UnknownDek { .. } | Refused::NoInstallation { .. } => {
            RESTORE
        }
        Refused::DekOutOfReach => {
            "run `trustpointctl startup`: it says whether `recover` is needed"
        }
        Refused::ForeignToken { .. } => {
            "mount the token of this installation, or name another one with hsm.token_label or \
             hsm.uri; nothing was changed on either"
        }
        Refused::NoFreeSlot { .. } => {
            "name one of them with hsm.token_label, or add a slot; an initialised token is never \
             overwritten"
        }
        Refused::NoInitialisedToken { .. } => {
            "name the token that is meant with hsm.token_label or hsm.uri, or have the device's security \
             officer initialise one with this label and set its user PIN: this program initialises \
             none on a physical HSM (of SoftHSM `setup --storage softhsm` makes one); nothing was \
             changed"
        }
        Refused::NoUserPin { .. } => {
            "have the device's security officer set it (`pkcs11-tool --login --login-type so \
             --init-pin`); nothing was changed"
        }
        Refused::NoToken { .. } => "run the command again; `trustpointctl keys show` lists the tokens",
        Refused::UnknownToken { known, .. } if known.is_empty() => {
            "no token is known: there is nothing to forget"
        }
        Refused::UnknownToken { known, .. } => {
            return format!(
                "there is one for {}; `trustpointctl keys show` tells more of each",
                known.join(", ")
            );
        }
        Refused::TokenInUse {
            has_backup_password: true,
            ..
        }
        | Refused::LastWay {
            has_backup_password: true,
            ..
        } => {
            "prove that the backup password opens the DEK, with --backup-password-file FILE (`-` asks \
             for it at a terminal; no token is asked then), or put another token in use that opens \
             the DEK; nothing was changed"
        }
        Refused::TokenInUse { .. } => {
            "set a backup password first, with `trustpointctl keys set-backup-password`, or put \
             another token in its place; nothing was changed"
        }
        Refused::LastWay { .. } => {
            "while the DEK is cached, `trustpointctl keys rotate-kek` wraps it for the token in use, \
             and `trustpointctl keys set-backup-password` adds a password; nothing was changed"
        }
        Refused::NotScrubbed { .. } => {
            "end what reads the database; this command run again, or the next start, finishes it"
        }
        Refused::NewKekFails { .. } => "run `trustpointctl keys rotate-kek` again",
        Refused::UnusableCredential { .. } => {
            "make a new self-signed one with `trustpointctl tls renew`, import one of your CA with \
             `trustpointctl tls import`, put an earlier one to use with `trustpointctl tls \
             activate`, or bring an older database back with `trustpointctl backup restore`; \
             nothing was overwritten"
        }
        Refused::NotValidNow { .. } => {
            "bring one that is valid now and check this machine's clock; --force takes it all the \
             same"
        }
        Refused::NotImported { source, .. } => return super::tls::tls(source),
        Refused::UnknownFingerprint { .. } => "`trustpointctl tls history` lists them",
        Refused::AmbiguousFingerprint { .. } => {
            "give more of it; `trustpointctl tls history` lists them"
        }
        Refused::WrongBackupVersion { .. } => "use another backup",
        Refused::NewerBackup { .. } => {
            "use the program of that version or a newer one, or an older backup; nothing was \
             changed"
        }
        Refused::OtherInstallation { database, .. } if is_on_server(database) => {
            "use a backup of this node; to make this node that other one on purpose, give it an empty \
             schema with database.schema, or rename the one that is there (`ALTER SCHEMA … RENAME TO \
             …`), and restore with --accept-other-installation"
        }
        Refused::OtherInstallation { .. } => {
            "use a backup of this node; to make this node that other one on purpose, add \
             --accept-other-installation (what it replaces is kept)"
        }
        Refused::BackupPassword { .. } => {
            "a backup opens with the backup password that was set when it was made"
        }
        Refused::Defect { .. } => REPORT,
    }
    .to_owned()
}

fn contradiction(is_about_the_kek: bool, by_password: bool) -> &'static str {
    match (is_about_the_kek, by_password) {
        (false, _) => RESTORE,
        (true, false) => {
            "run `trustpointctl keys rotate-kek`: it goes by the wrapped DEK, or by the cache, and \
             stores both anew; if it finds no DEK either, restore a backup or snapshot of the \
             database"
        }
        (true, true) => {
            "run `trustpointctl keys rotate-kek`: it goes by the wrapped DEK, or by the cache, and \
             stores both anew; if it finds no DEK either, `trustpointctl recover` has it from the \
             backup password"
        }
    }
}
