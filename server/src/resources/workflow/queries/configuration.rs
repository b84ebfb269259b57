//! SQL of what metaconfig makes: cycles, channels, wells, sites, planes.

use crate::store::{Result, Tx, execute, fetch_all, fetch_one};

/// Forget which planes an experiment has. Layers, whose pixels they are, must be gone; so are shifts from then on.
pub async fn delete_planes(tx: &mut Tx, experiment: i64) -> Result<()> {
    execute!(tx, "delete from alignments where experiment_id = $1", experiment)?;
    execute!(
        tx,
        "delete from channel_images
         where channel_id in (select id from channels where experiment_id = $1)",
        experiment
    )?;
    Ok(())
}

/// Id and index of the cycles of an experiment.
pub async fn known_cycles(tx: &mut Tx, experiment: i64) -> Result<Vec<(i64, i64)>> {
    fetch_all!(tx, (i64, i64), "select id, cycle_index from cycles where experiment_id = $1", experiment)
}

/// A channel that was planned before.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct KnownChannel {
    /// Row id.
    pub id: i64,
    /// What it is called, by a user perhaps.
    pub name: String,
    /// What the plan calls it.
    pub planned_name: String,
}

/// The channels of an experiment by id.
pub async fn known_channels(tx: &mut Tx, experiment: i64) -> Result<Vec<KnownChannel>> {
    fetch_all!(
        tx,
        KnownChannel,
        "select id, name, planned_name
         from channels
         where experiment_id = $1
         order by id",
        experiment
    )
}

/// Id, plate and name of the wells of an experiment.
pub async fn known_wells(tx: &mut Tx, experiment: i64) -> Result<Vec<(i64, i64, String)>> {
    fetch_all!(
        tx,
        (i64, i64, String),
        "select wells.id, wells.plate_id, wells.name
         from wells
         join plates on plates.id = wells.plate_id
         where plates.experiment_id = $1",
        experiment
    )
}

/// A site that was planned before.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub struct KnownSite {
    /// Row id.
    pub id: i64,
    /// Row id of the well.
    pub well_id: i64,
    /// Row in the well.
    pub y: i64,
    /// Column in the well.
    pub x: i64,
    /// Height in pixels.
    pub height: i64,
    /// Width in pixels.
    pub width: i64,
}

/// The sites of an experiment.
pub async fn known_sites(tx: &mut Tx, experiment: i64) -> Result<Vec<KnownSite>> {
    fetch_all!(
        tx,
        KnownSite,
        "select sites.id, sites.well_id, sites.y, sites.x, sites.height, sites.width
         from sites
         join wells on wells.id = sites.well_id
         join plates on plates.id = wells.plate_id
         where plates.experiment_id = $1",
        experiment
    )
}

/// Delete a cycle.
pub async fn delete_cycle(tx: &mut Tx, id: i64) -> Result<()> {
    execute!(tx, "delete from cycles where id = $1", id)?;
    Ok(())
}

/// Delete a channel.
pub async fn delete_channel(tx: &mut Tx, id: i64) -> Result<()> {
    execute!(tx, "delete from channels where id = $1", id)?;
    Ok(())
}

/// Delete a well with its sites and what lies on them.
pub async fn delete_well(tx: &mut Tx, id: i64) -> Result<()> {
    execute!(tx, "delete from wells where id = $1", id)?;
    Ok(())
}

/// Delete a site with what lies on it.
pub async fn delete_site(tx: &mut Tx, id: i64) -> Result<()> {
    execute!(tx, "delete from sites where id = $1", id)?;
    Ok(())
}

/// Give a site another size.
pub async fn resize_site(tx: &mut Tx, id: i64, height: i64, width: i64) -> Result<()> {
    execute!(tx, "update sites set height = $1, width = $2 where id = $3", height, width, id)?;
    Ok(())
}

/// Add a channel; the value is the id.
pub async fn insert_channel(
    tx: &mut Tx,
    experiment: i64,
    name: &str,
    wavelength: &str,
    bit_depth: i64,
) -> Result<i64> {
    let (id,) = fetch_one!(
        tx,
        (i64,),
        "insert into channels (experiment_id, name, planned_name, wavelength, bit_depth)
         values ($1, $2, $2, $3, $4)
         returning id",
        experiment,
        name,
        wavelength,
        bit_depth
    )?;
    Ok(id)
}

/// Say again what a channel is made of.
pub async fn update_channel(tx: &mut Tx, id: i64, wavelength: &str, bit_depth: i64) -> Result<()> {
    execute!(
        tx,
        "update channels set wavelength = $1, bit_depth = $2 where id = $3",
        wavelength,
        bit_depth,
        id
    )?;
    Ok(())
}

/// Add a cycle; the value is the id.
pub async fn insert_cycle(tx: &mut Tx, experiment: i64, index: i64) -> Result<i64> {
    let (id,) = fetch_one!(
        tx,
        (i64,),
        "insert into cycles (experiment_id, cycle_index) values ($1, $2) returning id",
        experiment,
        index
    )?;
    Ok(id)
}

/// Add a well; the value is the id.
pub async fn insert_well(tx: &mut Tx, plate: i64, name: &str) -> Result<i64> {
    let (id,) = fetch_one!(
        tx,
        (i64,),
        "insert into wells (plate_id, name, description) values ($1, $2, '{}') returning id",
        plate,
        name
    )?;
    Ok(id)
}

/// Add a site; the value is the id.
pub async fn insert_site(tx: &mut Tx, well: i64, y: i64, x: i64, height: i64, width: i64) -> Result<i64> {
    let (id,) = fetch_one!(
        tx,
        (i64,),
        "insert into sites (well_id, y, x, height, width) values ($1, $2, $3, $4, $5) returning id",
        well,
        y,
        x,
        height,
        width
    )?;
    Ok(id)
}

/// A plane to add.
#[derive(Debug, Clone)]
pub struct NewPlane<'a> {
    /// Row id of the channel.
    pub channel: i64,
    /// Row id of the site.
    pub site: i64,
    /// Row id of the cycle.
    pub cycle: i64,
    /// Row id of the acquisition.
    pub acquisition: i64,
    /// Time point, over all acquisitions.
    pub tpoint: i64,
    /// Focal plane.
    pub zplane: i64,
    /// Path of the field image inside the plate's images.
    pub field: &'a str,
    /// Position in the field image's array.
    pub t_index: i64,
    /// Position in the field image's array.
    pub c_index: i64,
    /// Position in the field image's array.
    pub z_index: i64,
    /// JSON list of what it is made of.
    pub sources: &'a str,
}

/// Add a plane whose pixels are still to be stored.
pub async fn insert_plane(tx: &mut Tx, plane: &NewPlane<'_>) -> Result<()> {
    execute!(
        tx,
        "insert into channel_images (channel_id, site_id, cycle_id, acquisition_id, tpoint, zplane, field,
             t_index, c_index, z_index, sources, stored)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, false)",
        plane.channel,
        plane.site,
        plane.cycle,
        plane.acquisition,
        plane.tpoint,
        plane.zplane,
        plane.field,
        plane.t_index,
        plane.c_index,
        plane.z_index,
        plane.sources
    )?;
    Ok(())
}

/// Make a generation of a plate's channel images the current one.
pub async fn set_image_generation(tx: &mut Tx, plate: i64, generation: i64, now: i64) -> Result<()> {
    execute!(
        tx,
        "update plates set image_generation = $1, updated_at = $2 where id = $3",
        generation,
        now,
        plate
    )?;
    Ok(())
}
