//! Open data: plates and layers as OME-Zarr 0.5 over HTTP, read-only.
//!
//! [`key`] says what there is. Planes and stored levels are files, sent as they are; what rows do not name is not
//! there, whatever lies on the disk: older generations of a plate's images, planes that are not stored yet, layers
//! whose pyramid is not complete. Full resolution of a layer is rendered chunk by chunk ([`layer`]), label images are filled
//! plane by plane from the outlines of objects ([`labels`]).

pub mod handlers;
pub mod key;
pub mod labels;
pub mod layer;
pub mod names;
pub mod queries;

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use key::{Key, PlateKey, layer_name, segment};
use labels::Labelled;

use super::layer::pyramid::is_complete;
use super::plate::{Plate, queries as plates, unknown};
use super::tile::{EncodedTile, Tiles};
use crate::environment::Environment;
use crate::error::{ApiError, ApiResult};
use crate::http::{Content, Source};
use crate::storage::StorageError;
use crate::storage::images::{DOCUMENT, plate_document};

/// A plate or layer that is served.
#[derive(Debug, Clone)]
pub struct Served<T> {
    /// The plate or layer.
    pub what: T,
    /// Its path below `…/zarr/`.
    pub path: String,
}

/// All plates that have images and all complete layers of an experiment, by id.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Plates by id.
    pub plates: Vec<Served<Plate>>,
    /// Layers by id.
    pub layers: Vec<Served<queries::NamedLayer>>,
}

/// What of an experiment is served.
///
/// # Errors
/// When the database fails.
pub async fn list(environment: &Environment, experiment: i64) -> ApiResult<Listing> {
    let mut tx = environment.db.read().await?;
    let mut plates = plates::list(&mut tx, experiment, None).await?;
    let mut layers = queries::layers(&mut tx, experiment).await?;
    drop(tx);
    plates.retain(|plate| plate.image_generation > 0);
    let data = environment.data.clone();
    let layers = blocking(move || {
        layers.retain(|layer| is_complete(&data.layer(experiment, layer.id)));
        Ok(layers)
    });
    let plate = |plate: Plate| {
        let path = format!("plates/{}", segment(&plate.name, plate.id));
        Served { what: plate, path }
    };
    let layer = |layer: queries::NamedLayer| {
        let name = layer_name(&layer.channel_name, layer.tpoint, layer.zplane);
        let path = format!("layers/{}", segment(&name, layer.id));
        Served { what: layer, path }
    };
    Ok(Listing {
        plates: plates.into_iter().map(plate).collect(),
        layers: layers.await?.into_iter().map(layer).collect(),
    })
}

/// What is at a key of an experiment.
///
/// # Errors
/// 404 where there is nothing: to a reader, absent chunks are pixels of 0.
pub async fn open(
    environment: &Environment,
    tiles: &Tiles,
    experiment: i64,
    key: &Key,
) -> ApiResult<Content> {
    match key {
        Key::Plate(id, key) => open_plate(environment, tiles, experiment, *id, key).await,
        Key::Layer(id, key) => layer::open(environment, tiles, experiment, *id, *key).await,
    }
}

async fn open_plate(
    environment: &Environment,
    tiles: &Tiles,
    experiment: i64,
    id: i64,
    key: &PlateKey,
) -> ApiResult<Content> {
    let plate = plates::find(&mut environment.db.read().await?, experiment, id).await?;
    let plate = plate.filter(|plate| plate.image_generation > 0).ok_or_else(|| unknown(id))?;
    let images = environment.data.plate_images(experiment, id, plate.image_generation);
    if let Some(field) = key.field() {
        let planes =
            environment.maps.planes_of_field(environment, &plate, &field.well.name(), &field.path()).await?;
        let is_there = match key {
            PlateKey::Plane(_, at) => planes.get(at).copied().unwrap_or(false),
            _ => !planes.is_empty(),
        };
        if !is_there {
            return Err(not_there(&key.path()));
        }
    }
    let labelled = |field| Labelled { experiment, plate: &plate, field };
    let made = match key {
        PlateKey::Plate => return plate_named(images, plate).await,
        PlateKey::Labels(field) => labels::list(environment, labelled(field)).await?,
        PlateKey::Label(field, name, inside) => {
            labels::open(environment, tiles, labelled(field), name, *inside).await?
        }
        _ => return stored(&images, &key.path()).await,
    };
    made.ok_or_else(|| not_there(&key.path()))
}

/// The document of a plate under its present name.
async fn plate_named(images: PathBuf, plate: Plate) -> ApiResult<Content> {
    let document = blocking(move || match plate_document(&images, &plate.name) {
        Err(StorageError::NotFound { .. }) => Err(unknown(plate.id)),
        document => Ok(document?),
    });
    Ok(of_text(document.await?))
}

/// A file below a directory.
async fn stored(directory: &Path, path: &str) -> ApiResult<Content> {
    let (file, path) = (directory.join(path), path.to_owned());
    blocking(move || open_file(file, &path)).await
}

fn open_file(file: PathBuf, path: &str) -> ApiResult<Content> {
    let media_type = if path.ends_with(DOCUMENT) { "application/json" } else { "application/octet-stream" };
    let opened = File::open(file).and_then(|file| Content::of_file(media_type, file));
    opened.map_err(|error| match error.kind() {
        ErrorKind::NotFound => not_there(path),
        _ => StorageError::from(error).into(),
    })
}

fn of_text(document: String) -> Content {
    Content::of_bytes("application/json", document)
}

/// A part of an array that was made; `None` where it has no bytes.
fn of_tile(made: EncodedTile) -> Option<Content> {
    (!made.bytes.is_empty()).then_some(Content {
        media_type: "application/octet-stream",
        etag: made.etag,
        modified: None,
        source: Source::Memory(made.bytes),
    })
}

fn not_there(path: &str) -> ApiError {
    ApiError::not_found(format!("\"{path}\""))
}

/// Work that waits for the disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> ApiResult<T> + Send + 'static) -> ApiResult<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(ApiError::internal(panic)))
}
