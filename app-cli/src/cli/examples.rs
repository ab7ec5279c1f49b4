//! Examples for `--help` and the man pages: a line that says what for, then the command. A test
//! parses each of them.

pub(super) const STARTUP: &str = "\
Examples:
  # What the next start would do; changes nothing
  trustpointctl startup --dry-run
  # In a container: a page for setup and recovery; once the node is ready, nginx
  trustpointctl startup --page 0.0.0.0:8443 -- nginx -g 'daemon off;'";

pub(super) const STATUS: &str = "\
Examples:
  # How the node is, and what to do next
  trustpointctl status
  # For a script: ready, or why not, by the exit code and in JSON
  trustpointctl --format json status";

pub(super) const SETUP: &str = "\
Examples:
  # Asks for everything at a terminal
  trustpointctl setup
  # By a script, with secrets sealed by a token
  trustpointctl setup --storage softhsm --backup-password-file password.txt";

pub(super) const RECOVER: &str = "\
Examples:
  # Asks for the backup password at a terminal
  trustpointctl recover
  # The password from a file
  trustpointctl recover --backup-password-file password.txt";

pub(super) const KEYS_SHOW: &str = "\
Examples:
  # Which token and KEK the node uses, and whether a backup password is set
  trustpointctl keys show
  # The same in JSON, to compare two nodes
  trustpointctl --format json keys show";

pub(super) const KEYS_ROTATE: &str = "\
Examples:
  # A new KEK; the old one stays on the token
  trustpointctl keys rotate-kek
  # A new KEK, and the old ones destroyed once it is proven
  trustpointctl keys rotate-kek --destroy-old";

pub(super) const KEYS_FORGET: &str = "\
Examples:
  # A stolen token, by its serial number in `keys show`; asks at a terminal
  trustpointctl keys forget-token a809c295803970ba
  # The token in use; the backup password proves that it opens the DEK
  trustpointctl keys forget-token a809c295803970ba --yes \\
    --backup-password-file /run/secrets/backup_password";

pub(super) const KEYS_SET_PASSWORD: &str = "\
Examples:
  # Asks for the new password at a terminal, twice
  trustpointctl keys set-backup-password
  # From a password manager, by a pipe
  pass show trustpoint/backup \\
    | trustpointctl keys set-backup-password --backup-password-file -";

pub(super) const KEYS_VERIFY_PASSWORD: &str = "\
Examples:
  # Asks for the password that lies in the safe
  trustpointctl keys verify-backup-password
  # The drill, by a script
  trustpointctl keys verify-backup-password --backup-password-file password.txt";

pub(super) const TLS_SHOW: &str = "\
Examples:
  # Until when the certificate is valid, and its fingerprint
  trustpointctl tls show
  # The same in JSON, for monitoring
  trustpointctl --format json tls show";

pub(super) const TLS_RENEW: &str = "\
Examples:
  # A new self-signed certificate for the same names
  trustpointctl tls renew
  # For other names
  trustpointctl tls renew --san pki.example.org --san 192.0.2.7";

pub(super) const TLS_IMPORT: &str = "\
Examples:
  # The certificate and its chain in one file
  trustpointctl tls import --key server.key --cert fullchain.pem
  # The chain in a file of its own
  trustpointctl tls import --key server.key --cert server.pem --chain ca.pem";

pub(super) const TLS_HISTORY: &str = "\
Examples:
  # Every credential that the node had
  trustpointctl tls history
  # The same in JSON, with whole fingerprints
  trustpointctl --format json tls history";

pub(super) const TLS_ACTIVATE: &str = "\
Examples:
  # The credential whose fingerprint begins so
  trustpointctl tls activate 9f86d081
  # Although it has expired
  trustpointctl tls activate 9f86d081 --force";

pub(super) const BACKUP_CREATE: &str = "\
Examples:
  # Into a file
  trustpointctl backup create /var/backups/trustpoint/today.tpb
  # Encrypted for a recipient
  trustpointctl backup create - | age -r age1... > today.tpb.age";

