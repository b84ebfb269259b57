//! The program `tmserver`; see [`tm_server::cli`].

use std::process::ExitCode;

/// Images are large and come and go on many threads: what is free must not stay with a thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tm_server::cli::main()
}
