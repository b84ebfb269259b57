//! Names of files that every file system can hold, and of label images, which are files where they are exported.

use std::collections::BTreeSet;

use super::key::plain;
use crate::resources::mapobject::MapobjectType;

/// Characters of a name, without what is added to tell it from others.
const MAX_TEXT: usize = 100;

/// Names in one directory: in letters, digits, `_`, `.` and `-` of ASCII, and different from each other even where
/// upper and lower case are one.
#[derive(Debug, Default)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// A name like `wanted`; like `otherwise` where nothing of it can be kept.
    pub fn give(&mut self, wanted: &str, otherwise: &str) -> String {
        let mut name = plain(wanted);
        name.truncate(MAX_TEXT);
        if name.is_empty() || is_device(&name) {
            name = format!("{otherwise}{}{name}", if name.is_empty() { "" } else { "_" });
        }
        unique(&name, |name| self.0.insert(name.to_ascii_lowercase()))
    }
}

/// The first of `name`, `name-2`, `name-3`… that is `free`.
pub fn unique(name: &str, mut free: impl FnMut(&str) -> bool) -> String {
    let mut unique = name.to_owned();
    let mut number = 2;
    while !free(&unique) {
        unique = format!("{name}-{number}");
        number += 1;
    }
    unique
}

/// What the label images and tables of the types of an experiment are called, given all of them; the value is in the order
/// of ids. What only lost characters told apart is told apart by numbers, so that a name depends on older types alone.
pub fn of_types(mut types: Vec<MapobjectType>) -> Vec<(String, MapobjectType)> {
    types.sort_by_key(|kind| kind.id);
    let mut names = Names::default();
    types.into_iter().map(|kind| (names.give(&kind.name, "objects"), kind)).collect()
}

/// Whether Windows takes it for a device, whatever its extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let numbered = |kind: &str| {
        stem.strip_prefix(kind)
            .is_some_and(|digit| digit.len() == 1 && digit.bytes().all(|b| b.is_ascii_digit()))
    };
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_differ() {
        let mut names = Names::default();
        for (wanted, given) in [
            ("plate one", "plate_one"),
            ("Plate/One", "Plate_One-2"),
            ("plate_one-2", "plate_one-2-2"),
            ("../..", "plate"),
            ("プレート", "plate-2"),
            ("NUL", "plate_NUL"),
            ("com1.x", "plate_com1.x"),
            ("community", "community"),
            ("a:b*c", "abc"),
        ] {
            assert_eq!(names.give(wanted, "plate"), given, "{wanted}");
        }
        assert_eq!(names.give(&"x".repeat(256), "plate").len(), MAX_TEXT);
        assert_eq!(names.give(&"x".repeat(256), "plate").len(), MAX_TEXT + 2);
    }
}
