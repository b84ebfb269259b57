//! What workflows took, as a table for people and as JSON for programs.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use tm_server::workflow::task::Task;

use super::source::{CHANNELS, Images};
use crate::client::Answers;
use crate::report::{Bandwidth, Machine};
use crate::usage::{Sample, used};

/// Figures of whole workflows.
#[derive(Debug, Serialize)]
pub struct WorkflowReport {
    /// Where.
    pub machine: Machine,
    /// What the server's engine runs on.
    pub backend: String,
    /// Memory copy with all cores.
    pub copy: Bandwidth,
    /// Height of the images in pixels.
    pub image_height: usize,
    /// Width of the images in pixels.
    pub image_width: usize,
    /// Workflows that ran alone.
    pub runs: Vec<RunFigure>,
    /// Two workflows at once, with tile requests.
    pub together: Option<TogetherFigure>,
}

/// A workflow that ran alone.
#[derive(Debug, Serialize)]
pub struct RunFigure {
    /// Sites, each with two channels.
    pub sites: usize,
    /// Images.
    pub images: usize,
    /// Bytes of the plate's files.
    pub source_bytes: u64,
    /// Bytes that the experiment has on disk afterwards.
    pub stored_bytes: u64,
    /// Time from submission to end in seconds.
    pub seconds: f64,
    /// Million pixels of input per second.
    pub megapixels_per_second: f64,
    /// Mean number of busy cores.
    pub busy_cores: f64,
    /// Most memory of the process in megabytes.
    pub peak_mb: i64,
    /// The steps, in their order.
    pub steps: Vec<StepFigure>,
}

/// A step of a workflow.
#[derive(Debug, Serialize)]
pub struct StepFigure {
    /// Name.
    pub name: String,
    /// Jobs of all its phases.
    pub jobs: usize,
    /// Time in seconds.
    pub seconds: f64,
    /// Mean number of busy cores.
    pub busy_cores: f64,
    /// Most memory of the process in megabytes.
    pub peak_mb: i64,
}

/// Two workflows at once.
#[derive(Debug, Serialize)]
pub struct TogetherFigure {
    /// Sites of each.
    pub sites: usize,
    /// Time from submission to the end of both in seconds.
    pub seconds: f64,
    /// Time from submission to the end of each in seconds.
    pub each_seconds: [f64; 2],
    /// Mean number of busy cores.
    pub busy_cores: f64,
    /// Most memory of the process in megabytes.
    pub peak_mb: i64,
    /// Tile requests before, without a workflow.
    pub tiles_alone: LoadFigure,
    /// Tile requests meanwhile.
    pub tiles_meanwhile: LoadFigure,
}

/// Tile requests at a fixed rate; any answer but 200 ends the measurement.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct LoadFigure {
    /// Answers.
    pub requests: usize,
    /// Answers per second.
    pub per_second: f64,
    /// Median time from when the request was due to the whole answer in milliseconds.
    pub p50_ms: f64,
    /// Time that 99 % took at most, in milliseconds.
    pub p99_ms: f64,
    /// Longest time in milliseconds.
    pub max_ms: f64,
}

impl RunFigure {
    /// The figure of a workflow with all these tasks.
    pub fn new(images: Images, stored_bytes: u64, tasks: &[Task], samples: &[Sample]) -> Self {
        let (from, to) = span(tasks);
        let whole = used(samples, from, to);
        let seconds = seconds(from, to);
        let mut begin = from;
        let steps = tasks.iter().filter(|task| task.task_type == "WorkflowStep").map(|step| {
            let used = used(samples, begin, step.updated_at);
            let jobs = tasks.iter().filter(|task| task.is_job() && is_of(task, &step.name)).count();
            let figure = StepFigure {
                name: step.name.clone(),
                jobs,
                seconds: self::seconds(begin, step.updated_at),
                busy_cores: used.busy_cores,
                peak_mb: used.peak_mb,
            };
            begin = step.updated_at;
            figure
        });
        let steps = steps.collect();
        Self {
            sites: images.sites,
            images: images.count,
            source_bytes: images.bytes,
            stored_bytes,
            seconds,
            megapixels_per_second: images.pixels as f64 / seconds / 1e6,
            busy_cores: whole.busy_cores,
            peak_mb: whole.peak_mb,
            steps,
        }
    }
}

