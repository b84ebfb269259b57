//! What a pipeline takes from the experiment, which modules it runs, and which objects it saves.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::problems::Problems;
use super::reading::{check_unique, fields};

/// Most items of a pipeline.
const MOST_ITEMS: usize = 500;

/// A pipeline.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pipeline {
    /// What it is for, in a user's words.
    pub description: Option<String>,
    /// Its version, in a user's words.
    pub version: Option<String>,
    /// Channels whose images it takes.
    pub channels: Vec<ChannelInput>,
    /// Types of objects that it takes, found before it runs.
    pub objects: Vec<ObjectInput>,
    /// Types of objects that it saves.
    pub outputs: Vec<ObjectOutput>,
    /// What it runs, in this order.
    pub items: Vec<Item>,
}

/// A channel whose images a pipeline takes, under the channel's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelInput {
    /// Name of the channel.
    pub name: String,
    /// Whether to correct them for uneven illumination.
    pub correct: bool,
}

/// A type of objects that a pipeline takes, under the type's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectInput {
    /// Name of the type.
    pub name: String,
}

/// A type of objects that a pipeline saves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectOutput {
    /// Name of the type, the key under which a module registered it.
    pub name: String,
    /// Whether to save outlines, or only a point for each.
    pub as_polygons: bool,
}

/// A module in a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What an editor calls it; nothing depends on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where its handles are: `handles/<module name>.handles.yaml`.
    pub handles: String,
    /// File name of the module: `smooth.py`.
    pub source: String,
    /// Whether it runs.
    pub active: bool,
}

impl Item {
    /// Its name in the pipeline: that of its handles' file. Empty when that cannot be one.
    pub fn module_name(&self) -> &str {
        let file = self.handles.rsplit('/').next().unwrap_or_default();
        let stem = file.strip_suffix(".yaml").unwrap_or(file);
        let stem = stem.strip_suffix(".handles").unwrap_or(stem);
        // It names a file: nothing that leads elsewhere.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let starts_well = stem.starts_with(|c: char| c.is_ascii_alphabetic());
        if starts_well && stem.len() <= 100 && stem.chars().all(is_plain) { stem } else { "" }
    }

    fn read(value: &Value, position: String, problems: &mut Problems) -> Option<Self> {
        let fields = fields(value, position, &["name", "handles", "source", "active"], problems)?;
        let item = Self {
            name: fields.optional_name("name", problems),
            handles: fields.name("handles", problems),
            source: fields.name("source", problems),
            active: fields.flag("active", true, problems),
        };
        if !item.handles.is_empty() && item.module_name().is_empty() {
            let message = "must be `handles/<name>.handles.yaml`, where the name has letters, digits, `_`, `-` and \
                           `.`, begins with a letter and has 100 characters at most";
            problems.add(fields.at("handles"), message);
        }
        Some(item)
    }
}

impl Pipeline {
    /// Read a pipeline as far as it can be read.
    pub(super) fn read(value: &Value, problems: &mut Problems) -> Self {
        let known = ["description", "version", "input", "output", "pipeline"];
        let Some(top) = fields(value, "pipeline", &known, problems) else { return Self::default() };
        let (description, version) =
            (top.prose("description", problems), top.optional_name("version", problems));
        let mut pipeline = Self { description, version, ..Self::default() };
        let section = |key: &str| top.get(key).filter(|value| !value.is_null());
        if let Some(input) = section("input")
            && let Some(input) = fields(input, top.at("input"), &["channels", "objects"], problems)
        {
            pipeline.channels = input.list("channels", problems, ChannelInput::read);
            pipeline.objects = input.list("objects", problems, ObjectInput::read);
        }
        if let Some(output) = section("output")
            && let Some(output) = fields(output, top.at("output"), &["objects"], problems)
        {
            pipeline.outputs = output.list("objects", problems, ObjectOutput::read);
        }
        if section("pipeline").is_none() {
            problems.add("pipeline", "needs `pipeline`, the list of its modules");
        }
        pipeline.items = top.list("pipeline", problems, Item::read);
        if pipeline.items.len() > MOST_ITEMS {
            let count = pipeline.items.len();
            problems.add(top.at("pipeline"), format!("has {count} modules; {MOST_ITEMS} are allowed"));
            pipeline.items.clear();
        }
        pipeline.check_names(problems);
        pipeline
    }

    fn check_names(&self, problems: &mut Problems) {
        let channels = self.channels.iter().map(|channel| channel.name.as_str());
        check_unique(channels, "pipeline.input.channels", "name", problems);
        let objects = self.objects.iter().map(|objects| objects.name.as_str());
        check_unique(objects, "pipeline.input.objects", "name", problems);
        let outputs = self.outputs.iter().map(|output| output.name.as_str());
        check_unique(outputs, "pipeline.output.objects", "name", problems);
        check_unique(self.items.iter().map(Item::module_name), "pipeline.pipeline", "handles", problems);
    }
}

impl ChannelInput {
    fn read(value: &Value, position: String, problems: &mut Problems) -> Option<Self> {
        let fields = fields(value, position, &["name", "correct"], problems)?;
        Some(Self { name: fields.name("name", problems), correct: fields.flag("correct", true, problems) })
    }
}

impl ObjectInput {
    fn read(value: &Value, position: String, problems: &mut Problems) -> Option<Self> {
        let fields = fields(value, position, &["name"], problems)?;
        Some(Self { name: fields.name("name", problems) })
    }
}

impl ObjectOutput {
    fn read(value: &Value, position: String, problems: &mut Problems) -> Option<Self> {
        let fields = fields(value, position, &["name", "as_polygons"], problems)?;
        let as_polygons = fields.flag("as_polygons", true, problems);
        Some(Self { name: fields.name("name", problems), as_polygons })
    }
}

impl Serialize for Pipeline {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        if let Some(description) = &self.description {
            map.serialize_entry("description", description)?;
        }
        if let Some(version) = &self.version {
            map.serialize_entry("version", version)?;
        }
        map.serialize_entry("input", &json!({"channels": self.channels, "objects": self.objects}))?;
        map.serialize_entry("output", &json!({"objects": self.outputs}))?;
        map.serialize_entry("pipeline", &self.items)?;
        map.end()
    }
}
