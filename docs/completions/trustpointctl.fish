# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_trustpointctl_global_optspecs
    string join \n root= config= format= color= v/verbose h/help V/version
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

complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -l root -d 'Directory that goes in front of every default path' -r
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -l config -d 'Configuration file' -r
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -l color -d 'When to use colour (NO_COLOR is honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -s v -l verbose -d 'Say more about what is done'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -s V -l version -d 'Print version'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "startup" -d 'The main job: observe, select, plan, execute, report'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "status" -d 'The observed state and what the next start would select; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "setup" -d 'The setup wizard, from its first state to WIZARD_COMPLETED'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "history" -d 'What each start selected and did'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "config" -d 'The configuration'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "completions" -d 'A completion script for a shell, on standard output'
complete -c trustpointctl -n "__fish_trustpointctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l lock-wait -d 'How long to wait for another start to end' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l root -d 'Directory that goes in front of every default path' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l config -d 'Configuration file' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l color -d 'When to use colour (NO_COLOR is honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l dry-run -d 'Print the steps and change nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l require-ready -d 'Exit with 10 or 11 where the node is not ready but waits for setup or recovery'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -l accept-new-database -d 'Go on with a new database although there are traces of an installed node'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -s v -l verbose -d 'Say more about what is done'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand startup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand status" -l root -d 'Directory that goes in front of every default path' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand status" -l config -d 'Configuration file' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand status" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand status" -l color -d 'When to use colour (NO_COLOR is honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand status" -s v -l verbose -d 'Say more about what is done'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l storage -d 'Where the node keeps its secrets' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l backup-password-file -d 'File with the backup password; `-` reads standard input' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l san -d 'Name or address in the TLS server certificate; may be repeated' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l lock-wait -d 'How long to wait for another start to end' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l root -d 'Directory that goes in front of every default path' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l config -d 'Configuration file' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l color -d 'When to use colour (NO_COLOR is honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l no-backup-password -d 'Go without a backup password: a lost token then means lost secrets'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -l reset -d 'Return the node to the wizard\'s first state; deletes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -s v -l verbose -d 'Say more about what is done'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand setup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand history" -l limit -d 'At most this many rows, newest first' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand history" -l root -d 'Directory that goes in front of every default path' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand history" -l config -d 'Configuration file' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand history" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand history" -l color -d 'When to use colour (NO_COLOR is honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand history" -s v -l verbose -d 'Say more about what is done'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -l root -d 'Directory that goes in front of every default path' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -l config -d 'Configuration file' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -l color -d 'When to use colour (NO_COLOR is honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -s v -l verbose -d 'Say more about what is done'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -f -a "show" -d 'The merged configuration, and where each value came from'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and not __fish_seen_subcommand_from show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and __fish_seen_subcommand_from show" -l root -d 'Directory that goes in front of every default path' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and __fish_seen_subcommand_from show" -l config -d 'Configuration file' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and __fish_seen_subcommand_from show" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and __fish_seen_subcommand_from show" -l color -d 'When to use colour (NO_COLOR is honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more about what is done'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "show" -d 'The merged configuration, and where each value came from'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand completions" -l root -d 'Directory that goes in front of every default path' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand completions" -l config -d 'Configuration file' -r
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand completions" -l format -d 'How to report' -r -f -a "human\t'Lines for people'
json\t'One JSON object on standard output, progress as JSON lines on standard error'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand completions" -l color -d 'When to use colour (NO_COLOR is honoured)' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand completions" -s v -l verbose -d 'Say more about what is done'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup history config completions help" -f -a "startup" -d 'The main job: observe, select, plan, execute, report'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup history config completions help" -f -a "status" -d 'The observed state and what the next start would select; changes nothing'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup history config completions help" -f -a "setup" -d 'The setup wizard, from its first state to WIZARD_COMPLETED'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup history config completions help" -f -a "history" -d 'What each start selected and did'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup history config completions help" -f -a "config" -d 'The configuration'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup history config completions help" -f -a "completions" -d 'A completion script for a shell, on standard output'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and not __fish_seen_subcommand_from startup status setup history config completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c trustpointctl -n "__fish_trustpointctl_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "show" -d 'The merged configuration, and where each value came from'
