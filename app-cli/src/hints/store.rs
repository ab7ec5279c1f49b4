//! Hints for the database, its backups, and the cryptography with a DEK.

use ports::{BackupError, CryptoError, DatabaseTrouble, FaultKind, ServerTrouble, StoreError};

use super::common::{DEFECT, FREE_SPACE, is_on_server};
use super::files::file;

const RESTORE: &str = "keep a copy of the file, then restore the newest snapshot or a backup \
                       (`backup restore`)";
/// A restore replaces no tables that it cannot read: other nodes go on with them, and they are kept.
const RESTORE_ON_SERVER: &str = "have an administrator move the tables away (`ALTER SCHEMA … RENAME TO …`), \
                                 which keeps them, then restore the newest snapshot or a backup (`backup \
                                 restore`)";
const CHECK_MACHINE: &str =
    "check the disk and the memory of this machine; the database was left as it is";

/// For the database.
pub(super) fn store(error: &StoreError) -> String {
    if let Some(hint) = of_server(error) {
        return hint.to_owned();
    }
    match error {
        StoreError::File(error) => return file(error),
        StoreError::Crypto(error) => crypto(error),
        StoreError::Failed { trouble, .. }
        | StoreError::MigrationFailed { trouble, .. }
        | StoreError::NotWritable { trouble, .. } => return of_trouble(trouble),
        StoreError::NotConnected { trouble, .. } => return server(trouble),
        StoreError::NoSession { .. } => {
            "let database.url lead to the server itself, or to a pool in session mode: a lock does not \
             pass a pool in transaction mode, and a transaction none in statement mode"
        }
        StoreError::CommitUnknown { .. } => {
            "see with `trustpointctl status` how the node is, then run this again"
        }
        StoreError::LockLost { .. } => {
            "run this again once the server is steady: it goes on from what is there"
        }
        StoreError::ForeignTables { .. } => {
            "give this program a schema of its own with database.schema, or correct the URL; nothing \
             was changed"
        }
        StoreError::TakenOver { .. } => {
            "start this node with that version: the roll-out has come to it"
        }
        StoreError::NoSpace { .. } => FREE_SPACE,
        StoreError::NoFile { .. } => {
            "set the database's path to a file, or move away what stands there"
        }
        StoreError::DanglingLink { .. } => "check that the volume it points to is mounted",
        StoreError::NoDirectory { .. } => {
            "is the volume mounted? check the mount and the configured path"
        }
        StoreError::NoFileBeside { .. } => "find out what made it, and move it away",
        StoreError::DatabaseGone { .. } => {
            "bring back the database that belongs to it, or move that file away and restore a \
             snapshot"
        }
        StoreError::NotSqlite { .. } => {
            "keep a copy of the file, check the configured path, then restore the newest snapshot \
             or a backup (`backup restore`)"
        }
        StoreError::Damaged { .. } => RESTORE,
        StoreError::HistoryLost { .. } | StoreError::WrongKekId { .. } => {
            "restore the newest snapshot or a backup (`backup restore`)"
        }
        StoreError::WrongRow { .. } => {
            "correct the row, or restore the newest snapshot or a backup (`backup restore`)"
        }
        StoreError::Foreign { .. } => {
            "set the database's path to this node's database; that file was left as it is"
        }
        StoreError::SchemaAltered { .. } => {
            "keep a copy of the file; take away what was added, or restore the newest snapshot or \
             a backup (`backup restore`)"
        }
        StoreError::SchemaUnknown { .. } => {
            "start the version that wrote it, or restore a snapshot of this version"
        }
        StoreError::NotInitialised { .. } => {
            "run `startup` first; if it did run, this is a defect of the program"
        }
        StoreError::MadeByAnother { .. } => {
            "find out which other host starts on this volume, then start again"
        }
        StoreError::Removed { .. } => "find out what removes it, then start again",
        StoreError::WrittenAllTheTime { .. } => {
            "wait until the other process is idle and try again"
        }
        StoreError::LoggingChanged { .. } => "run this again",
        StoreError::NoSpaceInMemory { .. } => {
            "run `startup`, which may write: it recovers the database where it stands, without a \
             copy; or mount a larger tmpfs on /dev/shm, or set TMPDIR to one"
        }
        StoreError::TemporaryDirectory { .. } => "set TMPDIR to another directory",
        StoreError::FilesRemoved { .. } => "find out which one, then run this again",
        StoreError::Exchanged { .. } => {
            "see who else may write to its directory; use one that belongs to you alone"
        }
        StoreError::CopyDiffers { .. } => CHECK_MACHINE,
        StoreError::Time { .. } => "check the clock of this machine",
        StoreError::Random => "report this with the kernel version",
        StoreError::Defect { .. } => DEFECT,
    }
    .to_owned()
}

