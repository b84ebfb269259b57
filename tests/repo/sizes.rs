//! Files stay small enough to read in one go.

use crate::sources::files;

/// A longer file says in its module documentation why it has more than 500 lines.
const EXPLAINED_LINES: usize = 500;
/// A longer file is split.
const MOST_LINES: usize = 800;

#[test]
fn no_file_is_longer_than_it_may_be() {
    let mut found = Vec::new();
    for folder in ["engine/src", "server/src", "benches", "tests"] {
        for (path, text) in files(folder, "rs") {
            let lines = text.lines().count();
            let documentation: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
            let explained = documentation.contains("500 lines");
            if lines > MOST_LINES || (lines > EXPLAINED_LINES && !explained) {
                found.push(format!("{path}: {lines} lines"));
            }
        }
    }
    assert!(
        found.is_empty(),
        "over {EXPLAINED_LINES} lines without saying why in the module documentation, or over {MOST_LINES}:\n{}",
        found.join("\n")
    );
}
