//! From what a pipeline found at a site to what is stored of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use tm_engine::Engine;
use tm_engine::image::{Plane, Rect};

use crate::error::ApiResult;
use crate::jterator::Value;
use crate::jterator::modules::Makes;
use crate::jterator::project::CheckedProject;
use crate::jterator::run::{PlaneAt, SegmentedObjects, Stack};
use crate::resources::segmentation::found::{FoundObjects, FoundPlane, FoundTable, Parents};
use crate::resources::segmentation::trace;

/// Where objects of one type are stored.
#[derive(Debug, Clone)]
pub struct StoredType {
    /// Name of the type.
    pub name: String,
    /// Its row id.
    pub id: i64,
    /// Whether outlines are stored, or only points.
    pub outlines: bool,
    /// Name and row id of every feature.
    pub features: Vec<(String, i64)>,
}

/// How many pixels objects of one type share with those of another: by label of the one and of the other.
type Overlaps = BTreeMap<i32, BTreeMap<i32, usize>>;

/// What a pipeline finds at a site, put together time point by time point.
#[derive(Debug)]
pub struct Findings<'a> {
    engine: &'a Engine,
    types: &'a [StoredType],
    /// The part of the site that label images show.
    shown: Rect,
    /// The objects of every type, in the order of the types.
    objects: Vec<FoundObjects>,
    /// Which of the types lie in which others, by index.
    overlaps: BTreeMap<(usize, usize), Overlaps>,
}

impl<'a> Findings<'a> {
    /// Nothing yet.
    pub fn new(engine: &'a Engine, project: &CheckedProject, types: &'a [StoredType], shown: Rect) -> Self {
        let objects = types.iter().map(|kind| FoundObjects {
            mapobject_type: kind.id,
            planes: Vec::new(),
            features: kind.features.iter().map(|(_, id)| *id).collect(),
            tables: Vec::new(),
        });
        let overlaps = relations(project, types).map(|relation| (relation, Overlaps::new())).collect();
        Self { engine, types, shown, objects: objects.collect(), overlaps }
    }

    /// Add the objects of a time point, by the names of their types: label images become outlines, tables rows of
    /// stored features. Blocks.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn add(&mut self, mut found: BTreeMap<String, SegmentedObjects>) -> ApiResult<()> {
        let of_types = self.types.iter().map(|kind| found.remove(&kind.name).unwrap_or_default());
        let of_types: Vec<SegmentedObjects> = of_types.collect();
        for ((child, parent), overlaps) in &mut self.overlaps {
            count_shared(&of_types[*child].planes, &of_types[*parent].planes, overlaps);
        }
        for ((kind, objects), found) in self.types.iter().zip(&mut self.objects).zip(of_types) {
            for (PlaneAt { tpoint, zplane }, labels) in label_images(&found.planes) {
                let mut outlines = trace(self.engine, labels, self.shown)?;
                if !kind.outlines {
                    outlines.iter_mut().for_each(|outline| outline.packed = None);
                }
                objects.planes.push(FoundPlane { tpoint, zplane, outlines });
            }
            objects.tables.extend(found.tables.into_iter().map(|(tpoint, table)| {
                let mut measured: HashMap<String, Vec<f64>> = table.columns.into_iter().collect();
                // A feature that was not measured at this time point.
                let missing = || vec![f64::NAN; table.labels.len()];
                let column = |(name, _): &(String, i64)| measured.remove(name).unwrap_or_else(missing);
                FoundTable {
                    tpoint,
                    columns: kind.features.iter().map(column).collect(),
                    labels: table.labels,
                }
            }));
        }
        Ok(())
    }

    /// All that was added. An object lies in the one that has most of its pixels.
    pub fn finish(self) -> (Vec<FoundObjects>, Vec<Parents>) {
        let types = self.types;
        let parents = self.overlaps.into_iter().map(|((child, parent), overlaps)| Parents {
            mapobject_type: types[child].id,
            parent_type: types[parent].id,
            labels: overlaps.into_iter().filter_map(|(label, shared)| Some((label, most(shared)?))).collect(),
        });
        (self.objects, parents.collect())
    }
}

/// The types of objects that lie in others, each with the other: modules that measure objects of one type for those of
/// another say so.
fn relations(project: &CheckedProject, types: &[StoredType]) -> impl Iterator<Item = (usize, usize)> {
    let index_of = |name: &str| types.iter().position(|kind| kind.name == name);
    project.modules.iter().filter_map(move |module| {
        let measured = module.module.outputs.iter().find_map(|output| match output.makes {
            Makes::Measurement(measures) => module.key(measures.objects_ref),
            _ => None,
        })?;
        let assigned = &module.measurement.as_ref()?.objects;
        (measured != assigned).then_some((index_of(measured)?, index_of(assigned)?))
    })
}

/// Add the pixels that objects share, plane by plane.
fn count_shared(children: &Stack, parents: &Stack, overlaps: &mut Overlaps) {
    for (at, labels) in label_images(children) {
        let Some(Value::Labels(around)) = parents.get(&at).map(AsRef::as_ref) else { continue };
        for (child, parent) in labels.pixels().iter().zip(around.pixels()) {
            if *child > 0 && *parent > 0 {
                *overlaps.entry(*child).or_default().entry(*parent).or_default() += 1;
            }
        }
    }
}

/// The label with which most pixels are shared; of several, the lowest.
fn most(shared: BTreeMap<i32, usize>) -> Option<i32> {
    shared.into_iter().max_by_key(|(label, pixels)| (*pixels, Reverse(*label))).map(|(label, _)| label)
}

fn label_images(planes: &Stack) -> impl Iterator<Item = (PlaneAt, &Plane<i32>)> {
    planes.iter().filter_map(|(at, value)| match &**value {
        Value::Labels(labels) => Some((*at, labels)),
        Value::Grey(_) | Value::Mask(_) => None,
    })
}
