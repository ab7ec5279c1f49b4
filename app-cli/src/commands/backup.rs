//! `backup create`, `verify`, `restore`.

use std::time::Duration;

use camino::Utf8Path;
use ports::{Backup, BackupManifest, Fault, Secret};
use serde_json::{Value, json};

use super::Next;
use crate::cli::BackupCommand;
use crate::config::{Config, read_secret_file};
use crate::console::Console;
use crate::progress::Progress;
use crate::prompt;
use crate::wire::{Access, wire};
use usecases::backup::{self, Create, Opens, Restore, Verify};
use usecases::node::Node;
use usecases::report::{Report, rfc3339};

/// Runs one of them.
///
/// # Errors
/// Why it was refused or failed.
pub fn run(
    config: &Config,
    command: &BackupCommand,
    console: Console,
    report: &mut Report,
) -> Result<Next, Fault> {
    let access = match command {
        BackupCommand::Create(_) | BackupCommand::Verify(_) => Access::ReadOnly,
        BackupCommand::Restore(_) => Access::ReadWrite,
    };
    let node = wire(config, access, Box::new(console))?;
    let mut on_step = |step: &usecases::report::StepReport| console.step(step);
    match command {
        BackupCommand::Create(arguments) => {
            let wish = Create {
                file: arguments.file.to_string(),
                password: secret(arguments.encrypt_password_file.as_deref())?,
            };
            let mut progress = Progress::new(console);
            let created =
                backup::create(&node, &wish, report, &mut on_step, &mut |done, total| {
                    progress.show(done, total);
                })?;
            let mut value = manifest(&created.manifest);
            put(&mut value, "file", json!(wish.file));
            put(&mut value, "encrypted", json!(created.encrypted));
            report.data.insert("backup".into(), value);
        }
        BackupCommand::Verify(arguments) => {
            let wish = Verify {
                file: arguments.file.to_string(),
                decrypt_password: decrypt_password(
                    &node,
                    &arguments.file,
                    arguments.decrypt_password_file.as_deref(),
                )?,
                backup_password: secret(arguments.backup_password_file.as_deref())?,
            };
            verify(&node, &wish, console, report)?;
        }
        BackupCommand::Restore(arguments) => {
            let wish = Restore {
                file: arguments.file.to_string(),
                decrypt_password: decrypt_password(
                    &node,
                    &arguments.file,
                    arguments.decrypt_password_file.as_deref(),
                )?,
                accept_other_installation: arguments.accept_other_installation,
                lock_wait: Duration::from_secs(arguments.lock_wait),
            };
            let restored = backup::restore(&node, &wish, report, &mut on_step)?;
            let mut value = of(&restored);
            put(&mut value, "file", json!(wish.file));
            report.data.insert("backup".into(), value);
        }
    }
    Ok(Next::Exit)
}

/// Of the file where one was named; else asked for, where there is something to decrypt and
/// somebody to ask.
fn decrypt_password(
    node: &Node,
    backup: &Utf8Path,
    file: Option<&Utf8Path>,
) -> Result<Option<Secret>, Fault> {
    match file {
        Some(file) => read_secret_file(file).map(Some),
        None if prompt::is_terminal() && node.cipher.is_encrypted(backup.as_str())? => {
            prompt::file_password().map(Some)
        }
        None => Ok(None),
    }
}

fn secret(file: Option<&Utf8Path>) -> Result<Option<Secret>, Fault> {
    file.map(read_secret_file).transpose()
}

fn verify(node: &Node, wish: &Verify, console: Console, report: &mut Report) -> Result<(), Fault> {
    let verified = backup::verify(node, wish, report)?;
    let mut value = of(&verified.backup);
    put(&mut value, "file", json!(wish.file));
    put(&mut value, "encrypted", json!(verified.encrypted));
    put(
        &mut value,
        "opens_with",
        json!({
            "token": opens(&verified.token),
            "backup_password": opens(&verified.backup_password),
        }),
    );
    if console.is_human() {
        console.product(&format!("{} is whole", wish.file));
        for (name, field) in value.as_object().into_iter().flatten() {
            if name != "opens_with" && name != "file" && !field.is_null() {
                let field = field.as_str().map_or(field.to_string(), str::to_owned);
                console.product(&format!("  {name}: {field}"));
            }
        }
        for (what, opens) in [
            ("this node's token", &verified.token),
            ("the backup password", &verified.backup_password),
        ] {
            let why = opens.why().map_or(String::new(), |why| format!(" ({why})"));
            console.product(&format!("  opens with {what}: {}{why}", opens.name()));
        }
    }
    report.data.insert("backup".into(), value);
    Ok(())
}

fn opens(opens: &Opens) -> Value {
    json!({ "answer": opens.name(), "why": opens.why() })
}

fn of(backup: &Backup) -> Value {
    match &backup.manifest {
        Some(found) => manifest(found),
        None => json!({
            "format": null,
            "application_version": backup.record.version,
            "installation_id": backup.record.installation.as_ref().map(ToString::to_string),
            "storage": backup.record.storage.map(domain::StorageType::name),
        }),
    }
}

fn manifest(manifest: &BackupManifest) -> Value {
    json!({
        "format": manifest.format,
        "application_version": manifest.application_version,
        "schema": manifest.schema,
        "sha256": manifest.sha256,
        "created_at": rfc3339(manifest.created_at),
        "installation_id": manifest.installation.as_ref().map(ToString::to_string),
        "storage": manifest.storage.map(domain::StorageType::name),
        "kek_id": manifest.kek.as_ref().map(ToString::to_string),
        "dek_check_value": manifest.dek_check_value.as_deref().map(hex),
        "backup_password_set": manifest.backup_password_set,
        "setup_completed": manifest.setup_completed,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn put(value: &mut Value, name: &str, field: Value) {
    if let Value::Object(fields) = value {
        fields.insert(name.to_owned(), field);
    }
}
