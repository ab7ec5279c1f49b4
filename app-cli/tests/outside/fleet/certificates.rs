//! Certificates of a server, and of a node, that small installations have.

use super::{URL, WAIT, assert_says, fresh, url};
use crate::sandbox::{put, tool};
use crate::server::Server;

/// Has it take up what its files are now. A new connection is served as the server was when it came.
pub fn reload(server: &Server) {
    let loaded = || server.sql("postgres", "SELECT pg_conf_load_time()");
    let before = loaded();
    server.sql("postgres", "SELECT pg_reload_conf()");
    while loaded() == before {}
}

/// A server whose certificate is made anew, with the key that it has.
struct Served(Server);

impl Served {
    fn file(&self, name: &str) -> String {
        self.0.directory().join(name).display().to_string()
    }

    /// With a request for a certificate of it.
    fn start() -> Self {
        let served = Self(Server::start());
        let key = served.file("data/server.key");
        let request = served.file("request");
        openssl(&format!(
            "req -new -key {key} -subj /CN=127.0.0.1 -out {request}"
        ));
        served
    }

    /// A certificate that `openssl req -x509` makes with these arguments.
    fn signs_itself(&self, more: &str) -> String {
        let (key, file) = (self.file("data/server.key"), self.file("data/server.crt"));
        openssl(&format!(
            "req -x509 -key {key} -days 2 -subj /CN=127.0.0.1 -out {file} {more}"
        ));
        reload(&self.0);
        file
    }

    /// What a start at this server says that trusts this file; nothing where it goes well.
    fn start_with(&self, mode: &str, roots: &str) -> String {
        let mut node = fresh();
        node.set(WAIT, "1000h");
        let rest = format!("?sslmode={mode}&sslrootcert={roots}");
        node.set(URL, &url("tests", self.0.port(), &rest));
        let run = node.run(&["startup"]);
        match run.code {
            0 => String::new(),
            _ => run.expect_error(69, "database_unavailable"),
        }
    }

    #[track_caller]
    fn is_taken(&self, mode: &str, roots: &str) {
        assert_eq!(self.start_with(mode, roots), "", "{mode}");
    }

    #[track_caller]
    fn is_refused(&self, mode: &str, roots: &str, says: &[&str]) {
        assert_says(&self.start_with(mode, roots), says);
    }
}

fn openssl(arguments: &str) {
    tool("openssl", arguments.split_whitespace());
}

/// As most tools make it: with its own signature, and as that of an authority.
#[test]
fn a_certificate_that_signed_itself_is_trusted_where_it_is_named() {
    let served = Served::start();
    let own = served.signs_itself("-addext subjectAltName=IP:127.0.0.1");
    served.is_taken("verify-full", &own);
    served.is_taken("verify-ca", &own);

    // Among others.
    let (other, both) = (served.file("other.crt"), served.file("both.crt"));
    let key = served.file("other.key");
    openssl(&format!(
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 \
         -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {other}"
    ));
    let [first, second] = [&other, &own].map(|file| std::fs::read_to_string(file).unwrap());
    put(both.as_ref(), format!("{first}{second}"));
    served.is_taken("verify-full", &both);
    for mode in ["verify-full", "verify-ca"] {
        served.is_refused(mode, &other, &["CN=127.0.0.1", &other, "sslrootcert"]);
    }

    let own = served.signs_itself("-addext subjectAltName=DNS:db.example.org");
    served.is_taken("verify-ca", &own);
    served.is_refused(
        "verify-full",
        &own,
        &["db.example.org", "127.0.0.1", "sslmode=verify-ca"],
    );

    let key = served.file("data/server.key");
    openssl(&format!(
        "x509 -in {own} -signkey {key} -days -1 -out {own}"
    ));
    reload(&served.0);
    served.is_refused("verify-ca", &own, &["Expired"]);
}

#[test]
fn a_certificate_without_what_tls_needs_is_told_with_the_way_to_make_it() {
    let served = Served::start();
    let needs = "echo subjectAltName=IP:127.0.0.1 | openssl x509 -req";
    let own = served.signs_itself("");
    served.is_taken("verify-ca", &own);
    served.is_refused("verify-full", &own, &["no subjectAltName", needs]);

    let (authority, authority_key) = (served.file("ca.crt"), served.file("ca.key"));
    openssl(&format!(
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=Authority -keyout {authority_key} \
         -out {authority}"
    ));
    let request = served.file("request");
    let issue = format!(
        "x509 -req -in {request} -CA {authority} -CAkey {authority_key} -CAcreateserial -days 2 -out {own}"
    );
    openssl(&issue);
    reload(&served.0);
    for mode in ["verify-full", "verify-ca", "require"] {
        let says = ["CN=127.0.0.1", "issued by", "old version of X.509", needs];
        served.is_refused(mode, &authority, &says);
    }

    // As the hint has it.
    let hint = format!("echo subjectAltName=IP:127.0.0.1 | openssl {issue} -extfile /dev/stdin");
    tool("sh", ["-c", &hint]);
    reload(&served.0);
    served.is_taken("verify-full", &authority);

    let (key, client) = (served.file("client.key"), served.file("old.crt"));
    openssl(&format!(
        "req -new -key {key} -subj /CN=tests -out {request}"
    ));
    openssl(&format!(
        "x509 -req -in {request} -CA {authority} -CAkey {authority_key} -CAcreateserial -out {client}"
    ));
    let with_client = format!("{authority}&sslcert={client}&sslkey={key}");
    let says = [
        &format!("the certificate {client} cannot be used"),
        "old version of X.509",
        "echo extendedKeyUsage=clientAuth | openssl x509 -req",
    ];
    served.is_refused("verify-full", &with_client, &says);
}
