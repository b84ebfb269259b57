//! Tile requests over HTTP on this machine, client and server sharing its cores.
//!
//! Every answer of a cold case is rendered: each pass over the tiles asks for other limits than the
//! passes before, so that no encoded tile is in memory. The images' pages are warm.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use anyhow::{Result, ensure};
use tm_engine::BackendChoice;
use tm_engine::image::Size;
use tm_server::resources::layer::layout::TILE_PX;

use crate::bandwidth::{COPY_BYTES, copy_bytes_per_second};
use crate::client::{self, Load, Requests};
use crate::kernels::CAMERA;
use crate::made_up_plate::{LIMITS, MadeUpPlate};
use crate::report::{Bandwidth, Machine, RequestFigure, TilesReport};

const TILE_PIXELS: f64 = (TILE_PX * TILE_PX) as f64;
/// Lower limits that passes take in turns before the upper one changes.
const LOWER_LIMITS: usize = 1000;

/// What to measure, and how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// Sites of the map.
    pub sites: usize,
    /// Size of every site.
    pub site: Size,
    /// Where pixels are computed.
    pub backend: BackendChoice,
    /// Numbers of clients.
    pub clients: Vec<usize>,
    /// Time for each figure in seconds.
    pub seconds: f64,
    /// Most requests for each figure.
    pub most_requests: usize,
    /// Bytes of one memory copy.
    pub copy_bytes: usize,
}

impl Options {
    /// Figures that can be quoted.
    pub fn full(sites: usize, backend: BackendChoice, clients: Vec<usize>, seconds: f64) -> Self {
        let most_requests = usize::MAX / 2;
        Self { sites, site: CAMERA, backend, clients, seconds, most_requests, copy_bytes: COPY_BYTES }
    }
}

/// One kind of request.
pub struct Case {
    /// What is asked for.
    pub name: &'static str,
    /// How often full resolution was halved.
    pub halvings: usize,
    /// Whether the layer is corrected.
    pub corrected: bool,
    /// Whether no answer may come from memory.
    pub cold: bool,
    /// Bytes per pixel that have to cross memory for rendering.
    pub bytes_per_pixel: f64,
}

/// All kinds of tile requests.
pub const CASES: [Case; 4] = [
    Case { name: "warm", halvings: 1, corrected: false, cold: false, bytes_per_pixel: 0.0 },
    Case { name: "cold level 1", halvings: 1, corrected: false, cold: true, bytes_per_pixel: 3.0 },
    Case { name: "cold full resolution", halvings: 0, corrected: false, cold: true, bytes_per_pixel: 3.0 },
    Case {
        name: "cold full resolution, corrected",
        halvings: 0,
        corrected: true,
        cold: true,
        bytes_per_pixel: 11.0,
    },
];

/// Name of the requests that cost the server nothing: the limit of client and loopback.
pub const LOOPBACK: &str = "loopback limit (GET /)";

/// The tile that request number `number` of a case asks for: all tiles of the level, far from one
/// another, before any of them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Zoom level.
    pub z: usize,
    /// Row.
    pub y: usize,
    /// Column.
    pub x: usize,
    /// Limits, where an answer must not come from memory.
    pub limits: Option<(i64, i64)>,
}

impl Case {
    /// The layer that is asked for.
    pub fn layer(&self, plate: &MadeUpPlate) -> i64 {
        if self.corrected { plate.corrected_layer } else { plate.plain_layer }
    }

    /// Number of tiles of the level.
    pub fn tiles(&self, plate: &MadeUpPlate) -> usize {
        let size = plate.layout.reduced_size(self.halvings);
        tiles_of(size)
    }

