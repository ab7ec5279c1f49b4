use std::time::Duration;

use adapters_fs::{NginxTls, SelfSignedIssuer};
use ports::{Published, TlsCredential, TlsIssuer as _, TlsSource, TlsStore as _, TlsView};

use crate::child::{Ready, save, wrapped};
use crate::support::{Sandbox, credential, names, run};
use crate::tls_set::{is_same, put_files, visible};

#[test]
fn c07_a_whole_set_stands_there_after_every_kill() {
    let sandbox = Sandbox::in_memory();
    let a = credential();
    let b = TlsCredential {
        chain_pem: None,
        ..credential()
    };
    save(&a, sandbox.path(), "a");
    save(&b, sandbox.path(), "b");
    let dir = sandbox.join("tls");
    let store = NginxTls::new(dir.clone());
    store.publish(&a, TlsSource::Database).unwrap();
    let known = [&a, &b].map(|credential| SelfSignedIssuer.inspect(credential).unwrap());
    let mut seen = [0, 0];
    for round in 0..100 {
        let child = Ready::start("publishes_a_and_b_for_ever", sandbox.path());
        // Spread over some publications, in steps that are no multiple of one.
        std::thread::sleep(Duration::from_micros(61 * round));
        child.kill();
        let TlsView::Usable(set) = store.view().unwrap() else {
            panic!("{:?}", store.view());
        };
        assert_eq!(set.source, Some(TlsSource::Database));
        let facts = SelfSignedIssuer.inspect(&visible(&dir)).unwrap();
        assert_eq!(facts, set.facts);
        let which = known.iter().position(|known| *known == facts).unwrap();
        assert_eq!(visible(&dir).chain_pem.is_some(), which == 0);
        seen[which] += 1;
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");

    let last = credential();
    let published = store.publish(&last, TlsSource::Generated).unwrap();
    assert_eq!(published, Published::Replaced);
    assert!(names(&dir).iter().all(|name| !name.starts_with('.')));
    assert_eq!(names(&dir.join("sets")).len(), 3);
}

/// Kills a publication before each system call that opens or changes something, one after the
/// other. `prepare` makes the directory and returns what a reader has before.
fn kill_before_each_call(prepare: fn(&NginxTls) -> Option<TlsCredential>) {
    let new = credential();
    let kills = |call| {
        let mut when = 1;
        while is_killed(&format!("{call}:signal=SIGKILL:when={when}"), &new, prepare) {
            when += 1;
        }
        when - 1
    };
    // Some of the calls are not made in each of the cases; that these are shows that there were
    // kills at all.
    for (call, least) in [
        ("fsync", 8),
        ("renameat", 2),
        ("symlinkat", 1),
        ("mkdirat", 1),
    ] {
        let kills = kills(call);
        assert!(kills >= least, "{kills} kills before {call}");
    }
    for call in ["openat", "write", "unlinkat", "fchmod"] {
        kills(call);
    }
}

/// Whether the publication was killed; what it left is as it should be in either case.
fn is_killed(
    inject: &str,
    new: &TlsCredential,
    prepare: fn(&NginxTls) -> Option<TlsCredential>,
) -> bool {
    let sandbox = Sandbox::in_memory();
    let dir = sandbox.join("tls");
    let store = NginxTls::new(dir.clone());
    let old = prepare(&store);
    save(new, sandbox.path(), "a");
    let option = format!("inject={inject}");
    let wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &option];
    let mut command = wrapped(&wrapper, "publishes_a", sandbox.path());
    let is_killed = !run("strace", &mut command).status.success();
    match store.view().unwrap() {
        TlsView::Absent => assert!(old.is_none() && is_killed, "{inject}"),
        TlsView::Usable(_) => {
            let seen = visible(&dir);
            let is_old = old.as_ref().is_some_and(|old| is_same(old, &seen));
            assert!(is_same(new, &seen) || (is_old && is_killed), "{inject}");
        }
        TlsView::Unusable(why) => panic!("{inject}: {why}"),
    }
    store.publish(new, TlsSource::Generated).unwrap();
    assert!(is_same(new, &visible(&dir)));
    assert!(names(&dir).iter().all(|name| !name.starts_with('.')));
    let again = store.publish(new, TlsSource::Generated).unwrap();
    assert_eq!(again, Published::Unchanged);
    is_killed
}

#[test]
fn c07_killed_before_each_system_call_of_the_first_publication() {
    kill_before_each_call(|_| None);
}

#[test]
fn c07_killed_before_each_system_call_of_a_takeover() {
    kill_before_each_call(|store| {
        let former = credential();
        put_files(store.directory().as_str().into(), &former);
        Some(former)
    });
}

#[test]
fn c07_killed_before_each_system_call_with_a_chain_that_comes() {
    kill_before_each_call(|store| {
        let old = TlsCredential {
            chain_pem: None,
            ..credential()
        };
        for credential in [&credential(), &credential(), &old] {
            store.publish(credential, TlsSource::Database).unwrap();
        }
        Some(old)
    });
}
