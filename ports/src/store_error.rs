//! What can go wrong with the database.

use std::io;
use std::time::Duration;

use domain::SchemaState;
use time::OffsetDateTime;

use crate::{Cause, CryptoError, FaultKind, FileError};

/// Something that cannot be done with the database.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of a variant says what its fields are"
)]
pub enum StoreError {
    /// A file or directory.
    #[error(transparent)]
    File(#[from] FileError),
    /// A private key that is to be sealed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The database reports an error.
    #[error("{doing} failed in the database {path}")]
    Failed {
        path: String,
        doing: &'static str,
        trouble: DatabaseTrouble,
        source: Cause,
    },
    /// The server of the database gives no connection.
    #[error(
        "no connection to the database {path}{}",
        waited.map_or(String::new(), |wait| format!(" within {} s", wait.as_secs_f64()))
    )]
    NotConnected {
        path: String,
        waited: Option<Duration>,
        trouble: ServerTrouble,
        source: Cause,
    },
    /// A connection has no session of its own there: a pooler stands in between.
    #[error(
        "the database {path} keeps no session for this connection: it is reached through a pooler that \
         shares its connections between transactions or statements"
    )]
    NoSession { path: String, source: Option<Cause> },
    /// A commit whose answer was lost, and which cannot be looked up.
    #[error("whether {doing} took effect in the database {path} is not known")]
    CommitUnknown {
        path: String,
        doing: &'static str,
        source: Cause,
    },
    /// The lock of the database went away while it was needed.
    #[error(
        "the lock of the database {path} was lost: what was written before stays, and nothing was \
         written after that"
    )]
    LockLost { path: String },
    /// The tables of another application stand where ours should.
    #[error("the schema {schema} of the database {path} belongs to another application: {tables}")]
    ForeignTables {
        path: String,
        schema: String,
        tables: String,
    },
    /// A node of a newer version has written since this one looked.
    #[error("the database {path} has been taken over by the newer version {version}")]
    TakenOver { path: String, version: String },
    /// A migration fails.
    #[error("migrating the database {path} failed; it is as it was before")]
    MigrationFailed {
        path: String,
        trouble: DatabaseTrouble,
        source: Cause,
    },
    /// What has to be written later may not be written.
    #[error("{what}")]
    NotWritable {
        what: String,
        trouble: DatabaseTrouble,
    },
    /// What has to be written later has no space.
    #[error(
        "{what}: its file system is full ({} KiB are free, {} KiB are needed)",
        free >> 10,
        needed >> 10
    )]
    NoSpace {
        what: String,
        free: u64,
        needed: u64,
    },
    /// Something else than a file has the database's name.
    #[error("the database {path} is no file but {found}")]
    NoFile { path: String, found: &'static str },
    /// A link leads to no file.
    #[error("the database {path} is a link to a file that does not exist")]
    DanglingLink { path: String },
    /// The directory of the database is not there.
    #[error("the directory {directory} of the database {path} does not exist")]
    NoDirectory {
        directory: String,
        path: String,
        source: Option<io::Error>,
    },
    /// Something else than a file has the name of a journal.
    #[error("{file}, which SQLite keeps beside its database, is no file but {found}")]
    NoFileBeside { file: String, found: &'static str },
    /// There is a journal and no database.
    #[error("the database {path} is missing or empty, but {file} belongs to one")]
    DatabaseGone { path: String, file: String },
    /// The file is no database at all.
    #[error("the file {path} is no SQLite database")]
    NotSqlite { path: String, source: Option<Cause> },
    /// The database is not whole.
    #[error("the database {path} is damaged: {how}")]
    Damaged {
        path: String,
        how: String,
        source: Option<Cause>,
    },
    /// The database is ours and does not say how far it is migrated.
    #[error("the database {path} has lost its migration history ({table})")]
    HistoryLost { path: String, table: &'static str },
    /// A row says what cannot be right.
    #[error("{what} (database {path})")]
    WrongRow {
        path: String,
        what: String,
        source: Option<Cause>,
    },
    /// The id of a KEK cannot be right.
    #[error("the KEK id in table pkcs11_key cannot be right (database {path})")]
    WrongKekId { path: String, source: Cause },
    /// The database is another application's.
    #[error(
        "the database {path} belongs to another application (application id \
         {application_id:#010x}, tables: {tables})"
    )]
    Foreign {
        path: String,
        application_id: i64,
        tables: String,
    },
    /// Somebody has changed the schema.
    #[error("the schema of the database {path} is not the one its migrations make: {differences}")]
    SchemaAltered { path: String, differences: String },
    /// This program does not know the migrations of the database (C6).
    #[error(
        "the database {path} {}",
        if *state == SchemaState::Newer {
            "has migrations that this program does not know"
        } else {
            "was migrated by migrations that differ from this program's"
        }
    )]
    SchemaUnknown { path: String, state: SchemaState },
    /// A write before the first migration.
    #[error("the database {path} is not initialised")]
    NotInitialised { path: String },
    /// The database was made by another process while this one made it.
    #[error("the database {path} was made by another process in this very moment")]
    MadeByAnother { path: String },
    /// The database was removed while it was made.
    #[error("the database {path} was removed while it was being created")]
    Removed { path: String },
    /// No copy can be made, because the database never rests.
    #[error("the database {path} is being written all the time")]
    WrittenAllTheTime { path: String },
    /// The database changed its way of logging while it was copied.
    #[error("{path} was switched to write-ahead logging meanwhile")]
    LoggingChanged { path: String },
    /// The database can only be read in a copy in memory, and that has no space.
    #[error(
        "the database {path} cannot be read without a change to it: its writer has died or it uses \
         write-ahead logging, and there is no room in memory for a private copy of it, {} KiB \
         ({tried})",
        needed.div_ceil(1024)
    )]
    NoSpaceInMemory {
        path: String,
        needed: u64,
        tried: String,
    },
    /// The directory for the copy in memory has a name that cannot be used.
    #[error("the directory for temporary files {directory} is not UTF-8")]
    TemporaryDirectory { directory: String },
    /// New files are removed before they can be locked.
    #[error("another process removes every file that is made in {directory}")]
    FilesRemoved { directory: String },
    /// Another file has taken the name of one that is in use.
    #[error("{path} was exchanged for another file while it was in use")]
    Exchanged { path: String },
    /// A copy is not what was written to it.
    #[error("a copy of the database {path} does not hold what was written to it")]
    CopyDiffers { path: String },
    /// A time that no database can hold.
    #[error("the time {time} cannot be written")]
    Time { time: OffsetDateTime, source: Cause },
    /// The system gives no random bytes.
    #[error("the system's random generator gave nothing")]
    Random,
    /// A defect of this program.
    #[error("{what}")]
    Defect { what: String, source: Option<Cause> },
}

