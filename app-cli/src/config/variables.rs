//! Variables that look like ours and are not: a name that was mistyped is a setting that is not
//! heard.

/// Every variable that begins as ours, of this program and of its container, and what it is for.
pub const TABLE: [(&str, &str); 28] = [
    (
        "TRUSTPOINT_ADDRESS",
        "Address and port of this machine at which the container is reached, its setup page and then nginx; the compose file reads it.",
    ),
    (
        "TRUSTPOINT_APP_VERSION",
        "Version of the application: app.version.",
    ),
    ("TRUSTPOINT_CONFIG", "Configuration file, as --config."),
    ("TRUSTPOINT_DATABASE", "Database file: database.path."),
    (
        "TRUSTPOINT_DATABASE_PASSWORD",
        "Password of the database server, where no file has it; kept from every program that this one \
         runs.",
    ),
    (
        "TRUSTPOINT_DATABASE_PASSWORD_FILE",
        "File with the password of the database server: database.password_file.",
    ),
    (
        "TRUSTPOINT_DATABASE_SCHEMA",
        "Schema of the tables on the database server: database.schema.",
    ),
    (
        "TRUSTPOINT_DATABASE_URL",
        "URL of a PostgreSQL server, in place of the file: database.url.",
    ),
    (
        "TRUSTPOINT_DATABASE_WAIT",
        "How long to wait for the database server, as 30s: database.wait.",
    ),
    (
        "TRUSTPOINT_DEK_FILE",
        "Set for the CMD of startup: where the plain DEK is cached.",
    ),
    (
        "TRUSTPOINT_HSM_DAEMON",
        "Address of the HSM's daemon, tcp://HOST:PORT or unix:PATH: hsm.daemon.",
    ),
    ("TRUSTPOINT_HSM_MODULE", "PKCS#11 module: hsm.module."),
    (
        "TRUSTPOINT_HSM_MODULE_INIT",
        "String that the module is given at C_Initialize: hsm.module_init.",
    ),
    (
        "TRUSTPOINT_HSM_PHYSICAL",
        "Whether physical HSMs are carried out, true or false: hsm.physical.",
    ),
    (
        "TRUSTPOINT_HSM_TOKEN_LABEL",
        "Label of the token: hsm.token_label.",
    ),
    (
        "TRUSTPOINT_HSM_URI",
        "PKCS#11 URI of the token (RFC 7512): hsm.uri.",
    ),
    (
        "TRUSTPOINT_HSM_WAIT",
        "How long to wait for the token, as 30s: hsm.wait.",
    ),
    (
        "TRUSTPOINT_IMAGE",
        "Image of the node, instead of trustpoint; the compose file reads it.",
    ),
    (
        "TRUSTPOINT_NODE_ID",
        "Name of the node among those that share a database: node.id.",
    ),
    (
        "TRUSTPOINT_PAGE",
        "Address and port of the setup and recovery page: page.listen.",
    ),
    (
        "TRUSTPOINT_POSTGRES_IMAGE",
        "Image of the database server of a fleet, instead of trustpoint-postgres; the compose file \
         reads it.",
    ),
    (
        "TRUSTPOINT_ROOT",
        "Directory in front of every default path, as --root.",
    ),
    (
        "TRUSTPOINT_RUNTIME_DIR",
        "Directory of the DEK cache, on a tmpfs: runtime.dir.",
    ),
    (
        "TRUSTPOINT_SHM_SIZE",
        "Size of /dev/shm in the node's container, as 256m; the compose file reads it.",
    ),
    (
        "TRUSTPOINT_SOFTHSM_IMAGE",
        "Image of the token, instead of trustpoint-softhsm; the compose file reads it.",
    ),
    (
        "TRUSTPOINT_TLS_DIR",
        "Directory that Nginx reads the TLS set from: tls.dir.",
    ),
    (
        "TRUSTPOINT_TLS_SAN",
        "Names and addresses in a new certificate, with commas or spaces between: tls.san.",
    ),
    (
        "TRUSTPOINT_WIZARD_STATE_DIR",
        "Directory of the wizard's state: wizard.state_dir.",
    ),
];

