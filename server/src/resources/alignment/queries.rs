//! SQL of alignments.

use tm_engine::kernels::alignment::Shift;

use super::{Measurement, ShiftSource, Shifts, SiteShift};
use crate::resources::image::StoredPlane;
use crate::resources::image::queries::{PlaneRow, plane_columns};
use crate::store::{Result, StoreError, Tx, execute, fetch_all, fetch_one, fetch_optional};

/// A complete alignment.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Alignment {
    /// Row id.
    pub id: i64,
    /// Index of the cycle that the others are moved onto.
    pub cycle_index: i64,
    /// The wavelength that was compared.
    pub wavelength: String,
}

/// Begin an alignment; the value is its id. Those that were begun and never completed are deleted.
pub async fn begin(tx: &mut Tx, experiment: i64, cycle: i64, wavelength: &str, now: i64) -> Result<i64> {
    execute!(tx, "delete from alignments where experiment_id = $1 and not complete", experiment)?;
    let (id,) = fetch_one!(
        tx,
        (i64,),
        "insert into alignments (experiment_id, cycle_id, wavelength, complete, created_at)
         values ($1, $2, $3, false, $4)
         returning id",
        experiment,
        cycle,
        wavelength,
        now
    )?;
    Ok(id)
}

/// Declare an alignment complete, and delete older ones that no layer is built with.
pub async fn complete(tx: &mut Tx, experiment: i64, alignment: i64) -> Result<()> {
    execute!(tx, "update alignments set complete = true where id = $1", alignment)?;
    execute!(
        tx,
        "delete from alignments
         where experiment_id = $1
             and id <> $2
             and id not in (select alignment_id from channel_layers where alignment_id is not null)",
        experiment,
        alignment
    )?;
    Ok(())
}

/// The alignment that was begun last and is not complete.
pub async fn begun(tx: &mut Tx, experiment: i64) -> Result<Option<i64>> {
    let row = fetch_optional!(
        tx,
        (i64,),
        "select id
         from alignments
         where experiment_id = $1 and not complete
         order by id desc
         limit 1",
        experiment
    )?;
    Ok(row.map(|(id,)| id))
}

/// The latest complete alignment of an experiment.
pub async fn current(tx: &mut Tx, experiment: i64) -> Result<Option<Alignment>> {
    fetch_optional!(
        tx,
        Alignment,
        "select alignments.id, cycles.cycle_index, wavelength
         from alignments
         join cycles on cycles.id = alignments.cycle_id
         where alignments.experiment_id = $1 and complete
         order by alignments.id desc
         limit 1",
        experiment
    )
}

/// Add or replace the shift of a site in a cycle.
pub async fn put_shift(tx: &mut Tx, alignment: i64, shift: &SiteShift) -> Result<()> {
    execute!(
        tx,
        "delete from site_shifts where alignment_id = $1 and site_id = $2 and cycle_id = $3",
        alignment,
        shift.site,
        shift.cycle
    )?;
    execute!(
        tx,
        "insert into site_shifts (alignment_id, site_id, cycle_id, y, x, measured_y, measured_x, quality,
             threshold, source)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        alignment,
        shift.site,
        shift.cycle,
        i64::from(shift.shift.y),
        i64::from(shift.shift.x),
        shift.measured.map(|measured| measured.y),
        shift.measured.map(|measured| measured.x),
        shift.measured.map(|measured| measured.quality),
        shift.measured.map(|measured| measured.threshold),
        shift.source.name()
    )?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct ShiftRow {
    site_id: i64,
    well_id: i64,
    plate_id: i64,
    cycle_id: i64,
    y: i64,
    x: i64,
    measured_y: Option<f64>,
    measured_x: Option<f64>,
    quality: Option<f64>,
    threshold: Option<f64>,
    source: String,
}

impl TryFrom<ShiftRow> for SiteShift {
    type Error = StoreError;

