//! A map full of made-up cells, stored through the doors that clients use.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tm_engine::image::{Plane, Size};
use tm_engine::kernels::Noise;
use tm_server::error::ApiError;
use tm_server::resources::feature::upload::{self, NewValues, Values};
use tm_server::resources::layer::MapLayout;
use tm_server::resources::mapobject::{Reference, queries as mapobjects};
use tm_server::resources::segmentation::{self, PlaneOfSite, SentLabels};
use tm_server::resources::workflow::queries;
use tm_server::resources::{acquisition, experiment, plate};

use crate::server::{PLATE, Server};

/// Distance of the centres of cells in pixels.
const PITCH: usize = 74;
/// Radius of a round cell in pixels.
const RADIUS: f64 = 30.0;
const WELL: &str = "B02";
const TYPE: &str = "Cells";

/// An experiment with cells, without images.
pub struct CellMap {
    /// Row id of the experiment.
    pub experiment: i64,
    /// Row id of the type of objects.
    pub objects: i64,
    /// Row id of the layer of their outlines.
    pub layer: i64,
    /// Cells.
    pub cells: usize,
    /// Where the sites lie.
    pub layout: Arc<MapLayout>,
    /// Time for segmentations and feature values in seconds.
    pub store_seconds: f64,
}

impl CellMap {
    /// Make the experiment: one well of `sites` sites which have `cells` cells together.
    ///
    /// # Errors
    /// When the disk or the database fails.
    pub async fn make(server: &Server, sites: usize, cells: usize, features: usize) -> Result<Self> {
        let environment = &server.app.environment;
        let grid = Grid::of(cells.div_ceil(sites));
        let columns = sites.isqrt().max(1);
        let place = |site: usize| ((site / columns) as i64, (site % columns) as i64);
        let mut tx = environment.db.write().await?;
        let experiment = server.insert_experiment(&mut tx, "cells").await?;
        let plate = plate::queries::insert(&mut tx, experiment, PLATE, "", 0).await?;
        acquisition::queries::insert(&mut tx, experiment, PLATE, "a", "", 0).await?;
        queries::set_image_generation(&mut tx, plate, 1, 0).await?;
        let well = queries::insert_well(&mut tx, plate, WELL).await?;
        let (height, width) = (grid.size().height as i64, grid.size().width as i64);
        for site in 0..sites {
            let (y, x) = place(site);
            queries::insert_site(&mut tx, well, y, x, height, width).await?;
        }
        mapobjects::insert_type(&mut tx, experiment, TYPE, Reference::Site).await?;
        tx.commit().await?;
        let layout = environment.maps.layout(environment, experiment).await?;
        let mut tx = environment.db.write().await?;
        let pixels = |side: usize| i64::try_from(side);
        let (size, depth) = (layout.size(), layout.depth());
        let (height, width, depth) = (pixels(size.height)?, pixels(size.width)?, pixels(depth)?);
        experiment::queries::set_pyramid(&mut tx, experiment, height, width, depth, 0).await?;
        let found = mapobjects::find_type_by_name(&mut tx, experiment, TYPE).await?;
        let objects = found.context("the type that was just added is not there")?.id;
        tx.commit().await?;
        let (mut stored, mut store_time) = (0, Duration::ZERO);
        for site in 0..sites {
            // Equal shares, the first ones with one more where they do not come out even.
            let count = cells / sites + usize::from(site < cells % sites);
            let (y, x) = place(site);
            let (plate, well) = (PLATE.to_owned(), WELL.to_owned());
            let plane = PlaneOfSite { plate: plate.clone(), well: well.clone(), y, x, tpoint: 0, zplane: 0 };
            let labels = SentLabels::Rows(grid.draw(count, site as u64 + 1));
            let new = NewValues {
                plate,
                well,
                y,
                x,
                tpoint: 0,
                names: (0..features).map(|feature| format!("Feature_{feature}")).collect(),
                labels: (1..=count as i64).collect(),
                values: values(count, features, site as u64 + 1)?,
            };
            let start = Instant::now();
            segmentation::upload(environment, experiment, objects, plane, labels, false)
                .await
                .map_err(failed)?;
            upload::store(environment, experiment, objects, new).await.map_err(failed)?;
            store_time += start.elapsed();
            stored += count;
        }
        let layer = mapobjects::find_layer(&mut environment.db.read().await?, objects, 0, 0).await?;
        let layer = layer.context("no layer was made")?;
        let store_seconds = store_time.as_secs_f64();
        Ok(Self { experiment, objects, layer, cells: stored, layout, store_seconds })
    }
}

fn failed(error: ApiError) -> anyhow::Error {
    anyhow!("{}", error.message())
}

/// A table as clients send it.
fn values(rows: usize, columns: usize, seed: u64) -> Result<Values> {
    let mut noise = Noise::new(seed);
    let mut row = || (0..columns).map(|_| f64::from(noise.next_u16()) / 97.0).collect();
    let table: Vec<Vec<f64>> = (0..rows).map(|_| row()).collect();
    Ok(serde_json::from_value(serde_json::json!(table))?)
}

/// Places of cells in a site.
#[derive(Clone, Copy)]
struct Grid {
    rows: usize,
    columns: usize,
}

impl Grid {
    /// Nearly a square, with room for this many cells.
    fn of(cells: usize) -> Self {
        let columns = cells.isqrt().max(1);
        Self { rows: cells.div_ceil(columns), columns }
    }

    fn size(self) -> Size {
        Size::new(self.rows * PITCH, self.columns * PITCH)
    }

    /// A label image: round cells with waves along their outlines, no two alike.
    fn draw(self, count: usize, seed: u64) -> Plane<i32> {
        let mut labels = Plane::zeros(self.size());
        let mut noise = Noise::new(seed);
        for cell in 0..count {
            let (top, left) = (cell / self.columns * PITCH, cell % self.columns * PITCH);
            let phase = f64::from(noise.next_u16());
            let waves = f64::from(3 + noise.next_u16() % 5);
            for row in 0..PITCH {
                let line = &mut labels.row_mut(top + row)[left..left + PITCH];
                for (column, pixel) in line.iter_mut().enumerate() {
                    let (y, x) = (row as f64 - PITCH as f64 / 2.0, column as f64 - PITCH as f64 / 2.0);
                    let radius = RADIUS + 4.0 * (waves * y.atan2(x) + phase).sin();
                    if y.hypot(x) < radius {
                        *pixel = i32::try_from(cell + 1).expect("cells of a site can be counted");
                    }
                }
            }
        }
        labels
    }
}
