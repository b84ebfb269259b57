//! Objects on the map, such as cells: kinds of them, the layers that show their outlines, and the zoom
//! levels at which they do.
//!
//! Three types stand for the plates, wells and sites themselves ([`StaticType`]): the pyramid step makes them, and
//! the map's layout says what they look like. All others lie in images and were found there or uploaded
//! ([`super::segmentation`]).

pub mod handlers;
pub mod queries;
pub mod zoom;

use super::experiment::{check_short_name, keep_workflows_out, refuse_while_running};
use super::feature;
use super::image::pruning::Pruned;
use crate::environment::Environment;
use crate::error::{ApiError, ApiResult};
use crate::http::to_its_end;
use crate::store::{Result, Tx};

/// Longest name of a type of objects, in characters.
const NAME_CHARS: usize = 50;

/// What the objects of a type are, or lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reference {
    /// Plates.
    Plate,
    /// Wells.
    Well,
    /// Sites, or what lies in the images of one.
    Site,
}

impl Reference {
    /// Name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plate => "Plate",
            Self::Well => "Well",
            Self::Site => "Site",
        }
    }
}

/// A type whose objects are the parts of the map themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StaticType {
    /// Every plate with sites.
    Plates,
    /// Every well with sites.
    Wells,
    /// Every site.
    Sites,
}

impl StaticType {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Plates, Self::Wells, Self::Sites];

    /// Name of the type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plates => "Plates",
            Self::Wells => "Wells",
            Self::Sites => "Sites",
        }
    }

    /// What its objects are.
    pub const fn reference(self) -> Reference {
        match self {
            Self::Plates => Reference::Plate,
            Self::Wells => Reference::Well,
            Self::Sites => Reference::Site,
        }
    }

    /// The static type of this name; no other type can have it.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// A type of objects as stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct MapobjectType {
    /// Row id.
    pub id: i64,
    /// Name, unique in the experiment.
    pub name: String,
    /// Name of a [`Reference`].
    pub ref_type: String,
}

impl MapobjectType {
    /// What its objects are, or lie in.
    pub fn reference(&self) -> Reference {
        // The database holds no other names.
        match self.ref_type.as_str() {
            "Plate" => Reference::Plate,
            "Well" => Reference::Well,
            _ => Reference::Site,
        }
    }

    /// Whether its objects are parts of the map themselves.
    pub fn is_static(&self) -> bool {
        StaticType::find(&self.name).is_some()
    }
}

/// A segmentation layer as listed: the objects of one type at one time point and focal plane. The sizes are
/// null until the pyramid step has run.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SegmentationLayer {
    /// Row id.
    pub id: i64,
    /// The type of its objects.
    pub mapobject_type_id: i64,
    /// Time point; null when the objects are the same at all of them.
    pub tpoint: Option<i64>,
    /// Focal plane; null when the objects are the same in all of them.
    pub zplane: Option<i64>,
    /// Height of the map in pixels.
    pub pyramid_height: Option<i64>,
    /// Width of the map in pixels.
    pub pyramid_width: Option<i64>,
}

/// Which segmentation layers of an experiment to list; what is not given does not matter.
#[derive(Debug, Clone, Copy, Default)]
pub struct SegmentationLayerFilter<'a> {
    /// Only those of this type of objects.
    pub mapobject_type_name: Option<&'a str>,
    /// Only this time point's.
    pub tpoint: Option<i64>,
    /// Only this focal plane's.
    pub zplane: Option<i64>,
}

/// What an object is, and where. What its type has no use for is `None`: a plate has no well.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct MapobjectInfo {
    /// Name of its type.
    pub type_name: String,
    /// Name of the experiment.
    pub experiment_name: String,
    /// Name of the plate.
    pub plate_name: String,
    /// Name of the well.
    pub well_name: Option<String>,
    /// Row of the site in the well.
    pub well_pos_y: Option<i64>,
    /// Column of the site in the well.
    pub well_pos_x: Option<i64>,
    /// The first time point it is segmented at.
    pub tpoint: Option<i64>,
    /// The first focal plane it is segmented in at that time point.
    pub zplane: Option<i64>,
    /// Its number in label images.
    pub label: Option<i64>,
}

