use std::os::unix::fs::{MetadataExt as _, symlink};

use adapters_fs::StaticCollector;
use camino::Utf8PathBuf;
use ports::{AssetError, AssetReport, FaultKind, StaticFiles as _};

use crate::support::{Sandbox, assert_fault, names, put};

fn collect(sources: &[Utf8PathBuf], root: Utf8PathBuf) -> Result<AssetReport, AssetError> {
    StaticCollector::new(sources.to_vec(), Some(root)).collect()
}

#[test]
fn nothing_configured_is_said() {
    for root in [None, Some("/nowhere".into())] {
        let report = StaticCollector::new(Vec::new(), root).collect().unwrap();
        assert!(report.nothing_configured);
    }
}

#[test]
fn configurations_that_cannot_be_right() {
    let sandbox = Sandbox::new();
    let source = sandbox.join("source");
    put(&source.join("a/b.css"), "", 0o644);
    let no_root = StaticCollector::new(vec![source.clone()], None).collect();
    assert_fault(no_root, FaultKind::Config, "static root");
    let missing = sandbox.join("missing");
    let file = source.join("a/b.css");
    for wrong in [missing, file] {
        let result = collect(std::slice::from_ref(&wrong), sandbox.join("root"));
        assert_fault(result, FaultKind::Config, wrong.as_str());
    }
    let link = sandbox.join("link");
    symlink(&source, &link).unwrap();
    for root in [
        source.clone(),
        source.join("new/root"),
        link.join("root"),
        sandbox.path().to_owned(),
    ] {
        let result = collect(std::slice::from_ref(&source), root);
        assert_fault(result, FaultKind::Config, "overlap");
    }
    assert_eq!(names(&source), ["a"]);
}

#[test]
fn links_lead_no_further_than_the_sources() {
    let sandbox = Sandbox::new();
    let (one, two) = (sandbox.join("one"), sandbox.join("two"));
    put(&one.join("file"), "x", 0o644);
    put(&two.join("file2"), "y", 0o644);
    put(&sandbox.join("secret"), "z", 0o644);
    symlink("file", one.join("inside")).unwrap();
    symlink(two.join("file2"), one.join("across")).unwrap();
    symlink("../secret", one.join("outside")).unwrap();
    symlink("nowhere", one.join("dangling")).unwrap();
    symlink(".", one.join("loop")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, one.join("fifo").as_str(), 0o600.into()).unwrap();
    let root = sandbox.join("root");
    let report = collect(&[one, two], root.clone()).unwrap();
    assert_eq!(names(&root), ["across", "file", "file2", "inside"]);
    for name in ["outside", "dangling", "loop", "fifo"] {
        let is_said = report
            .warnings
            .iter()
            .any(|w| w.contains(&format!("one/{name} ")));
        assert!(is_said, "{name}: {:?}", report.warnings);
    }
    assert_eq!(report.warnings.len(), 4);
}

#[test]
fn a_file_and_a_directory_of_one_name_are_one_too_many() {
    let sandbox = Sandbox::new();
    let (one, two) = (sandbox.join("one"), sandbox.join("two"));
    put(&one.join("a"), "file", 0o644);
    put(&one.join("b/c"), "file", 0o644);
    put(&two.join("a/x"), "file", 0o644);
    put(&two.join("b"), "file", 0o644);
    let root = sandbox.join("root");
    let report = collect(&[one, two], root.clone()).unwrap();
    assert_eq!((report.written, report.warnings.len()), (2, 2));
    assert_eq!(std::fs::read(root.join("a")).unwrap(), b"file");
    assert_eq!(names(&root.join("b")), ["c"]);
}

#[test]
fn a_file_that_is_right_keeps_its_inode_and_hidden_files_stay_behind() {
    let sandbox = Sandbox::new();
    let source = sandbox.join("source");
    put(&source.join("same"), "same", 0o644);
    put(&source.join("other"), "new!", 0o644);
    put(&source.join(".git/config"), "", 0o644);
    put(&source.join("backup~"), "", 0o644);
    let root = sandbox.join("root");
    put(&root.join("same"), "same", 0o644);
    put(&root.join("other"), "old!", 0o644);
    put(&root.join("of somebody else"), "", 0o644);
    std::fs::File::create(root.join(".other.tpctl-0123456789abcdef")).unwrap();
    let inode = |name: &str| root.join(name).metadata().unwrap().ino();
    let before = inode("same");
    let report = collect(&[source], root.clone()).unwrap();
    assert_eq!((report.written, report.unchanged), (1, 1));
    assert_eq!(inode("same"), before);
    assert_eq!(std::fs::read(root.join("other")).unwrap(), b"new!");
    assert_eq!(names(&root), ["of somebody else", "other", "same"]);
}
