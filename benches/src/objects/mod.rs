//! A million cells: vector tiles over HTTP, and tables streamed while the memory of the server is watched.
//!
//! Every map has as many cells, equally close together, spread over fewer large sites or more small ones: what a tile
//! shows is alike on all of them. Server and client share this machine's cores and this process, whose memory is
//! therefore that of both; the client drops what it reads.

mod cells;
mod report;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use anyhow::{Context, Result, ensure};
use tm_engine::BackendChoice;
use tm_server::resources::mapobject::zoom::{MapobjectKind, ZoomThresholds};
use tokio::runtime::Runtime;

use self::cells::CellMap;
pub use self::report::{MapFigure, ObjectsReport, StreamFigure};
use crate::client::{self, Load, Requests};
use crate::report::{Machine, RequestFigure};
use crate::server::Server;
use crate::tiles::tile_at;
use crate::usage::{Sampler, used};

/// A stream that takes longer is an error.
const STREAM_SECONDS: f64 = 600.0;

/// What to measure, and how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// Numbers of sites, a map for each.
    pub sites: Vec<usize>,
    /// Cells of every map.
    pub cells: usize,
    /// Features of every cell.
    pub features: usize,
    /// Numbers of clients.
    pub clients: Vec<usize>,
    /// Time for each figure in seconds.
    pub seconds: f64,
    /// Most requests for each figure.
    pub most_requests: usize,
}

/// One kind of tile.
struct Case {
    name: &'static str,
    /// The zoom level, by the thresholds of the cells and the depth of the map.
    zoom: fn(ZoomThresholds, usize) -> u64,
}

const CASES: [Case; 3] = [
    Case { name: "outlines, full resolution", zoom: |_, depth| depth as u64 - 1 },
    Case { name: "outlines, first level with them", zoom: |thresholds, _| thresholds.outlines },
    Case { name: "points, first level with them", zoom: |thresholds, _| thresholds.points },
];

/// What is streamed.
const STREAMS: [(&str, &str); 2] = [("metadata", "metadata"), ("feature values", "feature-values")];

/// Make the maps one after the other and measure all cases.
///
/// # Errors
/// When the server cannot be set up or answers with anything but 200.
pub fn measure_all(options: &Options) -> Result<ObjectsReport> {
    ensure!(options.sites.iter().all(|sites| (1..=options.cells).contains(sites)), "every site needs a cell");
    ensure!(options.clients.iter().all(|clients| *clients > 0), "there must be a client");
    let runtime = Runtime::new()?;
    let mut maps = Vec::new();
    for sites in &options.sites {
        let figure = measure_map(&runtime, *sites, options)?;
        eprintln!("{figure}");
        maps.push(figure);
    }
    Ok(ObjectsReport { machine: Machine::new(None), maps })
}

fn measure_map(runtime: &Runtime, sites: usize, options: &Options) -> Result<MapFigure> {
    let server = runtime.block_on(Server::open(BackendChoice::Cpu))?;
    let map = runtime.block_on(CellMap::make(&server, sites, options.cells, options.features))?;
    let listening = runtime.block_on(server.listen())?;
    let mut tiles = Vec::new();
    for case in &CASES {
        let requests = tile_requests(&server, &map, case);
        let next = Arc::new(AtomicUsize::new(0));
        for clients in &options.clients {
            let load = Load {
                clients: *clients,
                seconds: options.seconds,
                most: options.most_requests,
                next: Arc::clone(&next),
                ..Load::new(listening.address, &requests)
            };
            let answers = client::send(&load)?;
            tiles.push(RequestFigure::new(case.name, *clients, &answers));
        }
    }
    let streams = STREAMS.map(|(name, route)| {
        let requests = stream_request(&server, &map, route);
        let sampler = Sampler::start();
        let answers = client::send(&Load {
            seconds: STREAM_SECONDS,
            most: 1,
            ..Load::new(listening.address, &requests)
        });
        let samples = sampler.stop();
        let answers = answers?;
        let first = samples.first().context("no sample was taken")?;
        let peak_mb = used(&samples, first.at_us, i64::MAX).peak_mb;
        Ok(StreamFigure {
            name,
            bytes: answers.bytes,
            seconds: answers.seconds,
            before_mb: first.resident_mb,
            peak_mb,
        })
    });
    runtime.block_on(listening.stop())?;
    Ok(MapFigure {
        sites,
        cells: map.cells,
        height: map.layout.size().height,
        width: map.layout.size().width,
        store_seconds: map.store_seconds,
        tiles,
        streams: streams.into_iter().collect::<Result<_>>()?,
    })
}

/// Requests for all tiles of a level in turn, far from one another, none of them in the cache: each asks for another
/// tolerance, which differs too little to matter.
fn tile_requests(server: &Server, map: &CellMap, case: &Case) -> Requests {
    let depth = map.layout.depth();
    let z = (case.zoom)(ZoomThresholds::of(MapobjectKind::Outlines, depth as u64 - 1), depth);
    let halvings = depth - 1 - z as usize;
    let size = map.layout.reduced_size(halvings);
    let tolerance = (halvings * halvings + 1) as f64;
    let (experiment, layer, token) = (map.experiment, map.layer, server.token.clone());
    Arc::new(move |number, out: &mut Vec<u8>| {
        let (y, x) = tile_at(size, number);
        let tolerance = tolerance + number as f64 * 1e-9;
        client::write_get(
            out,
            &token,
            format_args!(
                "/api/experiments/{experiment}/segmentation_layers/{layer}/tiles?x={x}&y={y}&z={z}&tolerance={tolerance}"
            ),
        );
    })
}

fn stream_request(server: &Server, map: &CellMap, route: &'static str) -> Requests {
    let (experiment, objects, token) = (map.experiment, map.objects, server.token.clone());
    Arc::new(move |_, out: &mut Vec<u8>| {
        let target = format_args!("/api/experiments/{experiment}/mapobject_types/{objects}/{route}");
        client::write_get(out, &token, target);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_small_maps_are_positive_and_everything_arrives() {
        let options = Options {
            sites: vec![4, 20],
            cells: 200,
            features: 2,
            clients: vec![1, 2],
            seconds: 60.0,
            most_requests: 8,
        };
        let report = measure_all(&options).expect("the server answers");
        for map in &report.maps {
            assert_eq!(map.cells, 200);
            assert_eq!(map.tiles.len(), CASES.len() * options.clients.len());
            for tile in &map.tiles {
                assert!(tile.requests == 8 && tile.p50_ms > 0.0 && tile.p50_ms <= tile.p99_ms, "{tile:?}");
                assert!(tile.bytes_per_answer > 100.0, "{tile:?}");
            }
            for stream in &map.streams {
                // A row has an id and more.
                assert!(stream.bytes > 200 * 4 && stream.peak_mb >= stream.before_mb, "{stream:?}");
            }
        }
        assert!(report.to_string().lines().count() > 2 * (CASES.len() + STREAMS.len()));
    }
}
