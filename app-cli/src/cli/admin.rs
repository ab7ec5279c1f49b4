//! Options of the commands that look after a node: `tls`, `backup`, `hsm`.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand, ValueHint};

use super::examples;

/// Commands of `tls`.
#[derive(Clone, Debug, Subcommand)]
pub enum TlsCommand {
    /// The active credential, and what Nginx has; changes nothing
    #[command(after_help = examples::TLS_SHOW)]
    Show,
    /// Make a new self-signed credential and put it to use
    #[command(after_help = examples::TLS_RENEW)]
    Renew(TlsRenewArgs),
    /// Bring a key with its certificate and chain, and put them to use
    #[command(after_help = examples::TLS_IMPORT)]
    Import(TlsImportArgs),
    /// Every stored credential, the newest first; changes nothing
    #[command(after_help = examples::TLS_HISTORY)]
    History,
    /// Put a stored credential to use again
    #[command(after_help = examples::TLS_ACTIVATE)]
    Activate(TlsActivateArgs),
}

/// Options of `tls renew`.
#[derive(Args, Clone, Debug)]
pub struct TlsRenewArgs {
    /// Name or address in the certificate; may be repeated. Without, those of tls.san where it is
    /// configured, else those of the certificate before
    #[arg(long, value_name = "NAME")]
    pub san: Vec<String>,
    /// How long to wait for another start to end
    #[arg(long, value_name = "SECS", default_value_t = 60)]
    pub lock_wait: u64,
}

/// Options of `tls import`.
#[derive(Args, Clone, Debug)]
pub struct TlsImportArgs {
    /// PEM file with the private key: PKCS#8, PKCS#1 or SEC1, not encrypted
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub key: Utf8PathBuf,
    /// PEM file with the certificate; the chain may follow in it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub cert: Utf8PathBuf,
    /// PEM file with the chain, in any order
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub chain: Option<Utf8PathBuf>,
    /// Take also what is expired or not valid yet
    #[arg(long)]
    pub force: bool,
    /// How long to wait for another start to end
    #[arg(long, value_name = "SECS", default_value_t = 60)]
    pub lock_wait: u64,
}

/// Options of `tls activate`.
#[derive(Args, Clone, Debug)]
pub struct TlsActivateArgs {
    /// SHA-256 fingerprint as `tls history` shows it; its beginning is enough
    #[arg(value_name = "FINGERPRINT")]
    pub fingerprint: String,
    /// Take also what is expired or not valid yet
    #[arg(long)]
    pub force: bool,
    /// How long to wait for another start to end
    #[arg(long, value_name = "SECS", default_value_t = 60)]
    pub lock_wait: u64,
}

/// Commands of `hsm`.
#[derive(Clone, Debug, Subcommand)]
pub enum HsmCommand {
    /// Try out whether the token can keep a KEK: mechanisms, PIN flags, wrapping with a throw-away
    /// key; leaves nothing behind
    ///
    /// It asks before it logs in: a wrong PIN counts against the token. What it prints can be pasted
    /// into an issue.
    #[command(after_help = examples::HSM_CHECK)]
    Check(HsmCheckArgs),
}

/// Options of `hsm check`.
#[derive(Args, Clone, Debug)]
pub struct HsmCheckArgs {
    /// Log in without asking; where there is no terminal to ask at and this is not given, what needs a
    /// login is left out
    #[arg(long)]
    pub login: bool,
}

/// What stands for standard input or output in the place of a file.
pub const STANDARD_STREAM: &str = "-";

/// Commands of `backup`.
#[derive(Clone, Debug, Subcommand)]
pub enum BackupCommand {
    /// Make a consistent copy of the live database, with a manifest
    ///
    /// To have it encrypted, send it on: `trustpointctl backup create - | age -p > FILE`. The report
    /// goes to standard error then: in JSON it is the last line. A shell tells of a failure before
    /// the last `|` only with `set -o pipefail`.
    #[command(after_help = examples::BACKUP_CREATE)]
    Create(BackupCreateArgs),
    /// Prove a backup whole and tell what opens it; changes nothing
    #[command(after_help = examples::BACKUP_VERIFY)]
    Verify(BackupVerifyArgs),
    /// Put a backup in the database's place; what it replaces is kept, and never removed
    #[command(after_help = examples::BACKUP_RESTORE)]
    Restore(BackupRestoreArgs),
}

/// Options of `backup create`.
#[derive(Args, Clone, Debug)]
pub struct BackupCreateArgs {
    /// Where the backup goes; `-` is standard output, and the report then goes to standard error
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Utf8PathBuf,
    /// Replace the file that stands there
    #[arg(long)]
    pub force: bool,
}

/// Options of `backup verify`.
#[derive(Args, Clone, Debug)]
pub struct BackupVerifyArgs {
    /// The backup, or a snapshot; `-` is standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Utf8PathBuf,
    /// File with the backup password, to try whether it unwraps the DEK; `-` reads standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub backup_password_file: Option<Utf8PathBuf>,
}

/// Options of `backup restore`.
#[derive(Args, Clone, Debug)]
pub struct BackupRestoreArgs {
    /// The backup, or a snapshot; `-` is standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Utf8PathBuf,
    /// Go on although this node is set up as another installation than the backup's
    #[arg(long)]
    pub accept_other_installation: bool,
    /// How long to wait for another start to end
    #[arg(long, value_name = "SECS", default_value_t = 60)]
    pub lock_wait: u64,
}
