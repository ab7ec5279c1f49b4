//! Suites of the TLS issuer and of the Nginx directory.

use time::{Duration, OffsetDateTime};

use super::cases::{Fresh, kind_of};
use crate::{
    CredentialFiles, FaultKind, Published, Secret, TlsCredential, TlsIssuer, TlsSet, TlsSource,
    TlsStore, TlsView,
};

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_790_000_000).unwrap()
}

fn names() -> Vec<String> {
    ["127.0.0.1", "::1", "pki.example.org"]
        .map(str::to_owned)
        .to_vec()
}

/// Suite of [`TlsIssuer`].
pub fn tls_issuer(issuer: &dyn TlsIssuer) {
    let first = issuer.issue(&names(), now()).unwrap();
    let second = issuer.issue(&names(), now()).unwrap();
    let facts = issuer.inspect(&first).unwrap();

    assert_eq!(facts.not_before, now() - Duration::days(1));
    assert_eq!(facts.not_after, now() + Duration::days(365));
    let pairs: Vec<_> = facts.sha256_fingerprint.split(':').collect();
    let is_pair = |pair: &&str| {
        pair.len() == 2 && pair.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'))
    };
    assert!(pairs.len() == 32 && pairs.iter().all(is_pair), "{facts:?}");
    assert_ne!(facts, issuer.inspect(&second).unwrap());

    assert_eq!(first.chain_pem.as_ref(), Some(&first.certificate_pem));

    let mixed = TlsCredential {
        private_key_pem: second.private_key_pem,
        ..first.clone()
    };
    assert_eq!(kind_of(issuer.inspect(&mixed)), FaultKind::DataCorrupt);
    let no_key = TlsCredential {
        private_key_pem: Secret::from(String::new()),
        ..first
    };
    assert_eq!(kind_of(issuer.inspect(&no_key)), FaultKind::DataCorrupt);

    assembles(issuer);
    for wrong in [vec![], vec![String::new()], vec!["a b".to_owned()]] {
        assert_eq!(kind_of(issuer.issue(&wrong, now())), FaultKind::Config);
    }
}

/// A credential comes out of its own files as it was; those of two do not go together.
fn assembles(issuer: &dyn TlsIssuer) {
    let one = issuer.issue(&names(), now()).unwrap();
    let two = issuer.issue(&names(), now()).unwrap();
    let files = |key: &TlsCredential, chain: Option<&TlsCredential>| CredentialFiles {
        private_key: key.private_key_pem.clone(),
        certificate: one.certificate_pem.clone(),
        chain: chain.map(|chain| chain.certificate_pem.clone()),
    };
    for chain in [None, Some(&one)] {
        let assembled = issuer.assemble(&files(&one, chain)).unwrap();
        assert_eq!(assembled.facts, issuer.inspect(&one).unwrap());
        assert_eq!(assembled.credential.certificate_pem, one.certificate_pem);
        assert_eq!(assembled.credential.chain_pem, one.chain_pem);
        assert_eq!(assembled.credential.private_key_pem, one.private_key_pem);
        assert!(assembled.chain.is_empty());
    }
    for wrong in [files(&two, None), files(&one, Some(&two))] {
        assert_eq!(kind_of(issuer.assemble(&wrong)), FaultKind::DataCorrupt);
    }
    let details = issuer.describe(&one.certificate_pem).unwrap();
    assert_eq!(details.subject, details.issuer);
    assert_eq!(kind_of(issuer.describe("noise")), FaultKind::DataCorrupt);
}

type Case = (
    &'static str,
    fn(&dyn Fn() -> Box<dyn TlsStore>, &dyn TlsIssuer),
);

const CASES: [Case; 6] = [
    ("absent at first", |open, _| {
        assert_eq!(open().view().unwrap(), TlsView::Absent);
        assert!(!open().directory().is_empty());
    }),
    ("a set is there for the next start", |open, issuer| {
        for source in TlsSource::ALL {
            let credential = issuer.issue(&names(), now()).unwrap();
            let published = open().publish(&credential, source).unwrap();
            assert_eq!(published, Published::Replaced);
            assert_shows(&*open(), issuer, &credential, source);
        }
    }),
    (
        "a set that is right is not written again",
        |open, issuer| {
            let credential = issuer.issue(&names(), now()).unwrap();
            open().publish(&credential, TlsSource::Generated).unwrap();
            for source in [TlsSource::Generated, TlsSource::Database] {
                let published = open().publish(&credential, source).unwrap();
                assert_eq!(published, Published::Unchanged);
                assert_shows(&*open(), issuer, &credential, source);
            }
        },
    ),
    (
        "c07: a pair that does not match changes nothing",
        |open, issuer| {
            let credential = issuer.issue(&names(), now()).unwrap();
            let other = issuer.issue(&names(), now()).unwrap();
            let mixed = TlsCredential {
                private_key_pem: other.private_key_pem,
                ..credential.clone()
            };
            let refused = open().publish(&mixed, TlsSource::Database);
            assert_eq!(kind_of(refused), FaultKind::DataCorrupt);
            assert_eq!(open().view().unwrap(), TlsView::Absent);
            open().publish(&credential, TlsSource::Database).unwrap();
            let refused = open().publish(&mixed, TlsSource::Temporary);
            assert_eq!(kind_of(refused), FaultKind::DataCorrupt);
            assert_shows(&*open(), issuer, &credential, TlsSource::Database);
        },
    ),
    ("with and without a chain", |open, issuer| {
        let with = issuer.issue(&names(), now()).unwrap();
        let without = TlsCredential {
            chain_pem: None,
            ..with.clone()
        };
        for credential in [&without, &with, &without] {
            let published = open().publish(credential, TlsSource::Database).unwrap();
            assert_eq!(published, Published::Replaced);
            let again = open().publish(credential, TlsSource::Database).unwrap();
            assert_eq!(again, Published::Unchanged);
        }
    }),
    ("back to a former set", |open, issuer| {
        let first = issuer.issue(&names(), now()).unwrap();
        let second = issuer.issue(&names(), now()).unwrap();
        for credential in [&first, &second, &first] {
            open().publish(credential, TlsSource::Database).unwrap();
        }
        assert_shows(&*open(), issuer, &first, TlsSource::Database);
    }),
];

fn assert_shows(
    store: &dyn TlsStore,
    issuer: &dyn TlsIssuer,
    credential: &TlsCredential,
    source: TlsSource,
) {
    let facts = issuer.inspect(credential).unwrap();
    let set = TlsSet {
        source: Some(source),
        facts,
    };
    assert_eq!(store.view().unwrap(), TlsView::Usable(set));
}

/// Suite of [`TlsStore`], with credentials that `issuer` makes.
#[expect(
    clippy::print_stdout,
    reason = "the name of the promise stands above the panic that broke it"
)]
pub fn tls_store(issuer: &dyn TlsIssuer, fresh: Fresh<'_, dyn TlsStore>) {
    for (name, case) in CASES {
        println!("TLS store contract: {name}");
        case(&*fresh(), issuer);
    }
}