    /// What request number `number` asks for.
    pub fn wanted(&self, plate: &MadeUpPlate, number: usize) -> Wanted {
        let tiles = self.tiles(plate);
        let (y, x) = tile_at(plate.layout.reduced_size(self.halvings), number);
        let pass = number / tiles;
        let (lower, upper) = LIMITS;
        let limits = (lower + (pass % LOWER_LIMITS) as i64, upper + 1 + (pass / LOWER_LIMITS) as i64);
        Wanted { z: plate.layout.depth() - 1 - self.halvings, y, x, limits: self.cold.then_some(limits) }
    }
}

/// Number of tiles of a level of this size.
fn tiles_of(size: Size) -> usize {
    size.height.div_ceil(TILE_PX) * size.width.div_ceil(TILE_PX)
}

/// Row and column of the tile that request number `number` asks for, of a level of this size: all tiles, far from one
/// another, before any of them again.
pub(crate) fn tile_at(size: Size, number: usize) -> (usize, usize) {
    let (tiles, columns) = (tiles_of(size), size.width.div_ceil(TILE_PX));
    let tile = number % tiles * stride(tiles) % tiles;
    (tile / columns, tile % columns)
}

/// A number near the golden section of `count` that has no divisor in common with it.
fn stride(count: usize) -> usize {
    let coprime = |candidate: &usize| {
        let (mut a, mut b) = (*candidate, count);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a == 1
    };
    ((count as f64 * 0.618) as usize..count).find(coprime).unwrap_or(1)
}

/// Makes the experiment, builds its pyramids, serves it and measures all cases.
///
/// # Errors
/// When the server cannot be set up or answers with anything but 200.
pub fn measure_all(options: &Options) -> Result<TilesReport> {
    ensure!(options.sites > 0, "a map has at least one site");
    ensure!(options.clients.iter().all(|clients| *clients > 0), "there must be a client");
    let runtime = tokio::runtime::Runtime::new()?;
    let plate = runtime.block_on(MadeUpPlate::make(options.sites, options.site, options.backend))?;
    let plate = Arc::new(plate);
    let info = plate.server.app.environment.compute.engine().info();
    let machine = Machine::new(info.adapter.as_ref().map(ToString::to_string));
    let threads = rayon::current_num_threads();
    let copy = Bandwidth { threads, bytes_per_second: copy_bytes_per_second(options.copy_bytes, 8) };
    let mut pyramids = Vec::new();
    for layer in [plate.plain_layer, plate.corrected_layer] {
        pyramids.push(runtime.block_on(plate.build_pyramid(layer))?);
    }
    let listening = runtime.block_on(plate.server.listen())?;
    let requests = measure_requests(options, &plate, listening.address, copy.bytes_per_second)?;
    runtime.block_on(listening.stop())?;
    let size = plate.layout.size();
    Ok(TilesReport {
        machine,
        backend: info.backend.to_string(),
        sites: options.sites,
        map_height: size.height,
        map_width: size.width,
        copy,
        pyramids,
        requests,
    })
}

