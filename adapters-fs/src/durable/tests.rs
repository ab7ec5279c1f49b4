use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use ports::FileError;

use super::Directory;

fn sandbox() -> (tempfile::TempDir, Utf8PathBuf) {
    let keep = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(keep.path().to_owned()).unwrap();
    (keep, path)
}

fn names_in(path: &Utf8Path) -> Vec<String> {
    let directory = Directory::open_if_there(path).unwrap().unwrap();
    directory.list().unwrap()
}

#[test]
fn what_is_swapped_under_an_open_directory_changes_nothing() {
    let (_keep, path) = sandbox();
    let [ours, aside, victim] = ["ours", "aside", "victim"].map(|name| path.join(name));
    std::fs::create_dir(&ours).unwrap();
    std::fs::create_dir(&victim).unwrap();
    let directory = Directory::open(&ours).unwrap();
    let set = directory.make_dir("set", 0o700).unwrap();
    // The owner of the directory above swaps it, and what was made in it, for links.
    std::fs::rename(&ours, &aside).unwrap();
    std::os::unix::fs::symlink(&victim, &ours).unwrap();
    std::fs::rename(aside.join("set"), aside.join("set.aside")).unwrap();
    std::os::unix::fs::symlink(&victim, aside.join("set")).unwrap();

    set.write_new("key", b"secret", 0o600).unwrap();
    directory.write_atomic("source", b"x", 0o644).unwrap();
    directory.replace_symlink("sets/1", "current").unwrap();
    directory.rename("source", "renamed").unwrap();
    assert!(directory.below("set").is_err(), "a link is not followed");
    directory.remove_tree("set").unwrap();
    directory.sync().unwrap();
    assert_eq!(names_in(&victim), [""; 0]);
    assert_eq!(names_in(&aside), ["current", "renamed", "set.aside"]);
    assert_eq!(names_in(&aside.join("set.aside")), ["key"]);
}

#[test]
fn a_directory_that_every_user_may_change_is_refused() {
    let (_keep, path) = sandbox();
    for (mode, is_refused) in [
        (0o777, true),
        (0o702, true),
        (0o1777, false),
        (0o770, false),
        (0o755, false),
    ] {
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let opened = Directory::open(&path);
        assert_eq!(opened.is_err(), is_refused, "{mode:o}");
        if let Err(error) = opened {
            assert!(matches!(error, FileError::OpenToAll { .. }), "{error}");
        }
    }
}

#[test]
fn what_root_makes_in_a_directory_of_another_user_is_that_users() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (_keep, path) = sandbox();
    std::os::unix::fs::chown(&path, Some(4711), Some(4712)).unwrap();
    let directory = Directory::open(&path).unwrap();
    directory.write_atomic("file", b"x", 0o600).unwrap();
    directory.create_if_missing("lock", 0o600).unwrap();
    directory.create_if_missing("lock", 0o600).unwrap();
    let below = directory.provide_dir("below", 0o700).unwrap();
    below.write_new("key", b"x", 0o600).unwrap();
    for name in ["file", "lock", "below", "below/key"] {
        let metadata = path.join(name).metadata().unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (4711, 4712), "{name}");
        let expected = if name == "below" { 0o700 } else { 0o600 };
        assert_eq!(metadata.mode() & 0o7777, expected, "{name}");
    }
    assert_eq!(names_in(&path), ["below", "file", "lock"]);
}
