# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_trustpointctl_global_optspecs
    string join \n root= config= format= color= log-format= q/quiet v/verbose h/help V/version
end

function __fish_trustpointctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_trustpointctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_trustpointctl_using_subcommand
    set -l cmd (__fish_trustpointctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -s V -l version -d 'Print version'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "startup" -d 'The main job: observe, select, plan, execute, report'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "status" -d 'The observed state and what the next start would select; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "setup" -d 'The setup wizard, from its first state to WIZARD_COMPLETED'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "recover" -d 'Bring the DEK back with the backup password, where the token has lost its KEK'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "keys" -d 'The keys: identities, a new KEK, the backup password'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "tls" -d 'The TLS server credential'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "backup" -d 'Backups of the database'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "doctor" -d 'Every check with pass, warn or fail, and what to do; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "hsm" -d 'The token before a node is set up on it'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "history" -d 'What happened to the node: each start, and each command that changed it'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "config" -d 'The configuration'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "completions" -d 'A completion script for a shell, on standard output'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l lock-wait -d 'How long to wait for another start to end' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l metrics-file -d 'Write what a node exporter collects into this file, as an OpenMetrics text' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l page -d 'Where the node waits for setup or recovery: serve a page for that over HTTPS on this address of the node (0.0.0.0: on all), to whoever has the access code in the log, and start again once it is done (else page.listen)' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l dry-run -d 'Print the steps and change nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l require-ready -d 'Exit with 10 or 11 where the node is not ready but waits for setup or recovery'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l accept-new-database -d 'Go on with a new database although there are traces of an installed node'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand status" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand status" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand status" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand status" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand status" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand status" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand status" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l storage -d 'Where the node keeps its secrets; asked for at a terminal' -r -f -a "software\t''
softhsm\t''
physical_hsm\t''"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l backup-password-file -d 'File with the backup password; `-` reads standard input; asked for at a terminal' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l san -d 'Name or address in the TLS server certificate; may be repeated' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l lock-wait -d 'How long to wait for another start to end' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l no-backup-password -d 'Go without a backup password: a lost token then means lost secrets'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l reset -d 'Return the node to the wizard\'s first state; deletes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand recover" -l backup-password-file -d 'File with the backup password; `-` reads standard input; asked for at a terminal' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand recover" -l lock-wait -d 'How long to wait for another start to end' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand recover" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand recover" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand recover" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand recover" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand recover" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand recover" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand recover" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand recover" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and not __fish_seen_subcommand_from show rotate-kek forget-token set-backup-password verify-backup-password help" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and not __fish_seen_subcommand_from show rotate-kek forget-token set-backup-password verify-backup-password help" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and not __fish_seen_subcommand_from show rotate-kek forget-token set-backup-password verify-backup-password help" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and not __fish_seen_subcommand_from show rotate-kek forget-token set-backup-password verify-backup-password help" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and not __fish_seen_subcommand_from show rotate-kek forget-token set-backup-password verify-backup-password help" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and not __fish_seen_subcommand_from show rotate-kek forget-token set-backup-password verify-backup-password help" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and not __fish_seen_subcommand_from show rotate-kek forget-token set-backup-password verify-backup-password help" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and not __fish_seen_subcommand_from show rotate-kek forget-token set-backup-password verify-backup-password help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and not __fish_seen_subcommand_from show rotate-kek forget-token set-backup-password verify-backup-password help" -f -a "show" -d 'Token, KEK, DEK and backup password: identities and check values, never a key; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and not __fish_seen_subcommand_from show rotate-kek forget-token set-backup-password verify-backup-password help" -f -a "rotate-kek" -d 'Make a new KEK and wrap the same DEK with it'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and not __fish_seen_subcommand_from show rotate-kek forget-token set-backup-password verify-backup-password help" -f -a "forget-token" -d 'Remove what is kept for a token that was stolen or will not come back'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and not __fish_seen_subcommand_from show rotate-kek forget-token set-backup-password verify-backup-password help" -f -a "set-backup-password" -d 'Set or change the backup password'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and not __fish_seen_subcommand_from show rotate-kek forget-token set-backup-password verify-backup-password help" -f -a "verify-backup-password" -d 'The recovery drill: prove that the backup password unwraps the DEK in use; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and not __fish_seen_subcommand_from show rotate-kek forget-token set-backup-password verify-backup-password help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from show" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from show" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from show" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from show" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from show" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from rotate-kek" -l lock-wait -d 'How long to wait for another start to end' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from rotate-kek" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from rotate-kek" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from rotate-kek" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from rotate-kek" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from rotate-kek" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from rotate-kek" -l destroy-old -d 'Destroy the KEKs from before, once the new one is proven to unwrap the DEK; backups made before then open by their backup password alone'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from rotate-kek" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from rotate-kek" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from rotate-kek" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from forget-token" -l backup-password-file -d 'File with the backup password, to prove that it opens the DEK; `-` reads standard input. The token is not asked then' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from forget-token" -l lock-wait -d 'How long to wait for another start to end' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from forget-token" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from forget-token" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from forget-token" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from forget-token" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from forget-token" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from forget-token" -l yes -d 'Do not ask whether the token is to be forgotten'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from forget-token" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from forget-token" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from forget-token" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from set-backup-password" -l backup-password-file -d 'File with the backup password; `-` reads standard input; asked for at a terminal' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from set-backup-password" -l lock-wait -d 'How long to wait for another start to end' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from set-backup-password" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from set-backup-password" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from set-backup-password" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from set-backup-password" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from set-backup-password" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from set-backup-password" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from set-backup-password" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from set-backup-password" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from verify-backup-password" -l backup-password-file -d 'File with the backup password; `-` reads standard input; asked for at a terminal' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from verify-backup-password" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from verify-backup-password" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from verify-backup-password" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from verify-backup-password" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from verify-backup-password" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from verify-backup-password" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from verify-backup-password" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from verify-backup-password" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "show" -d 'Token, KEK, DEK and backup password: identities and check values, never a key; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "rotate-kek" -d 'Make a new KEK and wrap the same DEK with it'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "forget-token" -d 'Remove what is kept for a token that was stolen or will not come back'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "set-backup-password" -d 'Set or change the backup password'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "verify-backup-password" -d 'The recovery drill: prove that the backup password unwraps the DEK in use; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and not __fish_seen_subcommand_from show renew import history activate help" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and not __fish_seen_subcommand_from show renew import history activate help" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and not __fish_seen_subcommand_from show renew import history activate help" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and not __fish_seen_subcommand_from show renew import history activate help" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and not __fish_seen_subcommand_from show renew import history activate help" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and not __fish_seen_subcommand_from show renew import history activate help" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and not __fish_seen_subcommand_from show renew import history activate help" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and not __fish_seen_subcommand_from show renew import history activate help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and not __fish_seen_subcommand_from show renew import history activate help" -f -a "show" -d 'The active credential, and what Nginx has; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and not __fish_seen_subcommand_from show renew import history activate help" -f -a "renew" -d 'Make a new self-signed credential and put it to use'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and not __fish_seen_subcommand_from show renew import history activate help" -f -a "import" -d 'Bring a key with its certificate and chain, and put them to use'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and not __fish_seen_subcommand_from show renew import history activate help" -f -a "history" -d 'Every stored credential, the newest first; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and not __fish_seen_subcommand_from show renew import history activate help" -f -a "activate" -d 'Put a stored credential to use again'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and not __fish_seen_subcommand_from show renew import history activate help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from show" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from show" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from show" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from show" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from show" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from renew" -l san -d 'Name or address in the certificate; may be repeated. Without, those of tls.san where it is configured, else those of the certificate before' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from renew" -l lock-wait -d 'How long to wait for another start to end' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from renew" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from renew" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from renew" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from renew" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from renew" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from renew" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from renew" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from renew" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from import" -l key -d 'PEM file with the private key: PKCS#8, PKCS#1 or SEC1, not encrypted' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from import" -l cert -d 'PEM file with the certificate; the chain may follow in it' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from import" -l chain -d 'PEM file with the chain, in any order' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from import" -l lock-wait -d 'How long to wait for another start to end' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from import" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from import" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from import" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from import" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from import" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from import" -l force -d 'Take also what is expired or not valid yet'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from import" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from import" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from history" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from history" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from history" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from history" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from history" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from history" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from history" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from activate" -l lock-wait -d 'How long to wait for another start to end' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from activate" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from activate" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from activate" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from activate" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from activate" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from activate" -l force -d 'Take also what is expired or not valid yet'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from activate" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from activate" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from activate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from help" -f -a "show" -d 'The active credential, and what Nginx has; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from help" -f -a "renew" -d 'Make a new self-signed credential and put it to use'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from help" -f -a "import" -d 'Bring a key with its certificate and chain, and put them to use'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from help" -f -a "history" -d 'Every stored credential, the newest first; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from help" -f -a "activate" -d 'Put a stored credential to use again'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand tls; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and not __fish_seen_subcommand_from create verify restore help" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and not __fish_seen_subcommand_from create verify restore help" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and not __fish_seen_subcommand_from create verify restore help" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and not __fish_seen_subcommand_from create verify restore help" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and not __fish_seen_subcommand_from create verify restore help" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and not __fish_seen_subcommand_from create verify restore help" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and not __fish_seen_subcommand_from create verify restore help" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and not __fish_seen_subcommand_from create verify restore help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and not __fish_seen_subcommand_from create verify restore help" -f -a "create" -d 'Make a consistent copy of the live database, with a manifest'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and not __fish_seen_subcommand_from create verify restore help" -f -a "verify" -d 'Prove a backup whole and tell what opens it; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and not __fish_seen_subcommand_from create verify restore help" -f -a "restore" -d 'Put a backup in the database\'s place; what it replaces is kept, and never removed'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and not __fish_seen_subcommand_from create verify restore help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from create" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from create" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from create" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from create" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from create" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from create" -l force -d 'Replace the file that stands there'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from create" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from create" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from verify" -l backup-password-file -d 'File with the backup password, to try whether it unwraps the DEK; `-` reads standard input' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from verify" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from verify" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from verify" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from verify" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from verify" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from verify" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from verify" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from restore" -l lock-wait -d 'How long to wait for another start to end' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from restore" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from restore" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from restore" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from restore" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from restore" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from restore" -l accept-other-installation -d 'Go on although this node is set up as another installation than the backup\'s'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from restore" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from restore" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from help" -f -a "create" -d 'Make a consistent copy of the live database, with a manifest'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Prove a backup whole and tell what opens it; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from help" -f -a "restore" -d 'Put a backup in the database\'s place; what it replaces is kept, and never removed'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand backup; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand doctor" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand doctor" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand doctor" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand doctor" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand doctor" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand doctor" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand doctor" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and not __fish_seen_subcommand_from check help" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and not __fish_seen_subcommand_from check help" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and not __fish_seen_subcommand_from check help" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and not __fish_seen_subcommand_from check help" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and not __fish_seen_subcommand_from check help" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and not __fish_seen_subcommand_from check help" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and not __fish_seen_subcommand_from check help" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and not __fish_seen_subcommand_from check help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and not __fish_seen_subcommand_from check help" -f -a "check" -d 'Try out whether the token can keep a KEK: mechanisms, PIN flags, wrapping with a throw-away key; leaves nothing behind'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and not __fish_seen_subcommand_from check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and __fish_seen_subcommand_from check" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and __fish_seen_subcommand_from check" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and __fish_seen_subcommand_from check" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and __fish_seen_subcommand_from check" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and __fish_seen_subcommand_from check" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and __fish_seen_subcommand_from check" -l login -d 'Log in without asking; where there is no terminal to ask at and this is not given, what needs a login is left out'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and __fish_seen_subcommand_from help" -f -a "check" -d 'Try out whether the token can keep a KEK: mechanisms, PIN flags, wrapping with a throw-away key; leaves nothing behind'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand hsm; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand history" -l limit -d 'At most this many rows, newest first' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand history" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand history" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand history" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand history" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand history" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand history" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand history" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -f -a "show" -d 'The merged configuration, and where each value came from'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and __fish_seen_subcommand_from show" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and __fish_seen_subcommand_from show" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and __fish_seen_subcommand_from show" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and __fish_seen_subcommand_from show" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and __fish_seen_subcommand_from show" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "show" -d 'The merged configuration, and where each value came from'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand completions" -l root -d 'Directory that goes in front of every default path (else TRUSTPOINT_ROOT)' -r -f -a "(__fish_complete_directories)"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand completions" -l config -d 'Configuration file (else TRUSTPOINT_CONFIG)' -r -F
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand completions" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand completions" -l color -d 'When to use colour (NO_COLOR and TERM=dumb are honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand completions" -l log-format -d 'How to say what is done: for people, or as JSON lines on standard error (else as --format)' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand completions" -s q -l quiet -d 'Leave out progress and the summary; warnings and errors stay'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand completions" -s v -l verbose -d 'Say more about what is done; twice: with the time of each line'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup recover keys tls backup doctor hsm history config completions help" -f -a "startup" -d 'The main job: observe, select, plan, execute, report'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup recover keys tls backup doctor hsm history config completions help" -f -a "status" -d 'The observed state and what the next start would select; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup recover keys tls backup doctor hsm history config completions help" -f -a "setup" -d 'The setup wizard, from its first state to WIZARD_COMPLETED'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup recover keys tls backup doctor hsm history config completions help" -f -a "recover" -d 'Bring the DEK back with the backup password, where the token has lost its KEK'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup recover keys tls backup doctor hsm history config completions help" -f -a "keys" -d 'The keys: identities, a new KEK, the backup password'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup recover keys tls backup doctor hsm history config completions help" -f -a "tls" -d 'The TLS server credential'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup recover keys tls backup doctor hsm history config completions help" -f -a "backup" -d 'Backups of the database'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup recover keys tls backup doctor hsm history config completions help" -f -a "doctor" -d 'Every check with pass, warn or fail, and what to do; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup recover keys tls backup doctor hsm history config completions help" -f -a "hsm" -d 'The token before a node is set up on it'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup recover keys tls backup doctor hsm history config completions help" -f -a "history" -d 'What happened to the node: each start, and each command that changed it'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup recover keys tls backup doctor hsm history config completions help" -f -a "config" -d 'The configuration'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup recover keys tls backup doctor hsm history config completions help" -f -a "completions" -d 'A completion script for a shell, on standard output'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup recover keys tls backup doctor hsm history config completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and __fish_seen_subcommand_from keys" -f -a "show" -d 'Token, KEK, DEK and backup password: identities and check values, never a key; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and __fish_seen_subcommand_from keys" -f -a "rotate-kek" -d 'Make a new KEK and wrap the same DEK with it'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and __fish_seen_subcommand_from keys" -f -a "forget-token" -d 'Remove what is kept for a token that was stolen or will not come back'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and __fish_seen_subcommand_from keys" -f -a "set-backup-password" -d 'Set or change the backup password'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and __fish_seen_subcommand_from keys" -f -a "verify-backup-password" -d 'The recovery drill: prove that the backup password unwraps the DEK in use; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and __fish_seen_subcommand_from tls" -f -a "show" -d 'The active credential, and what Nginx has; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and __fish_seen_subcommand_from tls" -f -a "renew" -d 'Make a new self-signed credential and put it to use'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and __fish_seen_subcommand_from tls" -f -a "import" -d 'Bring a key with its certificate and chain, and put them to use'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and __fish_seen_subcommand_from tls" -f -a "history" -d 'Every stored credential, the newest first; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and __fish_seen_subcommand_from tls" -f -a "activate" -d 'Put a stored credential to use again'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and __fish_seen_subcommand_from backup" -f -a "create" -d 'Make a consistent copy of the live database, with a manifest'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and __fish_seen_subcommand_from backup" -f -a "verify" -d 'Prove a backup whole and tell what opens it; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and __fish_seen_subcommand_from backup" -f -a "restore" -d 'Put a backup in the database\'s place; what it replaces is kept, and never removed'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and __fish_seen_subcommand_from hsm" -f -a "check" -d 'Try out whether the token can keep a KEK: mechanisms, PIN flags, wrapping with a throw-away key; leaves nothing behind'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "show" -d 'The merged configuration, and where each value came from'
