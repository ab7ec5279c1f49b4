use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, chown, symlink};

use adapters_fs::DekCacheFile;
use camino::Utf8Path;
use ports::{CachedDek, Dek, DekCache as _, FaultKind};

use crate::support::{Sandbox, assert_fault, chmod, mode, names, put};

fn dek(byte: u8) -> Dek {
    Dek::from_bytes(&[byte; 32]).unwrap()
}

fn on_disk() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn assert_unusable(cache: &DekCacheFile, why: &str) {
    match cache.read().unwrap() {
        CachedDek::Unusable(reason) => assert!(reason.contains(why), "{reason}"),
        other => panic!("{other:?}, and it should be unusable: {why}"),
    }
}

#[test]
fn c22_a_directory_on_a_disk_is_refused_before_anything_is_written() {
    let disk = on_disk();
    let existing = Utf8Path::from_path(disk.path()).unwrap();
    for directory in [existing.to_owned(), existing.join("run/trustpoint")] {
        let cache = DekCacheFile::new(directory.clone(), false);
        assert_fault(cache.check(), FaultKind::Config, directory.as_str());
        assert_fault(cache.write(&dek(1)), FaultKind::Config, directory.as_str());
    }
    assert_eq!(names(existing), [""; 0]);
}

#[test]
fn c22_a_disk_that_is_allowed_is_warned_about() {
    let disk = on_disk();
    let directory = Utf8Path::from_path(disk.path()).unwrap();
    let cache = DekCacheFile::new(directory.to_owned(), true);
    let warning = cache.check().unwrap().unwrap();
    assert!(warning.contains(directory.as_str()), "{warning}");
    assert!(cache.write(&dek(1)).unwrap());
}

#[test]
fn c22_a_tmpfs_is_good_and_the_file_is_private() {
    let sandbox = tempfile::tempdir_in("/dev/shm").unwrap();
    let directory = Utf8Path::from_path(sandbox.path()).unwrap().join("run");
    let cache = DekCacheFile::new(directory.clone(), false);
    assert_eq!(cache.check().unwrap(), None);
    assert!(!directory.exists(), "a check creates nothing");
    assert!(cache.write(&dek(1)).unwrap());
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(Utf8Path::new(&cache.path())), 0o600);
    let before = Utf8Path::new(&cache.path()).metadata().unwrap().ino();
    assert!(!cache.write(&dek(1)).unwrap());
    let after = Utf8Path::new(&cache.path()).metadata().unwrap().ino();
    assert_eq!(before, after);
}

#[test]
fn c22_what_others_could_have_written_or_read_is_not_trusted() {
    let sandbox = Sandbox::new();
    let cache = DekCacheFile::new(sandbox.path().to_owned(), true);
    let path = sandbox.join("dek");

    put(&path, [7; 32], 0o640);
    assert_unusable(&cache, "mode 0640");
    put(&path, [7; 31], 0o600);
    assert_unusable(&cache, "31 bytes");
    put(&path, [7; 33], 0o600);
    assert_unusable(&cache, "33 bytes");

    let elsewhere = sandbox.join("elsewhere");
    put(&elsewhere, [7; 32], 0o600);
    std::fs::remove_file(&path).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert_unusable(&cache, "symbolic link");
    // To remove or replace the link leaves alone what it leads to.
    assert!(cache.remove().unwrap());
    symlink(&elsewhere, &path).unwrap();
    assert!(cache.write(&dek(8)).unwrap());
    assert_eq!(std::fs::read(&elsewhere).unwrap(), [7; 32]);
    assert!(matches!(cache.read().unwrap(), CachedDek::Present(_)));

    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_unusable(&cache, "regular file");
}

