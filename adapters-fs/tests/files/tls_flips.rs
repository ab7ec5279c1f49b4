//! Damage of one bit, anywhere in a key, certificate or chain: it is noticed, or nginx starts with
//! what was published and with what stands in its directory.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

use adapters_fs::{NginxTls, SelfSignedIssuer};
use camino::Utf8Path;
use ports::{CredentialFiles, Secret, TlsCredential, TlsError, TlsIssuer as _};
use ports::{TlsSource, TlsStore as _, TlsView};

use crate::support::{Sandbox, credential, put, run, run_well};
use crate::tls_set::{CERTIFICATE, CHAIN, KEY, is_same, visible};

const ROOT: &str = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes \
    -days 3650 -subj '/C=DE/O=Grün/CN=Root' -keyout root.key -out root.pem";
const SUB: &str = "openssl req -newkey rsa:2048 -nodes -subj '/C=DE/O=Grün/CN=Sub' \
    -keyout sub.key -out sub.csr &&
    openssl x509 -req -in sub.csr -CA root.pem -CAkey root.key -days 1000 -set_serial 4711 \
    -extfile ca.ext -out sub.pem";

/// A server's credential that an intermediate has issued; `key` is an option of `openssl req`.
fn issued(directory: &Utf8Path, key: &str, chain: &[&str]) -> TlsCredential {
    put(
        &directory.join("ca.ext"),
        "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
         crlDistributionPoints=URI:http://pki.example.org/root.crl\n",
        0o600,
    );
    put(
        &directory.join("leaf.ext"),
        "subjectAltName=DNS:pki.example.org,IP:127.0.0.1\n",
        0o600,
    );
    let leaf = format!(
        "openssl req -newkey {key} -nodes -subj /CN=Leaf -keyout leaf.key -out leaf.csr &&
        openssl x509 -req -in leaf.csr -CA sub.pem -CAkey sub.key -days 90 -set_serial 4712 \
        -extfile leaf.ext -out leaf.pem"
    );
    let script = format!("{ROOT} -utf8 &&\n{SUB} &&\n{leaf}").replace("-subj", "-utf8 -subj");
    let mut shell = Command::new("sh");
    run_well(
        "openssl",
        shell.args(["-c", &script]).current_dir(directory),
    );
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    let chain: String = chain.iter().map(|name| read(name)).collect();
    let files = CredentialFiles {
        private_key: Secret::from(read("leaf.key")),
        certificate: read("leaf.pem"),
        chain: Some(chain).filter(|chain| !chain.is_empty()),
    };
    SelfSignedIssuer.assemble(&files).unwrap().credential
}

/// The three parts of a credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Key,
    Certificate,
    Chain,
}

const PARTS: [(Part, &str); 3] = [
    (Part::Key, KEY),
    (Part::Certificate, CERTIFICATE),
    (Part::Chain, CHAIN),
];

impl Part {
    fn of(self, credential: &TlsCredential) -> Vec<u8> {
        match self {
            Self::Key => credential.private_key_pem.expose().to_vec(),
            Self::Certificate => credential.certificate_pem.clone().into(),
            Self::Chain => credential.chain_pem.clone().unwrap_or_default().into(),
        }
    }

    /// The credential with this part as it is in the damaged database; `None` where it is no text
    /// any more, which the database refuses by itself.
    fn replaced(self, credential: &TlsCredential, bytes: Vec<u8>) -> Option<TlsCredential> {
        let mut damaged = credential.clone();
        match self {
            Self::Key => damaged.private_key_pem = Secret::new(bytes),
            Self::Certificate => damaged.certificate_pem = String::from_utf8(bytes).ok()?,
            Self::Chain => damaged.chain_pem = Some(String::from_utf8(bytes).ok()?),
        }
        Some(damaged)
    }
}

/// Every text with one bit flipped.
fn flips(right: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..8 * right.len()).map(|bit| {
        let mut wrong = right.to_vec();
        *wrong.get_mut(bit / 8).unwrap() ^= 1 << (bit % 8);
        wrong
    })
}

/// What nginx may have to start with: key, certificate and chain of each case.
#[derive(Default)]
struct Cases(BTreeSet<[Vec<u8>; 3]>);

impl Cases {
    fn add(&mut self, credential: &TlsCredential) {
        self.0.insert(PARTS.map(|(part, _)| part.of(credential)));
    }

    /// One nginx reads all of them, each as a server of its own, as it would read them alone.
    fn load(&self, directory: &Utf8Path) {
        let mut servers = String::new();
        for (number, [key, certificate, chain]) in self.0.iter().enumerate() {
            let file = |name: &str, bytes: &[u8]| {
                let path = directory.join(format!("{number}.{name}"));
                std::fs::File::create(&path)
                    .and_then(|mut file| std::io::Write::write_all(&mut file, bytes))
                    .unwrap();
                path
            };
            // The container's nginx is given both in one file.
            let both = [certificate.as_slice(), chain.as_slice()].concat();
            let _ = write!(
                servers,
                "server {{ listen unix:{directory}/socket ssl; server_name s{number};\n\
                 ssl_certificate {};\nssl_certificate_key {};\n{} }}\n",
                file("pem", &both),
                file("key", key),
                if chain.is_empty() {
                    String::new()
                } else {
                    format!("ssl_trusted_certificate {};", file("chain", chain))
                },
            );
        }
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {name};\n"))
            .concat();
        let text = format!(
            "pid nginx.pid;\nevents {{}}\nhttp {{\n{temporary}access_log off;\n\
             server_names_hash_max_size 65536;\n{servers}}}\n"
        );
        put(&directory.join("nginx.conf"), text, 0o600);
        let mut nginx = Command::new("nginx");
        nginx.args([
            "-t",
            "-p",
            directory.as_str(),
            "-c",
            "nginx.conf",
            "-e",
            "error.log",
        ]);
        let output = run("nginx", &mut nginx);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} cases: {said}", self.0.len());
    }
}

