//! Label images of an export: below every field image of a plate, for every type that has outlines.
//!
//! What shows a time point and focal plane of a site is put where the field image has them on its axes: time points of an
//! acquisition count from its first, and in a multiplexing experiment every cycle's image of the site has the same labels.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tm_engine::image::Rect;

use super::objects::TypeRows;
use super::plates::{self, PlateRows};
use super::{ExportError, Work, blocking, each};
use crate::resources::feature::selection::{ObjectFilter, Place};
use crate::resources::image::queries::FieldPlace;
use crate::resources::layer::MapError;
use crate::resources::mapobject::Reference;
use crate::resources::segmentation::{fill, queries};
use crate::storage::images::LabelImage;
use crate::store::StoreError;

/// How many planes there are to make.
pub(super) fn count(plates: &[PlateRows], types: &[TypeRows]) -> usize {
    let shown = |place: &FieldPlace| {
        types
            .iter()
            .filter(|kind| !kind.layers_of(place.site_id, place.tpoint, place.zplane).is_empty())
            .count()
    };
    plates.iter().flat_map(|plate| &plate.places).map(shown).sum()
}

/// Make the label images in the plates that are there already; the value is the number of planes, and what is missing.
///
/// # Errors
/// When something cannot be read or written.
pub(super) async fn write(
    work: &Work,
    plates: &[PlateRows],
    types: &[TypeRows],
) -> Result<(usize, Vec<String>), ExportError> {
    let types: Vec<&TypeRows> = types.iter().filter(|kind| kind.has_outlines()).collect();
    if types.is_empty() {
        return Ok((0, Vec::new()));
    }
    let directories = plates::directories(work, plates);
    let mut fields = Vec::new();
    for (plate, directory) in plates.iter().zip(directories) {
        for places in plate.places.chunk_by(|a, b| a.field == b.field) {
            fields.push((directory.join(&places[0].field), places.to_vec()));
        }
    }
    let fields = fields.into_iter().map(|(field, places)| write_field(work, field, places, &types));
    let written = each(work, fields).await?.into_iter().sum();
    Ok((written, without_image(work, plates, &types).await?))
}

/// Make the label images of a field image; the value is the number of planes.
async fn write_field(
    work: &Work,
    field: PathBuf,
    places: Vec<FieldPlace>,
    types: &[&TypeRows],
) -> Result<usize, ExportError> {
    work.go_on()?;
    let names = types.iter().map(|kind| (kind.name.clone(), kind.kind.name.clone())).collect();
    let images = blocking(move || create(&field, names)).await?;
    let mut written = 0;
    for (kind, image) in types.iter().zip(images) {
        for place in &places {
            let layers = kind.layers_of(place.site_id, place.tpoint, place.zplane);
            if !layers.is_empty() {
                write_plane(work, &image, place, &layers).await?;
                written += 1;
            }
        }
    }
    Ok(written)
}

/// Make label images without objects, by names of files and of types. Blocks.
fn create(field: &Path, names: Vec<(String, String)>) -> Result<Vec<Arc<LabelImage>>, ExportError> {
    let create = |(name, title): &(String, String)| LabelImage::create(field, name, title).map(Arc::new);
    let images = names.iter().map(create).collect::<Result<Vec<_>, _>>()?;
    LabelImage::list(field, &names.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())?;
    Ok(images)
}

async fn write_plane(
    work: &Work,
    image: &Arc<LabelImage>,
    place: &FieldPlace,
    layers: &[i64],
) -> Result<(), ExportError> {
    work.go_on()?;
    let mut tx = work.environment.db.read().await?;
    let stored = queries::outlines_in_layers(&mut tx, layers, place.site_id).await?;
    drop(tx);
    let corrupt = |_| StoreError::Corrupt(format!("planes of field image {}", place.field));
    let t = usize::try_from(place.t_index).map_err(corrupt)?;
    let z = usize::try_from(place.z_index).map_err(corrupt)?;
    let (image, space) = (Arc::clone(image), work.space.clone());
    let written = work.environment.compute.batch(move |_| {
        space.check()?;
        let labels = fill(&stored, Rect::new(0, 0, image.size()))?;
        Ok::<_, ExportError>(image.write_plane(t, z, &labels)?)
    });
    written.await.map_err(MapError::from)??;
    work.tally.add(1);
    Ok(())
}

/// What layers show where no image is, in a few words each.
async fn without_image(
    work: &Work,
    plates: &[PlateRows],
    types: &[&TypeRows],
) -> Result<Vec<String>, ExportError> {
    let mut imaged: BTreeMap<i64, BTreeSet<(i64, i64)>> = BTreeMap::new();
    for place in plates.iter().flat_map(|plate| &plate.places) {
        imaged.entry(place.site_id).or_default().insert((place.tpoint, place.zplane));
    }
    let mut tx = work.environment.db.read().await?;
    let sites = ObjectFilter::default().find(&mut tx, work.experiment, Reference::Site).await?;
    drop(tx);
    let mut missing = Vec::new();
    for kind in types {
        for shown in kind.outlined() {
            let planes = imaged.get(&shown.site_id);
            if planes
                .is_some_and(|planes| planes.iter().any(|(tpoint, zplane)| shown.shows(*tpoint, *zplane)))
            {
                continue;
            }
            // A site that is gone is noticed in the end.
            let Some(Place { plate, well, position, .. }) = Place::find(shown.site_id, &sites) else {
                continue;
            };
            let (y, x) = position.unwrap_or_default();
            let plane =
                |number: Option<i64>| number.map_or_else(|| "*".to_owned(), |number| number.to_string());
            let (t, z) = (plane(shown.tpoint), plane(shown.zplane));
            missing.push(format!(
                "plate \"{plate}\": label image of \"{}\" in well {well} y {y} x {x} time point {t} focal plane {z} \
                 belongs to no image",
                kind.kind.name
            ));
        }
    }
    Ok(missing)
}
