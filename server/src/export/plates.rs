//! Plates of an export: what rows name of their images, copied as it is.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{ExportError, Stored, Work, blocking};
use crate::resources::image::queries::{self as images, FieldPlace};
use crate::resources::layer::maps::FieldPlanes;
use crate::resources::plate::{Plate, queries};
use crate::resources::zarr::names::Names;
use crate::storage::copy::copy_file;
use crate::storage::images::{DOCUMENT, PlaneIndex, plane_path, plate_document};
use crate::store::{StoreError, Tx};

/// A plate that has images, and the planes of every field image.
#[derive(Debug, Clone)]
pub(super) struct PlateRows {
    plate: Plate,
    fields: BTreeMap<String, FieldPlanes>,
    /// By field.
    pub(super) places: Vec<FieldPlace>,
}

impl PlateRows {
    /// Whether all that is stored here is so later on, too.
    pub(super) fn lasts_until(&self, later: &[Self]) -> bool {
        let is_same = |later: &&Self| {
            later.plate.id == self.plate.id && later.plate.image_generation == self.plate.image_generation
        };
        later.iter().find(is_same).is_some_and(|later| {
            self.fields.iter().all(|(field, planes)| {
                let later = later.fields.get(field);
                planes.iter().all(|(at, stored)| {
                    later.and_then(|later| later.get(at)).is_some_and(|later| later >= stored)
                })
            })
        })
    }
}

/// The plates of an experiment that have images.
pub(super) async fn rows(tx: &mut Tx, experiment: i64) -> Result<Vec<PlateRows>, StoreError> {
    let mut rows = Vec::new();
    for plate in queries::list(tx, experiment, None).await? {
        if plate.image_generation > 0 {
            let fields = images::planes_of_plate(tx, plate.id).await?;
            let places = images::places_in_fields(tx, plate.id).await?;
            rows.push(PlateRows { plate, fields, places });
        }
    }
    Ok(rows)
}

/// Where plates are in the export.
pub(super) fn directories(work: &Work, plates: &[PlateRows]) -> Vec<PathBuf> {
    let mut names = Names::default();
    let mut directory = |plate: &PlateRows| {
        let name = names.give(&plate.plate.name, "plate");
        work.directory.join("plates").join(format!("{name}.ome.zarr"))
    };
    plates.iter().map(&mut directory).collect()
}

/// Add up what there is to copy. Blocks.
pub(super) fn measure(work: &Work, plates: &[PlateRows], stored: &mut Stored) {
    for PlateRows { plate, fields, .. } in plates {
        let source = source(work, plate);
        for (field, planes) in fields {
            for at in planes.iter().filter(|(_, stored)| **stored).map(|(at, _)| at) {
                stored.add(&source.join(field).join(plane_path(*at)));
            }
        }
    }
}

/// Copy the plates; the value is the number of images, and what is missing.
///
/// # Errors
/// When something cannot be read or written.
pub(super) async fn write(work: &Work, plates: &[PlateRows]) -> Result<(usize, Vec<String>), ExportError> {
    let (work, plates) = (work.clone(), plates.to_vec());
    blocking(move || {
        let (mut images, mut missing) = (0, Vec::new());
        for (plate, target) in plates.iter().zip(directories(&work, &plates)) {
            let missing_here = write_plate(&work, plate, &target)?;
            images += plate.fields.values().map(FieldPlanes::len).sum::<usize>() - missing_here.len();
            missing.extend(missing_here);
        }
        Ok((images, missing))
    })
    .await
}

fn write_plate(
    work: &Work,
    PlateRows { plate, fields, .. }: &PlateRows,
    target: &Path,
) -> Result<Vec<String>, ExportError> {
    let source = source(work, plate);
    fs::create_dir_all(target)?;
    fs::write(target.join(DOCUMENT), plate_document(&source, &plate.name)?)?;
    for field in fields.keys() {
        // Documents of the row, the well, the image and its array.
        let mut directory = String::new();
        for part in field.split('/').chain(["0"]) {
            directory = if directory.is_empty() { part.to_owned() } else { format!("{directory}/{part}") };
            fs::create_dir_all(target.join(&directory))?;
            let document = format!("{directory}/{DOCUMENT}");
            if !copy_file(&source.join(&document), &target.join(&document), &work.copied)? {
                return Err(ExportError::Unsteady);
            }
        }
    }
    let planes: Vec<(&String, PlaneIndex, bool)> = fields
        .iter()
        .flat_map(|(field, planes)| planes.iter().map(move |(at, stored)| (field, *at, *stored)))
        .collect();
    let missing = planes.par_iter().map(|(field, at, stored)| {
        let PlaneIndex { t, c, z } = at;
        let what = |why: &str| format!("plate \"{}\": image {field} t {t} c {c} z {z} {why}", plate.name);
        if !stored {
            return Ok(Some(what("is not stored yet")));
        }
        work.go_on()?;
        work.space.check()?;
        let there = copy_plane(work, &source.join(field), &target.join(field), *at)?;
        work.tally.add(1);
        Ok((!there).then(|| what("is gone")))
    });
    missing.filter_map(Result::transpose).collect()
}

fn copy_plane(work: &Work, source: &Path, target: &Path, at: PlaneIndex) -> io::Result<bool> {
    let path = plane_path(at);
    let target = target.join(&path);
    if let Some(directory) = target.parent() {
        fs::create_dir_all(directory)?;
    }
    copy_file(&source.join(&path), &target, &work.copied)
}

fn source(work: &Work, plate: &Plate) -> PathBuf {
    work.environment.data.plate_images(work.experiment, plate.id, plate.image_generation)
}