#[test]
fn c22_the_owner_is_this_process() {
    let sandbox = Sandbox::new();
    let directory = sandbox.join("run");
    std::fs::create_dir(&directory).unwrap();
    let cache = DekCacheFile::new(directory.clone(), true);
    cache.write(&dek(1)).unwrap();
    if chown(directory.join("dek"), Some(65534), None).is_err() {
        // Without root's rights, another user's directory is one that the system has.
        let cache = DekCacheFile::new("/dev".into(), true);
        return assert_fault(cache.check(), FaultKind::Config, "/dev");
    }
    assert_unusable(&cache, "belongs to user 65534");
    // Root works for the owner: what it writes is the owner's.
    chown(&directory, Some(65534), Some(65534)).unwrap();
    assert!(matches!(cache.read().unwrap(), CachedDek::Present(_)));
    assert!(cache.write(&dek(2)).unwrap());
    let written = directory.join("dek").metadata().unwrap();
    assert_eq!((written.uid(), written.gid()), (65534, 65534));
    assert!(cache.remove().unwrap());
}

#[test]
fn c22_a_directory_that_every_user_may_change_is_refused() {
    let sandbox = Sandbox::new();
    let directory = sandbox.join("run");
    std::fs::create_dir(&directory).unwrap();
    let cache = DekCacheFile::new(directory.clone(), true);
    chmod(&directory, 0o777);
    assert_fault(cache.check(), FaultKind::Config, "0777");
    assert_fault(cache.write(&dek(1)), FaultKind::Config, directory.as_str());
    assert_eq!(names(&directory), [""; 0]);
    for mode in [0o1777, 0o770, 0o700] {
        chmod(&directory, mode);
        cache.write(&dek(1)).unwrap();
    }
}

#[test]
fn c22_to_remove_a_cache_zeros_nothing_that_has_another_name() {
    let sandbox = Sandbox::new();
    let cache = DekCacheFile::new(sandbox.path().to_owned(), true);
    let other = sandbox.join("other");
    put(&other, [7; 32], 0o600);
    std::fs::hard_link(&other, sandbox.join("dek")).unwrap();
    assert!(cache.remove().unwrap());
    assert_eq!(std::fs::read(&other).unwrap(), [7; 32]);
}

#[test]
fn c22_removed_means_zeroed_also_what_a_killed_write_left() {
    let sandbox = Sandbox::new();
    let cache = DekCacheFile::new(sandbox.path().to_owned(), true);
    cache.write(&dek(7)).unwrap();
    let leftover = sandbox.join(".dek.tpctl-0123456789abcdef");
    std::fs::copy(sandbox.join("dek"), &leftover).unwrap();
    chmod(&leftover, 0o600);
    for path in [sandbox.join("dek"), leftover] {
        let mut file = std::fs::File::open(&path).unwrap();
        assert!(cache.remove().unwrap());
        assert!(!path.exists());
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        assert_eq!(content, [0; 32], "{path}");
        // The second round is for the leftover alone.
        if path.file_name() == Some("dek") {
            std::fs::File::create(sandbox.join(".dek.tpctl-0123456789abcdef"))
                .and_then(|mut file| std::io::Write::write_all(&mut file, &[7; 32]))
                .unwrap();
        }
    }
    assert_eq!(names(sandbox.path()), [""; 0]);
}

/// A removal that was killed after it had overwritten the file leaves no copy of anything.
#[test]
fn c22_zeros_are_no_dek_and_can_be_removed() {
    let sandbox = Sandbox::new();
    let cache = DekCacheFile::new(sandbox.path().to_owned(), true);
    put(&sandbox.join("dek"), [0; 32], 0o600);
    assert!(matches!(cache.read().unwrap(), CachedDek::Absent));
    assert!(cache.remove().unwrap());
    assert!(!cache.exists().unwrap());
}

#[test]
fn a_runtime_directory_that_is_a_file_is_a_config_fault() {
    let sandbox = Sandbox::new();
    let file = sandbox.join("run");
    put(&file, "", 0o600);
    for directory in [file.clone(), file.join("below")] {
        let cache = DekCacheFile::new(directory, true);
        assert_fault(cache.check(), FaultKind::Config, file.as_str());
    }
}
