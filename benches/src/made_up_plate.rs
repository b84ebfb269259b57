//! One well of made-up sites, stored as the workflow would have stored them: what tiles are
//! measured on.
//!
//! Two channels share the same stored pixels. The layer of the first is shown as it is, that of
//! the second is corrected with statistics of these very images.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use tm_engine::BackendChoice;
use tm_engine::image::{BitDepth, GreyPlane, Plane, Size};
use tm_engine::kernels::Noise;
use tm_engine::kernels::illumination::IlluminationSums;
use tm_server::environment::Environment;
use tm_server::resources::layer::{MapLayout, pyramid};
use tm_server::resources::workflow::queries::{self, LayerKey, NewPlane};
use tm_server::resources::{acquisition, plate};
use tm_server::storage::images::{
    AcquisitionSpec, ChannelSpec, FieldImage, FieldSpec, PlaneIndex, PlateSpec, create_plate, field_path,
};
use tm_server::storage::statistics;
use tm_server::store::Tx;

use crate::report::PyramidFigure;
use crate::server::{PLATE, Server};

const WELL: &str = "B02";
/// Name of the statistics' directory.
const STATISTICS: &str = "made-up";
const DEPTH: BitDepth = BitDepth::Sixteen;
const PLANE: PlaneIndex = PlaneIndex { t: 0, c: 0, z: 0 };
/// Grey values shown as black and white.
pub const LIMITS: (i64, i64) = (100, 7000);

/// A server with one made-up experiment.
pub struct MadeUpPlate {
    /// The server that has it.
    pub server: Server,
    /// Row id of the experiment.
    pub experiment: i64,
    /// Row id of the layer that is shown as it is.
    pub plain_layer: i64,
    /// Row id of the layer that is corrected.
    pub corrected_layer: i64,
    /// Where the sites lie.
    pub layout: Arc<MapLayout>,
}

impl MadeUpPlate {
    /// Make the experiment: `sites` sites of `size` pixels in one well, nearly as many rows as columns.
    ///
    /// # Errors
    /// When the backend is not there, or the disk or the database fails.
    pub async fn make(sites: usize, size: Size, backend: BackendChoice) -> Result<Self> {
        let server = Server::open(backend).await?;
        let environment = &server.app.environment;
        let mut tx = environment.db.write().await?;
        let experiment = server.insert_experiment(&mut tx, "made up").await?;
        let mut channels = [0; 2];
        for (channel, name) in channels.iter_mut().zip(["plain", "corrected"]) {
            let depth = i64::from(DEPTH.bits());
            *channel = queries::insert_channel(&mut tx, experiment, name, name, depth).await?;
        }
        let sums = store_sites(&mut tx, environment, experiment, channels, sites, size).await?;
        statistics::write(&environment.data.statistics(experiment, STATISTICS), &sums.finish())?;
        let made = queries::insert_statistics(&mut tx, channels[1], STATISTICS, sites as i64, 0).await?;
        let plain_layer = insert_layer(&mut tx, channels[0], None).await?;
        let corrected_layer = insert_layer(&mut tx, channels[1], Some(made)).await?;
        tx.commit().await?;
        let layout = environment.maps.layout(environment, experiment).await?;
        Ok(Self { server, experiment, plain_layer, corrected_layer, layout })
    }

    /// Store all levels below full resolution, as the pyramid step does, block after block.
    ///
    /// # Errors
    /// When the disk or the database fails.
    pub async fn build_pyramid(&self, layer: i64) -> Result<PyramidFigure> {
        let environment = &self.server.app.environment;
        if layer == self.corrected_layer {
            // Made once per channel, not once per block: not part of what is measured.
            let view = environment.maps.layer(environment, layer).await?;
            if let Some(file) = &view.source.statistics {
                environment.maps.correction(environment, self.experiment, file).await?;
            }
        }
        let start = Instant::now();
        pyramid::create_files(environment, self.experiment, layer).await?;
        let mut pixels = 0;
        for block in pyramid::blocks(&self.layout) {
            pixels += pyramid::build_block(environment, self.experiment, layer, block).await?.pixels;
        }
        pyramid::build_top(environment, self.experiment, layer).await?;
        let seconds = start.elapsed().as_secs_f64();
        Ok(PyramidFigure {
            corrected: layer == self.corrected_layer,
            seconds,
            megapixels_per_second: pixels as f64 / seconds / 1e6,
            bytes_written: bytes_below(&environment.data.layer(self.experiment, layer))?,
        })
    }
}

