//! Measuring the kernels: on one thread, on all cores, and on a GPU, whose results are compared with
//! those of the CPU.

use std::time::Instant;

use anyhow::{Context, Result};
use tm_engine::gpu::{Gpu, Phases};
use tm_engine::image::Size;
use tm_engine::kernels::{ALL, Tolerance};
use tm_engine::{Backend, BackendChoice, Engine, EngineError};

use crate::bandwidth::{COPY_BYTES, copy_bytes_per_second};
use crate::case::{Case, OnEngine};
use crate::cases;
use crate::report::{Bandwidth, KernelFigure, KernelReport, Machine, PhaseFigure};

/// A camera image.
pub const CAMERA: Size = Size::new(2160, 2560);
/// A small image, a camera image, and a block of the map.
pub const SIZES: [Size; 3] = [Size::new(512, 512), CAMERA, Size::new(4096, 4096)];
/// Runs of a figure, at least, unless they take [`PATIENCE`] times as long as asked for.
const LEAST_RUNS: usize = 5;
/// See [`LEAST_RUNS`].
const PATIENCE: f64 = 10.0;

/// Whether these runs make a figure.
fn are_enough(runs: usize, total: f64, seconds: f64) -> bool {
    total >= seconds && runs >= if total >= PATIENCE * seconds { 1 } else { LEAST_RUNS }
}

/// What to measure, and how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// Measures only cases whose name contains this.
    pub filter: String,
    /// Time for each figure in seconds.
    pub seconds: f64,
    /// Sizes of the images.
    pub sizes: Vec<Size>,
    /// Bytes of one memory copy.
    pub copy_bytes: usize,
    /// Where a GPU is looked for.
    pub backend: BackendChoice,
}

impl Options {
    /// Figures that can be quoted.
    pub fn full(filter: String, seconds: f64, backend: BackendChoice) -> Self {
        Self { filter, seconds, sizes: SIZES.to_vec(), copy_bytes: COPY_BYTES, backend }
    }

    /// Small images and few runs: shows that everything works, its figures mean nothing.
    pub fn quick(filter: String, backend: BackendChoice) -> Self {
        Self { filter, seconds: 0.01, sizes: vec![Size::new(540, 640)], copy_bytes: 16 << 20, backend }
    }
}

/// The GPU that is measured, once as the server uses it and once with a stopwatch.
struct Device {
    engine: Engine,
    timed: Engine,
    /// Bytes read and written per second by copying from device memory to device memory.
    copy_bytes_per_second: f64,
}

impl Device {
    /// The GPU that was asked for; none where the choice allows that.
    fn open(choice: BackendChoice, copy_bytes: usize) -> Result<Option<Self>> {
        let open = || match choice {
            BackendChoice::Cpu => Ok(None),
            BackendChoice::Gpu => Gpu::open(true).map(Some),
            BackendChoice::Auto => match Gpu::open(false) {
                Err(EngineError::NoAdapter(_)) => Ok(None),
                opened => opened.map(Some),
            },
        };
        let (Some(plain), Some(timed)) = (open()?, open()?) else { return Ok(None) };
        let copy_bytes_per_second = plain.copy_bytes_per_second(copy_bytes as u64, 8)?;
        let (engine, timed) = (Engine::with_gpu(plain), Engine::with_gpu(timed.with_stopwatch()));
        Ok(Some(Self { engine, timed, copy_bytes_per_second }))
    }

    /// Whether a kernel is run on it.
    fn runs(&self, kernel: &str) -> bool {
        self.engine.kernels().iter().any(|entry| entry.name == kernel && entry.backend == Backend::Gpu)
    }
}

/// Measures all cases: on one thread, on all cores, and on the GPU if there is one. `progress` is told
/// each figure when it is there.
///
/// # Errors
/// Those of the engine; a GPU that was asked for and is not there, or that gives other results than
/// the CPU.
pub fn measure_all(options: &Options, progress: impl Fn(&KernelFigure)) -> Result<KernelReport> {
    let device = Device::open(options.backend, options.copy_bytes)?;
    let adapter = device.as_ref().and_then(|device| device.engine.info().adapter);
    let machine = Machine::new(adapter.as_ref().map(ToString::to_string));
    let counts = if machine.cores > 1 { vec![1, machine.cores] } else { vec![1] };
    let mut report = KernelReport {
        copy: Vec::new(),
        device_copy_bytes_per_second: device.as_ref().map(|device| device.copy_bytes_per_second),
        kernels: Vec::new(),
        machine,
    };
    let mut pools = Vec::new();
    for threads in counts {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let bytes_per_second = pool.install(|| copy_bytes_per_second(options.copy_bytes, 8));
        report.copy.push(Bandwidth { threads, bytes_per_second });
        pools.push((pool, threads, bytes_per_second));
    }
    for size in &options.sizes {
        let mut cases = cases::all(*size)?;
        cases.retain(|case| case.name().contains(&options.filter));
        for (pool, threads, bytes_per_second) in &pools {
            for case in &mut cases {
                let seconds = pool.install(|| median_seconds(options.seconds, &mut case.run))?;
                let figure = KernelFigure::new(case, *size, seconds).on_cpu(*threads, *bytes_per_second);
                progress(&figure);
                report.kernels.push(figure);
            }
        }
        let Some(device) = &device else { continue };
        for case in cases.iter().filter(|case| device.runs(case.kernel)) {
            if let Some(on) = &case.on {
                let figure = measure_on_device(device, case, &**on, *size, options.seconds)?;
                progress(&figure);
                report.kernels.push(figure);
            }
        }
    }
    Ok(report)
}

