//! SQL of channel images and illumination statistics.

use std::collections::{BTreeMap, BTreeSet};

use super::{PlaneNames, StoredPlane};
use crate::resources::layer::StatisticsFile;
use crate::resources::layer::maps::FieldPlanes;
use crate::storage::images::PlaneIndex;
use crate::store::{Result, StoreError, Tx, execute, fetch_all, fetch_optional};

/// A plane as selected by [`plane_columns`].
#[derive(sqlx::FromRow)]
pub struct PlaneRow {
    site_id: i64,
    cycle_id: i64,
    plate_id: i64,
    image_generation: i64,
    field: String,
    t_index: i64,
    c_index: i64,
    z_index: i64,
    stored: bool,
}

/// The columns of a [`PlaneRow`], from `channel_images` and `plates`.
macro_rules! plane_columns {
    () => {
        "channel_images.site_id, channel_images.cycle_id, plates.id as plate_id, plates.image_generation, field,
             t_index, c_index, z_index, stored"
    };
}
pub(crate) use plane_columns;

impl TryFrom<PlaneRow> for StoredPlane {
    type Error = StoreError;

    fn try_from(row: PlaneRow) -> Result<Self> {
        let index = |value: i64| {
            usize::try_from(value).map_err(|_| StoreError::Corrupt(format!("plane of site {}", row.site_id)))
        };
        Ok(Self {
            index: PlaneIndex { t: index(row.t_index)?, c: index(row.c_index)?, z: index(row.z_index)? },
            site_id: row.site_id,
            cycle_id: row.cycle_id,
            plate_id: row.plate_id,
            image_generation: row.image_generation,
            field: row.field,
            stored: row.stored,
        })
    }
}

/// The planes of one channel, time point and focal plane in a well, by site: one each, of the earliest
/// cycle that has it.
pub async fn planes_of_well(
    tx: &mut Tx,
    channel: i64,
    tpoint: i64,
    zplane: i64,
    well: i64,
) -> Result<Vec<StoredPlane>> {
    // `cross join` keeps SQLite from walking through all sites of the channel instead of those of the
    // well; to PostgreSQL it is any other join.
    let rows = fetch_all!(
        tx,
        PlaneRow,
        concat!(
            "select ",
            plane_columns!(),
            " from wells
         join plates on plates.id = wells.plate_id
         cross join sites
         cross join channel_images
         where wells.id = $4
             and sites.well_id = wells.id
             and channel_images.site_id = sites.id
             and channel_images.channel_id = $1
             and channel_images.tpoint = $2
             and channel_images.zplane = $3
         order by channel_images.site_id, channel_images.cycle_id"
        ),
        channel,
        tpoint,
        zplane,
        well
    )?;
    let mut planes = rows.into_iter().map(StoredPlane::try_from).collect::<Result<Vec<_>>>()?;
    planes.dedup_by_key(|plane| plane.site_id);
    Ok(planes)
}

/// The stored planes of one channel at a site, by time point and focal plane: one each, of the earliest cycle that has
/// it.
pub async fn planes_of_site(tx: &mut Tx, channel: i64, site: i64) -> Result<Vec<((i64, i64), StoredPlane)>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        tpoint: i64,
        zplane: i64,
        #[sqlx(flatten)]
        plane: PlaneRow,
    }
    let rows = fetch_all!(
        tx,
        Row,
        concat!(
            "select tpoint, zplane, ",
            plane_columns!(),
            " from channel_images
         join acquisitions on acquisitions.id = channel_images.acquisition_id
         join plates on plates.id = acquisitions.plate_id
         where channel_images.site_id = $2 and channel_images.channel_id = $1 and channel_images.stored
         order by tpoint, zplane, channel_images.cycle_id"
        ),
        channel,
        site
    )?;
    let plane = |row: Row| Ok(((row.tpoint, row.zplane), StoredPlane::try_from(row.plane)?));
    let mut planes = rows.into_iter().map(plane).collect::<Result<Vec<_>>>()?;
    planes.dedup_by_key(|(at, _)| *at);
    Ok(planes)
}

