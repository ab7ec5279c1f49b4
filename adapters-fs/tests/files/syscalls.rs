//! The order of system calls: a kill does not lose what the page cache holds, a power cut does.

use std::process::Command;

use adapters_fs::{NginxTls, PinMemoryFile, WizardDir};
use camino::Utf8Path;
use domain::SetupWizardState;
use ports::{PinMemory as _, TlsSource, TlsStore as _, WizardStore as _};

use crate::child::{arguments, save, wrapped};
use crate::support::{Sandbox, credential, run_well};

const CALLS: &str = "trace=open,openat,creat,write,pwrite64,writev,copy_file_range,fsync,fdatasync,\
                     rename,renameat,renameat2,symlink,symlinkat,link,linkat,mkdir,mkdirat,unlink,\
                     unlinkat,rmdir,chmod,fchmod,fchmodat,truncate,ftruncate";

/// The calls of a child that name the directory, in order.
fn trace(function: &str, sandbox: &Sandbox, within: &Utf8Path) -> Vec<String> {
    let output = sandbox.join("trace");
    let wrapper = [
        "strace",
        "-f",
        "-y",
        "-s",
        "4096",
        "-e",
        CALLS,
        "-o",
        output.as_str(),
    ];
    assert!(arguments(function).len() > 1);
    let version = Command::new("strace").arg("--version").output();
    assert!(version.is_ok(), "install the package strace");
    run_well("strace", &mut wrapped(&wrapper, function, sandbox.path()));
    let text = std::fs::read_to_string(&output).unwrap();
    text.lines()
        .filter(|line| line.contains(within.as_str()))
        .map(str::to_owned)
        .collect()
}

fn is_change(call: &str) -> bool {
    let is_open = call.contains(" open");
    !is_open
        || ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"]
            .iter()
            .any(|flag| call.contains(flag))
}

/// Where each pattern (all its parts in one call) first matches after the one before.
fn assert_order(calls: &[String], patterns: &[&[&str]]) {
    let mut calls_left = calls.iter();
    for parts in patterns {
        let found = calls_left.any(|call| parts.iter().all(|part| call.contains(part)));
        assert!(found, "no {parts:?} in its place in\n{}", calls.join("\n"));
    }
}

#[test]
fn c07_written_synced_renamed_and_the_directory_synced() {
    let sandbox = Sandbox::new();
    let dir = sandbox.join("tls");
    let store = NginxTls::new(dir.clone());
    store.publish(&credential(), TlsSource::Database).unwrap();
    save(&credential(), sandbox.path(), "a");
    let calls = trace("publishes_a", &sandbox, &dir);

    let temporary = ".00000002.tpctl-";
    let sets = format!("{dir}/sets>");
    let directory = format!("{dir}>");
    // Every name is relative to the open directory that it stands in.
    let in_sets = format!("{sets}, \".00000002.tpctl-");
    for (name, mode) in [
        ("nginx-tls-server-key.key", "0600"),
        ("nginx-tls-server-cert.pem", "0644"),
        ("nginx-tls-server-cert-chain.pem", "0644"),
        ("source", "0644"),
    ] {
        assert_order(
            &calls,
            &[
                &["mkdirat", &in_sets, "0700"],
                &[
                    "openat",
                    temporary,
                    name,
                    "O_CREAT|O_EXCL",
                    "O_NOFOLLOW",
                    mode,
                ],
                &["write", temporary, name],
                &["fsync", temporary, name],
                &["renameat", &in_sets, "\"00000002\""],
            ],
        );
    }
    assert_order(
        &calls,
        &[
            &["fsync", temporary, "source>"],
            &["fsync(", temporary, ">) "],
            &["renameat", &in_sets, "\"00000002\""],
            &["fsync", &sets],
            &["symlinkat", "sets/00000002", ".current.tpctl-"],
            &["renameat", ".current.tpctl-", "\"current\""],
            &["fsync", &directory],
        ],
    );
    // The only thing that a reader sees is the rename of `current`.
    let top = |call: &&String| {
        let is_in_sets = call.contains(&format!("{dir}/sets"));
        is_change(call) && !is_in_sets && !call.contains("fsync")
    };
    let seen: Vec<_> = calls.iter().filter(top).collect();
    assert_eq!(seen.len(), 2, "{seen:#?}");
    assert!(seen[0].contains(" symlinkat(") && seen[1].contains(" renameat("));
    assert!(!calls.iter().any(|call| call.contains("chmod")));
    // Nobody can swap what a path leads to between two steps: nothing is changed by its path.
    for call in calls.iter().filter(|call| is_change(call)) {
        assert!(!call.contains(&format!("\"{dir}/")), "{call}");
    }
}

#[test]
fn what_is_right_already_is_not_written_again() {
    let sandbox = Sandbox::new();
    let dir = sandbox.join("tls");
    let credential = credential();
    NginxTls::new(dir.clone())
        .publish(&credential, TlsSource::Generated)
        .unwrap();
    save(&credential, sandbox.path(), "a");
    let wizard = sandbox.join("wizard");
    let state = SetupWizardState::Completed;
    WizardDir::new(wizard.clone()).go_to(state).unwrap();

    for (function, within) in [("publishes_a_again", dir), ("completes_the_wizard", wizard)] {
        let calls = trace(function, &sandbox, &within);
        assert!(!calls.is_empty(), "{function} was not traced");
        let changes: Vec<_> = calls.iter().filter(|call| is_change(call)).collect();
        assert!(changes.is_empty(), "{changes:#?}");
    }
}

#[test]
fn c08_the_wizard_moves_by_one_rename_that_is_synced() {
    let sandbox = Sandbox::new();
    let dir = sandbox.join("wizard");
    let wizard = WizardDir::new(dir.clone());
    wizard.go_to(SetupWizardState::AutoRestorePassword).unwrap();
    let calls = trace("completes_the_wizard", &sandbox, &dir);
    let changes: Vec<_> = calls.iter().filter(|call| is_change(call)).collect();
    assert_eq!(changes.len(), 2, "{changes:#?}");
    assert_order(
        &calls,
        &[
            &["rename", "WIZARD_AUTO_RESTORE_PASSWORD", "WIZARD_COMPLETED"],
            &["fsync", &format!("{dir}>")],
        ],
    );
}

#[test]
fn c18_a_try_is_noted_by_one_write_that_is_synced() {
    let sandbox = Sandbox::new();
    let dir = sandbox.join("data");
    std::fs::create_dir(&dir).unwrap();
    let memory = PinMemoryFile::new(dir.join("pin-rejected"));
    let mut ledger = memory
        .open("1", std::time::Duration::from_secs(60))
        .unwrap();
    ledger.note_try().unwrap();
    drop(ledger);
    let calls = trace("logs_in", &sandbox, &dir);
    let changes: Vec<_> = calls.iter().filter(|call| is_change(call)).collect();
    // The second fdatasync is there because an earlier try stays noted.
    assert_eq!(changes.len(), 5, "{changes:#?}");
    assert_order(
        &calls,
        &[
            &["openat", "pin-rejected", "O_RDWR"],
            &["pwrite64", "pin-rejected", "\"2\", 1,"],
            &["fdatasync", "pin-rejected"],
            &["pwrite64", "pin-rejected", "\"0\", 1,"],
            &["fdatasync", "pin-rejected"],
        ],
    );
}
