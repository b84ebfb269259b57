//! The program `tmserver`; see [`tm_server::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    tm_server::cli::main()
}
