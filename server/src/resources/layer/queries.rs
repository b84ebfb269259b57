//! SQL of channel layers and of the sites they show.

use tm_engine::image::{BitDepth, Size};
use tm_engine::kernels::rescale::Limits;

use super::layout::{PlateSites, SitePosition, WellSites};
use super::maps::LayoutKey;
use super::{ChannelLayer, LayerFilter, LayerSource, StatisticsFile};
use crate::store::{Result, StoreError, Tx, fetch_all, fetch_optional};

/// The layers of an experiment, by id.
pub async fn list(tx: &mut Tx, experiment: i64, filter: LayerFilter<'_>) -> Result<Vec<ChannelLayer>> {
    fetch_all!(
        tx,
        ChannelLayer,
        "select channel_layers.id, channel_id, tpoint, zplane, min_intensity, max_intensity,
             pyramid_height, pyramid_width, pyramid_depth
         from channel_layers
         join channels on channels.id = channel_layers.channel_id
         join experiments on experiments.id = channels.experiment_id
         where experiments.id = $1
             and (cast($2 as text) is null or channels.name = $2)
             and (cast($3 as bigint) is null or tpoint = $3)
             and (cast($4 as bigint) is null or zplane = $4)
         order by channel_layers.id",
        experiment,
        filter.channel_name,
        filter.tpoint,
        filter.zplane
    )
}

#[derive(sqlx::FromRow)]
struct SourceRow {
    id: i64,
    experiment_id: i64,
    channel_id: i64,
    channel_name: String,
    tpoint: i64,
    zplane: i64,
    bit_depth: i64,
    min_intensity: i64,
    max_intensity: i64,
    statistics_id: Option<i64>,
    statistics_file: Option<String>,
    alignment_id: Option<i64>,
}

impl TryFrom<SourceRow> for LayerSource {
    type Error = StoreError;

    fn try_from(row: SourceRow) -> Result<Self> {
        let corrupt = |what: &str| StoreError::Corrupt(format!("{what} of channel layer {}", row.id));
        let depth = u32::try_from(row.bit_depth).ok().and_then(BitDepth::from_bits);
        let lower = u16::try_from(row.min_intensity).map_err(|_| corrupt("min_intensity"))?;
        let upper = u16::try_from(row.max_intensity).map_err(|_| corrupt("max_intensity"))?;
        Ok(Self {
            id: row.id,
            experiment_id: row.experiment_id,
            channel_id: row.channel_id,
            depth: depth.ok_or_else(|| corrupt("bit depth"))?,
            limits: Limits::new(lower, upper).map_err(|_| corrupt("intensity limits"))?,
            statistics: row
                .statistics_id
                .zip(row.statistics_file)
                .map(|(id, file)| StatisticsFile { id, file }),
            alignment: row.alignment_id,
            channel_name: row.channel_name,
            tpoint: row.tpoint,
            zplane: row.zplane,
        })
    }
}

/// What a layer is made of.
pub async fn find_source(tx: &mut Tx, layer: i64) -> Result<Option<LayerSource>> {
    let row = fetch_optional!(
        tx,
        SourceRow,
        "select channel_layers.id, channels.experiment_id, channel_layers.channel_id,
             channels.name as channel_name, tpoint, zplane, bit_depth, min_intensity, max_intensity,
             statistics_id, illumination_statistics.file as statistics_file, alignment_id
         from channel_layers
         join channels on channels.id = channel_layers.channel_id
         left join illumination_statistics on illumination_statistics.id = channel_layers.statistics_id
         where channel_layers.id = $1",
        layer
    )?;
    row.map(LayerSource::try_from).transpose()
}

/// What tells whether a layout made earlier still holds; `None` for an unknown experiment.
pub async fn layout_key(tx: &mut Tx, experiment: i64) -> Result<Option<LayoutKey>> {
    let gaps = fetch_optional!(
        tx,
        (i64, i64, i64),
        "select vertical_site_displacement, horizontal_site_displacement, well_spacer_size
         from experiments
         where id = $1",
        experiment
    )?;
    let Some((vertical_displacement, horizontal_displacement, well_spacer)) = gaps else { return Ok(None) };
    let plates = fetch_all!(
        tx,
        (i64, i64),
        "select id, image_generation
         from plates
         where experiment_id = $1
         order by id",
        experiment
    )?;
    Ok(Some(LayoutKey { vertical_displacement, horizontal_displacement, well_spacer, plates }))
}

#[derive(sqlx::FromRow)]
struct SiteRow {
    plate_id: i64,
    well_id: i64,
    well_name: String,
    id: i64,
    y: i64,
    x: i64,
    height: i64,
    width: i64,
}

/// All sites of an experiment by plate and well, and the sizes that occur.
pub async fn sites(tx: &mut Tx, experiment: i64) -> Result<(Vec<PlateSites>, Vec<Size>)> {
    let rows = fetch_all!(
        tx,
        SiteRow,
        "select wells.plate_id, sites.well_id, wells.name as well_name, sites.id, y, x, height, width
         from plates
         join wells on wells.plate_id = plates.id
         join sites on sites.well_id = wells.id
         where plates.experiment_id = $1
         order by wells.plate_id, sites.well_id, y, x",
        experiment
    )?;
    let mut plates: Vec<PlateSites> = Vec::new();
    let mut sizes = Vec::new();
    for row in rows {
        let side = |value: i64| {
            usize::try_from(value).map_err(|_| StoreError::Corrupt(format!("size of site {}", row.id)))
        };
        let size = Size::new(side(row.height)?, side(row.width)?);
        if sizes.last() != Some(&size) && !sizes.contains(&size) {
            sizes.push(size);
        }
        if plates.last().is_none_or(|plate| plate.id != row.plate_id) {
            plates.push(PlateSites { id: row.plate_id, wells: Vec::new() });
        }
        let Some(plate) = plates.last_mut() else { continue };
        if plate.wells.last().is_none_or(|well| well.id != row.well_id) {
            plate.wells.push(WellSites { id: row.well_id, name: row.well_name, sites: Vec::new() });
        }
        if let Some(well) = plate.wells.last_mut() {
            well.sites.push(SitePosition { id: row.id, y: row.y, x: row.x });
        }
    }
    Ok((plates, sizes))
}
