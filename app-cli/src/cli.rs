//! The command line.

mod admin;
mod examples;

use std::net::SocketAddr;
use std::str::FromStr;

use camino::Utf8PathBuf;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum, ValueHint};
use domain::StorageType;

pub use admin::{
    BackupCommand, BackupCreateArgs, BackupRestoreArgs, BackupVerifyArgs, HsmCheckArgs, HsmCommand,
    STANDARD_STREAM, TlsActivateArgs, TlsCommand, TlsImportArgs, TlsRenewArgs,
};

/// Start-up and recovery of a Trustpoint node.
///
/// Finds out in which state the node is, does what that state needs, and says so. Run it as the
/// first step when the container starts, and by hand in that container.
#[derive(Debug, Parser)]
#[command(name = "trustpointctl", version, after_help = exit_codes())]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Directory that goes in front of every default path (else TRUSTPOINT_ROOT)
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, global = true)]
    pub root: Option<Utf8PathBuf>,
    /// Configuration file (else TRUSTPOINT_CONFIG)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, global = true)]
    pub config: Option<Utf8PathBuf>,
    /// How to report
    #[arg(long, value_enum, default_value_t = Format::Human, global = true)]
    pub format: Format,
    /// When to use colour (NO_COLOR and TERM=dumb are honoured)
    #[arg(long, value_enum, default_value_t = Color::Auto, global = true)]
    pub color: Color,
    /// How to say what is done: for people, or as JSON lines on standard error (else as --format)
    #[arg(
        long,
        value_enum,
        value_name = "human|json",
        hide_possible_values = true,
        global = true
    )]
    pub log_format: Option<Format>,
    /// Leave out progress and the summary; warnings and errors stay
    #[arg(short, long, conflicts_with = "verbose", global = true)]
    pub quiet: bool,
    /// Say more about what is done; twice: with the time of each line
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,
}

/// How to report.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// Lines for people.
    Human,
    /// One JSON object on standard output, progress as JSON lines on standard error.
    Json,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The main job: observe, select, plan, execute, report
    #[command(after_help = examples::STARTUP)]
    Startup(StartupArgs),
    /// The observed state and what the next start would select; changes nothing
    #[command(after_help = examples::STATUS)]
    Status,
    /// The setup wizard, from its first state to WIZARD_COMPLETED
    #[command(after_help = examples::SETUP)]
    Setup(SetupArgs),
    /// Bring the DEK back with the backup password, where the token has lost its KEK
    #[command(after_help = examples::RECOVER)]
    Recover(RecoverArgs),
    /// The keys: identities, a new KEK, the backup password
    #[command(subcommand)]
    Keys(KeysCommand),
    /// The TLS server credential
    #[command(subcommand)]
    Tls(TlsCommand),
    /// Backups of the database
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Every check with pass, warn or fail, and what to do; changes nothing
    #[command(after_help = examples::DOCTOR)]
    Doctor,
    /// The token before a node is set up on it
    #[command(subcommand)]
    Hsm(HsmCommand),
    /// What happened to the node: each start, and each command that changed it
    #[command(after_help = examples::HISTORY)]
    History(HistoryArgs),
    /// The configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// A completion script for a shell, on standard output
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Options of `startup`.
#[derive(Args, Clone, Debug, Default)]
pub struct StartupArgs {
    /// Print the steps and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Exit with 10 or 11 where the node is not ready but waits for setup or recovery
    #[arg(long)]
    pub require_ready: bool,
    /// How long to wait for another start to end
    #[arg(long, value_name = "SECS", default_value_t = 60)]
    pub lock_wait: u64,
    /// Go on with a new database although there are traces of an installed node
    #[arg(long)]
    pub accept_new_database: bool,
    /// Write what a node exporter collects into this file, as an OpenMetrics text
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, value_parser = file(), conflicts_with = "dry_run")]
    pub metrics_file: Option<Utf8PathBuf>,
    /// Where the node waits for setup or recovery: serve a page for that over HTTPS on this address of
    /// the node (0.0.0.0: on all), to whoever has the access code in the log, and start again once it
    /// is done (else page.listen)
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = page_address)]
    pub page: Option<SocketAddr>,
    /// Program that replaces this one where the exit code would be 0; with --page only once the node
    /// is ready
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<std::ffi::OsString>,
}

/// Options of `setup`.
#[derive(Args, Clone, Debug)]
pub struct SetupArgs {
    /// Where the node keeps its secrets; asked for at a terminal
    #[arg(long, value_name = "software|softhsm|physical_hsm", value_parser = storages(), hide_possible_values = true)]
    pub storage: Option<StorageType>,
    /// File with the backup password; `-` reads standard input; asked for at a terminal
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "no_backup_password")]
    pub backup_password_file: Option<Utf8PathBuf>,
    /// Go without a backup password: a lost token then means lost secrets
    #[arg(long)]
    pub no_backup_password: bool,
    /// Name or address in the TLS server certificate; may be repeated
    #[arg(long, value_name = "NAME")]
    pub san: Vec<String>,
    /// How long to wait for another start to end
    #[arg(long, value_name = "SECS", default_value_t = 60)]
    pub lock_wait: u64,
    /// Return the node to the wizard's first state; deletes nothing
    #[arg(long, conflicts_with_all = ["storage", "backup_password_file", "no_backup_password", "san"])]
    pub reset: bool,
}