impl TogetherFigure {
    /// The figure of two workflows with these tasks.
    pub fn new(
        sites: usize,
        tasks: [&[Task]; 2],
        samples: &[Sample],
        tiles_alone: LoadFigure,
        tiles_meanwhile: LoadFigure,
    ) -> Self {
        let spans = tasks.map(span);
        let from = spans[0].0.min(spans[1].0);
        let to = spans[0].1.max(spans[1].1);
        let used = used(samples, from, to);
        Self {
            sites,
            seconds: seconds(from, to),
            each_seconds: spans.map(|(from, to)| seconds(from, to)),
            busy_cores: used.busy_cores,
            peak_mb: used.peak_mb,
            tiles_alone,
            tiles_meanwhile,
        }
    }
}

impl From<&Answers> for LoadFigure {
    fn from(answers: &Answers) -> Self {
        let requests = answers.latencies.len();
        Self {
            requests,
            per_second: answers.per_second(),
            p50_ms: answers.percentile_ms(0.5),
            p99_ms: answers.percentile_ms(0.99),
            max_ms: answers.percentile_ms(1.0),
        }
    }
}

/// When a workflow was submitted and when it ended, in microseconds since 1970.
fn span(tasks: &[Task]) -> (i64, i64) {
    tasks.first().map_or((0, 0), |root| (root.created_at, root.updated_at))
}

fn seconds(from_us: i64, to_us: i64) -> f64 {
    (to_us - from_us) as f64 / 1e6
}

/// Whether a job is one of the step: `imextract_run_0000001` is one of `imextract`.
fn is_of(job: &Task, step: &str) -> bool {
    job.name.strip_prefix(step).is_some_and(|rest| rest.starts_with('_'))
}

impl Display for WorkflowReport {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.machine)?;
        writeln!(formatter, "the engine runs on the {}; {}", self.backend, self.copy)?;
        let (height, width) = (self.image_height, self.image_width);
        writeln!(formatter, "images of {height}×{width} pixels, {CHANNELS} at every site")?;
        for run in &self.runs {
            write!(formatter, "\n{run}")?;
        }
        if let [first, second] = self.runs.as_slice() {
            writeln!(
                formatter,
                "\n{:.1} times the sites took {:.2} times as long",
                second.sites as f64 / first.sites as f64,
                second.seconds / first.seconds
            )?;
        }
        self.together.iter().try_for_each(|together| write!(formatter, "\n{together}"))
    }
}

impl Display for RunFigure {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{} sites, {} images: {:.1} MB of files, {:.1} MB stored",
            self.sites,
            self.images,
            self.source_bytes as f64 / 1e6,
            self.stored_bytes as f64 / 1e6
        )?;
        writeln!(
            formatter,
            "{:<14} {:>6} {:>9} {:>8} {:>11} {:>8}",
            "step", "jobs", "s", "MPix/s", "busy cores", "peak MB"
        )?;
        let pixels = self.megapixels_per_second * self.seconds;
        let mut row = |name: &str, jobs: usize, seconds: f64, busy: f64, peak: i64| {
            let speed = pixels / seconds;
            writeln!(formatter, "{name:<14} {jobs:>6} {seconds:>9.2} {speed:>8.0} {busy:>11.2} {peak:>8}")
        };
        for step in &self.steps {
            row(&step.name, step.jobs, step.seconds, step.busy_cores, step.peak_mb)?;
        }
        let jobs = self.steps.iter().map(|step| step.jobs).sum();
        row("all", jobs, self.seconds, self.busy_cores, self.peak_mb)
    }
}

impl Display for TogetherFigure {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let [first, second] = self.each_seconds;
        writeln!(
            formatter,
            "two workflows of {} sites at once: {:.2} s ({first:.2} and {second:.2}), {:.2} busy cores, peak {} MB",
            self.sites, self.seconds, self.busy_cores, self.peak_mb
        )?;
        writeln!(
            formatter,
            "{:<26} {:>8} {:>8} {:>9} {:>9} {:>9}",
            "tile requests", "answers", "per s", "p50 ms", "p99 ms", "max ms"
        )?;
        for (name, load) in
            [("without a workflow", &self.tiles_alone), ("while both run", &self.tiles_meanwhile)]
        {
            writeln!(
                formatter,
                "{name:<26} {:>8} {:>8.1} {:>9.2} {:>9.2} {:>9.2}",
                load.requests, load.per_second, load.p50_ms, load.p99_ms, load.max_ms
            )?;
        }
        Ok(())
    }
}
