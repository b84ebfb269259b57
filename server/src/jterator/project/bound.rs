//! A project that can run: every default filled in, every name resolved.

use std::collections::BTreeMap;

use super::pipeline::{ChannelInput, ObjectInput, ObjectOutput};
use crate::jterator::HandleType;
use crate::jterator::modules::{Module, Parameters};

/// A project that [`check`](super::check::check) found nothing wrong with.
#[derive(Debug, Clone, Default)]
pub struct CheckedProject {
    /// Channels whose images it takes.
    pub channels: Vec<ChannelInput>,
    /// Types of objects that it takes.
    pub objects: Vec<ObjectInput>,
    /// Types of objects that it saves.
    pub outputs: Vec<ObjectOutput>,
    /// The modules that run, in this order.
    pub modules: Vec<CheckedModule>,
}

/// A module with all that it is given.
#[derive(Debug, Clone)]
pub struct CheckedModule {
    /// Its name in the pipeline.
    pub name: String,
    /// What it is.
    pub module: &'static Module,
    /// The planes it takes, in the order of the module's inputs.
    pub images: Vec<BoundImage>,
    /// Its settings.
    pub parameters: Parameters,
    /// The planes it makes, in the order of the module's outputs.
    pub makes: Vec<BoundImage>,
    /// What it measures.
    pub measurement: Option<BoundMeasurement>,
}

/// An input or output of a module that lies under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundImage {
    /// Name of the module's input or output.
    pub name: &'static str,
    /// The key.
    pub key: String,
    /// What lies there.
    pub kind: HandleType,
}

/// What a module measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundMeasurement {
    /// Key of the objects that the rows are about.
    pub objects: String,
    /// Names of the columns as they are saved, in their order, each by its name in the module.
    pub columns: Vec<Column>,
}

/// A column of measurements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name in the module: `Intensity_mean`.
    pub measured: String,
    /// Name as saved: `Nuclei_Intensity_mean_DAPI`.
    pub saved: String,
}

impl CheckedProject {
    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// The columns that are measured of every saved type of objects, in the order in which they are measured; what
    /// two modules measure alike comes once.
    pub fn columns(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut all: BTreeMap<&str, Vec<&str>> =
            self.outputs.iter().map(|output| (output.name.as_str(), Vec::new())).collect();
        for measurement in self.modules.iter().filter_map(|module| module.measurement.as_ref()) {
            let Some(columns) = all.get_mut(measurement.objects.as_str()) else { continue };
            for column in &measurement.columns {
                if !columns.contains(&column.saved.as_str()) {
                    columns.push(&column.saved);
                }
            }
        }
        all
    }
}

impl CheckedModule {
    /// The key of the plane that an input takes.
    pub fn key(&self, input: &str) -> Option<&str> {
        self.images.iter().find(|image| image.name == input).map(|image| image.key.as_str())
    }
}