/// The variables that do not begin as ours, and what they are for.
pub const OTHERS: [(&str, &str); 5] = [
    ("HSM_PIN", "User PIN of the token."),
    (
        "HSM_PIN_FILE",
        "File with the user PIN of the token: hsm.pin_file.",
    ),
    (
        "HSM_SO_PIN",
        "Security officer's PIN, for setup and recover.",
    ),
    (
        "HSM_SO_PIN_FILE",
        "File with the security officer's PIN: hsm.so_pin_file.",
    ),
    ("NO_COLOR", "No colour, unless it is empty."),
];

/// What Kubernetes and container links set for a service that is named trustpoint.
const OF_SERVICES: [&str; 2] = ["TRUSTPOINT_PORT", "TRUSTPOINT_SERVICE_"];

/// How many letters may differ for a name to be meant.
const MOST_TYPOS: usize = 2;

/// A warning for each variable of the environment that begins as ours and is none.
pub fn unknown(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut unknown: Vec<String> = names
        .filter(|name| name.starts_with("TRUSTPOINT_") && !is_known(name))
        .filter(|name| !OF_SERVICES.iter().any(|start| name.starts_with(start)))
        .map(|name| match nearest(&name) {
            Some(known) => {
                format!("the environment variable {name} is not known; is {known} meant?")
            }
            None => format!(
                "the environment variable {name} is not known; `trustpointctl config show` lists \
                 the settings"
            ),
        })
        .collect();
    unknown.sort();
    unknown
}

fn is_known(name: &str) -> bool {
    TABLE.iter().any(|(known, _)| *known == name)
}