    fn try_from(row: ShiftRow) -> Result<Self> {
        let corrupt = || StoreError::Corrupt(format!("shift of site {}", row.site_id));
        let measured = || {
            Some(Measurement {
                y: row.measured_y?,
                x: row.measured_x?,
                quality: row.quality?,
                threshold: row.threshold?,
            })
        };
        Ok(Self {
            site: row.site_id,
            well: row.well_id,
            plate: row.plate_id,
            cycle: row.cycle_id,
            shift: shift_of(row.y, row.x).ok_or_else(corrupt)?,
            source: ShiftSource::find(&row.source).ok_or_else(corrupt)?,
            measured: measured(),
        })
    }
}

fn shift_of(y: i64, x: i64) -> Option<Shift> {
    Some(Shift::new(i32::try_from(y).ok()?, i32::try_from(x).ok()?))
}

/// All shifts of an alignment, by plate, well, site and cycle.
pub async fn shifts(tx: &mut Tx, alignment: i64) -> Result<Vec<SiteShift>> {
    let rows = fetch_all!(
        tx,
        ShiftRow,
        "select site_shifts.site_id, sites.well_id, wells.plate_id, site_shifts.cycle_id, site_shifts.y,
             site_shifts.x, measured_y, measured_x, quality, threshold, source
         from site_shifts
         join sites on sites.id = site_shifts.site_id
         join wells on wells.id = sites.well_id
         join cycles on cycles.id = site_shifts.cycle_id
         where alignment_id = $1
         order by wells.plate_id, sites.well_id, site_shifts.site_id, cycles.cycle_index",
        alignment
    )?;
    rows.into_iter().map(SiteShift::try_from).collect()
}

/// The shifts of an alignment that move something, for looking up.
pub async fn lookup(tx: &mut Tx, alignment: i64) -> Result<Shifts> {
    let rows = fetch_all!(
        tx,
        (i64, i64, i64, i64),
        "select site_id, cycle_id, y, x
         from site_shifts
         where alignment_id = $1 and (y <> 0 or x <> 0)",
        alignment
    )?;
    let shifts = rows.into_iter().map(|(site, cycle, y, x)| {
        let corrupt = || StoreError::Corrupt(format!("shift of site {site}"));
        Ok((site, cycle, shift_of(y, x).ok_or_else(corrupt)?))
    });
    Ok(Shifts::new(shifts.collect::<Result<Vec<_>>>()?))
}

/// The shifts of a site in the latest complete alignment of its experiment, by cycle; none without one.
pub async fn shifts_of_site(tx: &mut Tx, experiment: i64, site: i64) -> Result<Vec<(i64, Shift)>> {
    let rows = fetch_all!(
        tx,
        (i64, i64, i64),
        "select cycle_id, y, x
         from site_shifts
         where site_id = $2
             and alignment_id = (
                 select max(id) from alignments where experiment_id = $1 and complete)",
        experiment,
        site
    )?;
    let corrupt = || StoreError::Corrupt(format!("shift of site {site}"));
    rows.into_iter().map(|(cycle, y, x)| Ok((cycle, shift_of(y, x).ok_or_else(corrupt)?))).collect()
}

/// Row id, index and wavelengths of every cycle of an experiment, by index.
pub async fn wavelengths(tx: &mut Tx, experiment: i64) -> Result<Vec<(i64, i64, Vec<String>)>> {
    let rows = fetch_all!(
        tx,
        (i64, i64, String),
        "select distinct cycles.id, cycles.cycle_index, channels.wavelength
         from cycles
         join channel_images on channel_images.cycle_id = cycles.id
         join channels on channels.id = channel_images.channel_id
         where cycles.experiment_id = $1 and channel_images.stored
         order by cycles.cycle_index",
        experiment
    )?;
    let mut cycles: Vec<(i64, i64, Vec<String>)> = Vec::new();
    for (id, index, wavelength) in rows {
        match cycles.last_mut() {
            Some((last, _, wavelengths)) if *last == id => wavelengths.push(wavelength),
            _ => cycles.push((id, index, vec![wavelength])),
        }
    }
    Ok(cycles)
}