/// The planes of a field image of a well, each with whether its pixels are stored.
pub async fn planes_of_field(tx: &mut Tx, plate: i64, well: &str, field: &str) -> Result<FieldPlanes> {
    // See `planes_of_well` for the kind of join.
    let rows = fetch_all!(
        tx,
        (i64, i64, i64, bool),
        "select t_index, c_index, z_index, stored
         from wells
         cross join sites
         cross join channel_images
         where wells.plate_id = $1
             and wells.name = $2
             and sites.well_id = wells.id
             and channel_images.site_id = sites.id
             and channel_images.field = $3",
        plate,
        well,
        field
    )?;
    rows.into_iter().map(|(t, c, z, stored)| Ok((plane_index(plate, [t, c, z])?, stored))).collect()
}

/// The planes of every field image of a plate.
pub async fn planes_of_plate(tx: &mut Tx, plate: i64) -> Result<BTreeMap<String, FieldPlanes>> {
    let rows = fetch_all!(
        tx,
        (String, i64, i64, i64, bool),
        "select field, t_index, c_index, z_index, stored
         from acquisitions
         join channel_images on channel_images.acquisition_id = acquisitions.id
         where acquisitions.plate_id = $1",
        plate
    )?;
    let mut fields: BTreeMap<String, FieldPlanes> = BTreeMap::new();
    for (field, t, c, z, stored) in rows {
        let at = plane_index(plate, [t, c, z])?;
        fields.entry(field).or_default().insert(at, stored);
    }
    Ok(fields)
}

/// A plane of a field image, whatever the channel: which it is in the image, and of which site.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct FieldPlace {
    /// Path of the field image in its plate.
    pub field: String,
    /// Row id of the site.
    pub site_id: i64,
    /// Place on the axis of time.
    pub t_index: i64,
    /// Place on the axis of focal planes.
    pub z_index: i64,
    /// Time point.
    pub tpoint: i64,
    /// Focal plane.
    pub zplane: i64,
}

/// Time points and focal planes of the images of an acquisition.
pub async fn planes_of_acquisition(tx: &mut Tx, acquisition: i64) -> Result<BTreeSet<(i64, i64)>> {
    let planes = fetch_all!(
        tx,
        (i64, i64),
        "select distinct tpoint, zplane from channel_images where acquisition_id = $1",
        acquisition
    )?;
    Ok(planes.into_iter().collect())
}

/// Which time point and focal plane is where in the field images of a plate, by field.
pub async fn places_in_fields(tx: &mut Tx, plate: i64) -> Result<Vec<FieldPlace>> {
    let mut places = fetch_all!(
        tx,
        FieldPlace,
        "select distinct field, site_id, t_index, z_index, tpoint, zplane
         from acquisitions
         join channel_images on channel_images.acquisition_id = acquisitions.id
         where acquisitions.plate_id = $1
         order by site_id, t_index, z_index",
        plate
    )?;
    // Sorted here because PostgreSQL would order text by the rules of its locale.
    places.sort_by(|a: &FieldPlace, b| a.field.cmp(&b.field));
    Ok(places)
}

/// Which time point and focal plane is where in a field image of a well, or only the one at `at`.
pub async fn places_of_field(
    tx: &mut Tx,
    plate: i64,
    well: &str,
    field: &str,
    at: Option<(i64, i64)>,
) -> Result<Vec<FieldPlace>> {
    let (t, z) = at.unzip();
    // See `planes_of_well` for the kind of join.
    fetch_all!(
        tx,
        FieldPlace,
        "select distinct field, site_id, t_index, z_index, tpoint, zplane
         from wells
         cross join sites
         cross join channel_images
         where wells.plate_id = $1
             and wells.name = $2
             and sites.well_id = wells.id
             and channel_images.site_id = sites.id
             and channel_images.field = $3
             and (cast($4 as bigint) is null or t_index = $4)
             and (cast($5 as bigint) is null or z_index = $5)
         order by t_index, z_index",
        plate,
        well,
        field,
        t,
        z
    )
}

fn plane_index(plate: i64, [t, c, z]: [i64; 3]) -> Result<PlaneIndex> {
    let index = |value: i64| {
        usize::try_from(value).map_err(|_| StoreError::Corrupt(format!("plane of a field of plate {plate}")))
    };
    Ok(PlaneIndex { t: index(t)?, c: index(c)?, z: index(z)? })
}

