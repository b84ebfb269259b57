//! Reading JSON values piece by piece, with everything that is wrong noted at its place.

use serde_json::{Map, Value};

use super::problems::Problems;
use super::suggest::suggest;

/// Longest name or other text of one line, in characters.
pub const MOST_CHARS: usize = 255;
/// Longest help or description, in characters.
const MOST_PROSE_CHARS: usize = 20_000;
/// Most entries of a list.
pub const MOST_ENTRIES: usize = 1000;
/// How much of a wrong value a message shows, in characters.
const SHOWN_CHARS: usize = 60;

/// An object whose keys are known.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    object: &'a Map<String, Value>,
    position: String,
}

/// A value as a message shows it.
pub fn shown(value: &Value) -> String {
    let text = match value {
        Value::Array(_) => return "a list".to_owned(),
        Value::Object(_) => return "an object".to_owned(),
        other => other.to_string(),
    };
    if text.chars().count() <= SHOWN_CHARS {
        return text;
    }
    let start: String = text.chars().take(SHOWN_CHARS).collect();
    format!("{start}…")
}

/// What to say when a value is of the wrong type.
pub fn wrong_type(wanted: &str, value: &Value) -> String {
    format!("must be {wanted}, got {}", shown(value))
}

/// The fields of an object; `None`, and a problem, when it is none. Keys other than `known` are problems.
pub fn fields<'a>(
    value: &'a Value,
    position: impl Into<String>,
    known: &[&str],
    problems: &mut Problems,
) -> Option<Fields<'a>> {
    let position = position.into();
    let Some(object) = value.as_object() else {
        let wanted = format!("an object with {}", quoted(known));
        problems.add(position, wrong_type(&wanted, value));
        return None;
    };
    for key in object.keys().filter(|key| !known.contains(&key.as_str())).take(MOST_ENTRIES) {
        let hint = match suggest(key, known.iter().copied()) {
            none if none.is_empty() => format!("; known: {}", quoted(known)),
            hint => hint,
        };
        let key = shown(&Value::String(key.clone()));
        problems.add(&position, format!("has an unknown key {key}{hint}"));
    }
    Some(Fields { object, position })
}

/// Names in backquotes, with commas between them.
pub fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl<'a> Fields<'a> {
    /// Where a field is.
    pub fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.position)
    }

    /// A field, if it is there.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key)
    }

    /// A name that must be there; a problem, and an empty text, otherwise.
    pub fn name(&self, key: &str, problems: &mut Problems) -> String {
        match self.get(key) {
            None => {
                problems.add(&self.position, format!("needs `{key}`"));
                String::new()
            }
            Some(value) => self.text(key, value, problems),
        }
    }

    /// A name that may be left out or null.
    pub fn optional_name(&self, key: &str, problems: &mut Problems) -> Option<String> {
        match self.get(key) {
            None | Some(Value::Null) => None,
            Some(value) => Some(self.text(key, value, problems)),
        }
    }

    /// A text of a line.
    fn text(&self, key: &str, value: &Value, problems: &mut Problems) -> String {
        match value {
            Value::String(text) if text.trim().is_empty() => {
                problems.add(self.at(key), "must not be empty");
            }
            Value::String(text) if text.chars().count() > MOST_CHARS => {
                problems.add(self.at(key), format!("must have {MOST_CHARS} characters at most"));
            }
            Value::String(text) if text.chars().any(char::is_control) => {
                problems.add(self.at(key), "must be a text without line breaks and control characters");
            }
            Value::String(text) => return text.clone(),
            Value::Number(_) | Value::Bool(_) => {
                problems.add(self.at(key), format!("{}; write it in quotes", wrong_type("text", value)));
            }
            other => problems.add(self.at(key), wrong_type("text", other)),
        }
        String::new()
    }

    /// A text of any number of lines that may be left out or null.
    pub fn prose(&self, key: &str, problems: &mut Problems) -> Option<String> {
        match self.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.chars().count() > MOST_PROSE_CHARS => {
                problems.add(self.at(key), format!("must have {MOST_PROSE_CHARS} characters at most"));
                None
            }
            Some(Value::String(text)) if text.contains('\0') => {
                problems.add(self.at(key), "must not hold the character U+0000");
                None
            }
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => {
                problems.add(self.at(key), wrong_type("text", other));
                None
            }
        }
    }

    /// A truth value that may be left out.
    pub fn flag(&self, key: &str, default: bool, problems: &mut Problems) -> bool {
        match self.get(key) {
            None => default,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                problems.add(self.at(key), wrong_type("true or false", other));
                default
            }
        }
    }

    /// What `read` makes of the entries of a list, each with its place; no entries when it is left out or null.
    pub fn list<T>(
        &self,
        key: &str,
        problems: &mut Problems,
        mut read: impl FnMut(&'a Value, String, &mut Problems) -> Option<T>,
    ) -> Vec<T> {
        let entries = match self.get(key) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(entries)) if entries.len() > MOST_ENTRIES => {
                let count = entries.len();
                problems.add(self.at(key), format!("has {count} entries; {MOST_ENTRIES} are allowed"));
                return Vec::new();
            }
            Some(Value::Array(entries)) => entries,
            Some(other) => {
                problems.add(self.at(key), wrong_type("a list", other));
                return Vec::new();
            }
        };
        let place = self.at(key);
        let read = |(index, entry)| read(entry, format!("{place}[{index}]"), problems);
        entries.iter().enumerate().filter_map(read).collect()
    }
}

/// Note names that come twice; empty ones have been noted before.
pub fn check_unique<'a>(
    names: impl IntoIterator<Item = &'a str>,
    place: &str,
    field: &str,
    problems: &mut Problems,
) {
    let mut seen = std::collections::BTreeMap::new();
    for (index, name) in names.into_iter().enumerate() {
        if name.is_empty() {
            continue;
        }
        if let Some(first) = seen.get(name) {
            let message = format!("must be unique: `{name}` is {place}[{first}] already");
            problems.add(format!("{place}[{index}].{field}"), message);
        } else {
            seen.insert(name, index);
        }
    }
}
