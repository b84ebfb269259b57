//! From what a pipeline found at a site to what is stored of it.

use std::collections::{BTreeMap, HashMap};

use tm_engine::Engine;
use tm_engine::image::{Plane, Rect};

use super::{PlaneAt, SegmentedObjects, Stack};
use crate::error::ApiResult;
use crate::jterator::Value;
use crate::jterator::modules::Makes;
use crate::jterator::project::CheckedProject;
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

/// What to store of a site.
#[derive(Debug)]
pub struct Found {
    /// The objects of every type.
    pub objects: Vec<FoundObjects>,
    /// Which of them lie in which.
    pub parents: Vec<Parents>,
}

/// Turn label images that show this part of their site into outlines, and tables into rows of stored features. Blocks.
///
/// # Errors
/// When the engine fails.
pub fn prepare(
    engine: &Engine,
    project: &CheckedProject,
    types: &[StoredType],
    mut found: BTreeMap<String, SegmentedObjects>,
    shown: Rect,
) -> ApiResult<Found> {
    let parents = parents(project, types, &found);
    let mut objects = Vec::with_capacity(types.len());
    for kind in types {
        let SegmentedObjects { planes, tables } = found.remove(&kind.name).unwrap_or_default();
        let mut found_planes = Vec::with_capacity(planes.len());
        for (PlaneAt { tpoint, zplane }, labels) in label_images(&planes) {
            let mut outlines = trace(engine, labels, shown)?;
            if !kind.outlines {
                outlines.iter_mut().for_each(|outline| outline.packed = None);
            }
            found_planes.push(FoundPlane { tpoint, zplane, outlines });
        }
        let tables = tables.into_iter().map(|(tpoint, table)| {
            let mut measured: HashMap<String, Vec<f64>> = table.columns.into_iter().collect();
            // A feature that was not measured at this time point.
            let missing = || vec![f64::NAN; table.labels.len()];
            let columns = kind.features.iter().map(|(name, _)| measured.remove(name).unwrap_or_else(missing));
            FoundTable { tpoint, columns: columns.collect(), labels: table.labels }
        });
        objects.push(FoundObjects {
            mapobject_type: kind.id,
            planes: found_planes,
            features: kind.features.iter().map(|(_, id)| *id).collect(),
            tables: tables.collect(),
        });
    }
    Ok(Found { objects, parents })
}

/// Which objects lie in which: modules that measure objects of one type for those of another say that one lies in the
/// other. An object lies in the one that has most of its pixels.
fn parents(
    project: &CheckedProject,
    types: &[StoredType],
    found: &BTreeMap<String, SegmentedObjects>,
) -> Vec<Parents> {
    let type_of = |name: &str| types.iter().find(|kind| kind.name == name).map(|kind| kind.id);
    let mut related: BTreeMap<(i64, i64), Parents> = BTreeMap::new();
    for module in &project.modules {
        let measured = module.module.outputs.iter().find_map(|output| match output.makes {
            Makes::Measurement(measures) => module.key(measures.objects_ref),
            _ => None,
        });
        let assigned = module.measurement.as_ref().map(|measurement| measurement.objects.as_str());
        let Some((child, parent)) = measured.zip(assigned).filter(|(child, parent)| child != parent) else {
            continue;
        };
        let (Some(mapobject_type), Some(parent_type)) = (type_of(child), type_of(parent)) else { continue };
        let (Some(children), Some(parents)) = (found.get(child), found.get(parent)) else { continue };
        related.entry((mapobject_type, parent_type)).or_insert_with(|| {
            let labels = containing(&children.planes, &parents.planes);
            Parents { mapobject_type, parent_type, labels }
        });
    }
    related.into_values().collect()
}

/// Every label with that of the object around it, by label.
fn containing(children: &Stack, parents: &Stack) -> Vec<(i32, i32)> {
    let mut shared: BTreeMap<i32, BTreeMap<i32, usize>> = BTreeMap::new();
    for (at, labels) in label_images(children) {
        let Some(Value::Labels(around)) = parents.get(&at).map(AsRef::as_ref) else { continue };
        for (child, parent) in labels.pixels().iter().zip(around.pixels()) {
            if *child > 0 && *parent > 0 {
                *shared.entry(*child).or_default().entry(*parent).or_default() += 1;
            }
        }
    }
    let most = |parents: BTreeMap<i32, usize>| {
        // Of those that share equally many, the one with the lowest label.
        parents.into_iter().max_by_key(|(label, pixels)| (*pixels, std::cmp::Reverse(*label)))
    };
    shared.into_iter().filter_map(|(child, parents)| Some((child, most(parents)?.0))).collect()
}

fn label_images(planes: &Stack) -> impl Iterator<Item = (PlaneAt, &Plane<i32>)> {
    planes.iter().filter_map(|(at, value)| match &**value {
        Value::Labels(labels) => Some((*at, labels)),
        Value::Grey(_) | Value::Mask(_) => None,
    })
}
