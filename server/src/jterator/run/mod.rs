//! Running a pipeline at one site: its inputs in, objects and numbers out. No database, no files.
//!
//! Images keep their time point and focal plane all the way. A module works on one plane at a time, with the planes of
//! all its inputs at the same place; one that puts focal planes together leaves the lowest one's number. Measurements
//! are tables by time point: objects that have several focal planes at a time point must be projected before.

mod call;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use call::FoundRegions;
pub use call::{Call, Made, ModuleError, Work};
use tm_engine::analysis::Measurements;

use super::Value;
use super::project::{BoundMeasurement, CheckedModule, CheckedProject};

/// Where a plane lies in time and depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaneAt {
    /// Time point.
    pub tpoint: i64,
    /// Focal plane.
    pub zplane: i64,
}

/// The planes under a key.
pub type Stack = BTreeMap<PlaneAt, Arc<Value>>;

/// Objects of one type, with all that was measured of them.
#[derive(Debug, Clone, Default)]
pub struct SegmentedObjects {
    /// Label images.
    pub planes: Stack,
    /// Values by time point.
    pub tables: BTreeMap<i64, ObjectTable>,
}

/// What was measured of the objects of one time point.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObjectTable {
    /// All labels, ascending.
    pub labels: Vec<i32>,
    /// Name of each feature, and a value for each label.
    pub columns: Vec<(String, Vec<f64>)>,
}

/// Why a pipeline gave up at a site.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("module `{module}` {reason}")]
pub struct RunError {
    /// Name of the module in the pipeline.
    pub module: String,
    /// What went wrong, as the rest of a sentence.
    pub reason: String,
}

/// A pipeline while it runs.
struct Run<'a> {
    project: &'a CheckedProject,
    stacks: BTreeMap<String, Stack>,
    tables: BTreeMap<String, BTreeMap<i64, ObjectTable>>,
    regions: FoundRegions,
}

/// Run a pipeline over the images and objects it takes, by their keys; the values are the objects that it saves, by the
/// names of their types. `goes_on` is asked before each module. Blocks.
///
/// # Errors
/// [`RunError`] of the first module that fails, wrapped by the caller's error type; errors of `goes_on`.
pub fn run<E: From<RunError>>(
    project: &CheckedProject,
    inputs: BTreeMap<String, Stack>,
    goes_on: impl Fn() -> Result<(), E>,
) -> Result<BTreeMap<String, SegmentedObjects>, E> {
    let mut run = Run { project, stacks: inputs, tables: BTreeMap::new(), regions: FoundRegions::default() };
    for (index, module) in project.modules.iter().enumerate() {
        goes_on()?;
        run.call(module).map_err(|reason| RunError { module: module.name.clone(), reason })?;
        run.forget(&project.modules[index + 1..]);
    }
    let outputs = project.outputs.iter().map(|output| {
        let planes = run.stacks.remove(&output.name).unwrap_or_default();
        let tables = run.tables.remove(&output.name).unwrap_or_default();
        (output.name.clone(), SegmentedObjects { planes, tables })
    });
    Ok(outputs.collect())
}

