//! What the manual says beside the options: variables, keys of the configuration, and files.

use crate::config::{Config, OTHER_VARIABLES, VARIABLES};

/// A key of the TOML file, its value in the example, and what it is for.
type Row = (&'static str, Option<&'static str>, &'static str);

/// Every key, in the order of the example. One without a value there stands in another's place.
const KEYS: [Row; 28] = [
    (
        "app.version",
        Some(r#""1.4.0""#),
        "Version of the application. The default is the version of this program.",
    ),
    (
        "database.path",
        Some(r#""/var/lib/trustpoint/trustpoint.db""#),
        "The database. The lock and `pin-rejected` stand beside it. Where this is set, the directory \
         has to be there already. Beside `database.url` it says only where those two stand.",
    ),
    (
        "database.url",
        None,
        "A PostgreSQL server in place of that file, for nodes that share one database: \
         `postgresql://USER@HOST:PORT/NAME`, with `sslmode`, `sslrootcert`, `sslcert` and `sslkey` \
         after a question mark. A password in it is refused.",
    ),
    (
        "database.password_file",
        Some(r#""/run/secrets/database_password""#),
        "File with the password of that server. Where neither this nor the default file is there, \
         `TRUSTPOINT_DATABASE_PASSWORD` counts.",
    ),
    (
        "database.schema",
        Some(r#""trustpointctl""#),
        "Schema of the tables on that server, so that they can stand in the application's database.",
    ),
    (
        "database.wait",
        Some(r#""30s""#),
        "How long to wait for that server, and for any one answer of it.",
    ),
    (
        "database.snapshots",
        Some(r#""/var/lib/trustpoint/snapshots""#),
        "Where the copies go that are made before an upgrade, and what a restore replaces.",
    ),
    (
        "node.id",
        Some(r#""node-1""#),
        "Name of the node among those that share a database. The default is the host name.",
    ),
    (
        "wizard.state_dir",
        Some(r#""/etc/trustpoint/wizard/state""#),
        "Directory with the one file whose name is the state of setup.",
    ),
    (
        "tls.dir",
        Some(r#""/etc/trustpoint/tls""#),
        "Directory that Nginx reads key, certificate and chain from.",
    ),
    (
        "tls.san",
        Some(r#"["pki.example.org", "192.0.2.7"]"#),
        "Names and addresses in a certificate that this program makes.",
    ),
    (
        "runtime.dir",
        Some(r#""/run/trustpoint""#),
        "Directory of the plain DEK and of the last report. It has to be on a tmpfs.",
    ),
    (
        "runtime.allow_non_tmpfs",
        Some("false"),
        "Lets the plain DEK stand on a disk. Each start warns about it.",
    ),
    (
        "hsm.module",
        Some(r#""/usr/lib/softhsm/libsofthsm2.so""#),
        "PKCS#11 module: the library that speaks to the token.",
    ),
    (
        "hsm.token_label",
        Some(r#""Trustpoint-SoftHSM""#),
        "Label of the token.",
    ),
    (
        "hsm.uri",
        None,
        "The token as one PKCS#11 URI (RFC 7512); what it names wins over module and label.",
    ),
    (
        "hsm.daemon",
        Some(r#""unix:/run/p11-kit/pkcs11""#),
        "Where the token's server listens, `unix:PATH` or `tcp://HOST:PORT`: it is asked first.",
    ),
    (
        "hsm.module_init",
        None,
        "String that the module is given at C_Initialize; NSS softokn needs one, SoftHSM takes none.",
    ),
    (
        "hsm.wait",
        Some(r#""30s""#),
        "How long to wait for the token's server, and for any one call into the module.",
    ),
    (
        "hsm.physical",
        Some("false"),
        "Whether a node with `physical_hsm` storage is carried out; where it is not, it is refused \
         (13), and nothing is asked of the device.",
    ),
    (
        "hsm.pin_file",
        Some(r#""/run/secrets/hsm_pin""#),
        "File with the user PIN. Where neither this nor the default file is there, `HSM_PIN` counts.",
    ),
    (
        "hsm.so_pin_file",
        Some(r#""/run/secrets/hsm_so_pin""#),
        "File with the security officer's PIN, which `setup` and `recover` may need for a SoftHSM \
         token, and for no other. Else `HSM_SO_PIN` counts.",
    ),
    (
        "page.listen",
        Some(r#""0.0.0.0:8443""#),
        "Address and port of the setup and recovery page, which a start that waits for a person serves; \
         where nothing is given, it serves none. `startup --page` wins over it.",
    ),
    (
        "nginx.reload",
        Some(r#"["nginx", "-s", "reload"]"#),
        "Command that has Nginx read a new certificate.",
    ),
    (
        "static.sources",
        Some(r#"["/opt/trustpoint/static"]"#),
        "Directories that static files are collected from; of two files with one name the first \
         counts.",
    ),
    (
        "static.root",
        Some(r#""/var/www/static""#),
        "Directory that static files are collected into.",
    ),
    (
        "messages.dirs",
        Some(r#"["/opt/trustpoint/locale"]"#),
        "Locale directories, in which each `.po` file becomes a `.mo` file.",
    ),
    (
        "messages.languages",
        Some(r#"["de", "en"]"#),
        "Languages that are compiled.",
    ),
];

/// A setting that holds a path, what stands below or beside that path, its mode, and what it is.
type PlaceRow = (&'static str, Below, Option<&'static str>, &'static str);

/// Where a file is, seen from a setting.
#[derive(Clone, Copy)]
enum Below {
    /// The path of the setting itself.
    Itself,
    /// The directory that it stands in.
    Directory,
    /// A name beside it.
    Beside(&'static str),
    /// A name inside it.
    Inside(&'static str),
}

/// What a node has on its disks. Without a mode: somebody else makes it.
const PLACES: [PlaceRow; 21] = [
    (
        "config",
        Below::Itself,
        None,
        "the configuration; nobody but its owner may write it",
    ),
    (
        "database.path",
        Below::Directory,
        Some("0700"),
        "the directory of the database",
    ),
    ("database.path", Below::Itself, Some("0600"), "the database"),
    (
        "database.path",
        Below::Beside("trustpoint.db.lock"),
        Some("0600"),
        "the start lock; the file means nothing and stays",
    ),
    (
        "database.path",
        Below::Beside("pin-rejected"),
        Some("0600"),
        "which PINs the token refused, as slow salted hashes",
    ),
    (
        "database.snapshots",
        Below::Itself,
        Some("0700"),
        "copies of the database, each with mode 0600",
    ),
    (
        "wizard.state_dir",
        Below::Itself,
        Some("0700"),
        "one empty file with mode 0600, whose name is the state of setup",
    ),
    (
        "tls.dir",
        Below::Itself,
        Some("0700"),
        "the directory that Nginx reads from; the three names in it are links",
    ),
    (
        "tls.dir",
        Below::Inside("nginx-tls-server-key.key"),
        Some("0600"),
        "the private key",
    ),
    (
        "tls.dir",
        Below::Inside("nginx-tls-server-cert.pem"),
        Some("0644"),
        "the certificate",
    ),
    (
        "tls.dir",
        Below::Inside("nginx-tls-server-cert-chain.pem"),
        Some("0644"),
        "its chain, where there is one",
    ),
    (
        "tls.dir",
        Below::Inside("sets"),
        Some("0700"),
        "the last three sets of key, certificate and chain",
    ),
    (
        "runtime.dir",
        Below::Itself,
        Some("0700"),
        "the runtime directory, on a tmpfs",
    ),
    (
        "runtime.dir",
        Below::Inside("dek"),
        Some("0600"),
        "the plain DEK of a ready node, for the application",
    ),
    (
        "runtime.dir",
        Below::Inside("startup.json"),
        Some("0600"),
        "the report of the last start",
    ),
    (
        "runtime.dir",
        Below::Inside("page-code"),
        Some("0600"),
        "the access code of the setup page, while that is served",
    ),
    (
        "hsm.pin_file",
        Below::Itself,
        None,
        "the user PIN; make it 0400 or 0600",
    ),
    (
        "hsm.so_pin_file",
        Below::Itself,
        None,
        "the security officer's PIN; make it 0400 or 0600",
    ),
    (
        "database.password_file",
        Below::Itself,
        None,
        "the password of the database server; make it 0400 or 0600",
    ),
    (
        "static.root",
        Below::Itself,
        Some("0755"),
        "collected static files, each with mode 0644",
    ),
    ("hsm.module", Below::Itself, None, "the PKCS#11 module"),
];

/// A key of the configuration.
pub struct Key {
    /// Its name, as `section.key`.
    pub name: &'static str,
    /// What holds where nobody says otherwise; empty where nothing does.
    pub default: String,
    /// The environment variable that wins over the file.
    pub variable: Option<&'static str>,
    /// What it is for.
    pub meaning: &'static str,
}

/// A file or directory of a node.
pub struct Place {
    /// Its path by default; the key where there is none.
    pub path: String,
    /// The key that moves it.
    pub key: &'static str,
    /// The mode that it is made with; none where somebody else makes it.
    pub mode: Option<&'static str>,
    /// What it is.
    pub what: &'static str,
}

/// Every environment variable, and what it is for.
pub fn environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    VARIABLES.into_iter().chain(OTHER_VARIABLES)
}

/// Every key of the configuration.
///
/// # Errors
/// A default that cannot be right, as text: a defect of this program.
pub fn keys() -> Result<Vec<Key>, String> {
    let defaults = defaults()?;
    let keys = KEYS.into_iter().map(|(name, _, meaning)| Key {
        name,
        default: value_of(&defaults, name),
        variable: variable_of(name),
        meaning,
    });
    Ok(keys.collect())
}

/// A configuration file with every section.
#[must_use]
pub fn example() -> String {
    let mut text = String::new();
    let mut section = "";
    for (name, value, _) in KEYS {
        let (Some((in_section, key)), Some(value)) = (name.split_once('.'), value) else {
            continue;
        };
        if in_section != section {
            let gap = if text.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{gap}[{in_section}]\n"));
            section = in_section;
        }
        text.push_str(&format!("{key} = {value}\n"));
    }
    text
}

/// Every file and directory that a node has by default, with the key that moves it.
///
/// # Errors
/// As [`keys`].
pub fn places() -> Result<Vec<Place>, String> {
    let defaults = defaults()?;
    let places = PLACES.into_iter().map(|(key, below, mode, what)| {
        let setting = value_of(&defaults, key);
        let directory = setting.rsplit_once('/').map_or("", |(above, _)| above);
        let path = match below {
            Below::Itself if setting.is_empty() => key.to_owned(),
            Below::Itself => setting.clone(),
            Below::Directory => directory.to_owned(),
            Below::Beside(name) => format!("{directory}/{name}"),
            Below::Inside(name) => format!("{setting}/{name}"),
        };
        Place {
            path,
            key,
            mode,
            what,
        }
    });
    Ok(places.collect())
}

/// Key and value of each setting that nobody has changed.
fn defaults() -> Result<Vec<(&'static str, String)>, String> {
    let config = Config::defaults().map_err(|failure| failure.report().message)?;
    let rows = config.rows().into_iter();
    Ok(rows.map(|(key, value, _)| (key, value)).collect())
}

fn value_of(rows: &[(&'static str, String)], key: &str) -> String {
    let found = rows.iter().find(|(name, _)| *name == key);
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}

/// The variable whose meaning ends with the key's name.
fn variable_of(key: &str) -> Option<&'static str> {
    let end = format!(": {key}.");
    environment()
        .find(|(_, meaning)| meaning.ends_with(&end))
        .map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_told() {
        let mut settings: Vec<_> = defaults()
            .unwrap()
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        settings.retain(|key| !matches!(*key, "root" | "config"));
        settings.sort_unstable();
        let mut told: Vec<_> = KEYS.iter().map(|(name, _, _)| *name).collect();
        told.sort_unstable();
        assert_eq!(told, settings);
        for (key, _, _, _) in PLACES {
            assert!(key == "config" || told.contains(&key), "{key}");
        }
    }

    #[test]
    fn a_variable_is_found_by_the_key_that_it_names() {
        let keys = keys().unwrap();
        let variable = |name: &str| keys.iter().find(|key| key.name == name).unwrap().variable;
        assert_eq!(variable("tls.san"), Some("TRUSTPOINT_TLS_SAN"));
        assert_eq!(variable("hsm.so_pin_file"), Some("HSM_SO_PIN_FILE"));
        assert_eq!(variable("nginx.reload"), None);
    }

    #[test]
    fn places_stand_where_their_setting_leads() {
        let places = places().unwrap();
        for path in [
            "/var/lib/trustpoint",
            "/var/lib/trustpoint/pin-rejected",
            "/run/trustpoint/dek",
            "static.root",
        ] {
            assert!(places.iter().any(|place| place.path == path), "{path}");
        }
    }
}
