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
use std::io;

use serde::Serialize;
use serde_json::Value;

pub use bound::{BoundImage, BoundMeasurement, CheckedModule, CheckedProject, Column};
pub use handles::{Given, Handles, InputHandle, Made, OutputHandle};
pub use pipeline::{ChannelInput, Item, ObjectInput, ObjectOutput, Pipeline};
pub use problems::{Problem, Problems};

use self::reading::wrong_type;

/// Most bytes of a project as JSON.
pub const MOST_BYTES: usize = 1 << 20;

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
        // What is too large is not looked at, so that looking takes no longer than a moment.
        let mut size = Size::default();
        size.add(pipeline)?;
        let mut problems = Problems::default();
        let pipeline = Pipeline::read(pipeline, &mut problems);
        let Some(given) = handles.as_object() else {
            problems.add("handles", wrong_type("an object with the handles of each module", handles));
            return Err(problems);
        };
        let mut read = BTreeMap::new();
        for (index, item) in pipeline.items.iter().enumerate() {
            let name = item.module_name();
            if name.is_empty() || read.contains_key(name) {
                // The pipeline has said so.
                continue;
            }
            match given.get(name) {
                Some(value) => {
                    size.add(value)?;
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
        problems.into_result()?;
        let project = Self { pipeline, handles: read };
        // With what was left out it may be larger, and what is kept must be readable again.
        let mut size = Size::default();
        size.add(&project)?;
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
}

/// How large a project is so far.
#[derive(Default)]
struct Size {
    bytes: usize,
}

impl Size {
    /// Add a value, as long as the project may be that large.
    fn add(&mut self, value: &impl Serialize) -> Result<(), Problems> {
        serde_json::to_writer(self, value).map_err(|_| {
            Problems::one("the project", format!("must not be larger than {MOST_BYTES} bytes of JSON"))
        })
    }
}

impl io::Write for Size {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        self.bytes = self.bytes.saturating_add(written.len());
        if self.bytes > MOST_BYTES { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(written.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn to_json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("text, numbers and lists can be written as JSON")
}
