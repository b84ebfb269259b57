//! Label images as they are served: none is stored. Rows say which types of objects have outlines in the planes of a field
//! image; a plane of labels is filled from them when it is asked for, by the code that fills label images elsewhere.
//!
//! Documents and planes are those of an export. A plane is one shard here too: its outlines are read once for all of its
//! chunks, and what was made is kept beside the tiles, where ranges of it are cut.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use tm_engine::image::Rect;

use super::key::{Field, LabelKey};
use super::{blocking, names, of_text, of_tile};
use crate::environment::Environment;
use crate::error::{ApiError, ApiResult};
use crate::http::{Content, etag_of};
use crate::resources::image::queries as images;
use crate::resources::layer::MapError;
use crate::resources::mapobject::queries as mapobjects;
use crate::resources::plate::Plate;
use crate::resources::segmentation::fill;
use crate::resources::segmentation::queries::{self as segmentations, ShownLayer};
use crate::resources::tile::{EncodedTile, LabelsKey, Tiles};
use crate::storage::StorageError;
use crate::storage::images::{LabelLook, PlaneIndex, labels_document};
use crate::store::{StoreError, Tx};

/// A field image, and where it belongs.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    /// Row id of the experiment.
    pub experiment: i64,
    /// Its plate.
    pub plate: &'a Plate,
    /// The field image.
    pub field: &'a Field,
}

impl Labelled<'_> {
    fn directory(&self, environment: &Environment) -> PathBuf {
        let Plate { id, image_generation, .. } = *self.plate;
        environment.data.plate_images(self.experiment, id, image_generation).join(self.field.path())
    }

    /// The types, or the one type, that have outlines in its planes.
    async fn types(&self, tx: &mut Tx, objects: Option<i64>) -> Result<BTreeSet<i64>, StoreError> {
        let well = self.field.well.name();
        let places = images::places_of_field(tx, self.plate.id, &well, &self.field.path(), None).await?;
        let Some(first) = places.first() else { return Ok(BTreeSet::new()) };
        let layers = segmentations::layers_at_site(tx, self.experiment, objects, first.site_id).await?;
        let is_seen =
            |layer: &&ShownLayer| places.iter().any(|place| layer.shows(place.tpoint, place.zplane));
        Ok(layers.iter().filter(is_seen).map(|layer| layer.mapobject_type_id).collect())
    }
}

/// The document that lists the label images of a field image; `None` without any.
///
/// # Errors
/// When the database fails.
pub async fn list(environment: &Environment, of: Labelled<'_>) -> ApiResult<Option<Content>> {
    let mut tx = environment.db.read().await?;
    let shown = of.types(&mut tx, None).await?;
    let types = names::of_types(mapobjects::list_types(&mut tx, of.experiment, None).await?);
    drop(tx);
    let listed = types.iter().filter(|(_, kind)| shown.contains(&kind.id));
    let listed: Vec<&str> = listed.map(|(name, _)| name.as_str()).collect();
    Ok((!listed.is_empty()).then(|| of_text(labels_document(&listed))))
}

/// What is at a key of the label image of this name; `None` where there is none, or no object in a plane.
///
/// # Errors
/// When database or disk fail.
pub async fn open(
    environment: &Environment,
    tiles: &Tiles,
    of: Labelled<'_>,
    name: &str,
    key: LabelKey,
) -> ApiResult<Option<Content>> {
    let mut tx = environment.db.read().await?;
    let types = names::of_types(mapobjects::list_types(&mut tx, of.experiment, None).await?);
    let Some((_, kind)) = types.into_iter().find(|(given, _)| given == name) else { return Ok(None) };
    if let LabelKey::Plane(at) = key {
        drop(tx);
        return plane(environment, tiles, of, kind.id, at).await;
    }
    if of.types(&mut tx, Some(kind.id)).await?.is_empty() {
        return Ok(None);
    }
    drop(tx);
    let field = of.directory(environment);
    let document = blocking(move || match LabelLook::of(&field) {
        // The plate was deleted or made anew since.
        Err(StorageError::NotFound { .. }) => Ok(None),
        look if key == LabelKey::Array => Ok(Some(look?.array_document())),
        look => Ok(Some(look?.image_document(&kind.name))),
    });
    Ok(document.await?.map(of_text))
}

/// A plane: from memory, or filled once for all who wait for it.
async fn plane(
    environment: &Environment,
    tiles: &Tiles,
    of: Labelled<'_>,
    objects: i64,
    at: PlaneIndex,
) -> ApiResult<Option<Content>> {
    let (plate, field) = (of.plate, of.field.path());
    let place = |index: usize| i64::try_from(index).map_err(ApiError::internal);
    let at_place = Some((place(at.t)?, place(at.z)?));
    let mut tx = environment.db.read().await?;
    let places = images::places_of_field(&mut tx, plate.id, &of.field.well.name(), &field, at_place).await?;
    let Some(place) = places.first() else { return Ok(None) };
    let mut layers =
        segmentations::layers_at_site(&mut tx, of.experiment, Some(objects), place.site_id).await?;
    drop(tx);
    layers.retain(|layer| layer.shows(place.tpoint, place.zplane));
    if layers.is_empty() {
        return Ok(None);
    }
    let key = LabelsKey {
        plate: plate.id,
        image_generation: plate.image_generation,
        field,
        site: place.site_id,
        layers: layers.iter().map(|layer| (layer.id, layer.version)).collect(),
    };
    let made = fill_plane(environment, of.directory(environment), key.clone(), at);
    Ok(of_tile(tiles.get_or_render(key, made).await?))
}

/// The encoded plane of the field image in this directory; no bytes without objects.
async fn fill_plane(
    environment: &Environment,
    field: PathBuf,
    key: LabelsKey,
    at: PlaneIndex,
) -> Result<EncodedTile, MapError> {
    let layers: Vec<i64> = key.layers.iter().map(|(layer, _)| *layer).collect();
    let mut tx = environment.db.read().await?;
    let stored = segmentations::outlines_in_layers(&mut tx, &layers, key.site).await?;
    drop(tx);
    // Another version may write the same labels in another way.
    let etag: Arc<str> = etag_of(&(env!("CARGO_PKG_VERSION"), &key));
    let filled = environment.compute.interactive(move |_| {
        let look = match LabelLook::of(&field) {
            // The plate was deleted or made anew since.
            Err(StorageError::NotFound { .. }) => {
                return Ok(EncodedTile::new(Vec::new().into(), false));
            }
            look => look?,
        };
        let labels = fill(&stored, Rect::new(0, 0, look.size()))?;
        let bytes = look.encode_plane(at.t, at.z, &labels)?.unwrap_or_default();
        Ok(EncodedTile { bytes: bytes.into(), etag, settled: true })
    });
    filled.await?
}
