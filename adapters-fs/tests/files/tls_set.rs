use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use adapters_fs::{NginxTls, SelfSignedIssuer};
use camino::Utf8Path;
use ports::TlsIssuer as _;
use ports::{FaultKind, Published, Secret, TlsCredential, TlsSet, TlsSource, TlsStore, TlsView};

use crate::support::{Sandbox, assert_fault, chmod, credential, mode, names, put};

pub const KEY: &str = "nginx-tls-server-key.key";
pub const CERTIFICATE: &str = "nginx-tls-server-cert.pem";
pub const CHAIN: &str = "nginx-tls-server-cert-chain.pem";

fn without_chain() -> TlsCredential {
    TlsCredential {
        chain_pem: None,
        ..credential()
    }
}

/// What a reader of the three names has.
pub fn visible(dir: &Utf8Path) -> TlsCredential {
    let read = |name| std::fs::read_to_string(dir.join(name));
    TlsCredential {
        private_key_pem: Secret::from(read(KEY).unwrap()),
        certificate_pem: read(CERTIFICATE).unwrap(),
        chain_pem: read(CHAIN).ok(),
    }
}

pub fn is_same(left: &TlsCredential, right: &TlsCredential) -> bool {
    left.private_key_pem == right.private_key_pem
        && left.certificate_pem == right.certificate_pem
        && left.chain_pem == right.chain_pem
}

pub fn put_files(dir: &Utf8Path, credential: &TlsCredential) {
    put(&dir.join(KEY), credential.private_key_pem.expose(), 0o644);
    put(&dir.join(CERTIFICATE), &credential.certificate_pem, 0o644);
    if let Some(chain) = &credential.chain_pem {
        put(&dir.join(CHAIN), chain, 0o644);
    }
}

/// Publishes, and checks that all is as it should be.
fn publish(store: &NginxTls, credential: &TlsCredential) {
    let published = store.publish(credential, TlsSource::Database).unwrap();
    assert_eq!(published, Published::Replaced);
    let directory = store.directory();
    let dir = Utf8Path::new(&directory);
    assert!(is_same(&visible(dir), credential));
    let mut expected = vec!["current", CERTIFICATE, KEY, "sets"];
    if credential.chain_pem.is_some() {
        expected.insert(1, CHAIN);
    }
    assert_eq!(names(dir), expected);
    let key = dir.join(KEY).canonicalize_utf8().unwrap();
    assert_eq!(mode(&key), 0o600);
    assert_eq!(mode(key.parent().unwrap()), 0o700);
    assert_eq!(mode(&dir.join("sets")), 0o700);
    assert!(
        names(&dir.join("sets"))
            .iter()
            .all(|name| !name.starts_with('.'))
    );
    let again = store.publish(credential, TlsSource::Database).unwrap();
    assert_eq!(again, Published::Unchanged);
}

/// The three files of a set; `None` where it was pruned in the meantime.
fn read_all(set: &Utf8Path) -> Option<TlsCredential> {
    let read = |name| std::fs::read_to_string(set.join(name)).ok();
    let (key, certificate, chain) = (read(KEY), read(CERTIFICATE), read(CHAIN));
    set.exists().then(|| TlsCredential {
        private_key_pem: Secret::from(key.unwrap()),
        certificate_pem: certificate.unwrap(),
        chain_pem: chain,
    })
}

#[test]
fn c07_a_reader_has_one_whole_set_at_every_moment() {
    let sandbox = Sandbox::in_memory();
    let store = NginxTls::new(sandbox.path().to_owned());
    let credentials = [credential(), without_chain()];
    store.publish(&credentials[0], TlsSource::Database).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut read = 0;
            while !is_over.load(Ordering::Relaxed) {
                let set = std::fs::read_link(sandbox.join("current")).unwrap();
                let set = sandbox.join(set.to_str().unwrap());
                if let Some(seen) = read_all(&set) {
                    assert!(credentials.iter().any(|known| is_same(known, &seen)));
                    read += 1;
                }
                // The port's own reader resolves it by itself.
                assert!(matches!(store.view().unwrap(), TlsView::Usable(_)));
            }
            read
        });
        for turn in 0..500 {
            let credential = &credentials[(turn + 1) % 2];
            let published = store.publish(credential, TlsSource::Database).unwrap();
            assert_eq!(published, Published::Replaced);
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
}

#[test]
fn c07_the_last_three_sets_are_kept() {
    let sandbox = Sandbox::new();
    let store = NginxTls::new(sandbox.path().to_owned());
    for count in [1, 2, 3, 3, 3] {
        publish(&store, &credential());
        assert_eq!(names(&sandbox.join("sets")).len(), count);
    }
    let kept = ["00000003", "00000004", "00000005"];
    assert_eq!(names(&sandbox.join("sets")), kept);
}

