use adapters_fs::durable::{create_dirs, write_atomic};
use ports::{FaultKind, TlsStore as _};

use crate::child;
use crate::support::{Sandbox, assert_fault, chmod, credential, mode, names, put, run_well};

#[test]
fn a_write_replaces_and_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    let path = sandbox.join("startup.json");
    write_atomic(&path, b"one", 0o600).unwrap();
    write_atomic(&path, b"two", 0o644).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"two");
    assert_eq!(mode(&path), 0o644);
    assert_eq!(names(sandbox.path()), ["startup.json"]);
}

#[test]
fn the_next_write_removes_what_a_killed_one_left_and_nothing_else() {
    let sandbox = Sandbox::new();
    for name in [
        ".a.tpctl-0123456789abcdef",
        ".b.tpctl-0123456789abcdef",
        ".a",
        "b",
    ] {
        std::fs::File::create(sandbox.join(name)).unwrap();
    }
    write_atomic(&sandbox.join("a"), b"", 0o600).unwrap();
    let left = [".a", ".b.tpctl-0123456789abcdef", "a", "b"];
    assert_eq!(names(sandbox.path()), left);
}

#[test]
fn a_write_that_fails_leaves_what_was_there() {
    let sandbox = Sandbox::new();
    let path = sandbox.join("name");
    std::fs::create_dir(&path).unwrap();
    assert_fault(
        write_atomic(&path, b"x", 0o600),
        FaultKind::Io,
        path.as_str(),
    );
    assert_eq!(names(sandbox.path()), ["name"]);
    let missing = sandbox.join("missing/name");
    assert_fault(
        write_atomic(&missing, b"x", 0o600),
        FaultKind::Io,
        missing.as_str(),
    );
}

#[test]
fn what_is_too_long_or_endless_is_an_error_and_no_abort() {
    let sandbox = Sandbox::in_memory();
    let store = adapters_fs::NginxTls::new(sandbox.path().to_owned());
    let key = sandbox.join(crate::tls_set::KEY);
    let sparse = std::fs::File::create(&key).unwrap();
    sparse.set_len(1 << 46).unwrap();
    assert_fault(store.view(), FaultKind::Io, key.as_str());
    std::fs::remove_file(&key).unwrap();
    for device in ["/dev/zero", "/dev/tty"] {
        std::os::unix::fs::symlink(device, &key).unwrap();
        assert_fault(store.view(), FaultKind::Io, key.as_str());
        std::fs::remove_file(&key).unwrap();
    }
}

#[test]
fn directories_have_their_mode_and_existing_ones_keep_theirs() {
    let sandbox = Sandbox::new();
    let existing = sandbox.join("a");
    std::fs::create_dir(&existing).unwrap();
    chmod(&existing, 0o751);
    create_dirs(&sandbox.join("a/b/c"), 0o700).unwrap();
    create_dirs(&sandbox.join("a/b/c"), 0o755).unwrap();
    let modes = ["a", "a/b", "a/b/c"].map(|path| mode(&sandbox.join(path)));
    assert_eq!(modes, [0o751, 0o700, 0o700]);
    put(&sandbox.join("file"), "", 0o600);
    let below = sandbox.join("file/below");
    assert_fault(create_dirs(&below, 0o700), FaultKind::Io, "file");
}

#[test]
fn c07_modes_do_not_depend_on_the_umask() {
    for umask in ["000", "077"] {
        let sandbox = Sandbox::new();
        child::save(&credential(), sandbox.path(), "a");
        put(&sandbox.join("source/css/site.css"), "a {}", 0o600);
        let script = format!("umask {umask}; exec \"$0\" \"$@\"");
        for function in ["publishes_a", "collects_static_files"] {
            let wrapper = ["sh", "-c", &script];
            run_well(
                "dash",
                &mut child::wrapped(&wrapper, function, sandbox.path()),
            );
        }
        for (path, expected) in [
            ("tls", 0o700),
            ("tls/sets", 0o700),
            ("tls/sets/00000001", 0o700),
            ("tls/sets/00000001/nginx-tls-server-key.key", 0o600),
            ("tls/sets/00000001/nginx-tls-server-cert.pem", 0o644),
            ("root", 0o755),
            ("root/css", 0o755),
            ("root/css/site.css", 0o644),
        ] {
            assert_eq!(mode(&sandbox.join(path)), expected, "{path}, umask {umask}");
        }
    }
}
