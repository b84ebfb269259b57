//! `tm-bench`: how fast kernels, tile requests and workflows are on this machine, and how far that is from its
//! limits.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the table is what this program is for")]

use std::fmt::Display;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Parser, Subcommand};
use serde::Serialize;
use tm_bench::{analysis, kernels, objects, pipeline, tiles, workflow};
use tm_engine::BackendChoice;
use tm_engine::image::Size;

/// The allocator of `tmserver`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the engine and the server on this machine.
#[derive(Debug, Parser)]
struct Arguments {
    /// Writes the figures to this file as JSON.
    #[arg(long, global = true)]
    json: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Imaging kernels: on one thread, on all cores, and on the GPU if there is one.
    Kernels {
        /// Measures only cases whose name contains this.
        #[arg(long, default_value = "")]
        filter: String,
        /// Time for each figure in seconds.
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
        /// Sizes of the images, height×width [default: 512x512,2160x2560,4096x4096].
        #[arg(long, value_delimiter = ',', value_parser = parse_size)]
        sizes: Vec<Size>,
        /// auto, gpu (a software driver included) or cpu.
        #[arg(long, default_value = "auto")]
        backend: BackendChoice,
        /// Small images and few runs: shows that everything works, the figures mean nothing.
        #[arg(long, conflicts_with = "seconds")]
        quick: bool,
    },
    /// Image analysis, from pixels to objects, on one thread.
    Analysis {
        /// Measures only steps whose name contains this.
        #[arg(long, default_value = "")]
        filter: String,
        /// Time for each figure in seconds.
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
    },
    /// The benchmark pipeline at one site, module by module, on one thread.
    Pipeline {
        /// Runs, of which the median counts.
        #[arg(long, default_value_t = 5)]
        runs: usize,
        /// Writes the images of the site to this directory, as files of NumPy.
        #[arg(long)]
        save: Option<PathBuf>,
        /// Runs the same modules in this Python, which has numpy, scipy, scikit-image, mahotas and OpenCV.
        #[arg(long)]
        peer: Option<PathBuf>,
    },
    /// Tile requests over HTTP, and building the levels of a layer.
    Tiles {
        /// Time for each figure in seconds.
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
        /// Numbers of clients.
        #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
        clients: Vec<usize>,
        /// Sites of 2160×2560 pixels of the map.
        #[arg(long, default_value_t = 16)]
        sites: usize,
        /// auto, gpu (a software driver included) or cpu.
        #[arg(long, default_value = "auto")]
        backend: BackendChoice,
    },
    /// Vector tiles of a million cells over HTTP, and tables of them streamed.
    Objects {
        /// Sites of the maps, one map after the other.
        #[arg(long, value_delimiter = ',', default_value = "1000,10000")]
        sites: Vec<usize>,
        /// Cells of every map.
        #[arg(long, default_value_t = 1_000_000)]
        cells: usize,
        /// Features of every cell.
        #[arg(long, default_value_t = 10)]
        features: usize,
        /// Numbers of clients.
        #[arg(long, value_delimiter = ',', default_value = "1,4")]
        clients: Vec<usize>,
        /// Time for each figure in seconds.
        #[arg(long, default_value_t = 10.0)]
        seconds: f64,
    },
    /// Whole workflows on made-up plates, and tile requests while two of them run.
    Workflow {
        /// Sites of the plates, one workflow after the other.
        #[arg(long, value_delimiter = ',', default_value = "1000,2000")]
        sites: Vec<usize>,
        /// Sites of each of two plates that are processed at once; 0 leaves that out.
        #[arg(long, default_value_t = 500)]
        together: usize,
        /// Tile requests per second while two workflows run.
        #[arg(long, default_value_t = 20.0)]
        tiles_per_second: f64,
        /// Size of the images, height×width.
        #[arg(long, default_value = "512x512", value_parser = parse_size)]
        size: Size,
        /// auto, gpu (a software driver included) or cpu.
        #[arg(long, default_value = "auto")]
        backend: BackendChoice,
    },
}

fn main() -> anyhow::Result<()> {
    // Says so when the GPU gave up and a figure is the CPU's.
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(std::io::stderr)
        .init();
    let Arguments { json, command } = Arguments::parse();
    let json = json.as_deref();
    match command {
        Command::Kernels { filter, seconds, sizes, backend, quick } => {
            let mut options = if quick {
                kernels::Options::quick(filter, backend)
            } else {
                kernels::Options::full(filter, seconds, backend)
            };
            if !sizes.is_empty() {
                options.sizes = sizes;
            }
            let report = kernels::measure_all(&options, |figure| eprintln!("{figure}"))?;
            show(&report, json)
        }
        Command::Analysis { filter, seconds } => {
            let report = analysis::measure_all(&analysis::Options::full(filter, seconds), |figure| {
                eprintln!("{figure}")
            })?;
            show(&report, json)
        }
        Command::Pipeline { runs, save, peer } => {
            let report = pipeline::measure_all(&pipeline::Options::full(runs, save, peer))?;
            show(&report, json)
        }
        Command::Tiles { seconds, clients, sites, backend } => {
            let report = tiles::measure_all(&tiles::Options::full(sites, backend, clients, seconds))?;
            show(&report, json)
        }
        Command::Objects { sites, cells, features, clients, seconds } => {
            let most_requests = usize::MAX / 2;
            let options = objects::Options { sites, cells, features, clients, seconds, most_requests };
            let report = objects::measure_all(&options)?;
            show(&report, json)
        }
        Command::Workflow { sites, together, tiles_per_second, size, backend } => {
            let idle_seconds = workflow::IDLE_SECONDS;
            let options =
                workflow::Options { sites, together, size, tiles_per_second, idle_seconds, backend };
            let report = workflow::measure_all(&options)?;
            show(&report, json)
        }
    }
}

/// A size as `height×width`, with a letter x. Kernels are measured on images of a tile or more.
fn parse_size(text: &str) -> Result<Size, String> {
    let sides = text
        .split_once(['x', '×'])
        .and_then(|(height, width)| Some(Size::new(height.trim().parse().ok()?, width.trim().parse().ok()?)));
    let wanted = || format!("{text:?} is not height×width in pixels, such as 2160x2560, from 256 to 16384");
    let is_measurable = |side: usize| (256..=16_384).contains(&side);
    sides.filter(|size| is_measurable(size.height) && is_measurable(size.width)).ok_or_else(wanted)
}

/// Prints a report, and writes it to a file if one is named.
fn show(report: &(impl Display + Serialize), json: Option<&Path>) -> anyhow::Result<()> {
    println!("{report}");
    let Some(path) = json else { return Ok(()) };
    let text = serde_json::to_string_pretty(report)?;
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