impl StoreError {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Crypto(error) => error.kind(),
            Self::Failed { trouble, .. }
            | Self::MigrationFailed { trouble, .. }
            | Self::NotWritable { trouble, .. } => trouble.kind(),
            Self::NoFile { .. }
            | Self::DanglingLink { .. }
            | Self::NoDirectory { .. }
            | Self::NoFileBeside { .. }
            | Self::MadeByAnother { .. }
            | Self::Removed { .. }
            | Self::CommitUnknown { .. }
            | Self::LockLost { .. }
            | Self::WrittenAllTheTime { .. }
            | Self::LoggingChanged { .. } => FaultKind::DatabaseUnavailable,
            Self::DatabaseGone { .. }
            | Self::NotSqlite { .. }
            | Self::Damaged { .. }
            | Self::HistoryLost { .. }
            | Self::WrongRow { .. }
            | Self::WrongKekId { .. }
            | Self::Foreign { .. }
            | Self::ForeignTables { .. }
            | Self::SchemaAltered { .. }
            | Self::CopyDiffers { .. } => FaultKind::DataCorrupt,
            Self::NotConnected { trouble, .. } => trouble.kind(),
            Self::SchemaUnknown { .. } | Self::TakenOver { .. } => FaultKind::VersionDowngrade,
            Self::NoSpace { .. }
            | Self::NoSpaceInMemory { .. }
            | Self::FilesRemoved { .. }
            | Self::Exchanged { .. } => FaultKind::Io,
            Self::TemporaryDirectory { .. } | Self::NoSession { .. } => FaultKind::Config,
            Self::NotInitialised { .. }
            | Self::Time { .. }
            | Self::Random
            | Self::Defect { .. } => FaultKind::Internal,
        }
    }
}

/// What an error of the database means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DatabaseTrouble {
    /// Another process holds it.
    InUse,
    /// The file was moved or replaced while it was open.
    Moved,
    /// It cannot be opened, and the file system does not say why.
    CannotOpen {
        /// The database.
        path: String,
    },
    /// It was altered, or is damaged.
    Damaged,
    /// Reading it comes to no end.
    Endless,
    /// The file system is full.
    Full,
    /// The disk fails.
    Disk,
    /// No permission.
    Denied {
        /// What this program has no right to.
        place: String,
    },
    /// The file system is mounted for reading alone.
    ReadOnlyFileSystem {
        /// A file or directory on it.
        place: String,
    },
    /// It cannot be written, and the file system does not say why.
    ReadOnly {
        /// The database.
        path: String,
    },
    /// What only a database on a server can have.
    Server(ServerTrouble),
    /// A defect of this program.
    Defect,
}

impl DatabaseTrouble {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::InUse | Self::Moved | Self::CannotOpen { .. } => FaultKind::DatabaseUnavailable,
            Self::Damaged | Self::Endless => FaultKind::DataCorrupt,
            Self::Full | Self::Disk | Self::ReadOnlyFileSystem { .. } | Self::ReadOnly { .. } => {
                FaultKind::Io
            }
            Self::Denied { .. } => FaultKind::Denied,
            Self::Server(trouble) => trouble.kind(),
            Self::Defect => FaultKind::Internal,
        }
    }
}

/// What an error of a database's server means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ServerTrouble {
    /// It does not answer: refused, silent, starting up, shutting down, full of connections, cut.
    Unreachable,
    /// The user or the password is not taken.
    LoginRefused,
    /// The user may not do this.
    NoRight {
        /// The user.
        user: String,
    },
    /// There is no such database.
    NoDatabase {
        /// Its name.
        name: String,
        /// The user that is to own it.
        user: String,
    },
    /// The database takes no connections.
    Closed {
        /// Its name.
        name: String,
    },
    /// It does not do what it is asked, for a reason that it says.
    Refusing,
    /// It is a standby: it may be read alone.
    Standby,
    /// Its certificate is not trusted.
    Certificate,
    /// It speaks no TLS.
    NoTls,
    /// A certificate or a key of this machine cannot be read.
    TlsFile,
    /// Its certificate, or this client's, lacks what TLS needs today.
    UnusableCertificate {
        /// The extension that it needs, as OpenSSL spells it.
        needs: String,
    },
    /// It is older than this program can use.
    TooOld,
}

impl ServerTrouble {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Unreachable
            | Self::NoDatabase { .. }
            | Self::Closed { .. }
            | Self::Refusing
            | Self::Standby
            | Self::Certificate
            | Self::NoTls
            | Self::TlsFile
            | Self::UnusableCertificate { .. } => FaultKind::DatabaseUnavailable,
            Self::LoginRefused | Self::NoRight { .. } => FaultKind::Denied,
            Self::TooOld => FaultKind::Config,
        }
    }
}
