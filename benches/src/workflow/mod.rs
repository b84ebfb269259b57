//! Whole workflows: files of a made-up plate to maps, time and memory of every step; and two workflows at once
//! while tiles of a third experiment are asked for.
//!
//! Everything runs in this process, so that the figures of the process are those of the server, the client of the
//! tile requests included.

pub mod report;
mod source;
mod submission;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Result, anyhow, ensure};
use tm_engine::BackendChoice;
use tm_engine::image::Size;

use self::report::{LoadFigure, RunFigure, TogetherFigure, WorkflowReport};
use self::submission::Experiment;
use crate::bandwidth::{COPY_BYTES, copy_bytes_per_second};
use crate::client::{self, Load};
use crate::report::{Bandwidth, Machine};
use crate::server::Server;
use crate::usage::Sampler;

/// Connections that tile requests come over; one that waits takes no other request.
const CLIENTS: usize = 32;
/// Longest time of a load, in seconds; it ends with the workflows.
const DAY_SECONDS: f64 = 86_400.0;

/// Time for tile requests without a workflow that gives figures worth quoting, in seconds.
pub const IDLE_SECONDS: f64 = 20.0;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// Numbers of sites of the workflows that run alone, one after the other.
    pub sites: Vec<usize>,
    /// Sites of each of the two workflows that run at once; none when 0.
    pub together: usize,
    /// Size of every image.
    pub size: Size,
    /// Tile requests per second.
    pub tiles_per_second: f64,
    /// Time for tile requests without a workflow, in seconds.
    pub idle_seconds: f64,
    /// Where pixels are computed.
    pub backend: BackendChoice,
}

/// Measure all that the options ask for.
///
/// # Errors
/// When a workflow fails, a tile is refused, or the disk is full.
pub fn measure_all(options: &Options) -> Result<WorkflowReport> {
    ensure!(options.sites.iter().all(|sites| *sites > 0), "a plate must have a site");
    ensure!(options.tiles_per_second > 0.0, "there must be a tile request now and then");
    let runtime = tokio::runtime::Runtime::new()?;
    let server = runtime.block_on(Server::open(options.backend))?;
    let info = server.app.environment.compute.engine().info();
    let machine = Machine::new(info.adapter.as_ref().map(ToString::to_string));
    let threads = rayon::current_num_threads();
    let copy = Bandwidth { threads, bytes_per_second: copy_bytes_per_second(COPY_BYTES, 8) };
    let listening = runtime.block_on(server.listen())?;
    let mut runs = Vec::new();
    for sites in &options.sites {
        let (experiment, images) = runtime.block_on(server.link_plate(*sites, options.size))?;
        let figure = measure_run(&runtime, &server, &experiment, images)?;
        eprintln!("{figure}");
        runs.push(figure);
    }
    let together = match options.together {
        0 => None,
        sites => Some(measure_together(&runtime, (&server, listening.address), sites, options)?),
    };
    runtime.block_on(listening.stop())?;
    let backend = info.backend.to_string();
    Ok(WorkflowReport {
        machine,
        backend,
        copy,
        image_height: options.size.height,
        image_width: options.size.width,
        runs,
        together,
    })
}

fn measure_run(
    runtime: &tokio::runtime::Runtime,
    server: &Server,
    experiment: &Experiment,
    images: source::Images,
) -> Result<RunFigure> {
    let sampler = Sampler::start();
    let steps = runtime.block_on(async { server.submit(experiment).await?.finish().await })?;
    let stored = server.bytes_stored(experiment)?;
    Ok(RunFigure::new(images, stored, &steps, &sampler.stop()))
}

/// Two workflows at once, with tile requests to an experiment that is ready; the same requests without them first.
fn measure_together(
    runtime: &tokio::runtime::Runtime,
    (server, address): (&Server, SocketAddr),
    sites: usize,
    options: &Options,
) -> Result<TogetherFigure> {
    let (shown, _) = runtime.block_on(server.link_plate(sites, options.size))?;
    runtime.block_on(async { server.submit(&shown).await?.finish().await })?;
    let requests = runtime.block_on(server.tile_requests(&shown))?;
    let next = Arc::new(AtomicUsize::new(0));
    let load = |seconds, stop: &Arc<AtomicBool>| Load {
        clients: CLIENTS,
        seconds,
        per_second: Some(options.tiles_per_second),
        stop: Arc::clone(stop),
        next: Arc::clone(&next),
        ..Load::new(address, &requests)
    };
    let running = Arc::new(AtomicBool::new(false));
    let alone = LoadFigure::from(&client::send(&load(options.idle_seconds, &running))?);

    let (first, _) = runtime.block_on(server.link_plate(sites, options.size))?;
    let (second, _) = runtime.block_on(server.link_plate(sites, options.size))?;
    let sampler = Sampler::start();
    let ended = Arc::new(AtomicBool::new(false));
    let (steps, answers) = std::thread::scope(|scope| {
        let load = load(DAY_SECONDS, &ended);
        let requests = scope.spawn(move || client::send(&load));
        let steps = runtime.block_on(async {
            let (first, second) = (server.submit(&first).await?, server.submit(&second).await?);
            tokio::try_join!(first.finish(), second.finish())
        });
        ended.store(true, Ordering::Relaxed);
        let answers = requests.join().unwrap_or_else(|_| Err(anyhow!("a client panicked")));
        Ok::<_, anyhow::Error>((steps?, answers?))
    })?;
    let samples = sampler.stop();
    Ok(TogetherFigure::new(sites, [&steps.0, &steps.1], &samples, alone, LoadFigure::from(&answers)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_small_workflows_are_positive_and_their_steps_fill_the_time() {
        let options = Options {
            sites: vec![2, 4],
            together: 2,
            size: Size::new(256, 300),
            tiles_per_second: 50.0,
            idle_seconds: 0.2,
            backend: BackendChoice::Cpu,
        };
        let report = measure_all(&options).expect("the workflows succeed");
        assert_eq!(report.runs.iter().map(|run| run.images).collect::<Vec<_>>(), [4, 8]);
        for run in &report.runs {
            let steps: Vec<_> = run.steps.iter().map(|step| step.name.as_str()).collect();
            let wanted = ["metaextract", "metaconfig", "imextract", "corilla", "illuminati", "jterator"];
            assert_eq!(steps, wanted);
            assert!(run.steps.iter().all(|step| step.seconds > 0.0 && step.jobs > 0 && step.peak_mb > 0));
            let sum: f64 = run.steps.iter().map(|step| step.seconds).sum();
            assert!(sum <= run.seconds && sum > 0.5 * run.seconds, "{run}");
            assert!(run.stored_bytes > 0 && run.source_bytes > 0 && run.busy_cores > 0.0);
        }
        let together = report.together.as_ref().expect("it was asked for");
        for load in [together.tiles_alone, together.tiles_meanwhile] {
            assert!(load.requests > 0 && load.p50_ms > 0.0 && load.p50_ms <= load.p99_ms, "{load:?}");
            assert!(load.p99_ms <= load.max_ms, "{load:?}");
        }
        assert!(together.each_seconds.iter().all(|seconds| *seconds > 0.0 && *seconds <= together.seconds));
        assert!(report.to_string().lines().count() > 20);
    }
}
