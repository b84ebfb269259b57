//! What was measured, as a table for people and as JSON for programs.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use tm_engine::Backend;
use tm_engine::image::Size;

use crate::case::Case;
use crate::client::Answers;

/// What the figures were measured on.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// Processor, as the operating system names it.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The GPU that was used, if any, with its driver.
    pub adapter: Option<String>,
    /// Whether the program was built with optimisations; figures of other builds mean nothing.
    pub optimised: bool,
}

impl Machine {
    /// This machine, with the adapter that is used.
    pub fn new(adapter: Option<String>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { processor: processor(), cores, adapter, optimised: !cfg!(debug_assertions) }
    }
}

impl Display for Machine {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}, {} cores", self.processor, self.cores)?;
        writeln!(formatter, "GPU: {}", self.adapter.as_deref().unwrap_or("none used"))?;
        if !self.optimised {
            writeln!(formatter, "NOT OPTIMISED: build with --release for figures that mean something")?;
        }
        Ok(())
    }
}

/// Copy bandwidth with a number of threads.
#[derive(Debug, Serialize)]
pub struct Bandwidth {
    /// Threads.
    pub threads: usize,
    /// Bytes read and written per second.
    pub bytes_per_second: f64,
}

impl Display for Bandwidth {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "copy, {} threads: {:.1} GB/s", self.threads, self.bytes_per_second / 1e9)
    }
}

/// Figures of the kernels.
#[derive(Debug, Serialize)]
pub struct KernelReport {
    /// Where.
    pub machine: Machine,
    /// Memory copy by number of threads.
    pub copy: Vec<Bandwidth>,
    /// Memory copy of the GPU in bytes read and written per second, if one is measured.
    pub device_copy_bytes_per_second: Option<f64>,
    /// Kernel by kernel, size by size.
    pub kernels: Vec<KernelFigure>,
}

/// The speed of one kernel.
#[derive(Debug, Serialize)]
pub struct KernelFigure {
    /// Kernel and input.
    pub name: String,
    /// Name of the kernel in the engine's registry.
    pub kernel: &'static str,
    /// What it was given.
    pub input: &'static str,
    /// Height of the images in pixels.
    pub image_height: usize,
    /// Width of the images in pixels.
    pub image_width: usize,
    /// `cpu`, or `gpu`: upload and readback included in [`seconds`](Self::seconds).
    pub backend: String,
    /// Threads of the CPU; absent for a GPU.
    pub threads: Option<usize>,
    /// Median time of one run in seconds.
    pub seconds: f64,
    /// Million pixels of input per second.
    pub megapixels_per_second: f64,
    /// Bytes per pixel of input that have to cross memory.
    pub bytes_per_pixel: f64,
    /// Bytes of one run that have to cross memory.
    pub bytes_moved: f64,
    /// Those bytes per second over the memory copy in the same run: with as many threads on the CPU;
    /// on a GPU over that of its own memory, for the kernels alone.
    pub share_of_copy: f64,
    /// Upload, kernels and readback apart, on a GPU.
    pub phases: Option<PhaseFigure>,
    /// Share of the values that are equal to those of the CPU, on a GPU; the others are within the
    /// tolerance of the kernel.
    pub equal_share: Option<f64>,
}

/// Median times and bytes of the phases of one run on a GPU.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PhaseFigure {
    /// Seconds until uploaded bytes had reached the device.
    pub upload_seconds: f64,
    /// Seconds from submitting the kernels until they were done.
    pub run_seconds: f64,
    /// Seconds until results had reached the host.
    pub readback_seconds: f64,
    /// Bytes uploaded.
    pub upload_bytes: u64,
    /// Bytes read back.
    pub readback_bytes: u64,
}

impl KernelFigure {
    /// The figure of a case on images of this size whose run took `seconds`.
    pub fn new(case: &Case, size: Size, seconds: f64) -> Self {
        Self {
            name: case.name(),
            kernel: case.kernel,
            input: case.input,
            image_height: size.height,
            image_width: size.width,
            backend: Backend::Cpu.to_string(),
            threads: None,
            seconds,
            megapixels_per_second: case.pixels as f64 / seconds / 1e6,
            bytes_per_pixel: case.bytes_per_pixel,
            bytes_moved: case.pixels as f64 * case.bytes_per_pixel,
            share_of_copy: f64::NAN,
            phases: None,
            equal_share: None,
        }
    }

    /// Measured on threads of the CPU, which copy as many bytes per second.
    #[must_use]
    pub fn on_cpu(self, threads: usize, copy: f64) -> Self {
        let share_of_copy = self.bytes_moved / self.seconds / copy;
        Self { threads: Some(threads), share_of_copy, ..self }
    }

    /// Measured on a GPU, which copies as many bytes per second.
    #[must_use]
    pub fn on_gpu(self, phases: PhaseFigure, equal_share: f64, copy: f64) -> Self {
        let share_of_copy = self.bytes_moved / phases.run_seconds / copy;
        Self {
            backend: Backend::Gpu.to_string(),
            share_of_copy,
            phases: Some(phases),
            equal_share: Some(equal_share),
            ..self
        }
    }
}

impl Display for KernelReport {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.machine)?;
        for copy in &self.copy {
            writeln!(formatter, "{copy}")?;
        }
        if let Some(copy) = self.device_copy_bytes_per_second {
            writeln!(formatter, "copy, GPU memory: {:.1} GB/s", copy / 1e9)?;
        }
        let mut size = None;
        for figure in &self.kernels {
            if size != Some((figure.image_height, figure.image_width)) {
                size = Some((figure.image_height, figure.image_width));
                write!(formatter, "\nimages of {}×{} pixels", figure.image_height, figure.image_width)?;
                writeln!(
                    formatter,
                    "\n{:<46} {:>7} {:>10} {:>8} {:>7} {:>8} {:>8} {:>9} {:>9} {:>9} {:>8}",
                    "kernel",
                    "backend",
                    "ms",
                    "MPix/s",
                    "byte/px",
                    "MB moved",
                    "of copy",
                    "upload ms",
                    "kernel ms",
                    "read ms",
                    "equal"
                )?;
            }
            writeln!(formatter, "{figure}")?;
        }
        Ok(())
    }
}