#[test]
fn c07_files_of_a_former_installation_are_taken_over_and_kept() {
    let sandbox = Sandbox::new();
    let store = NginxTls::new(sandbox.path().to_owned());
    let former = credential();
    put_files(sandbox.path(), &former);
    let facts = SelfSignedIssuer.inspect(&former).unwrap();
    let set = TlsSet {
        source: None,
        facts,
    };
    assert_eq!(store.view().unwrap(), TlsView::Usable(set));
    for _ in 0..5 {
        publish(&store, &without_chain());
    }
    // Nobody else may have that key: its set is not one of the three.
    assert!(is_same(&visible(&sandbox.join("sets/00000001")), &former));
    assert_eq!(names(&sandbox.join("sets")).len(), 4);
}

#[test]
fn c07_a_set_that_is_right_in_the_wrong_form_is_put_right() {
    let sandbox = Sandbox::new();
    let store = NginxTls::new(sandbox.path().to_owned());
    let same = credential();
    put_files(sandbox.path(), &same);
    publish(&store, &same);
}

#[test]
fn c07_what_nginx_could_not_start_with_is_replaced_and_kept() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path();
    let store = NginxTls::new(dir.to_owned());
    put(&dir.join(KEY), "the only copy of some key", 0o600);
    match store.view().unwrap() {
        TlsView::Unusable(why) => assert!(why.contains("certificate is missing"), "{why}"),
        other => panic!("{other:?}"),
    }
    publish(&store, &credential());
    let kept = std::fs::read_to_string(sandbox.join("sets/00000001").join(KEY)).unwrap();
    assert_eq!(kept, "the only copy of some key");
}

#[test]
fn c07_one_foreign_file_among_the_links_is_taken_over() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path();
    let store = NginxTls::new(dir.to_owned());
    let first = credential();
    publish(&store, &first);
    // Somebody has put another certificate of the same key in the place of the link.
    let text = format!("comment\n{}", first.certificate_pem);
    put(&dir.join(CERTIFICATE), &text, 0o644);
    assert!(matches!(store.view().unwrap(), TlsView::Usable(set) if set.source.is_none()));
    publish(&store, &first);
    publish(&store, &without_chain());
}

#[test]
fn c07_a_half_made_directory_heals() {
    type Break = fn(&Utf8Path);
    let states: [(&str, Break); 7] = [
        ("no current", |dir| {
            std::fs::remove_file(dir.join("current")).unwrap();
        }),
        ("current dangles", |dir| {
            std::fs::remove_dir_all(dir.join("sets")).unwrap();
        }),
        ("current leads elsewhere", |dir| {
            std::fs::remove_file(dir.join("current")).unwrap();
            symlink("/", dir.join("current")).unwrap();
        }),
        ("temporary names", |dir| {
            symlink("x", dir.join(".current.tpctl-0123456789abcdef")).unwrap();
            std::fs::create_dir(dir.join("sets/.00000002.tpctl-0123456789abcdef")).unwrap();
            symlink("x", dir.join(format!(".{KEY}.tpctl-0123456789abcdef"))).unwrap();
            std::fs::remove_file(dir.join(KEY)).unwrap();
        }),
        ("a link is missing", |dir| {
            std::fs::remove_file(dir.join(CERTIFICATE)).unwrap();
        }),
        ("a set that was never put to use", |dir| {
            let never = dir.join("sets/00000009");
            put(&never.join("source"), "generated\n", 0o644);
        }),
        ("a key that others can read", |dir| {
            let key = dir.join("sets/00000001").join(KEY);
            chmod(&key, 0o640);
            std::fs::remove_file(dir.join(CHAIN)).unwrap();
        }),
    ];
    for (name, break_it) in states {
        println!("{name}");
        for is_same in [true, false] {
            let sandbox = Sandbox::new();
            let store = NginxTls::new(sandbox.path().to_owned());
            let first = credential();
            publish(&store, &first);
            break_it(sandbox.path());
            store.view().unwrap();
            let next = if is_same { first } else { credential() };
            let published = store.publish(&next, TlsSource::Database).unwrap();
            if is_same && name == "a set that was never put to use" {
                assert_eq!(published, Published::Unchanged);
            } else {
                assert_eq!(published, Published::Replaced);
            }
            let again = store.publish(&next, TlsSource::Database).unwrap();
            assert_eq!(again, Published::Unchanged);
            publish(&store, &without_chain());
        }
    }
}

#[test]
fn c07_a_pair_that_does_not_match_writes_nothing() {
    let sandbox = Sandbox::new();
    let store = NginxTls::new(sandbox.join("tls"));
    let mixed = TlsCredential {
        certificate_pem: credential().certificate_pem,
        ..credential()
    };
    let result = store.publish(&mixed, TlsSource::Database);
    assert_fault(result, FaultKind::DataCorrupt, "does not match");
    assert_eq!(names(sandbox.path()), [""; 0]);
}

#[test]
fn a_directory_that_is_a_file_is_an_io_fault() {
    let sandbox = Sandbox::new();
    let path = sandbox.join("tls");
    put(&path, "", 0o600);
    let store = NginxTls::new(path.clone());
    assert_fault(store.view(), FaultKind::Io, path.as_str());
    let result = store.publish(&credential(), TlsSource::Database);
    assert_fault(result, FaultKind::Io, path.as_str());
}