/// The plane of a channel that these names mean; `None` when an experiment has none such.
pub async fn find_plane(
    tx: &mut Tx,
    experiment: i64,
    channel: i64,
    names: &PlaneNames<'_>,
) -> Result<Option<StoredPlane>> {
    let row = fetch_optional!(
        tx,
        PlaneRow,
        concat!(
            "select ",
            plane_columns!(),
            " from plates
         join wells on wells.plate_id = plates.id
         join sites on sites.well_id = wells.id
         join channel_images on channel_images.site_id = sites.id
         join cycles on cycles.id = channel_images.cycle_id
         where plates.experiment_id = $1
             and plates.name = $2
             and wells.name = $3
             and sites.y = $4
             and sites.x = $5
             and channel_images.channel_id = $6
             and cycles.cycle_index = $7
             and channel_images.tpoint = $8
             and channel_images.zplane = $9"
        ),
        experiment,
        names.plate,
        names.well,
        names.y,
        names.x,
        channel,
        names.cycle,
        names.tpoint,
        names.zplane
    )?;
    row.map(StoredPlane::try_from).transpose()
}

/// One of the planes of a channel, stored or not; `None` when it has none.
pub async fn plane_of_channel(tx: &mut Tx, channel: i64) -> Result<Option<StoredPlane>> {
    let row = fetch_optional!(
        tx,
        PlaneRow,
        concat!(
            "select ",
            plane_columns!(),
            " from channel_images
         join acquisitions on acquisitions.id = channel_images.acquisition_id
         join plates on plates.id = acquisitions.plate_id
         where channel_images.channel_id = $1
         order by channel_images.tpoint, channel_images.zplane
         limit 1"
        ),
        channel
    )?;
    row.map(StoredPlane::try_from).transpose()
}

/// Name of an experiment and of a channel of it; `None` when there is no such channel in it.
pub async fn channel_names(tx: &mut Tx, experiment: i64, channel: i64) -> Result<Option<(String, String)>> {
    fetch_optional!(
        tx,
        (String, String),
        "select experiments.name, channels.name
         from channels
         join experiments on experiments.id = channels.experiment_id
         where experiments.id = $1 and channels.id = $2",
        experiment,
        channel
    )
}

/// The latest statistics of a channel.
pub async fn current_statistics(tx: &mut Tx, channel: i64) -> Result<Option<StatisticsFile>> {
    fetch_optional!(
        tx,
        StatisticsFile,
        "select id, file
         from illumination_statistics
         where channel_id = $1 and part is null
         order by id desc
         limit 1",
        channel
    )
}

/// The field images that the channel images of a plate lie in.
pub async fn fields_of_plate(tx: &mut Tx, plate: i64) -> Result<Vec<String>> {
    let rows = fetch_all!(
        tx,
        (String,),
        "select distinct channel_images.field
         from acquisitions
         join channel_images on channel_images.acquisition_id = acquisitions.id
         where acquisitions.plate_id = $1",
        plate
    )?;
    Ok(rows.into_iter().map(|(field,)| field).collect())
}

/// Delete the sites of a plate that no channel image shows, and the wells without sites.
pub async fn delete_unused_wells(tx: &mut Tx, plate: i64) -> Result<()> {
    execute!(
        tx,
        "delete from sites
         where well_id in (select id from wells where plate_id = $1)
             and not exists (select 1 from channel_images where channel_images.site_id = sites.id)",
        plate
    )?;
    execute!(
        tx,
        "delete from wells
         where plate_id = $1
             and not exists (select 1 from sites where sites.well_id = wells.id)",
        plate
    )?;
    Ok(())
}

/// Delete the channels and cycles of an experiment that have no channel image, and the statistics of these
/// channels; the value is the names of the files of the statistics.
pub async fn delete_unused_channels(tx: &mut Tx, experiment: i64) -> Result<Vec<String>> {
    let files = fetch_all!(
        tx,
        (String,),
        "delete from illumination_statistics
         where channel_id in (
             select id
             from channels
             where experiment_id = $1
                 and not exists (select 1 from channel_images where channel_images.channel_id = channels.id))
         returning file",
        experiment
    )?;
    execute!(
        tx,
        "delete from channels
         where experiment_id = $1
             and not exists (select 1 from channel_images where channel_images.channel_id = channels.id)",
        experiment
    )?;
    execute!(
        tx,
        "delete from cycles
         where experiment_id = $1
             and not exists (select 1 from channel_images where channel_images.cycle_id = cycles.id)",
        experiment
    )?;
    Ok(files.into_iter().map(|(file,)| file).collect())
}
