//! Variables that look like ours and are not: a name that was mistyped is a setting that is not
//! heard.

/// Every variable of this program and of its container.
const KNOWN: [&str; 16] = [
    "TRUSTPOINT_ADDRESS",
    "TRUSTPOINT_APP_VERSION",
    "TRUSTPOINT_CONFIG",
    "TRUSTPOINT_DATABASE",
    "TRUSTPOINT_DATABASE_PASSWORD",
    "TRUSTPOINT_DEK_FILE",
    "TRUSTPOINT_HSM_DAEMON",
    "TRUSTPOINT_HSM_MODULE",
    "TRUSTPOINT_HSM_TOKEN_LABEL",
    "TRUSTPOINT_HSM_URI",
    "TRUSTPOINT_HSM_WAIT",
    "TRUSTPOINT_ROOT",
    "TRUSTPOINT_RUNTIME_DIR",
    "TRUSTPOINT_TLS_DIR",
    "TRUSTPOINT_TLS_SAN",
    "TRUSTPOINT_WIZARD_STATE_DIR",
];

/// What Kubernetes and container links set for a service that is named trustpoint.
const OF_SERVICES: [&str; 2] = ["TRUSTPOINT_PORT", "TRUSTPOINT_SERVICE_"];

/// How many letters may differ for a name to be meant.
const MOST_TYPOS: usize = 2;

/// A warning for each variable of the environment that begins as ours and is none.
pub fn unknown(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut unknown: Vec<String> = names
        .filter(|name| name.starts_with("TRUSTPOINT_") && !KNOWN.contains(&name.as_str()))
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

fn nearest(name: &str) -> Option<&'static str> {
    let distance = |known: &&str| strsim::damerau_levenshtein(name, known);
    let nearest = KNOWN.into_iter().min_by_key(distance)?;
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
        assert!(warnings(&KNOWN).is_empty());
        let services = ["TRUSTPOINT_SERVICE_HOST", "TRUSTPOINT_PORT_443_TCP_ADDR"];
        assert!(warnings(&services).is_empty());
    }

    #[test]
    fn every_variable_that_is_read_is_known() {
        let sources = [
            include_str!("mod.rs"),
            include_str!("layers.rs"),
            include_str!("secrets.rs"),
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
            assert!(KNOWN.contains(&name), "{name}");
        }
    }
}
