//! Image-analysis projects put together module by module.

use serde_json::{Map, Value, json};
use tm_server::jterator::HandleType;
use tm_server::jterator::modules::{self, Makes};

/// A project under construction.
#[derive(Debug, Clone, Default)]
pub struct Pipeline {
    channels: Vec<Value>,
    objects: Vec<Value>,
    outputs: Vec<Value>,
    items: Vec<Value>,
    handles: Map<String, Value>,
}

impl Pipeline {
    /// Take the images of a channel as they are.
    pub fn channel(mut self, name: &str) -> Self {
        self.channels.push(json!({"name": name, "correct": false}));
        self
    }

    /// Take the images of a channel, corrected.
    pub fn corrected_channel(mut self, name: &str) -> Self {
        self.channels.push(json!({"name": name, "correct": true}));
        self
    }

    /// Take objects that were found before.
    pub fn objects(mut self, name: &str) -> Self {
        self.objects.push(json!({"name": name}));
        self
    }

    /// Save objects with their outlines.
    pub fn save(mut self, name: &str) -> Self {
        self.outputs.push(json!({"name": name, "as_polygons": true}));
        self
    }

    /// Save the positions of objects.
    pub fn save_points(mut self, name: &str) -> Self {
        self.outputs.push(json!({"name": name, "as_polygons": false}));
        self
    }

    /// Run a module under a name of its own: its inputs are keys or values, its outputs keys; other outputs get keys
    /// that nothing asks for.
    ///
    /// # Panics
    /// When there is no such module, or it has no such input.
    pub fn module(
        mut self,
        name: &str,
        module: &str,
        inputs: &[(&str, Value)],
        outputs: &[(&str, &str)],
    ) -> Self {
        let found = modules::find(module).unwrap_or_else(|| panic!("no module {module}"));
        let described = inputs.iter().map(|(input, value)| {
            let kind = found.input(input).unwrap_or_else(|| panic!("{module} has no input {input}")).kind;
            let field = if kind.is_image() { "key" } else { "value" };
            json!({"name": input, "type": kind.name(), field: value})
        });
        let made = found.outputs.iter().map(|output| match (output.kind, output.makes) {
            (HandleType::Measurement, Makes::Measurement(measures)) => json!({
                "name": output.name,
                "type": output.kind.name(),
                "objects": measures.objects,
                "objects_ref": measures.objects_ref,
                "channel_ref": measures.channel_ref,
            }),
            (HandleType::Figure, _) => json!({"name": output.name, "type": output.kind.name()}),
            (kind, _) => {
                let key = outputs.iter().find(|(wanted, _)| *wanted == output.name);
                let key = key.map_or_else(|| format!("{name}.{}", output.name), |(_, key)| (*key).to_owned());
                json!({"name": output.name, "type": kind.name(), "key": key})
            }
        });
        let handles = json!({
            "version": found.version,
            "input": described.collect::<Vec<_>>(),
            "output": made.collect::<Vec<_>>(),
        });
        self.handles.insert(name.to_owned(), handles);
        self.items.push(json!({
            "handles": format!("handles/{name}.handles.yaml"), "source": format!("{module}.py"), "active": true,
        }));
        self
    }

    /// The project as clients send it.
    pub fn to_json(&self) -> Value {
        json!({
            "pipeline": {
                "input": {"channels": self.channels, "objects": self.objects},
                "output": {"objects": self.outputs},
                "pipeline": self.items,
            },
            "handles": self.handles,
        })
    }
}
