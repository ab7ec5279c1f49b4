//! `backup create`, `verify`, `restore`.

use std::fs::File;
use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;
use std::time::Duration;

use camino::Utf8Path;
use ports::{
    Backup, BackupManifest, BackupSource, BackupTarget, Event, EventKind, FaultKind,
    ResultExt as _, Secret,
};

use super::Next;
use crate::cli::{
    BackupCommand, BackupCreateArgs, BackupRestoreArgs, BackupVerifyArgs, STANDARD_STREAM,
};
use crate::config::{Config, read_password_file};
use crate::console::Console;
use crate::failure::Failure;
use crate::wire::{Access, wire};
use usecases::backup::{self, Create, Opens, Restore, Verify};
use usecases::history;
use usecases::node::Node;
use usecases::report::own::{
    BackupContents, BackupCreate, BackupRestore, BackupVerify, CreatedBackup, ManifestReport,
    OpensReport, OpensWith, Own, RecordReport, RestoredBackup, VerifiedBackup,
};
use usecases::report::{Moment, Name, Report};

/// Runs one of them.
///
/// # Errors
/// Why it was refused or failed.
pub fn run(
    config: &Config,
    command: &BackupCommand,
    console: Console,
    report: &mut Report,
) -> Result<Next, Failure> {
    let access = match command {
        BackupCommand::Create(_) | BackupCommand::Verify(_) => Access::ReadOnly,
        BackupCommand::Restore(_) => Access::ReadWrite,
    };
    let node = wire(config, access, console)?;
    let own = match command {
        BackupCommand::Create(arguments) => create(config, &node, arguments, console, report),
        BackupCommand::Verify(arguments) => verify(config, &node, arguments, console, report),
        BackupCommand::Restore(arguments) => restore(&node, arguments, console, report),
    }?;
    report.own = Some(own);
    Ok(Next::Exit)
}

fn create(
    config: &Config,
    node: &Node,
    arguments: &BackupCreateArgs,
    console: Console,
    report: &mut Report,
) -> Result<Own, Failure> {
    let file = arguments.file.as_str();
    let mut stream = is_stream(file).then(standard_output).transpose()?;
    let target = match &mut stream {
        Some(stream) => BackupTarget::Stream(stream),
        None => {
            ensure_no_own_file(config, &arguments.file)?;
            ensure_no_own_directory(config, &arguments.file)?;
            if arguments.force {
                BackupTarget::Replace(file)
            } else {
                BackupTarget::New(file)
            }
        }
    };
    let request = Create {
        target,
        name: name(file, "standard output"),
    };
    let created = backup::create(&mut console.recorder(node, report), request)?;
    let detail = format!(
        "{}, SHA-256 {}",
        name(file, "standard output"),
        created.sha256
    );
    note(
        config,
        node.event(EventKind::BackupMade, detail),
        console,
        report,
    )?;
    let backup = CreatedBackup {
        file: file.to_owned(),
        manifest: manifest(&created),
    };
    Ok(Own::BackupCreate(BackupCreate { backup }))
}

/// The copy and its check open the database for reading alone; only the history is written to.
fn note(
    config: &Config,
    event: Event,
    console: Console,
    report: &mut Report,
) -> Result<(), Failure> {
    let node = wire(config, Access::ReadWrite, console)?;
    history::note_done(&node.store, &event, report);
    Ok(())
}

fn restore(
    node: &Node,
    arguments: &BackupRestoreArgs,
    console: Console,
    report: &mut Report,
) -> Result<Own, Failure> {
    let file = arguments.file.as_str();
    let mut stream = is_stream(file).then(standard_input).transpose()?;
    let request = Restore {
        source: source(file, stream.as_mut()),
        name: name(file, "standard input"),
        accept_other_installation: arguments.accept_other_installation,
        lock_wait: Duration::from_secs(arguments.lock_wait),
    };
    let restored = backup::restore(&mut console.recorder(node, report), request)?;
    let backup = RestoredBackup {
        file: file.to_owned(),
        contents: of(&restored),
    };
    Ok(Own::BackupRestore(BackupRestore { backup }))
}

fn is_stream(file: &str) -> bool {
    file == STANDARD_STREAM
}

fn name(file: &str, stream: &str) -> String {
    if is_stream(file) { stream } else { file }.to_owned()
}

fn source<'a>(file: &'a str, stream: Option<&'a mut File>) -> BackupSource<'a> {
    match stream {
        Some(stream) => BackupSource::Stream(stream),
        None => BackupSource::File(file),
    }
}

fn standard_output() -> Result<File, Failure> {
    let stdout = std::io::stdout();
    if stdout.is_terminal() {
        return Err(Failure::new(
            FaultKind::Usage,
            "standard output is a terminal: a backup is not written to it",
            "send it on: `trustpointctl backup create - | age -p > FILE`",
        ));
    }
    let stream = stdout.as_fd().try_clone_to_owned();
    Ok(stream.map(File::from).or_io(|| "opening standard output")?)
}

fn standard_input() -> Result<File, Failure> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(Failure::new(
            FaultKind::Usage,
            "standard input is a terminal: no backup comes from it",
            "send it in: `age -d FILE | trustpointctl backup restore -`",
        ));
    }
    let stream = stdin.as_fd().try_clone_to_owned();
    Ok(stream.map(File::from).or_io(|| "opening standard input")?)
}

