//! SQL of what the steps after metaconfig make: stored planes, statistics, layers.

use crate::store::{Result, Tx, execute, fetch_all, fetch_one, fetch_optional};

/// Forget the size of the map: there are no layers.
pub async fn clear_pyramid(tx: &mut Tx, experiment: i64) -> Result<()> {
    execute!(
        tx,
        "update experiments
         set pyramid_height = null, pyramid_width = null, pyramid_depth = null
         where id = $1",
        experiment
    )?;
    Ok(())
}

/// Say that no plane of an experiment is stored, before storing them anew.
pub async fn unstore_planes(tx: &mut Tx, experiment: i64) -> Result<()> {
    execute!(
        tx,
        "update channel_images
         set stored = false
         where channel_id in (select id from channels where experiment_id = $1)",
        experiment
    )?;
    Ok(())
}

/// The ids of all planes of an experiment, those of one field image together.
pub async fn plane_ids(tx: &mut Tx, experiment: i64) -> Result<Vec<i64>> {
    let rows = fetch_all!(
        tx,
        (i64,),
        "select channel_images.id
         from channel_images
         join channels on channels.id = channel_images.channel_id
         where channels.experiment_id = $1
         order by channel_images.acquisition_id, channel_images.site_id, channel_images.id",
        experiment
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// A plane with the place of its pixels.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredPlane {
    /// Row id.
    pub id: i64,
    /// Row id of the acquisition.
    pub acquisition_id: i64,
    /// Row id of the plate.
    pub plate_id: i64,
    /// Current generation of the plate's channel images.
    pub image_generation: i64,
    /// Path of the field image inside the plate's images.
    pub field: String,
    /// Position in the field image's array.
    pub t_index: i64,
    /// Position in the field image's array.
    pub c_index: i64,
    /// Position in the field image's array.
    pub z_index: i64,
    /// JSON list of what it is made of.
    pub sources: String,
    /// Name of the plate.
    pub plate_name: String,
    /// Name of the well.
    pub well_name: String,
    /// Row of the site in the well.
    pub y: i64,
    /// Column of the site in the well.
    pub x: i64,
    /// Name of the channel.
    pub channel_name: String,
    /// Time point.
    pub tpoint: i64,
    /// Focal plane.
    pub zplane: i64,
}

/// What a [`StoredPlane`] is read from.
macro_rules! select_planes {
    () => {
        "select channel_images.id, channel_images.acquisition_id, plates.id as plate_id,
             plates.image_generation, channel_images.field, t_index, c_index, z_index, sources,
             plates.name as plate_name, wells.name as well_name, sites.y, sites.x,
             channels.name as channel_name, channel_images.tpoint, channel_images.zplane
         from channel_images
         join acquisitions on acquisitions.id = channel_images.acquisition_id
         join plates on plates.id = acquisitions.plate_id
         join channels on channels.id = channel_images.channel_id
         join sites on sites.id = channel_images.site_id
         join wells on wells.id = sites.well_id"
    };
}

/// One plane.
pub async fn plane(tx: &mut Tx, id: i64) -> Result<StoredPlane> {
    fetch_one!(tx, StoredPlane, concat!(select_planes!(), " where channel_images.id = $1"), id)
}

/// Say that the pixels of a plane are stored.
pub async fn set_stored(tx: &mut Tx, plane: i64) -> Result<()> {
    execute!(tx, "update channel_images set stored = true where id = $1", plane)?;
    Ok(())
}

/// A channel and how many of its planes are stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ChannelPlanes {
    /// Row id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// 8 or 16.
    pub bit_depth: i64,
    /// Number of stored planes.
    pub planes: i64,
}

/// The channels of an experiment by id, with their number of stored planes.
pub async fn channels_of(tx: &mut Tx, experiment: i64) -> Result<Vec<ChannelPlanes>> {
    fetch_all!(
        tx,
        ChannelPlanes,
        "select channels.id, channels.name, channels.bit_depth, count(channel_images.id) as planes
         from channels
         left join channel_images on channel_images.channel_id = channels.id and channel_images.stored
         where channels.experiment_id = $1
         group by channels.id, channels.name, channels.bit_depth
         order by channels.id",
        experiment
    )
}

/// The stored planes of a channel by id.
pub async fn stored_planes_of(tx: &mut Tx, channel: i64) -> Result<Vec<StoredPlane>> {
    fetch_all!(
        tx,
        StoredPlane,
        concat!(
            select_planes!(),
            " where channel_images.channel_id = $1 and channel_images.stored
         order by channel_images.id"
        ),
        channel
    )
}

/// Add a set of statistics; the value is the id.
pub async fn insert_statistics(tx: &mut Tx, channel: i64, file: &str, images: i64, now: i64) -> Result<i64> {
    let (id,) = fetch_one!(
        tx,
        (i64,),
        "insert into illumination_statistics (channel_id, file, images, created_at)
         values ($1, $2, $3, $4)
         returning id",
        channel,
        file,
        images,
        now
    )?;
    Ok(id)
}

/// Add the sums of a part of a channel's images; the value is the file of those that it replaces.
pub async fn replace_statistics_part(
    tx: &mut Tx,
    channel: i64,
    part: i64,
    file: &str,
    images: i64,
    now: i64,
) -> Result<Option<String>> {
    let replaced = fetch_optional!(
        tx,
        (String,),
        "delete from illumination_statistics
         where channel_id = $1 and part = $2
         returning file",
        channel,
        part
    )?;
    execute!(
        tx,
        "insert into illumination_statistics (channel_id, part, file, images, created_at)
         values ($1, $2, $3, $4, $5)",
        channel,
        part,
        file,
        images,
        now
    )?;
    Ok(replaced.map(|(file,)| file))
}

