//! The list of what the original got wrong is whole, and names tests that there are.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::files;

/// Defects of the original, by the numbers of its reference.
const DEFECTS: std::ops::RangeInclusive<u32> = 1..=43;

/// The rows of the list: what stands after the number and the words of each defect.
fn listed() -> BTreeMap<u32, String> {
    let (_, text) = files("tests/workflow", "rs")
        .into_iter()
        .find(|(path, _)| path == "tests/workflow/defects.rs")
        .expect("there is a list");
    let mut listed = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("//! | ")) {
        let (defect, right) = line.split_once(" | ").expect("a row has two columns");
        if let Ok(number) = defect.split(' ').next().unwrap_or_default().parse() {
            assert!(listed.insert(number, right.to_owned()).is_none(), "{number} is listed twice");
        }
    }
    listed
}

/// The names of all tests of the workspace.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (_, text) in ["tests", "server/src"].into_iter().flat_map(|folder| files(folder, "rs")) {
        let (mut marked, mut in_list) = (false, false);
        for line in text.lines().map(str::trim) {
            in_list = (in_list || line.contains("on_each_database![")) && line != "];";
            if in_list {
                names.insert(line.trim_end_matches(',').to_owned());
            }
            let function = line.split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
            if let (true, Some((name, _))) = (marked, function) {
                names.insert(name.to_owned());
            }
            marked = line.starts_with("#[test]")
                || line.starts_with("#[tokio::test")
                || (marked && line.starts_with("#["));
        }
    }
    names
}

#[test]
fn every_defect_has_a_test_that_exists_or_a_reason_why_it_does_not_apply() {
    let (listed, tests) = (listed(), tests());
    assert_eq!(listed.keys().copied().collect::<Vec<_>>(), DEFECTS.collect::<Vec<_>>());
    for (number, right) in listed {
        let named: Vec<&str> = right.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty() || right.starts_with("does not apply: "), "{number}: {right}");
        for name in named {
            assert!(tests.contains(name), "{number} names {name}, which is no test");
        }
    }
}