/// The sites of an experiment, by plate, well and id.
pub async fn sites(tx: &mut Tx, experiment: i64) -> Result<Vec<i64>> {
    let rows = fetch_all!(
        tx,
        (i64,),
        "select sites.id
         from sites
         join wells on wells.id = sites.well_id
         join plates on plates.id = wells.plate_id
         where plates.experiment_id = $1
         order by plates.id, wells.id, sites.id",
        experiment
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Where a site is, in words.
pub async fn place_of_site(tx: &mut Tx, site: i64) -> Result<String> {
    let (plate, well, y, x) = fetch_one!(
        tx,
        (String, String, i64, i64),
        "select plates.name, wells.name, sites.y, sites.x
         from sites
         join wells on wells.id = sites.well_id
         join plates on plates.id = wells.plate_id
         where sites.id = $1",
        site
    )?;
    Ok(format!("plate \"{plate}\", well {well}, site y {y} x {x}"))
}

/// A plane of a site in a cycle.
#[derive(Debug, Clone)]
pub struct CyclePlane {
    /// Row id of the channel.
    pub channel: i64,
    /// The plane.
    pub plane: StoredPlane,
}

#[derive(sqlx::FromRow)]
struct CyclePlaneRow {
    channel_id: i64,
    #[sqlx(flatten)]
    plane: PlaneRow,
}

/// The planes of a wavelength that show a site, by cycle and focal plane; of the first time point.
pub async fn planes_of_site(tx: &mut Tx, site: i64, wavelength: &str) -> Result<Vec<CyclePlane>> {
    let rows = fetch_all!(
        tx,
        CyclePlaneRow,
        concat!(
            "select channel_images.channel_id, ",
            plane_columns!(),
            " from channel_images
         join channels on channels.id = channel_images.channel_id
         join cycles on cycles.id = channel_images.cycle_id
         join acquisitions on acquisitions.id = channel_images.acquisition_id
         join plates on plates.id = acquisitions.plate_id
         where channel_images.site_id = $1
             and channels.wavelength = $2
             and channel_images.stored
             and channel_images.tpoint = 0
         order by cycles.cycle_index, channel_images.zplane"
        ),
        site,
        wavelength
    )?;
    rows.into_iter()
        .map(|row| Ok(CyclePlane { channel: row.channel_id, plane: StoredPlane::try_from(row.plane)? }))
        .collect()
}

/// A shift as listed.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct ListedShift {
    /// Row id of the site.
    pub site_id: i64,
    /// Name of its plate.
    pub plate_name: String,
    /// Name of its well.
    pub well_name: String,
    /// Index of the cycle.
    pub cycle_index: i64,
    /// Pixels moved down.
    pub y: i64,
    /// Pixels moved to the right.
    pub x: i64,
    /// Where the shift comes from.
    pub source: String,
    /// Measured pixels down.
    pub measured_y: Option<f64>,
    /// Measured pixels to the right.
    pub measured_x: Option<f64>,
    /// Correlation after the shift.
    pub quality: Option<f64>,
    /// Quality that chance reaches.
    pub threshold: Option<f64>,
}

/// The shifts of an alignment with the names of what they belong to, by site and cycle.
pub async fn list(tx: &mut Tx, alignment: i64) -> Result<Vec<ListedShift>> {
    fetch_all!(
        tx,
        ListedShift,
        "select site_shifts.site_id, plates.name as plate_name, wells.name as well_name, cycles.cycle_index,
             site_shifts.y, site_shifts.x, source, measured_y, measured_x, quality, threshold
         from site_shifts
         join sites on sites.id = site_shifts.site_id
         join wells on wells.id = sites.well_id
         join plates on plates.id = wells.plate_id
         join cycles on cycles.id = site_shifts.cycle_id
         where alignment_id = $1
         order by site_shifts.site_id, cycles.cycle_index",
        alignment
    )
}
