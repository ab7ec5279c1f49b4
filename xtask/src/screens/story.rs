//! A node's life in a few commands: what is typed, what is answered, and what happens in between.

use crate::files;
use crate::run::Result;
use crate::sandbox::{PASSWORD, PIN, SO_PIN, Sandbox};

/// One command and its picture.
pub struct Scene {
    /// Name of the picture.
    pub name: &'static str,
    /// The same for people.
    pub title: &'static str,
    /// What is typed, with the variables in front.
    pub typed: &'static str,
    /// What the picture shows, in one sentence.
    pub sentence: &'static str,
    /// What is asked, and the answer that is typed.
    pub answers: &'static [(&'static str, &'static str)],
    /// What happens to the node before.
    pub before: fn(&Sandbox) -> Result<()>,
    /// What it exits with.
    pub code: i32,
}

impl Scene {
    /// The variables and the arguments of what is typed.
    pub fn words(&self) -> (Vec<(&'static str, &'static str)>, Vec<&'static str>) {
        let mut variables = Vec::new();
        let mut arguments = Vec::new();
        for word in self.typed.split(' ') {
            match word.split_once('=') {
                Some(variable) if arguments.is_empty() => variables.push(variable),
                _ => arguments.push(word),
            }
        }
        // The program is what was built, wherever that stands.
        (variables, arguments.into_iter().skip(1).collect())
    }
}

/// The scenes, in the order in which they happen.
pub const SCENES: [Scene; 12] = [
    Scene {
        name: "first-start",
        title: "The first start",
        typed: "trustpointctl startup",
        sentence: "The first start of a new node makes the database and a TLS server certificate, \
                   and opens the setup wizard.",
        answers: &[],
        before: nothing,
        code: 0,
    },
    Scene {
        name: "setup",
        title: "Setup",
        typed: "trustpointctl setup",
        sentence: "Setup asks where the secrets are kept, for the names in the certificate, and for \
                   the backup password and the PINs of the new token; what is secret is not shown.",
        answers: &[
            ("Storage [1, 2 or its name]: ", "softhsm"),
            ("spaces between [127.0.0.1]: ", "pki.example.org"),
            ("New backup password: ", PASSWORD),
            ("New backup password again: ", PASSWORD),
            ("User PIN of the token: ", PIN),
            ("User PIN of the token again: ", PIN),
            ("SO PIN for the new token: ", SO_PIN),
            ("SO PIN for the new token again: ", SO_PIN),
        ],
        before: nothing,
        code: 0,
    },
    Scene {
        name: "ready",
        title: "A ready node",
        typed: "trustpointctl startup",
        sentence: "The start after it: the token unwraps the DEK, and the node is ready.",
        answers: &[],
        before: nothing,
        code: 0,
    },
    Scene {
        name: "status",
        title: "Status",
        typed: "trustpointctl status",
        sentence: "How the node is and what its next start would do; nothing is changed.",
        answers: &[],
        before: nothing,
        code: 0,
    },
    Scene {
        name: "doctor",
        title: "Doctor",
        typed: "trustpointctl doctor",
        sentence: "Every check, first those that did not pass, with what to do about them.",
        answers: &[],
        before: nothing,
        code: 0,
    },
    Scene {
        name: "hsm-down",
        title: "The HSM is down",
        typed: "trustpointctl startup",
        sentence: "The token's container is down: the start fails (exit code 69), and takes nothing \
                   for lost.",
        answers: &[],
        before: hsm_down,
        code: 69,
    },
    Scene {
        name: "token-lost",
        title: "The token is lost",
        typed: "trustpointctl startup",
        sentence: "A new container in front of an empty token: the node waits for its backup \
                   password.",
        answers: &[],
        before: lose_token,
        code: 0,
    },
    Scene {
        name: "doctor-quiet",
        title: "What is wrong",
        typed: "trustpointctl doctor -q",
        sentence: "What of the checks did not pass, while the node waits.",
        answers: &[],
        before: nothing,
        code: 69,
    },
    Scene {
        name: "recover",
        title: "Recovery",
        typed: "trustpointctl recover",
        sentence: "The backup password brings the DEK back onto a new token, which gets its PINs \
                   here.",
        answers: &[
            ("Backup password: ", PASSWORD),
            ("User PIN of the token: ", PIN),
            ("User PIN of the token again: ", PIN),
            ("SO PIN for the new token: ", SO_PIN),
            ("SO PIN for the new token again: ", SO_PIN),
        ],
        before: nothing,
        code: 0,
    },
    Scene {
        name: "history",
        title: "History",
        typed: "trustpointctl history",
        sentence: "What each start selected and changed, and what commands did, the newest first.",
        answers: &[],
        before: nothing,
        code: 0,
    },
    Scene {
        name: "downgrade",
        title: "A refusal: an older program",
        typed: "TRUSTPOINT_APP_VERSION=1.3.0 trustpointctl startup",
        sentence: "A program that is older than the database refuses to start (exit code 12) and \
                   changes nothing.",
        answers: &[],
        before: nothing,
        code: 12,
    },
    Scene {
        name: "database-missing",
        title: "A failure: the database is missing",
        typed: "trustpointctl startup",
        sentence: "The volume of the database is not mounted: the start fails (exit code 65) and \
                   makes no new database over it.",
        answers: &[],
        before: lose_database,
        code: 65,
    },
];

/// The version of the application, as its image would say it.
const CONFIGURED: &str = "[app]\nversion = \"1.4.0\"\n";

/// A daemon that is not there, where p11-kit's would be.
const DAEMON: &str = "\n[hsm]\ndaemon = \"unix:/run/p11-kit/pkcs11\"\nwait = \"1s\"\n";

/// Writes the node's configuration.
pub fn configure(node: &Sandbox) -> Result<()> {
    configure_as(node, CONFIGURED)
}

fn configure_as(node: &Sandbox, text: &str) -> Result<()> {
    let path = node.join("etc/trustpoint/trustpointctl.toml");
    files::put(&path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn nothing(_: &Sandbox) -> Result<()> {
    Ok(())
}

fn hsm_down(node: &Sandbox) -> Result<()> {
    configure_as(node, &format!("{CONFIGURED}{DAEMON}"))
}

/// The container with its tmpfs is gone, and so are the token's files; the module answers again.
fn lose_token(node: &Sandbox) -> Result<()> {
    configure(node)?;
    let tokens = node.join("tokens");
    remove(node, "run")?;
    remove(node, "tokens")?;
    std::fs::create_dir(&tokens).map_err(|error| format!("{}: {error}", tokens.display()))
}

fn lose_database(node: &Sandbox) -> Result<()> {
    remove(node, "var/lib/trustpoint")
}

fn remove(node: &Sandbox, below: &str) -> Result<()> {
    let path = node.join(below);
    std::fs::remove_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_a_command() {
        for scene in &SCENES {
            let (_, arguments) = scene.words();
            let words = std::iter::once("trustpointctl").chain(arguments);
            let parsed = app_cli::cli::command().try_get_matches_from(words);
            assert!(parsed.is_ok(), "{}", scene.typed);
        }
    }

    #[test]
    fn a_variable_in_front_is_no_argument() {
        let downgrade = SCENES
            .iter()
            .find(|scene| scene.name == "downgrade")
            .unwrap();
        let (variables, arguments) = downgrade.words();
        assert_eq!(variables, [("TRUSTPOINT_APP_VERSION", "1.3.0")]);
        assert_eq!(arguments, ["startup"]);
    }
}
