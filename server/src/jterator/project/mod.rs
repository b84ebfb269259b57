//! A project: a pipeline, and for each of its modules the handles that say what goes in and out.
//!
//! Two forms say the same. Over HTTP it is one JSON object with `pipeline` and `handles`; as a directory it is
//! `pipeline.yaml` with a file `handles/<module>.handles.yaml` for each module ([`directory`]). Reading collects all
//! that is wrong with the form before it gives up. Whether a project can run is for [`check`] to say.

mod bound;
pub mod check;
pub mod directory;
mod handles;
mod pipeline;
mod problems;
mod reading;
mod suggest;
mod yaml;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

pub use bound::{BoundImage, BoundMeasurement, CheckedModule, CheckedProject, Column};
pub use handles::{Given, Handles, InputHandle, Made, OutputHandle};
pub use pipeline::{ChannelInput, Item, ObjectInput, ObjectOutput, Pipeline};
pub use problems::{Problem, Problems};

use self::reading::wrong_type;

/// Most bytes of a project as JSON.
pub const MOST_BYTES: usize = 2 << 20;

/// A project, well formed.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Project {
    /// What runs, in which order.
    pub pipeline: Pipeline,
    /// The handles of each of its modules, by the module's name in the pipeline.
    pub handles: BTreeMap<String, Handles>,
}

impl Project {
    /// Read a project. Handles that no item of the pipeline names are dropped.
    ///
    /// # Errors
    /// Everything that is wrong with its form.
    pub fn parse(pipeline: &Value, handles: &Value) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let pipeline = Pipeline::read(pipeline, &mut problems);
        let nothing = Map::new();
        let given = handles.as_object().unwrap_or_else(|| {
            problems.add("handles", wrong_type("an object with the handles of each module", handles));
            &nothing
        });
        let mut read = BTreeMap::new();
        for (index, item) in pipeline.items.iter().enumerate() {
            let name = item.module_name();
            if name.is_empty() || read.contains_key(name) {
                // The pipeline has said so.
                continue;
            }
            match given.get(name) {
                Some(value) => {
                    let parsed = Handles::read(value, &format!("handles.{name}"), &mut problems);
                    read.insert(name.to_owned(), parsed);
                }
                None => {
                    let hint = suggest::suggest(name, given.keys().map(String::as_str));
                    let message =
                        format!("names handles that are not there: `handles` has no entry `{name}`{hint}");
                    problems.add(format!("pipeline.pipeline[{index}].handles"), message);
                }
            }
        }
        let project = Self { pipeline, handles: read };
        problems.into_result()?;
        project.check_size()?;
        Ok(project)
    }

    /// The pipeline as clients see it.
    pub fn pipeline_json(&self) -> Value {
        to_json(&self.pipeline)
    }

    /// The handles as clients see them.
    pub fn handles_json(&self) -> Value {
        to_json(&self.handles)
    }

    fn check_size(&self) -> Result<(), Problems> {
        let bytes = self.pipeline_json().to_string().len() + self.handles_json().to_string().len();
        if bytes > MOST_BYTES {
            return Err(Problems::one(
                "the project",
                format!("must not be larger than {MOST_BYTES} bytes, and has {bytes}"),
            ));
        }
        Ok(())
    }
}

fn to_json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("text, numbers and lists can be written as JSON")
}