/// An object that another one lies in.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct MapobjectParent {
    /// Row id.
    pub id: i64,
    /// Name of its type.
    pub type_name: String,
    /// Its number in label images.
    pub label: Option<i64>,
}

/// Check the name of a type of objects.
///
/// # Errors
/// 400 when it is empty, longer than 50 characters or holds control characters.
pub fn check_type_name(name: &str) -> ApiResult<&str> {
    check_short_name("name", name, NAME_CHARS)
}

/// One type of objects of an experiment.
///
/// # Errors
/// 404 when the experiment has none of this id.
pub async fn get(tx: &mut Tx, experiment: i64, id: i64) -> ApiResult<MapobjectType> {
    queries::find_type(tx, experiment, id).await?.ok_or_else(|| unknown(id))
}

/// 404 for a type of objects.
pub fn unknown(id: i64) -> ApiError {
    ApiError::not_found(format!("mapobject type {id}"))
}

/// The type of this name for objects that lie in images, made if there is none.
///
/// # Errors
/// 409 when the name stands for plates, wells or sites.
pub async fn get_or_create(tx: &mut Tx, experiment: i64, name: &str) -> ApiResult<MapobjectType> {
    let mut found = queries::find_type_by_name(tx, experiment, name).await?;
    if found.is_none() {
        queries::insert_type(tx, experiment, name, Reference::Site).await?;
        found = queries::find_type_by_name(tx, experiment, name).await?;
    }
    let found = found.ok_or_else(|| ApiError::internal("a type of objects is gone again"))?;
    if found.is_static() { Err(reserved(name)) } else { Ok(found) }
}

/// Give a type another name.
///
/// # Errors
/// 404 for an unknown type, 400 for plates, wells and sites, 409 when the name is taken or theirs.
pub async fn rename(tx: &mut Tx, experiment: i64, id: i64, name: &str) -> ApiResult<()> {
    let kind = get(tx, experiment, id).await?;
    if kind.is_static() && kind.name != name {
        return Err(ApiError::malformed(format!("objects of type \"{}\" keep this name", kind.name)));
    }
    if !kind.is_static() && StaticType::find(name).is_some() {
        return Err(reserved(name));
    }
    queries::rename_type(tx, id, name).await.map_err(|error| {
        ApiError::on_conflict(error, format!("the experiment has a mapobject type named \"{name}\" already"))
    })
}

/// Delete a type with its objects, their segmentations, features and layers: rows in one transaction, then files.
///
/// # Errors
/// 404 when the experiment has none of this id, 409 while a workflow runs.
pub async fn delete(environment: &Environment, experiment: i64, id: i64) -> ApiResult<()> {
    let environment = environment.clone();
    to_its_end(async move {
        // Looked at again where it counts; here so that a refusal need not wait for a chance to write.
        refuse_while_running(&mut environment.db.read().await?, experiment).await?;
        let mut tx = environment.db.write().await?;
        keep_workflows_out(&mut tx, experiment, environment.now()).await?;
        let mut pruned = Pruned::default();
        for file in feature::files_of_type(&mut tx, &environment, experiment, id).await? {
            pruned.files(file);
        }
        if !queries::delete_type(&mut tx, experiment, id).await? {
            return Err(unknown(id));
        }
        pruned.commit(tx, &environment, experiment).await?.remove(&environment).await;
        Ok(())
    })
    .await
}

fn reserved(name: &str) -> ApiError {
    ApiError::conflict(format!("the name \"{name}\" is kept for the {} of the map", name.to_lowercase()))
}

/// Make the types for plates, wells and sites, their layers and objects, or bring them up to date: what is still
/// there keeps its id. No other object is touched.
///
/// # Errors
/// When the database fails.
pub async fn refresh_static(tx: &mut Tx, experiment: i64) -> Result<()> {
    for kind in StaticType::ALL {
        queries::insert_type(tx, experiment, kind.name(), kind.reference()).await?;
        let Some(found) = queries::find_type_by_name(tx, experiment, kind.name()).await? else { continue };
        queries::get_or_insert_layer(tx, found.id, None, None).await?;
        queries::insert_static(tx, experiment, found.id, *kind).await?;
        queries::delete_empty(tx, found.id, *kind).await?;
    }
    queries::bump_layers_of(tx, experiment).await
}