impl Run<'_> {
    fn call(&mut self, module: &CheckedModule) -> Result<(), String> {
        let mut inputs = Vec::with_capacity(module.images.len());
        for image in &module.images {
            let stack = self.stacks.get(&image.key);
            let stack = stack.ok_or_else(|| format!("takes `{}`, which nothing made", image.key))?;
            // Counts references, copies no pixels.
            inputs.push((image.name, stack.clone()));
        }
        let places = common_places(&inputs)?;
        match module.module.work {
            Work::Plane(work) => {
                for at in places {
                    let images = inputs.iter().map(|(name, stack)| (*name, &stack[&at]));
                    let call = Call::new(&module.parameters, images.collect(), &self.regions);
                    let made = work(&call).map_err(|error| error.0)?;
                    self.keep(module, at, made)?;
                }
            }
            Work::Stack(work) => {
                let mut by_tpoint: BTreeMap<i64, Vec<PlaneAt>> = BTreeMap::new();
                for at in places {
                    by_tpoint.entry(at.tpoint).or_default().push(at);
                }
                let [(_, stack)] = inputs.as_slice() else { return Err("takes one image".to_owned()) };
                for planes in by_tpoint.into_values() {
                    let values: Vec<Arc<Value>> = planes.iter().map(|at| Arc::clone(&stack[at])).collect();
                    let made = work(&module.parameters, &values).map_err(|error| error.0)?;
                    self.keep(module, planes[0], vec![Made::Image(made)])?;
                }
            }
        }
        // There are none where its inputs have none.
        for image in &module.makes {
            self.stacks.entry(image.key.clone()).or_default();
        }
        Ok(())
    }

    /// Keep what a module made of the plane at this place.
    fn keep(&mut self, module: &CheckedModule, at: PlaneAt, made: Vec<Made>) -> Result<(), String> {
        let mut keys = module.makes.iter().map(|image| image.key.as_str());
        for made in made {
            let image = match made {
                Made::Image(value) => Arc::new(value),
                Made::Same(value) => value,
                Made::Table(measured) => {
                    let Some(measurement) = &module.measurement else { continue };
                    self.add_columns(measurement, at, measured)?;
                    continue;
                }
            };
            let Some(key) = keys.next() else { continue };
            self.stacks.entry(key.to_owned()).or_default().insert(at, image);
        }
        Ok(())
    }

    /// Add what was measured of a plane of objects. What two modules measure alike is kept once.
    fn add_columns(
        &mut self,
        measurement: &BoundMeasurement,
        at: PlaneAt,
        measured: Measurements,
    ) -> Result<(), String> {
        let BoundMeasurement { objects, columns, .. } = measurement;
        let planes =
            self.stacks.get(objects).ok_or_else(|| format!("measures `{objects}`, which nothing made"))?;
        let plane_count = planes.keys().filter(|place| place.tpoint == at.tpoint).count();
        if plane_count > 1 {
            return Err(format!(
                "measures \"{objects}\", which have {plane_count} focal planes at time point {}; put these together \
                 before, with the module `project`",
                at.tpoint
            ));
        }
        let table = self.tables.entry(objects.clone()).or_default().entry(at.tpoint).or_insert_with(|| {
            let regions = planes.get(&at).and_then(|plane| self.regions.of(plane));
            let labels = regions.map(|regions| regions.labels().to_vec()).unwrap_or_default();
            ObjectTable { labels, columns: Vec::new() }
        });
        let measured = measured.for_labels(&table.labels);
        for column in columns {
            if table.columns.iter().any(|(name, _)| *name == column.saved) {
                continue;
            }
            let values = measured.values(&column.measured);
            let values = values.ok_or_else(|| format!("did not measure `{}`", column.measured))?;
            table.columns.push((column.saved.clone(), values.to_vec()));
        }
        Ok(())
    }

    /// Drop the planes that neither the modules that are left nor the outputs want.
    fn forget(&mut self, left: &[CheckedModule]) {
        let wanted: HashSet<&str> = left
            .iter()
            .flat_map(|module| module.images.iter().map(|image| image.key.as_str()))
            .chain(left.iter().filter_map(|module| Some(module.measurement.as_ref()?.objects.as_str())))
            .chain(self.project.outputs.iter().map(|output| output.name.as_str()))
            .collect();
        self.stacks.retain(|key, _| wanted.contains(key.as_str()));
        self.regions.forget();
    }
}

/// The places of the planes of the inputs of a module, which must be the same for all.
fn common_places(inputs: &[(&'static str, Stack)]) -> Result<BTreeSet<PlaneAt>, String> {
    let places = |stack: &Stack| stack.keys().copied().collect::<BTreeSet<_>>();
    let Some((first, stack)) = inputs.first() else { return Ok(BTreeSet::new()) };
    let wanted = places(stack);
    for (name, stack) in &inputs[1..] {
        let got = places(stack);
        if let Some(PlaneAt { tpoint, zplane }) = wanted.symmetric_difference(&got).next() {
            let (has, lacks) = if got.contains(&PlaneAt { tpoint: *tpoint, zplane: *zplane }) {
                (name, first)
            } else {
                (first, name)
            };
            return Err(format!(
                "takes `{has}` and `{lacks}` together, but only `{has}` has time point {tpoint}, focal plane {zplane}"
            ));
        }
    }
    Ok(wanted)
}
