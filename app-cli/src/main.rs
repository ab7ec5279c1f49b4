//! `trustpointctl`: see `app_cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    app_cli::main()
}
