//! What goes into a module and what comes out of it.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::problems::Problems;
use super::reading::{Fields, MOST_CHARS, check_unique, fields, shown, wrong_type};
use super::suggest::suggest;
use crate::jterator::HandleType;

/// Most entries of a list as a value.
const MOST_VALUES: usize = 1000;

/// The handles of a module in a pipeline.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct Handles {
    /// The version of the module that they were written for, `x.y.z`.
    pub version: String,
    /// What goes in.
    pub input: Vec<InputHandle>,
    /// What comes out.
    pub output: Vec<OutputHandle>,
}

/// An input of a module in a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct InputHandle {
    /// Name of the module's input.
    pub name: String,
    /// Type.
    pub kind: HandleType,
    /// What it means, in the words of whoever wrote the handles.
    pub help: String,
    /// What it is given.
    pub given: Given,
}

/// What an input is given.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// What lies under this key.
    Key(String),
    /// A value.
    Constant {
        /// The value: null, a truth value, a number, a text, or a list of numbers and texts.
        value: Value,
        /// The values to choose from; empty if there is no such choice.
        options: Vec<Value>,
    },
}

/// An output of a module in a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputHandle {
    /// Name of the module's output.
    pub name: String,
    /// Type.
    pub kind: HandleType,
    /// What it is, in the words of whoever wrote the handles.
    pub help: String,
    /// What becomes of it.
    pub made: Made,
}

/// What becomes of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// It lies under this key from then on.
    Key(String),
    /// Its numbers are about objects; three names of inputs of the module.
    Measurement {
        /// The objects that the rows are about.
        objects: String,
        /// The objects that were measured.
        objects_ref: String,
        /// The image that was measured in.
        channel_ref: Option<String>,
    },
    /// A drawing.
    Figure,
}

impl Handles {
    /// Read handles as far as they can be read.
    pub(super) fn read(value: &Value, position: &str, problems: &mut Problems) -> Self {
        let Some(top) = fields(value, position, &["version", "input", "output"], problems) else {
            return Self::default();
        };
        let version = top.name("version", problems);
        if !version.is_empty() && !is_version(&version) {
            problems.add(top.at("version"), format!("must be like 0.1.0, got \"{version}\""));
        }
        let handles = Self {
            version,
            input: top.list("input", problems, InputHandle::read),
            output: top.list("output", problems, OutputHandle::read),
        };
        check_unique(
            handles.input.iter().map(|input| input.name.as_str()),
            &top.at("input"),
            "name",
            problems,
        );
        check_unique(
            handles.output.iter().map(|output| output.name.as_str()),
            &top.at("output"),
            "name",
            problems,
        );
        handles
    }
}

fn is_version(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit()))
}

/// The type that an entry names, which decides about its other keys.
fn kind_of(value: &Value, position: &str, problems: &mut Problems) -> Option<HandleType> {
    let Some(object) = value.as_object() else {
        problems.add(position, wrong_type("an object with `name` and `type`", value));
        return None;
    };
    let name = match object.get("type") {
        Some(Value::String(name)) => name,
        Some(other) => {
            problems.add(format!("{position}.type"), wrong_type("the name of a type", other));
            return None;
        }
        None => {
            problems.add(position, "needs `type`");
            return None;
        }
    };
    let found = HandleType::find(name);
    if found.is_none() {
        let hint = suggest(name, HandleType::ALL.iter().map(|kind| kind.name()));
        let name = shown(&object["type"]);
        problems.add(format!("{position}.type"), format!("must be a type of handles, got {name}{hint}"));
    }
    found
}

/// A key; a null one is no key named "None".
fn key(fields: &Fields<'_>, problems: &mut Problems) -> String {
    match fields.get("key") {
        Some(Value::Null) => {
            problems.add(fields.at("key"), "must be a text, got null; name what the module takes or makes");
            String::new()
        }
        _ => fields.name("key", problems),
    }
}

impl InputHandle {
    fn read(value: &Value, position: String, problems: &mut Problems) -> Option<Self> {
        let kind = kind_of(value, &position, problems)?;
        if !kind.is_image() && !kind.is_constant() {
            problems.add(format!("{position}.type"), format!("cannot be {kind}: that is a type of outputs"));
            return None;
        }
        let known: &[&str] = if kind.is_image() {
            &["name", "type", "help", "key"]
        } else {
            &["name", "type", "help", "value", "options"]
        };
        let fields = fields(value, position, known, problems)?;
        let given = if kind.is_image() {
            Given::Key(key(&fields, problems))
        } else {
            let options = fields.list("options", problems, |option, place, problems| {
                let fits = check_scalar(option, &place, problems);
                fits.then(|| option.clone())
            });
            Given::Constant { value: constant(kind, &fields, problems), options }
        };
        let help = fields.prose("help", problems).unwrap_or_default();
        Some(Self { name: fields.name("name", problems), kind, help, given })
    }
}

