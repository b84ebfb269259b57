//! YAML, of which JSON is a part.

use serde::Serialize;
use serde_json::Value;

/// Most values in a file.
const MOST_NODES: usize = 100_000;
/// Most references to values further up, each of which repeats them.
const MOST_ALIASES: usize = 20;
/// How deep lists and objects may lie in each other.
const MOST_DEPTH: usize = 16;

/// Read a document.
///
/// # Errors
/// Where it is no YAML, or holds more than a project needs: aliases that multiply, lists within lists within lists.
pub fn read(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MOST_DEPTH,
            max_nodes: MOST_NODES,
            max_aliases: MOST_ALIASES,
            max_anchors: MOST_ALIASES,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MOST_NODES,
        },
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

/// Write a document.
///
/// # Errors
/// When a value cannot be written as YAML.
pub fn write(value: &impl Serialize) -> Result<String, String> {
    serde_saphyr::to_string(value).map_err(|error| error.to_string())
}
