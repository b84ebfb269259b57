//! What objects took, as a table for people and as JSON for programs.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::client::Answers;
use crate::report::Machine;

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
    /// Time for storing segmentations and feature values, site after site, in seconds.
    pub store_seconds: f64,
    /// Vector tiles.
    pub tiles: Vec<TileFigure>,
    /// Tables.
    pub streams: Vec<StreamFigure>,
}

/// The speed of one kind of vector tile with a number of clients.
#[derive(Debug, Serialize)]
pub struct TileFigure {
    /// What was asked for.
    pub case: &'static str,
    /// Connections, each with one request under way.
    pub clients: usize,
    /// Answers that were received.
    pub requests: usize,
    /// Answers per second.
    pub requests_per_second: f64,
    /// Median time to the whole answer in milliseconds.
    pub p50_ms: f64,
    /// Time that 99 % of the answers took at most, in milliseconds.
    pub p99_ms: f64,
    /// Mean size of an answer's body in bytes.
    pub bytes_per_answer: f64,
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

impl TileFigure {
    /// The figure of a case.
    pub fn new(case: &'static str, clients: usize, answers: &Answers) -> Self {
        let requests = answers.latencies.len();
        Self {
            case,
            clients,
            requests,
            requests_per_second: requests as f64 / answers.seconds,
            p50_ms: answers.percentile_ms(0.5),
            p99_ms: answers.percentile_ms(0.99),
            bytes_per_answer: answers.bytes as f64 / requests as f64,
        }
    }
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
        writeln!(
            formatter,
            "{:<34} {:>7} {:>8} {:>9} {:>8} {:>8} {:>8}",
            "vector tile", "clients", "answers", "per s", "p50 ms", "p99 ms", "kB"
        )?;
        for tile in &self.tiles {
            writeln!(
                formatter,
                "{:<34} {:>7} {:>8} {:>9.0} {:>8.2} {:>8.2} {:>8.1}",
                tile.case,
                tile.clients,
                tile.requests,
                tile.requests_per_second,
                tile.p50_ms,
                tile.p99_ms,
                tile.bytes_per_answer / 1e3
            )?;
        }
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