/// Where the node keeps files of its own, others are removed or stand in the way.
fn ensure_no_own_directory(config: &Config, file: &Utf8Path) -> Result<(), Failure> {
    let Some(directory) = directory_of(file) else {
        // It is not there: creating the file says so.
        return Ok(());
    };
    let own = [
        &config.snapshots,
        &config.wizard_state_dir,
        &config.tls_dir,
        &config.runtime_dir,
    ];
    let is_own = own
        .iter()
        .filter_map(|own| own.value.canonicalize_utf8().ok())
        .any(|own| directory.starts_with(own));
    if !is_own {
        return Ok(());
    }
    Err(Failure::new(
        FaultKind::Usage,
        format!("{directory} is a directory of the node's own files: no backup is written there"),
        "give a path in another directory",
    ))
}

/// `--force` is for what a backup may replace, and not for what the node reads at each start.
fn ensure_no_own_file(config: &Config, file: &Utf8Path) -> Result<(), Failure> {
    let pins = [&config.secrets.pin, &config.secrets.so_pin];
    let pins = pins.into_iter().flatten().map(|pin| &pin.value);
    let real = |path: &Utf8Path| path.canonicalize_utf8().ok();
    let target = real(file);
    let is_own = pins
        .chain([&config.file.value])
        .any(|own| target.is_some() && real(own) == target);
    if !is_own {
        return Ok(());
    }
    Err(Failure::new(
        FaultKind::Usage,
        format!("{file} is one of the node's own files: it is never overwritten by a backup"),
        "give another path",
    ))
}

fn directory_of(file: &Utf8Path) -> Option<camino::Utf8PathBuf> {
    let parent = file.parent()?;
    let parent = if parent.as_str().is_empty() {
        Utf8Path::new(".")
    } else {
        parent
    };
    parent.canonicalize_utf8().ok()
}

fn secret(file: Option<&Utf8Path>) -> Result<Option<Secret>, Failure> {
    file.map(read_password_file).transpose()
}

fn verify(
    config: &Config,
    node: &Node,
    arguments: &BackupVerifyArgs,
    console: Console,
    report: &mut Report,
) -> Result<Own, Failure> {
    let file = arguments.file.as_str();
    let password_file = arguments.backup_password_file.as_deref();
    if is_stream(file) && password_file.is_some_and(|password| is_stream(password.as_str())) {
        return Err(Failure::new(
            FaultKind::Usage,
            "the backup and the backup password cannot both come from standard input",
            "put the password into a file",
        ));
    }
    let mut stream = is_stream(file).then(standard_input).transpose()?;
    let request = Verify {
        source: source(file, stream.as_mut()),
        name: name(file, "standard input"),
        backup_password: secret(password_file)?,
    };
    let verified = backup::verify(node, request, report)?;
    let detail = format!(
        "{}: opens with the token: {}, with the backup password: {}",
        name(file, "standard input"),
        verified.token.answer().name(),
        verified.backup_password.answer().name()
    );
    note(
        config,
        node.event(EventKind::BackupVerified, detail),
        console,
        report,
    )?;
    let contents = of(&verified.backup);
    if console.is_human() {
        let value = serde_json::to_value(&contents).unwrap_or_default();
        console.product(&format!("{} is whole", name(file, "the backup")));
        for (field, said) in value.as_object().into_iter().flatten() {
            if !said.is_null() {
                let said = said.as_str().map_or(said.to_string(), str::to_owned);
                console.product(&format!("  {field}: {said}"));
            }
        }
        for (what, opens) in [
            ("this node's token", &verified.token),
            ("the backup password", &verified.backup_password),
        ] {
            let why = opens.why().map_or(String::new(), |why| format!(" ({why})"));
            let answer = opens.answer().name();
            console.product(&format!("  opens with {what}: {answer}{why}"));
        }
    }
    let backup = VerifiedBackup {
        file: file.to_owned(),
        contents,
        opens_with: OpensWith {
            token: opens(&verified.token),
            backup_password: opens(&verified.backup_password),
        },
    };
    Ok(Own::BackupVerify(Box::new(BackupVerify { backup })))
}

fn opens(opens: &Opens) -> OpensReport {
    OpensReport {
        answer: Name(opens.answer()),
        why: opens.why().map(str::to_owned),
    }
}

fn of(backup: &Backup) -> BackupContents {
    match &backup.manifest {
        Some(found) => BackupContents::Manifest(manifest(found)),
        None => BackupContents::Record(record(backup)),
    }
}

fn record(backup: &Backup) -> RecordReport {
    let Backup { record, schema, .. } = backup;
    let keks = record.sealing.keks();
    RecordReport {
        format: (),
        sha256: (),
        created_at: (),
        application_version: record.version.clone(),
        schema: schema.clone(),
        installation_id: record.installation.as_ref().map(ToString::to_string),
        storage: record.storage.map(Name),
        kek_id: keks.first().map(ToString::to_string),
        kek_ids: keks.iter().map(ToString::to_string).collect(),
        dek_check_value: record.sealing.check_value.as_deref().map(domain::hex),
        backup_password_set: record.sealing.backup.is_some(),
        setup_completed: record.setup_completed_at.is_some(),
    }
}

fn manifest(manifest: &BackupManifest) -> ManifestReport {
    ManifestReport {
        format: manifest.format,
        application_version: manifest.application_version.clone(),
        schema: manifest.schema.clone(),
        sha256: manifest.sha256.clone(),
        created_at: Moment(manifest.created_at),
        installation_id: manifest.installation.as_ref().map(ToString::to_string),
        storage: manifest.storage.map(Name),
        kek_id: manifest.keks.first().map(ToString::to_string),
        kek_ids: manifest.keks.iter().map(ToString::to_string).collect(),
        dek_check_value: manifest.dek_check_value.as_deref().map(domain::hex),
        backup_password_set: manifest.backup_password_set,
        setup_completed: manifest.setup_completed,
    }
}
