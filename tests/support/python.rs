//! The Python interpreter that checks our files with other people's libraries.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The interpreter named by `TMSERVER_TEST_PYTHON`, else the one in `target/test-python`.
///
/// Without either, prints `SKIPPED: no Python` and returns `None`.
///
/// # Panics
/// When there is none and `TMSERVER_TEST_REQUIRE_PYTHON` is `1`, so that a required check cannot be
/// skipped.
#[allow(clippy::print_stdout)]
pub fn interpreter() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("TMSERVER_TEST_PYTHON").filter(|name| !name.is_empty()) {
        return Some(named.into());
    }
    let local = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-python/bin/python");
    if local.exists() {
        return Some(local);
    }
    let required = std::env::var("TMSERVER_TEST_REQUIRE_PYTHON").is_ok_and(|value| value == "1");
    assert!(!required, "a Python with zarr and ome-zarr is required, and there is none");
    println!("SKIPPED: no Python");
    None
}

/// Run a script of `tests/python` and return whether it succeeded, with everything it printed.
///
/// # Panics
/// When the interpreter cannot be started.
pub fn run(interpreter: &Path, script: &str, arguments: &[&Path]) -> (bool, String) {
    run_with(interpreter, script, arguments, &[])
}

/// The same with variables set.
///
/// # Panics
/// When the interpreter cannot be started.
#[allow(clippy::expect_used)]
pub fn run_with(
    interpreter: &Path,
    script: &str,
    arguments: &[&Path],
    variables: &[(&str, &str)],
) -> (bool, String) {
    let output = Command::new(interpreter)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script))
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .expect("the Python interpreter starts");
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
}