fn measure_on_device(
    device: &Device,
    case: &Case,
    on: &dyn OnEngine,
    size: Size,
    seconds: f64,
) -> Result<KernelFigure> {
    let parity = compare(device, case.kernel, on).with_context(|| format!("{} on {size}", case.name()))?;
    let total = median_seconds(seconds, &mut |turn| on.run(&device.engine, turn))?;
    let phases = median_phases(seconds, &device.timed, on)?;
    Ok(KernelFigure::new(case, size, total).on_gpu(phases, parity, device.copy_bytes_per_second))
}

/// Compares the result on the device with that of the CPU: how many of the values are equal.
fn compare(device: &Device, kernel: &str, on: &dyn OnEngine) -> Result<f64> {
    let (expected, actual) = (on.values(&Engine::cpu())?, on.values(&device.engine)?);
    let tolerance =
        ALL.iter().find(|spec| spec.name == kernel).map_or(Tolerance::Exact, |spec| spec.tolerance);
    tolerance.compare(&expected, &actual).map_err(anyhow::Error::msg)?;
    let equal = expected.iter().zip(&actual).filter(|(expected, actual)| expected == actual).count();
    Ok(equal as f64 / expected.len() as f64)
}

/// Median time of a run in seconds, over runs that together take at least `seconds`.
pub(crate) fn median_seconds(
    seconds: f64,
    run: &mut (dyn FnMut(usize) -> tm_engine::Result<()> + Send),
) -> tm_engine::Result<f64> {
    run(0)?;
    let mut times = Vec::new();
    let mut total = 0.0;
    while !are_enough(times.len(), total, seconds) {
        let start = Instant::now();
        run(times.len())?;
        let time = start.elapsed().as_secs_f64();
        times.push(time);
        total += time;
    }
    Ok(median(&mut times))
}

/// Median times of the phases of a run on a device with a stopwatch.
fn median_phases(seconds: f64, engine: &Engine, on: &dyn OnEngine) -> tm_engine::Result<PhaseFigure> {
    on.run(engine, 0)?;
    engine.take_phases();
    let mut runs: Vec<Phases> = Vec::new();
    let mut total = 0.0;
    while !are_enough(runs.len(), total, seconds) {
        on.run(engine, runs.len())?;
        let phases = engine.take_phases().unwrap_or_default();
        total += (phases.upload_seconds + phases.run_seconds + phases.readback_seconds).max(1e-6);
        runs.push(phases);
    }
    let middle = |of: fn(&Phases) -> f64| median(&mut runs.iter().map(of).collect::<Vec<_>>());
    let last = runs.last().copied().unwrap_or_default();
    Ok(PhaseFigure {
        upload_seconds: middle(|phases| phases.upload_seconds),
        run_seconds: middle(|phases| phases.run_seconds),
        readback_seconds: middle(|phases| phases.readback_seconds),
        upload_bytes: last.upload_bytes,
        readback_bytes: last.readback_bytes,
    })
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_registered_kernel_has_a_case_that_an_engine_runs() {
        let cases = cases::all(Size::new(256, 256)).expect("the cases are valid");
        for kernel in ALL {
            let found = cases.iter().any(|case| case.kernel == kernel.name && case.on.is_some());
            assert!(found, "no case for {}", kernel.name);
        }
    }

    #[test]
    fn a_quick_run_has_positive_figures_for_every_case() {
        let mut options = Options::quick(String::new(), BackendChoice::Auto);
        (options.sizes, options.seconds) = (vec![Size::new(256, 256)], 0.0);
        let report = measure_all(&options, |_| ()).expect("the kernels run");
        let json = serde_json::to_value(&report).expect("the report is plain data");
        let rows = json["kernels"].as_array().expect("a list");
        let cases = cases::all(options.sizes[0]).expect("the cases are valid");
        for case in &cases {
            let of_case: Vec<_> = rows.iter().filter(|row| row["name"] == case.name()).collect();
            assert!(of_case.len() >= report.copy.len(), "too few rows for {}", case.name());
            for row in of_case {
                for key in ["seconds", "megapixels_per_second", "bytes_moved", "share_of_copy"] {
                    assert!(row[key].as_f64().is_some_and(|value| value > 0.0), "{key} in {row}");
                }
            }
        }
        assert!(report.to_string().lines().count() > rows.len());
    }

    #[test]
    fn a_run_on_any_adapter_tells_its_phases_and_agrees_with_the_cpu() {
        let options = Options {
            sizes: vec![Size::new(256, 256)],
            seconds: 0.0,
            ..Options::quick(String::new(), BackendChoice::Gpu)
        };
        let report = match measure_all(&options, |_| ()) {
            Err(error) if matches!(error.downcast_ref(), Some(EngineError::NoAdapter(_))) => return,
            report => report.expect("the kernels run and agree"),
        };
        let on_gpu: Vec<_> = report.kernels.iter().filter(|figure| figure.phases.is_some()).collect();
        let shaded = ALL.iter().filter(|kernel| kernel.has_gpu());
        for kernel in shaded {
            let rows = on_gpu.iter().filter(|figure| figure.kernel == kernel.name);
            let read: u64 = rows.filter_map(|figure| figure.phases).map(|phases| phases.readback_bytes).sum();
            assert!(read > 0, "{} read nothing back", kernel.name);
        }
    }
}