/// The value of a constant of a type; null, and a problem, where it does not fit.
fn constant(kind: HandleType, fields: &Fields<'_>, problems: &mut Problems) -> Value {
    let place = fields.at("value");
    let Some(value) = fields.get("value") else {
        problems.add(place.trim_end_matches(".value"), "needs `value`");
        return Value::Null;
    };
    let wanted = match (kind, value) {
        (HandleType::Sequence | HandleType::Set, Value::Array(values)) => {
            if values.len() > MOST_VALUES {
                problems.add(place, format!("has {} entries; {MOST_VALUES} are allowed", values.len()));
                return Value::Null;
            }
            for (index, entry) in values.iter().enumerate() {
                let place = format!("{place}[{index}]");
                if !matches!(entry, Value::Number(_) | Value::String(_)) {
                    problems.add(place, wrong_type("a number or text", entry));
                } else {
                    check_scalar(entry, &place, problems);
                }
            }
            return value.clone();
        }
        (HandleType::Sequence | HandleType::Set, other) if !other.is_null() => {
            problems.add(place, format!("must be a list such as [1, 5], got {}", shown(other)));
            return Value::Null;
        }
        (HandleType::Boolean | HandleType::Plot, value) if !value.is_boolean() => "true or false",
        (HandleType::Numeric, value) if !value.is_number() && !value.is_null() => "a number",
        (HandleType::Character, value) if !value.is_string() && !value.is_null() => "text",
        (_, value) => return if check_scalar(value, &place, problems) { value.clone() } else { Value::Null },
    };
    problems.add(place, wrong_type(wanted, value));
    Value::Null
}

/// Note a value that is neither null, a truth value, a number, nor a short text.
fn check_scalar(value: &Value, place: &str, problems: &mut Problems) -> bool {
    let message = match value {
        Value::Array(_) | Value::Object(_) => wrong_type("a number, text, true, false or null", value),
        Value::String(text) if text.chars().count() > MOST_CHARS => {
            format!("must have {MOST_CHARS} characters at most")
        }
        Value::String(text) if text.contains('\0') => "must not hold the character U+0000".to_owned(),
        _ => return true,
    };
    problems.add(place, message);
    false
}

impl OutputHandle {
    fn read(value: &Value, position: String, problems: &mut Problems) -> Option<Self> {
        let kind = kind_of(value, &position, problems)?;
        if kind.is_constant() {
            problems.add(format!("{position}.type"), format!("cannot be {kind}: that is a type of inputs"));
            return None;
        }
        let known: &[&str] = match kind {
            HandleType::Measurement => &["name", "type", "help", "objects", "objects_ref", "channel_ref"],
            HandleType::Figure => &["name", "type", "help"],
            _ => &["name", "type", "help", "key"],
        };
        let fields = fields(value, position, known, problems)?;
        let made = match kind {
            HandleType::Measurement => Made::Measurement {
                objects: fields.name("objects", problems),
                objects_ref: fields.name("objects_ref", problems),
                channel_ref: fields.optional_name("channel_ref", problems),
            },
            HandleType::Figure => Made::Figure,
            _ => Made::Key(key(&fields, problems)),
        };
        let help = fields.prose("help", problems).unwrap_or_default();
        Some(Self { name: fields.name("name", problems), kind, help, made })
    }
}

impl Serialize for InputHandle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("type", self.kind.name())?;
        map.serialize_entry("help", &self.help)?;
        match &self.given {
            Given::Key(key) => map.serialize_entry("key", key)?,
            Given::Constant { value, options } => {
                map.serialize_entry("value", value)?;
                if !options.is_empty() {
                    map.serialize_entry("options", options)?;
                }
            }
        }
        map.end()
    }
}

impl Serialize for OutputHandle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("type", self.kind.name())?;
        map.serialize_entry("help", &self.help)?;
        match &self.made {
            Made::Key(key) => map.serialize_entry("key", key)?,
            Made::Measurement { objects, objects_ref, channel_ref } => {
                map.serialize_entry("objects", objects)?;
                map.serialize_entry("objects_ref", objects_ref)?;
                map.serialize_entry("channel_ref", channel_ref)?;
            }
            Made::Figure => {}
        }
        map.end()
    }
}