fn nearest(name: &str) -> Option<&'static str> {
    let distance = |known: &&str| strsim::damerau_levenshtein(name, known);
    let names = TABLE.iter().map(|(known, _)| *known);
    let nearest = names.min_by_key(distance)?;
    (distance(&nearest) <= MOST_TYPOS).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(names: &[&str]) -> Vec<String> {
        unknown(names.iter().map(ToString::to_string))
    }

    #[test]
    fn a_mistyped_name_is_told_with_the_one_that_is_meant() {
        let said = warnings(&["TRUSTPOINT_TLS_SANS", "TRUSTPOINT_COLOUR", "PATH"]);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[1].ends_with("is TRUSTPOINT_TLS_SAN meant?"),
            "{said:?}"
        );
        assert!(said[0].contains("config show"), "{said:?}");
    }

    #[test]
    fn what_is_known_or_set_for_a_service_is_not_told() {
        assert!(warnings(&TABLE.map(|(name, _)| name)).is_empty());
        let services = ["TRUSTPOINT_SERVICE_HOST", "TRUSTPOINT_PORT_443_TCP_ADDR"];
        assert!(warnings(&services).is_empty());
    }

    #[test]
    fn every_variable_that_is_read_is_known() {
        let sources = [
            include_str!("mod.rs"),
            include_str!("layers.rs"),
            include_str!("secrets.rs"),
            include_str!("server.rs"),
            include_str!("../process.rs"),
        ];
        let read = sources
            .iter()
            .flat_map(|source| source.split('"'))
            .filter(|text| {
                let is_name = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
                text.starts_with("TRUSTPOINT_") && text.bytes().all(is_name)
            });
        let read: Vec<&str> = read.collect();
        assert!(read.len() > 10, "{read:?}");
        for name in read {
            assert!(is_known(name), "{name}");
        }
    }

    #[test]
    fn what_the_containers_document_names_reaches_the_container() {
        let document = include_str!("../../../docs/containers.md");
        let compose = compose_files();
        let named = TABLE.iter().filter(|(name, _)| document.contains(name));
        let named: Vec<&str> = named.map(|(name, _)| *name).collect();
        assert!(named.len() > 3, "{named:?}");
        for name in named {
            assert!(compose.contains(name), "{name}");
        }
    }

    /// What the compose file does not give to the node, and why.
    const LEFT_OUT: [(&str, &str); 19] = [
        ("HSM_PIN", "the PIN comes as a file, a secret"),
        ("HSM_PIN_FILE", "the secret is mounted where the default is"),
        ("HSM_SO_PIN", "the PIN comes as a file, a secret"),
        (
            "HSM_SO_PIN_FILE",
            "the secret is mounted where the default is",
        ),
        ("TRUSTPOINT_APP_VERSION", "the image knows its version"),
        (
            "TRUSTPOINT_CONFIG",
            "the image's file is at the default path",
        ),
        ("TRUSTPOINT_DATABASE", "the volume is mounted there"),
        (
            "TRUSTPOINT_DATABASE_PASSWORD",
            "the password comes as a file, a secret",
        ),
        (
            "TRUSTPOINT_DATABASE_PASSWORD_FILE",
            "a secret of that name is mounted where the default is",
        ),
        ("TRUSTPOINT_DEK_FILE", "a start sets it for its CMD"),
        (
            "TRUSTPOINT_HSM_DAEMON",
            "the socket is in a volume; compose.tls.yaml has another way",
        ),
        (
            "TRUSTPOINT_HSM_MODULE",
            "the image has one; compose.kryoptic.yaml has another",
        ),
        (
            "TRUSTPOINT_HSM_MODULE_INIT",
            "the image's module takes none",
        ),
        (
            "TRUSTPOINT_HSM_PHYSICAL",
            "the compose file's token is a SoftHSM; that of compose.kryoptic.yaml is not",
        ),
        (
            "TRUSTPOINT_PAGE",
            "the image's CMD has --page, which a `startup` typed beside it must not have",
        ),
        (
            "TRUSTPOINT_ROOT",
            "the volumes are mounted at the default paths",
        ),
        ("TRUSTPOINT_RUNTIME_DIR", "the tmpfs is mounted there"),
        ("TRUSTPOINT_TLS_DIR", "the tmpfs is mounted there"),
        ("TRUSTPOINT_WIZARD_STATE_DIR", "the volume is mounted there"),
    ];

    /// The names below `environment:` of every node.
    fn given_to_the_node(node: &str) -> Vec<&str> {
        let (_, environment) = node.split_once("\n    environment:\n").unwrap();
        environment
            .lines()
            .take_while(|line| line.starts_with("      "))
            .filter(|line| !line.trim_start().starts_with('#'))
            .map(|line| line.trim_start().split(':').next().unwrap())
            .collect()
    }

    fn compose_files() -> String {
        [
            include_str!("../../../containers/compose.yaml"),
            include_str!("../../../containers/node.yaml"),
            include_str!("../../../containers/compose.fleet.yaml"),
            include_str!("../../../containers/compose.tls.yaml"),
            include_str!("../../../containers/compose.kryoptic.yaml"),
        ]
        .concat()
    }

    #[test]
    fn every_setting_reaches_the_container_or_is_left_out_for_a_reason() {
        let compose = compose_files();
        let given = given_to_the_node(include_str!("../../../containers/node.yaml"));
        let all: Vec<&str> = TABLE.iter().chain(&OTHERS).map(|(name, _)| *name).collect();
        for name in &all {
            let is_read = given.contains(name) || compose.contains(&format!("${{{name}:-"));
            let is_left_out = LEFT_OUT.iter().any(|(left_out, _)| left_out == name);
            assert!(is_read != is_left_out, "{name}: give it, or say why not");
        }
        for name in given.iter().chain(LEFT_OUT.iter().map(|(name, _)| name)) {
            assert!(all.contains(name), "there is no {name}");
        }
    }

    #[test]
    fn what_the_compose_files_read_is_known() {
        let compose = compose_files();
        let read = compose.split("${").skip(1);
        let read: Vec<&str> = read.filter_map(|rest| rest.split(':').next()).collect();
        assert!(read.len() > 4, "{read:?}");
        for name in read {
            assert!(is_known(name), "{name}");
        }
    }
}
