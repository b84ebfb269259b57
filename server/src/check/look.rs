//! One look at the files that rows own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{Problem, problem};
use crate::inventory::Inventory;
use crate::storage::images::{FieldImage, LayerPyramid, PlaneIndex, check_plate};
use crate::storage::{DataDir, StorageError, statistics, tables};
use crate::tally::Tally;

/// Something that rows own and that can be looked at alone.
enum Thing<'a> {
    Upload { path: PathBuf, size: Option<i64> },
    Field { plate: PathBuf, field: &'a str, planes: &'a [PlaneIndex] },
    Layer { path: PathBuf, may_be_absent: bool },
    Statistics { path: PathBuf },
    Features { path: PathBuf, size: i64 },
}

/// Look at what rows own, in parallel; with `only`, at what is among or below these paths. Blocks.
pub(super) fn look(
    data: &DataDir,
    inventory: &Inventory,
    only: Option<&BTreeSet<PathBuf>>,
    deep: bool,
    tally: &Tally,
) -> Vec<Problem> {
    let wanted = |path: &Path| only.is_none_or(|only| path.ancestors().any(|above| only.contains(above)));
    let mut problems = Vec::new();
    let mut things = Vec::new();
    for (experiment, owned) in &inventory.experiments {
        for (acquisition, files) in &owned.uploads {
            let directory = data.uploads(*experiment, *acquisition);
            let files = files.iter();
            things
                .extend(files.map(|(name, size)| Thing::Upload { path: directory.join(name), size: *size }));
        }
        let linked = owned.linked.iter();
        things.extend(linked.map(|(path, size)| Thing::Upload { path: path.clone(), size: *size }));
        for (plate, images) in &owned.plates {
            let path = data.plate_images(*experiment, *plate, images.generation);
            let inside = only
                .is_some_and(|only| only.range(path.clone()..).next().is_some_and(|f| f.starts_with(&path)));
            if !wanted(&path) && !inside {
                continue;
            }
            // Without its plate there is no use in looking for each field.
            if let Err(error) = check_plate(&path) {
                problems.push(problem(data, &path, error.to_string()));
                continue;
            }
            let fields = images.fields.iter();
            things.extend(fields.map(|(field, planes)| Thing::Field { plate: path.clone(), field, planes }));
        }
        for layer in &owned.layers {
            let path = data.layer(*experiment, *layer);
            things.push(Thing::Layer { path, may_be_absent: owned.unfinished });
        }
        for file in &owned.statistics {
            things.push(Thing::Statistics { path: data.statistics(*experiment, file) });
        }
        let files = owned.feature_files(data, *experiment).zip(owned.features.values());
        things.extend(files.map(|(path, size)| Thing::Features { path, size: *size }));
    }
    things.retain(|thing| wanted(&thing.path()));
    tally.begin(things.iter().map(Thing::weight).sum());
    let found: Vec<Vec<Problem>> = things
        .par_iter()
        .map(|thing| {
            if tally.is_stopped() {
                return Vec::new();
            }
            let problems = thing.look(deep);
            tally.add(thing.weight());
            problems.into_iter().map(|what| problem(data, &thing.path(), what)).collect()
        })
        .collect();
    problems.extend(found.into_iter().flatten());
    problems
}

impl Thing<'_> {
    fn path(&self) -> PathBuf {
        match self {
            Self::Upload { path, .. }
            | Self::Layer { path, .. }
            | Self::Statistics { path }
            | Self::Features { path, .. } => path.clone(),
            Self::Field { plate, field, .. } => plate.join(field),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Field { planes, .. } => 1 + planes.len(),
            _ => 1,
        }
    }

    /// What is wrong with it.
    fn look(&self, deep: bool) -> Vec<String> {
        match self {
            Self::Upload { path, size } => look_at_upload(path, *size).err().into_iter().collect(),
            Self::Field { plate, field, planes } => look_at_field(plate, field, planes, deep),
            Self::Layer { path, may_be_absent } => {
                match LayerPyramid::open(path).and_then(|layer| layer.check(deep)) {
                    Err(StorageError::NotFound { .. }) if *may_be_absent => Vec::new(),
                    looked => looked.err().iter().map(ToString::to_string).collect(),
                }
            }
            Self::Statistics { path } => {
                statistics::verify(path).err().iter().map(ToString::to_string).collect()
            }
            Self::Features { path, size } => {
                let verified = tables::verify(path, u64::try_from(*size).ok(), deep);
                verified.err().iter().map(ToString::to_string).collect()
            }
        }
    }
}

fn look_at_upload(path: &Path, size: Option<i64>) -> Result<(), String> {
    let file = path.symlink_metadata().map_err(|error| format!("uploaded, but cannot be read: {error}"))?;
    if !file.is_file() {
        return Err("uploaded, but it is no file".to_owned());
    }
    match size {
        Some(size) if u64::try_from(size) != Ok(file.len()) => {
            Err(format!("has {} bytes, {size} were uploaded", file.len()))
        }
        _ => Ok(()),
    }
}

fn look_at_field(plate: &Path, field: &str, planes: &[PlaneIndex], deep: bool) -> Vec<String> {
    let image = match FieldImage::open(plate, field) {
        Ok(image) => image,
        Err(error) => return vec![error.to_string()],
    };
    let mut problems = Vec::new();
    for at in planes {
        let PlaneIndex { t, c, z } = at;
        match image.check_plane(*at, deep) {
            Ok(true) => {}
            Ok(false) => problems.push(format!("plane t {t}, c {c}, z {z} is missing")),
            Err(error) => problems.push(format!("plane t {t}, c {c}, z {z}: {error}")),
        }
    }
    problems
}