/// What is another thing to do where the database is no file.
fn of_server(error: &StoreError) -> Option<&'static str> {
    let path = match error {
        StoreError::Failed { path, .. }
        | StoreError::MigrationFailed { path, .. }
        | StoreError::Damaged { path, .. }
        | StoreError::HistoryLost { path, .. }
        | StoreError::WrongKekId { path, .. }
        | StoreError::WrongRow { path, .. }
        | StoreError::SchemaAltered { path, .. } => path,
        _ => return None,
    };
    if !is_on_server(path) {
        return None;
    }
    Some(match error {
        StoreError::Failed { trouble, .. } | StoreError::MigrationFailed { trouble, .. } => {
            match trouble {
                DatabaseTrouble::Damaged => RESTORE_ON_SERVER,
                DatabaseTrouble::InUse => {
                    "another session holds its rows or tables; end it, or wait and run this again"
                }
                DatabaseTrouble::Full => {
                    "free space on the server, then run this again; nothing is lost"
                }
                DatabaseTrouble::Disk => "check the disk and the file system of the server",
                _ => return None,
            }
        }
        StoreError::SchemaAltered { .. } => {
            "take away what was added; or have an administrator move the tables away (`ALTER SCHEMA … \
             RENAME TO …`), which keeps them, then restore the newest snapshot or a backup (`backup \
             restore`)"
        }
        StoreError::WrongRow { .. } => {
            "correct the row; or have an administrator move the tables away (`ALTER SCHEMA … RENAME TO \
             …`), which keeps them, then restore the newest snapshot or a backup (`backup restore`)"
        }
        _ => RESTORE_ON_SERVER,
    })
}

fn of_trouble(trouble: &DatabaseTrouble) -> String {
    match trouble {
        DatabaseTrouble::InUse => {
            "another process holds the database; end it, or wait and start again"
        }
        DatabaseTrouble::Moved => "the file was moved or replaced while it was open; start again",
        DatabaseTrouble::CannotOpen { path } => {
            return format!("check that {path} is a file and its volume is mounted");
        }
        DatabaseTrouble::Damaged => RESTORE,
        DatabaseTrouble::Endless => {
            "reading it came to no end, so it was altered or is damaged: keep a copy of the file, \
             then restore the newest snapshot or a backup (`backup restore`)"
        }
        DatabaseTrouble::Full => FREE_SPACE,
        DatabaseTrouble::Disk => "check the disk and the file system the database stands on",
        DatabaseTrouble::Denied { place } => {
            return format!("give the user that runs this program the right to {place}");
        }
        DatabaseTrouble::ReadOnlyFileSystem { place } => {
            return format!("mount the file system of {place} writable");
        }
        DatabaseTrouble::ReadOnly { path } => {
            return format!("make {path} and its directory writable");
        }
        DatabaseTrouble::Server(trouble) => return server(trouble),
        DatabaseTrouble::Defect => DEFECT,
    }
    .to_owned()
}