pub(super) const BACKUP_VERIFY: &str = "\
Examples:
  # Whole or not, and what opens it
  trustpointctl backup verify today.tpb
  # Whether the backup password opens it, too
  trustpointctl backup verify today.tpb --backup-password-file password.txt";

pub(super) const BACKUP_RESTORE: &str = "\
Examples:
  # From a file; the database that it replaces is kept
  trustpointctl backup restore today.tpb
  # From an encrypted one
  age -d -i key.txt today.tpb.age | trustpointctl backup restore -";

pub(super) const DOCTOR: &str = "\
Examples:
  # Problems first, and what to do
  trustpointctl doctor
  # Every check in JSON
  trustpointctl --format json doctor";

pub(super) const HSM_CHECK: &str = "\
Examples:
  # The token of the configuration; asks before it logs in
  trustpointctl hsm check
  # In JSON, in a script that has made sure of the PIN
  trustpointctl --format json hsm check --login";

pub(super) const HISTORY: &str = "\
Examples:
  # The last twenty starts
  trustpointctl history
  # The last one in JSON
  trustpointctl --format json history --limit 1";

pub(super) const CONFIG_SHOW: &str = "\
Examples:
  # Every setting, and where it comes from
  trustpointctl config show
  # With a file that is not in use yet
  trustpointctl --config new.toml config show";

pub(super) const COMPLETIONS: &str = "\
Examples:
  # For this shell
  source <(trustpointctl completions bash)
  # For every shell of a user
  trustpointctl completions fish \\
    > ~/.config/fish/completions/trustpointctl.fish";

#[cfg(test)]
mod tests {
    use super::super::command;

    /// The commands of a help text, without what comes before and after them on the line.
    fn commands(help: &str) -> Vec<Vec<String>> {
        let lines = help.lines().filter(|line| !line.contains('#'));
        let commands = lines.filter_map(|line| line.split_once("trustpointctl "));
        commands
            .map(|(_, rest)| {
                let end = rest.find(['|', '>', ')', '\\']).unwrap_or(rest.len());
                let mut words = vec!["trustpointctl".to_owned()];
                words.extend(rest[..end].split_whitespace().map(str::to_owned));
                words
            })
            .collect()
    }

    fn leaves(of: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
        let path = format!("{path} {}", of.get_name());
        if !of.has_subcommands() {
            found.push((path, of.clone()));
            return;
        }
        for each in of.get_subcommands() {
            leaves(each, &path, found);
        }
    }

    #[test]
    fn every_command_has_two_examples_that_parse() {
        let mut all = Vec::new();
        leaves(&command(), "", &mut all);
        assert!(all.len() > 15, "{all:?}");
        for (path, leaf) in all {
            let help = leaf.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            assert!(help.lines().all(|line| line.len() <= 80), "{help}");
            let examples = commands(&help);
            assert_eq!(examples.len(), 2, "{path}");
            for words in examples {
                let matches = command()
                    .try_get_matches_from(&words)
                    .unwrap_or_else(|error| panic!("{path}: {words:?}: {error}"));
                let mut named = String::from(" trustpointctl");
                let mut inner = &matches;
                while let Some((name, next)) = inner.subcommand() {
                    named.push(' ');
                    named.push_str(name);
                    inner = next;
                }
                assert_eq!(named, path, "{words:?}");
            }
        }
    }

    #[test]
    fn files_are_completed_as_files() {
        let mut all = Vec::new();
        // Built, so that each has the global options too.
        let mut command = command();
        command.build();
        leaves(&command, "", &mut all);
        for (path, leaf) in all {
            for argument in leaf.get_arguments() {
                let names = argument.get_value_names().unwrap_or_default();
                let is_file = names
                    .iter()
                    .any(|name| ["FILE", "DIR"].contains(&name.as_str()));
                let hint = argument.get_value_hint();
                let completes =
                    matches!(hint, clap::ValueHint::FilePath | clap::ValueHint::DirPath);
                assert_eq!(is_file, completes, "{path}: {argument}");
            }
        }
    }
}
