//! The states of a node that the runbook names, and how each comes about.

/// How a node is seen from outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seen {
    /// It serves this page.
    Page(&'static str),
    /// Its container ended with this code, and Docker starts it again and again.
    Ended(i32),
}

/// A state that the runbook names.
pub struct State {
    pub name: &'static str,
    /// The node that it begins with, by the name under which it was kept.
    pub from: &'static str,
    /// What is done to the volumes of the node while it does not run, and how it starts then.
    pub starts: &'static [(&'static str, Seen)],
    /// What is done to the volumes while it runs.
    pub then: &'static str,
}

/// What the scripts of the table are made of. A KEK is an object on the token, and `token.object`
/// the token itself.
pub const WORDS: &str = r#"
    tokens=/var/lib/softhsm/tokens
    lose_kek() { find $tokens -name '*.object' ! -name token.object -delete; }
    lose_token() { find $tokens -mindepth 1 -delete; }
    bring_token_back() { cp -a /saved/ready/tokens/. $tokens; }
    lose_password() { sql 'UPDATE sealing SET bek_encrypted_dek = NULL'; }
    damage_dek() { sql "UPDATE pkcs11_token SET encrypted_dek = x'00'"; }
    import_ending() {
        node trustpointctl startup
        node trustpointctl tls import --key /run/secrets/ending.key --cert /run/secrets/ending.pem
    }
    active_credential="(SELECT credential_id FROM active_tls_server_credential)"
    killed_at_login() {
        node strace -f -qq -o /dev/null -e trace=fdatasync \
            -e inject=fdatasync:signal=SIGKILL:when=1 trustpointctl startup || [ $? = 137 ]
    }
    "#;

const READY: Seen = Seen::Page("ready");
const RECOVERY: Seen = Seen::Page("recovery_required");

const fn of_ready(
    name: &'static str,
    starts: &'static [(&'static str, Seen)],
    then: &'static str,
) -> State {
    State {
        name,
        from: "ready",
        starts,
        then,
    }
}

const STATES: &[State] = &[
    State {
        name: "fresh",
        from: "fresh",
        starts: &[("", Seen::Page("setup_required"))],
        then: "",
    },
    of_ready("ready", &[("", READY)], ""),
    of_ready("without a backup password", &[("lose_password", READY)], ""),
    of_ready(
        "certificate ends soon",
        &[(
            "import_ending; sql \"UPDATE credential SET source = 'generated'\"",
            READY,
        )],
        "",
    ),
    of_ready(
        "certificate of a CA ends soon",
        &[("import_ending", READY)],
        "",
    ),
    of_ready("KEK lost, DEK cached", &[("", READY)], "lose_kek"),
    of_ready(
        "token lost and back",
        &[("lose_token", RECOVERY)],
        "bring_token_back",
    ),
    of_ready("token lost", &[("lose_token", RECOVERY)], ""),
    of_ready(
        "token lost without a backup password",
        &[("lose_password; lose_token", RECOVERY)],
        "",
    ),
    // A start of another version makes a snapshot.
    of_ready(
        "newer database",
        &[
            ("sql \"UPDATE app_version SET version = '0.0.1'\"", READY),
            (
                "sql \"UPDATE app_version SET version = '99.0.0'\"",
                Seen::Ended(12),
            ),
        ],
        "",
    ),
    of_ready(
        "database lost",
        &[("rm /var/lib/trustpoint/trustpoint.db", Seen::Ended(65))],
        "",
    ),
    of_ready(
        "database damaged",
        &[(
            "printf 'SQLite format 3\\0 and nothing else' >/var/lib/trustpoint/trustpoint.db",
            Seen::Ended(65),
        )],
        "",
    ),
    of_ready(
        "wrapped DEK damaged",
        &[("damage_dek", Seen::Ended(65))],
        "",
    ),
    of_ready(
        "wrapped DEK damaged, DEK cached",
        &[("", READY)],
        "damage_dek",
    ),
    of_ready(
        "credential damaged",
        &[(
            "sql \"UPDATE credential SET private_key = NULL WHERE id = $active_credential\"",
            Seen::Ended(65),
        )],
        "",
    ),
    of_ready(
        "two wizard states",
        &[(
            "node touch /etc/trustpoint/wizard/state/WIZARD_SETUP_MODE",
            Seen::Ended(65),
        )],
        "",
    ),
    of_ready(
        "two tries without an end",
        &[("killed_at_login; killed_at_login", Seen::Ended(77))],
        "",
    ),
];

impl State {
    /// The state of this name.
    pub fn find(name: &str) -> Result<&'static Self, String> {
        STATES
            .iter()
            .find(|state| state.name == name)
            .ok_or_else(|| format!("the runbook names a node {name:?} that no story makes"))
    }

    /// How the node is when the remedy is typed.
    pub fn seen(&self) -> Option<Seen> {
        self.starts.last().map(|(_, seen)| *seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_the_runbook_is_known() {
        let text = include_str!("../../../../../docs/operations.md");
        let remedies = crate::runbook::remedies(text).unwrap();
        let typed = remedies
            .iter()
            .filter(|remedy| remedy.place.as_deref() != Some("host"));
        for remedy in typed {
            assert!(State::find(&remedy.node).unwrap().seen().is_some());
        }
    }
}