/// For the server of a database.
fn server(trouble: &ServerTrouble) -> String {
    match trouble {
        ServerTrouble::Unreachable => {
            "check that the server runs and is not overloaded, that database.url is right, and that nothing stands in \
             between; database.wait says how long a start waits for it"
        }
        ServerTrouble::LoginRefused => {
            "check the user and sslmode in database.url, database.password_file, and the server's \
             pg_hba.conf"
        }
        ServerTrouble::NoRight { user } => {
            return format!(
                "let an administrator give {user} the right: it needs CONNECT and CREATE on the database, or to \
                 own the schema and its tables"
            );
        }
        ServerTrouble::NoDatabase { name, user } => {
            return format!("create it: `createdb --owner={user} {name}`, or correct database.url");
        }
        ServerTrouble::Closed { name } => {
            return format!(
                "let an administrator open it: `ALTER DATABASE {name} ALLOW_CONNECTIONS true`; one that \
                 was left when it was dropped has to be made anew"
            );
        }
        ServerTrouble::Refusing => {
            "see what the server says, and its log; if no PostgreSQL answers there, correct database.url"
        }
        ServerTrouble::Standby => {
            "name the primary in database.url, or all hosts with commas between; a standby that was \
             promoted meanwhile is found by the next start"
        }
        ServerTrouble::Certificate => {
            "name the certificate of the authority with sslrootcert in database.url, and the server \
             as its certificate does; with sslmode=verify-ca the name is not compared"
        }
        ServerTrouble::NoTls => {
            "let an administrator switch TLS on (`ssl = on`), or, where nobody can listen on the way, give \
             database.url sslmode=disable"
        }
        ServerTrouble::TlsFile => {
            "check that sslrootcert, sslcert and sslkey in database.url name files of PEM that this user may \
             read, and that the key is the certificate's"
        }
        ServerTrouble::UnusableCertificate { needs } => {
            return format!(
                "issue it anew with that: `echo {needs} | openssl x509 -req -in REQUEST -CA AUTHORITY \
                 -CAkey KEY -CAcreateserial -days 365 -extfile /dev/stdin -out CERTIFICATE`, or, with no \
                 authority, `openssl req -x509 … -addext {needs}`"
            );
        }
        ServerTrouble::TooOld => "use PostgreSQL 13 or newer",
    }
    .to_owned()
}

/// For backups.
pub(super) fn backup(error: &BackupError) -> String {
    match error {
        BackupError::File(error) => return file(error),
        BackupError::Store(error) => return store(error),
        BackupError::NoDatabase { .. } => "run `trustpointctl startup` first, or correct the path",
        BackupError::NoFileName { .. } => "give the path of a file",
        BackupError::TakenForLeftover { .. } => "give another name",
        BackupError::OwnFile { .. } => "give another path",
        BackupError::Exists { .. } => "give another path, or add --force to replace that file",
        BackupError::NoRegularFile { .. } => "give the path of a file; `-` is standard output",
        BackupError::PagesNotCounted { .. } => {
            "have a SQLite of version 3.7 or later write it anew: `VACUUM`"
        }
        BackupError::ManifestDiffers => CHECK_MACHINE,
        BackupError::Wrong { .. } => "use another backup",
        BackupError::NewerFormat { .. } => "use the newer program that made it",
        BackupError::Refused { source, .. } => match source.kind() {
            FaultKind::DataCorrupt => "use another backup or a snapshot; nothing was changed",
            _ => return backup(source),
        },
        BackupError::KeptOpen { .. } => "stop the application, then restore again",
        BackupError::OtherInstallation { .. } => {
            "restore it into an empty schema (database.schema), or rename the one that is there: `ALTER \
             SCHEMA … RENAME TO …`"
        }
        BackupError::NotOurs { .. } => "correct database.path, or move that file away",
    }
    .to_owned()
}

/// For the cryptography with a DEK.
pub(super) fn crypto(error: &CryptoError) -> &'static str {
    match error {
        CryptoError::Failed { .. } => {
            "check that the machine has memory and its random generator works, then try again"
        }
        CryptoError::SealingFailed { .. } => {
            "this is a defect of the program or of the system's random generator; report it"
        }
        CryptoError::WrongPassword => {
            "give the backup password that was set last; a blob that was altered looks the same, \
             then use a backup or the old token"
        }
        CryptoError::WrongBlob { .. } => {
            "restore a backup (`backup restore`), or bring the old token back and set the backup \
             password again"
        }
        CryptoError::KeyDoesNotOpen { .. } => {
            "make a new credential with `tls renew`, or bring the database back with `backup \
             restore`"
        }
    }
}