impl Display for KernelFigure {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let backend = match self.threads {
            Some(threads) => format!("{} ×{threads}", self.backend),
            None => self.backend.clone(),
        };
        write!(
            formatter,
            "{:<46} {:>7} {:>10.3} {:>8.0} {:>7.2} {:>8.1} {:>7.0}%",
            self.name,
            backend,
            self.seconds * 1e3,
            self.megapixels_per_second,
            self.bytes_per_pixel,
            self.bytes_moved / 1e6,
            self.share_of_copy * 100.0
        )?;
        if let (Some(phases), Some(equal)) = (&self.phases, self.equal_share) {
            write!(
                formatter,
                " {:>9.3} {:>9.3} {:>9.3} {:>7.2}%",
                phases.upload_seconds * 1e3,
                phases.run_seconds * 1e3,
                phases.readback_seconds * 1e3,
                equal * 100.0
            )?;
        }
        Ok(())
    }
}

/// Figures of a layer's pyramid and of tile requests.
#[derive(Debug, Serialize)]
pub struct TilesReport {
    /// Where.
    pub machine: Machine,
    /// What the server's engine runs on.
    pub backend: String,
    /// Sites of the map.
    pub sites: usize,
    /// Height of the map in pixels.
    pub map_height: usize,
    /// Width of the map in pixels.
    pub map_width: usize,
    /// Memory copy with all cores.
    pub copy: Bandwidth,
    /// Building the stored levels.
    pub pyramids: Vec<PyramidFigure>,
    /// Requests, case by case.
    pub requests: Vec<RequestFigure>,
}

/// How long a layer's stored levels took to build.
#[derive(Debug, Serialize)]
pub struct PyramidFigure {
    /// Whether illumination was corrected.
    pub corrected: bool,
    /// Time for all levels in seconds.
    pub seconds: f64,
    /// Million pixels of full resolution per second.
    pub megapixels_per_second: f64,
    /// Bytes of files written.
    pub bytes_written: u64,
}

/// The speed of one kind of request with a number of clients.
#[derive(Debug, Serialize)]
pub struct RequestFigure {
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
    /// Million pixels shown per second; absent where the answer is no tile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub megapixels_per_second: Option<f64>,
    /// Bytes of stored pixels, corrections and 8-bit pixels that have to cross memory for all
    /// answers; for tiles in memory the encoded bytes, read and written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_moved: Option<f64>,
    /// Those bytes per second over the memory copy in the same run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_of_copy: Option<f64>,
}

impl RequestFigure {
    /// The figure of a case.
    pub fn new(case: &'static str, clients: usize, answers: &Answers) -> Self {
        let requests = answers.latencies.len();
        Self {
            case,
            clients,
            requests,
            requests_per_second: answers.per_second(),
            p50_ms: answers.percentile_ms(0.5),
            p99_ms: answers.percentile_ms(0.99),
            bytes_per_answer: answers.bytes as f64 / requests as f64,
            megapixels_per_second: None,
            bytes_moved: None,
            share_of_copy: None,
        }
    }

    /// The head of a table of figures, of what `what` says.
    pub fn head(what: &str) -> String {
        format!(
            "{what:<34} {:>7} {:>8} {:>9} {:>8} {:>8} {:>7}",
            "clients", "answers", "per s", "p50 ms", "p99 ms", "kB"
        )
    }
}

/// The columns that every request has.
impl Display for RequestFigure {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:<34} {:>7} {:>8} {:>9.0} {:>8.2} {:>8.2} {:>7.1}",
            self.case,
            self.clients,
            self.requests,
            self.requests_per_second,
            self.p50_ms,
            self.p99_ms,
            self.bytes_per_answer / 1e3
        )
    }
}

impl Display for TilesReport {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.machine)?;
        writeln!(formatter, "the engine runs on the {}; {}", self.backend, self.copy)?;
        let (height, width) = (self.map_height, self.map_width);
        writeln!(formatter, "map of {} sites, {height}×{width} pixels\n", self.sites)?;
        for pyramid in &self.pyramids {
            writeln!(
                formatter,
                "pyramid, {:<13} {:>7.2} s {:>7.0} MPix/s of input, {:.1} MB written",
                if pyramid.corrected { "corrected" } else { "not corrected" },
                pyramid.seconds,
                pyramid.megapixels_per_second,
                pyramid.bytes_written as f64 / 1e6
            )?;
        }
        let head = RequestFigure::head("request");
        writeln!(formatter, "\n{head} {:>8} {:>9} {:>8}", "MPix/s", "MB moved", "of copy")?;
        for figure in &self.requests {
            let or_dash = |value: Option<f64>, scale: f64, digits: usize, unit: &str| {
                value.map_or_else(|| "-".to_owned(), |value| format!("{:.digits$}{unit}", value * scale))
            };
            writeln!(
                formatter,
                "{figure} {:>8} {:>9} {:>8}",
                or_dash(figure.megapixels_per_second, 1.0, 0, ""),
                or_dash(figure.bytes_moved, 1e-6, 0, ""),
                or_dash(figure.share_of_copy, 100.0, 1, "%")
            )?;
        }
        Ok(())
    }
}

/// The processor's name, where the operating system tells it.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name =
        text.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    name.unwrap_or(std::env::consts::ARCH).to_owned()
}