/// Options of `recover`.
#[derive(Args, Clone, Debug)]
pub struct RecoverArgs {
    /// File with the backup password; `-` reads standard input; asked for at a terminal
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub backup_password_file: Option<Utf8PathBuf>,
    /// How long to wait for another start to end
    #[arg(long, value_name = "SECS", default_value_t = 60)]
    pub lock_wait: u64,
}

/// Commands of `keys`.
#[derive(Clone, Debug, Subcommand)]
pub enum KeysCommand {
    /// Token, KEK, DEK and backup password: identities and check values, never a key; changes
    /// nothing
    #[command(after_help = examples::KEYS_SHOW)]
    Show,
    /// Make a new KEK and wrap the same DEK with it
    #[command(after_help = examples::KEYS_ROTATE)]
    RotateKek(RotateKekArgs),
    /// Remove what is kept for a token that was stolen or will not come back
    ///
    /// The token in use is refused unless the backup password is proven to open the DEK, and so is
    /// the last way to the DEK.
    #[command(after_help = examples::KEYS_FORGET)]
    ForgetToken(ForgetTokenArgs),
    /// Set or change the backup password
    #[command(after_help = examples::KEYS_SET_PASSWORD)]
    SetBackupPassword(RecoverArgs),
    /// The recovery drill: prove that the backup password unwraps the DEK in use; changes nothing
    #[command(after_help = examples::KEYS_VERIFY_PASSWORD)]
    VerifyBackupPassword(VerifyPasswordArgs),
}

/// Options of `keys rotate-kek`.
#[derive(Args, Clone, Debug)]
pub struct RotateKekArgs {
    /// Destroy the KEKs from before, once the new one is proven to unwrap the DEK; backups made
    /// before then open by their backup password alone
    #[arg(long)]
    pub destroy_old: bool,
    /// How long to wait for another start to end
    #[arg(long, value_name = "SECS", default_value_t = 60)]
    pub lock_wait: u64,
}

/// Options of `keys forget-token`.
#[derive(Args, Clone, Debug)]
pub struct ForgetTokenArgs {
    /// Serial number of the token, as `keys show` shows it
    #[arg(value_name = "SERIAL")]
    pub serial: String,
    /// Do not ask whether the token is to be forgotten
    #[arg(long)]
    pub yes: bool,
    /// File with the backup password, to prove that it opens the DEK; `-` reads standard input. The
    /// token is not asked then
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub backup_password_file: Option<Utf8PathBuf>,
    /// How long to wait for another start to end
    #[arg(long, value_name = "SECS", default_value_t = 60)]
    pub lock_wait: u64,
}

/// Options of `keys verify-backup-password`.
#[derive(Args, Clone, Debug)]
pub struct VerifyPasswordArgs {
    /// File with the backup password; `-` reads standard input; asked for at a terminal
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub backup_password_file: Option<Utf8PathBuf>,
}

/// Options of `history`.
#[derive(Args, Clone, Debug)]
pub struct HistoryArgs {
    /// At most this many rows, newest first
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}

/// Commands of `config`.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ConfigCommand {
    /// The merged configuration, and where each value came from
    #[command(after_help = examples::CONFIG_SHOW)]
    Show,
}

impl Cli {
    /// Parses the command line of this process.
    ///
    /// # Errors
    /// What is wrong with it; `--help` and `--version` as well.
    pub fn parse_all() -> Result<Self, clap::Error> {
        let cli = Self::try_parse()?;
        // clap compares these where they stand on one side of the command's name.
        if cli.global.quiet && cli.global.verbose > 0 {
            return Err(Self::command().error(
                ErrorKind::ArgumentConflict,
                "the argument '--quiet' cannot be used with '--verbose...'",
            ));
        }
        Ok(cli)
    }
}

impl Command {
    /// Whether standard output is for what the command makes, and not for its report.
    #[must_use]
    pub fn sends_to_stdout(&self) -> bool {
        matches!(self, Self::Backup(BackupCommand::Create(create)) if create.file == STANDARD_STREAM)
    }
}

/// A path that is not empty.
fn file() -> impl TypedValueParser<Value = Utf8PathBuf> {
    NonEmptyStringValueParser::new().map(Utf8PathBuf::from)
}

/// The storages that setup can choose, each by the name that the configuration and reports have.
fn storages() -> impl TypedValueParser<Value = StorageType> {
    let parser = PossibleValuesParser::new(StorageType::ALL.map(StorageType::name));
    parser.try_map(|name| StorageType::from_str(&name).map_err(|()| "it is no storage"))
}

/// An address and a port, or how they are written.
fn page_address(text: &str) -> Result<SocketAddr, String> {
    let wrong = |error| format!("{error}; write it like 0.0.0.0:8443 or [::]:8443");
    text.parse().map_err(wrong)
}

/// The definition, for completions and man pages.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

fn exit_codes() -> String {
    let mut text = String::from("Exit codes:\n");
    for row in crate::exit_code::TABLE {
        text.push_str(&format!("  {:>2}  {}\n", row.code, row.when));
    }
    text
}