async fn store_sites(
    tx: &mut Tx,
    environment: &Environment,
    experiment: i64,
    channels: [i64; 2],
    sites: usize,
    size: Size,
) -> Result<IlluminationSums> {
    let plate = plate::queries::insert(tx, experiment, PLATE, "", 0).await?;
    let acquisition = acquisition::queries::insert(tx, experiment, PLATE, "a", "", 0)
        .await?
        .context("the plate that was just added is not there")?;
    queries::set_image_generation(tx, plate, 1, 0).await?;
    let cycle = queries::insert_cycle(tx, experiment, 0).await?;
    let well = queries::insert_well(tx, plate, WELL).await?;
    let path = environment.data.plate_images(experiment, plate, 1);
    create_plate(&path, &plate_spec(acquisition, sites, size))?;
    let columns = sites.isqrt().max(1);
    let mut sums = IlluminationSums::new(size, DEPTH);
    for index in 0..sites {
        let (y, x) = ((index / columns) as i64, (index % columns) as i64);
        let site = queries::insert_site(tx, well, y, x, size.height as i64, size.width as i64).await?;
        let field = field_path(WELL, index);
        for channel in channels {
            let plane = NewPlane {
                channel,
                site,
                cycle,
                acquisition,
                tpoint: 0,
                zplane: 0,
                field: &field,
                t_index: PLANE.t as i64,
                c_index: PLANE.c as i64,
                z_index: PLANE.z as i64,
                sources: "[]",
            };
            queries::insert_plane(tx, &plane).await?;
        }
        let pixels = GreyPlane::from(image(size, index as u64 + 1));
        FieldImage::open(&path, &field)?.write_plane(PLANE, &pixels)?;
        sums.add(&pixels)?;
    }
    for plane in queries::plane_ids(tx, experiment).await? {
        queries::set_stored(tx, plane).await?;
    }
    Ok(sums)
}

fn plate_spec(acquisition: i64, sites: usize, size: Size) -> PlateSpec {
    let field = |index| FieldSpec {
        well: WELL.to_owned(),
        index,
        acquisition,
        time_points: 1,
        z_planes: 1,
        channels: vec![ChannelSpec { name: "made up".into(), color: None }],
        size,
        depth: DEPTH,
        pixel_size_um: None,
        z_step_um: None,
        time_interval_s: None,
    };
    PlateSpec {
        name: PLATE.to_owned(),
        acquisitions: vec![AcquisitionSpec { id: acquisition, name: "a".into() }],
        fields: (0..sites).map(field).collect(),
    }
}

async fn insert_layer(tx: &mut Tx, channel: i64, statistics: Option<i64>) -> Result<i64> {
    let key = LayerKey { channel_id: channel, tpoint: 0, zplane: 0 };
    Ok(queries::insert_layer(tx, &key, LIMITS.0, LIMITS.1, statistics, None).await?)
}

/// Smooth structures with noise under uneven light.
pub fn image(size: Size, seed: u64) -> Plane<u16> {
    let mut noise = Noise::new(seed);
    let phase = f64::from(noise.next_u16());
    let wave = |length: usize, step: f64| -> Vec<f64> {
        (0..length).map(|index| (index as f64 / step + phase).sin()).collect()
    };
    let (down, across) = (wave(size.height, 40.0), wave(size.width, 55.0));
    let light = |position: usize, length: usize, bright: f64| {
        let offset = position as f64 / length as f64 - bright;
        0.5 * offset * offset
    };
    Plane::from_fn(size, |row, column| {
        let shade = 1.0 - light(row, size.height, 0.6) - light(column, size.width, 0.4);
        let structure = 1.2 + down[row] * across[column];
        (structure * shade * 3000.0) as u16 + noise.next_u16() % 40
    })
}

/// Bytes of all files below a directory.
pub fn bytes_below(path: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_below(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