/// Publishes each damaged credential. Gives back what was published and is not what was stored.
fn published(right: &TlsCredential, parts: &[Part]) -> (Vec<TlsCredential>, Cases) {
    let sandbox = Sandbox::in_memory();
    let dir = sandbox.join("tls");
    let store = NginxTls::new(dir.clone());
    let (mut others, mut cases, mut refused) = (Vec::new(), Cases::default(), 0);
    for part in parts {
        for damaged in flips(&part.of(right)) {
            let Some(damaged) = part.replaced(right, damaged) else {
                continue;
            };
            match store.publish(&damaged, TlsSource::Database) {
                Ok(_) if is_same(&visible(&dir), right) => cases.add(right),
                Ok(_) => {
                    cases.add(&visible(&dir));
                    others.push(visible(&dir));
                }
                Err(error) => {
                    assert!(matches!(error, TlsError::Unusable(_)), "{error}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 1000, "{refused} were refused");
    (others, cases)
}

/// Damages each file where it stands. Gives back what is judged usable all the same.
fn usable(right: &TlsCredential, parts: &[Part]) -> Cases {
    let sandbox = Sandbox::in_memory();
    let dir = sandbox.join("tls");
    let store = NginxTls::new(dir.clone());
    store.publish(right, TlsSource::Database).unwrap();
    let mut cases = Cases::default();
    for (part, name) in PARTS.into_iter().filter(|(part, _)| parts.contains(part)) {
        let in_place = |bytes: &[u8]| {
            std::fs::File::create(dir.join("current").join(name))
                .and_then(|mut file| std::io::Write::write_all(&mut file, bytes))
                .unwrap();
        };
        for damaged in flips(&part.of(right)) {
            in_place(&damaged);
            if let TlsView::Usable(_) = store.view().unwrap() {
                let read = |(_, name)| std::fs::read(dir.join(name)).unwrap_or_default();
                cases.0.insert(PARTS.map(read));
            }
        }
        in_place(&part.of(right));
    }
    cases.add(right);
    cases
}

const EC: &str = "ec -pkeyopt ec_paramgen_curve:P-256";

const ALL: [Part; 3] = [Part::Key, Part::Certificate, Part::Chain];

#[test]
fn c13_no_flipped_bit_of_a_self_signed_credential_reaches_nginx() {
    let sandbox = Sandbox::in_memory();
    let right = credential();
    let (others, cases) = published(&right, &ALL);
    assert!(others.is_empty(), "{} are something else", others.len());
    cases.load(sandbox.path());
    usable(&right, &ALL).load(sandbox.path());
}

#[test]
fn c13_no_flipped_bit_of_an_rsa_key_reaches_nginx() {
    let sandbox = Sandbox::in_memory();
    let right = issued(sandbox.path(), "rsa:2048", &[]);
    let (others, cases) = published(&right, &[Part::Key]);
    assert!(others.is_empty(), "{} are something else", others.len());
    cases.load(sandbox.path());
}

#[test]
fn c13_no_flipped_bit_of_a_whole_chain_reaches_nginx() {
    let sandbox = Sandbox::in_memory();
    let right = issued(sandbox.path(), EC, &["sub.pem", "root.pem"]);
    let (others, cases) = published(&right, &[Part::Certificate, Part::Chain]);
    assert!(others.is_empty(), "{} are something else", others.len());
    cases.load(sandbox.path());
}

#[test]
fn c13_nginx_loads_what_passes_of_a_chain_whose_root_is_absent() {
    let sandbox = Sandbox::in_memory();
    let right = issued(sandbox.path(), EC, &["sub.pem"]);
    let (others, cases) = published(&right, &[Part::Chain]);
    // Who has signed the last one is not here to say whether it is as it was.
    assert!(!others.is_empty());
    cases.load(sandbox.path());
    usable(&right, &[Part::Chain]).load(sandbox.path());
}

#[test]
fn c13_nginx_loads_what_passes_of_a_certificate_without_a_chain() {
    let sandbox = Sandbox::in_memory();
    let right = issued(sandbox.path(), EC, &[]);
    // A start compares the certificate with the fingerprint that is stored beside it.
    let (others, cases) = published(&right, &[Part::Certificate]);
    let fingerprint = |credential| {
        SelfSignedIssuer
            .inspect(credential)
            .unwrap()
            .sha256_fingerprint
    };
    let right_one = fingerprint(&right);
    assert!(others.iter().all(|other| fingerprint(other) != right_one));
    cases.load(sandbox.path());
    usable(&right, &[Part::Certificate]).load(sandbox.path());
}