fn measure_requests(
    options: &Options,
    plate: &Arc<MadeUpPlate>,
    address: SocketAddr,
    copy: f64,
) -> Result<Vec<RequestFigure>> {
    let load = |requests: &Requests, next: &Arc<AtomicUsize>, clients| Load {
        clients,
        seconds: options.seconds,
        most: options.most_requests,
        next: Arc::clone(next),
        ..Load::new(address, requests)
    };
    let mut figures = Vec::new();
    let greeting: Requests =
        Arc::new(|_, out: &mut Vec<u8>| out.extend_from_slice(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let next = Arc::new(AtomicUsize::new(0));
    for clients in &options.clients {
        let answers = client::send(&load(&greeting, &next, *clients))?;
        figures.push(RequestFigure::new(LOOPBACK, *clients, &answers));
    }
    for case in &CASES {
        let (plate, next) = (Arc::clone(plate), Arc::new(AtomicUsize::new(0)));
        // Warm tiles get into memory here; cold cases read corrections and pages of images.
        let pass = case.tiles(&plate);
        let requests: Requests =
            Arc::new(move |number, out: &mut Vec<u8>| write_request(case, &plate, number, out));
        let first = Load { most: pass, seconds: 600.0, ..load(&requests, &next, 4) };
        client::send(&first)?;
        for clients in &options.clients {
            let answers = client::send(&load(&requests, &next, *clients))?;
            let mut figure = RequestFigure::new(case.name, *clients, &answers);
            let count = answers.latencies.len() as f64;
            let bytes = if case.cold {
                count * TILE_PIXELS * case.bytes_per_pixel
            } else {
                2.0 * answers.bytes as f64
            };
            figure.megapixels_per_second = Some(count * TILE_PIXELS / answers.seconds / 1e6);
            figure.bytes_moved = Some(bytes);
            figure.share_of_copy = Some(bytes / answers.seconds / copy);
            figures.push(figure);
        }
    }
    Ok(figures)
}

fn write_request(case: &Case, plate: &MadeUpPlate, number: usize, out: &mut Vec<u8>) {
    let Wanted { z, y, x, limits } = case.wanted(plate, number);
    let (experiment, layer) = (plate.experiment, case.layer(plate));
    let limits = limits.map_or_else(String::new, |(min, max)| format!("&min={min}&max={max}"));
    client::write_get(
        out,
        &plate.server.token,
        format_args!("/api/experiments/{experiment}/channel_layers/{layer}/tiles?x={x}&y={y}&z={z}{limits}"),
    );
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn all_cases_over_a_small_map_have_positive_figures() {
        let options = Options {
            sites: 1,
            site: Size::new(300, 520),
            backend: BackendChoice::Auto,
            clients: vec![1, 3],
            seconds: 60.0,
            most_requests: 20,
            copy_bytes: 16 << 20,
        };
        let report = measure_all(&options).expect("the server answers");
        let json = serde_json::to_value(&report).expect("the report is plain data");
        let rows = json["requests"].as_array().expect("a list");
        assert_eq!(rows.len(), options.clients.len() * (1 + CASES.len()));
        for (index, row) in rows.iter().enumerate() {
            let is_tile = index >= options.clients.len();
            assert_eq!(row["requests"], 20, "{row}");
            let common = ["requests_per_second", "p50_ms", "p99_ms", "bytes_per_answer"];
            let of_tiles = ["megapixels_per_second", "bytes_moved", "share_of_copy"];
            let wanted = common.iter().chain(of_tiles.iter().filter(|_| is_tile));
            for key in wanted {
                assert!(row[key].as_f64().is_some_and(|value| value > 0.0), "{key} in {row}");
            }
        }
        for case in &CASES {
            assert!(rows.iter().any(|row| row["case"] == case.name), "no row for {}", case.name);
        }
        for pyramid in json["pyramids"].as_array().expect("a list") {
            for key in ["seconds", "megapixels_per_second", "bytes_written"] {
                assert!(pyramid[key].as_f64().is_some_and(|value| value > 0.0), "{key} in {pyramid}");
            }
        }
        assert!(report.to_string().lines().count() > rows.len());
    }

    #[tokio::test]
    async fn a_cold_tile_is_never_asked_for_twice_and_a_warm_one_is() {
        let size = Size::new(600, 300);
        let plate = MadeUpPlate::make(2, size, BackendChoice::Cpu).await.expect("a plate");
        for case in &CASES {
            let tiles = case.tiles(&plate);
            assert!(tiles > 1, "{}", case.name);
            let count = tiles * (LOWER_LIMITS + 2);
            let wanted: HashSet<_> = (0..count).map(|number| case.wanted(&plate, number)).collect();
            assert_eq!(wanted.len(), if case.cold { count } else { tiles }, "{}", case.name);
        }
    }

    #[test]
    fn a_stride_reaches_every_tile() {
        for count in 1..200 {
            let mut reached: Vec<_> = (0..count).map(|number| number * stride(count) % count).collect();
            reached.sort_unstable();
            assert!(reached.into_iter().eq(0..count), "{count}");
        }
    }
}
