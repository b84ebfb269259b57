//! What objects took, as a table for people and as JSON for programs.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::report::{Machine, RequestFigure};

/// Figures of maps full of objects.
#[derive(Debug, Serialize)]
pub struct ObjectsReport {
    /// Where.
    pub machine: Machine,
    /// Map by map.
    pub maps: Vec<MapFigure>,
}

/// Figures of one map.
#[derive(Debug, Serialize)]
pub struct MapFigure {
    /// Sites.
    pub sites: usize,
    /// Cells of all sites.
    pub cells: usize,
    /// Height of the map in pixels.
    pub height: usize,
    /// Width of the map in pixels.
    pub width: usize,
    /// Time that the server took for segmentations and feature values, site after site, in seconds.
    pub store_seconds: f64,
    /// Vector tiles.
    pub tiles: Vec<RequestFigure>,
    /// Tables.
    pub streams: Vec<StreamFigure>,
}

/// A table of all cells that was streamed.
#[derive(Debug, Serialize)]
pub struct StreamFigure {
    /// What was asked for.
    pub name: &'static str,
    /// Bytes of the table.
    pub bytes: usize,
    /// Time to its end in seconds.
    pub seconds: f64,
    /// Memory of the process before it, in megabytes.
    pub before_mb: i64,
    /// Most memory meanwhile, in megabytes.
    pub peak_mb: i64,
}

impl Display for ObjectsReport {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.machine)?;
        self.maps.iter().try_for_each(|map| write!(formatter, "\n{map}"))
    }
}

impl Display for MapFigure {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self { sites, cells, height, width, store_seconds, .. } = self;
        writeln!(
            formatter,
            "{cells} cells on {sites} sites, map of {height}×{width} pixels; stored in {store_seconds:.0} s"
        )?;
        writeln!(formatter, "{}", RequestFigure::head("vector tile"))?;
        self.tiles.iter().try_for_each(|tile| writeln!(formatter, "{tile}"))?;
        writeln!(formatter, "{:<34} {:>8} {:>8} {:>10} {:>8}", "table", "MB", "s", "MB before", "peak MB")?;
        for stream in &self.streams {
            writeln!(
                formatter,
                "{:<34} {:>8.1} {:>8.2} {:>10} {:>8}",
                stream.name,
                stream.bytes as f64 / 1e6,
                stream.seconds,
                stream.before_mb,
                stream.peak_mb
            )?;
        }
        Ok(())
    }
}