/// The files of the parts of a channel's statistics, in order.
pub async fn statistics_parts(tx: &mut Tx, channel: i64) -> Result<Vec<String>> {
    let rows = fetch_all!(
        tx,
        (String,),
        "select file
         from illumination_statistics
         where channel_id = $1 and part is not null
         order by part",
        channel
    )?;
    Ok(rows.into_iter().map(|(file,)| file).collect())
}

/// Number of images of the current statistics of a channel.
pub async fn images_of_statistics(tx: &mut Tx, channel: i64) -> Result<Option<i64>> {
    let row = fetch_optional!(
        tx,
        (i64,),
        "select images
         from illumination_statistics
         where channel_id = $1 and part is null
         order by id desc
         limit 1",
        channel
    )?;
    Ok(row.map(|(images,)| images))
}

/// Delete the parts of the statistics of an experiment, or of one of its channels; the value is their files.
pub async fn delete_statistics_parts(
    tx: &mut Tx,
    experiment: i64,
    channel: Option<i64>,
) -> Result<Vec<String>> {
    let rows = fetch_all!(
        tx,
        (String,),
        "delete from illumination_statistics
         where part is not null
             and channel_id in (select id from channels where experiment_id = $1)
             and (cast($2 as bigint) is null or channel_id = $2)
         returning file",
        experiment,
        channel
    )?;
    Ok(rows.into_iter().map(|(file,)| file).collect())
}

/// Delete the statistics of an experiment that are neither current nor used by a layer; the value is
/// the names of their files.
pub async fn delete_unused_statistics(tx: &mut Tx, experiment: i64) -> Result<Vec<String>> {
    let rows = fetch_all!(
        tx,
        (String,),
        "delete from illumination_statistics
         where channel_id in (select id from channels where experiment_id = $1)
             and part is null
             and id not in (select max(id) from illumination_statistics where part is null group by channel_id)
             and id not in (select statistics_id from channel_layers where statistics_id is not null)
         returning file",
        experiment
    )?;
    Ok(rows.into_iter().map(|(file,)| file).collect())
}

/// Delete the statistics of an experiment, which no layer may use any more; the value is the names of their files.
pub async fn delete_statistics(tx: &mut Tx, experiment: i64) -> Result<Vec<String>> {
    let rows = fetch_all!(
        tx,
        (String,),
        "delete from illumination_statistics
         where channel_id in (select id from channels where experiment_id = $1)
         returning file",
        experiment
    )?;
    Ok(rows.into_iter().map(|(file,)| file).collect())
}

/// A time point and focal plane of a channel: what becomes a layer.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct LayerKey {
    /// Row id of the channel.
    pub channel_id: i64,
    /// Time point.
    pub tpoint: i64,
    /// Focal plane.
    pub zplane: i64,
}

/// What becomes a layer: the distinct (channel, time point, focal plane) of all stored planes.
pub async fn layer_keys(tx: &mut Tx, experiment: i64) -> Result<Vec<LayerKey>> {
    fetch_all!(
        tx,
        LayerKey,
        "select distinct channel_images.channel_id, channel_images.tpoint, channel_images.zplane
         from channel_images
         join channels on channels.id = channel_images.channel_id
         where channels.experiment_id = $1 and channel_images.stored
         order by channel_images.channel_id, channel_images.tpoint, channel_images.zplane",
        experiment
    )
}

/// Delete the layers of an experiment; the value is their ids.
pub async fn delete_layers(tx: &mut Tx, experiment: i64) -> Result<Vec<i64>> {
    let rows = fetch_all!(
        tx,
        (i64,),
        "delete from channel_layers
         where channel_id in (select id from channels where experiment_id = $1)
         returning id",
        experiment
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Add a layer; the value is the id.
pub async fn insert_layer(
    tx: &mut Tx,
    key: &LayerKey,
    min_intensity: i64,
    max_intensity: i64,
    statistics: Option<i64>,
    alignment: Option<i64>,
) -> Result<i64> {
    let (id,) = fetch_one!(
        tx,
        (i64,),
        "insert into channel_layers (channel_id, tpoint, zplane, min_intensity, max_intensity, statistics_id,
             alignment_id)
         values ($1, $2, $3, $4, $5, $6, $7)
         returning id",
        key.channel_id,
        key.tpoint,
        key.zplane,
        min_intensity,
        max_intensity,
        statistics,
        alignment
    )?;
    Ok(id)
}

/// The ids of all layers of an experiment.
pub async fn layer_ids(tx: &mut Tx, experiment: i64) -> Result<Vec<i64>> {
    let rows = fetch_all!(
        tx,
        (i64,),
        "select id from channel_layers
         where channel_id in (select id from channels where experiment_id = $1)
         order by id",
        experiment
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

impl StoredPlane {
    /// What it shows, in words.
    pub fn place(&self) -> String {
        let Self { plate_name, well_name, y, x, channel_name, tpoint, zplane, .. } = self;
        format!(
            "plate \"{plate_name}\", well {well_name}, site y {y} x {x}, channel \"{channel_name}\", time point \
             {tpoint}, focal plane {zplane}"
        )
    }

    /// Where the plane is in its field image; `None` for a row that makes no sense.
    pub fn index(&self) -> Option<crate::storage::images::PlaneIndex> {
        Some(crate::storage::images::PlaneIndex {
            t: self.t_index.try_into().ok()?,
            c: self.c_index.try_into().ok()?,
            z: self.z_index.try_into().ok()?,
        })
    }
}
