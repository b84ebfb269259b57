//! The benchmark pipeline at one site, module by module, on one thread: from four images to objects and their numbers.
//!
//! The project is that of image-based transcriptomics (`tests/fixtures/jterator/benchmark`), run by the code of the
//! step `jterator`; reading images and storing objects are left out. Beside it the same modules can be run by a script
//! in Python (`benches/peers/site_pipeline.py`).

mod peer;
mod project;
mod report;
mod site;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use tm_engine::image::Size;
use tm_server::jterator::run::{PlaneAt, RunError, SegmentedObjects, Stack, run};
use tm_server::jterator::{CheckedProject, Value};

pub use self::report::{ModuleFigure, ObjectFigure, Peer, PipelineReport};
use self::site::Site;
use crate::kernels::{CAMERA, median};
use crate::report::Machine;

/// What to measure, and how often.
#[derive(Debug, Clone)]
pub struct Options {
    /// Runs, of which the median counts; at least one.
    pub runs: usize,
    /// Size of the images.
    pub size: Size,
    /// Where to write the images, if anywhere.
    pub save: Option<PathBuf>,
    /// The Python that runs the peer, if any.
    pub peer: Option<PathBuf>,
}

impl Options {
    /// Figures that can be quoted, of camera images.
    pub fn full(runs: usize, save: Option<PathBuf>, peer: Option<PathBuf>) -> Self {
        Self { runs, size: CAMERA, save, peer }
    }
}

/// Measures the pipeline.
///
/// # Errors
/// When a module or the peer fails, or a file cannot be written.
pub fn measure_all(options: &Options) -> Result<PipelineReport> {
    let project = project::project()?;
    let site = Site::new(options.size);
    if let Some(directory) = &options.save {
        peer::save(&site, directory)?;
    }
    let inputs = inputs(&site);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let mut of_modules = vec![Vec::new(); project.modules.len()];
    let mut of_runs = Vec::new();
    let mut objects = BTreeMap::new();
    for _ in 0..options.runs.max(1) {
        let Timed { seconds, found } = pool.install(|| timed(&project, inputs.clone()))?;
        of_runs.push(seconds.iter().sum());
        for (all, seconds) in of_modules.iter_mut().zip(seconds) {
            all.push(seconds);
        }
        objects = found.iter().map(|(name, objects)| (name.clone(), ObjectFigure::of(objects))).collect();
    }
    let figures = project.modules.iter().zip(&mut of_modules);
    let figures =
        figures.map(|(module, seconds)| ModuleFigure { name: module.name.clone(), seconds: median(seconds) });
    Ok(PipelineReport {
        machine: Machine::new(None),
        image_height: options.size.height,
        image_width: options.size.width,
        runs: of_runs.len(),
        modules: figures.collect(),
        seconds: median(&mut of_runs),
        objects,
        peer: options.peer.as_deref().map(|python| peer::measure(python, &site, options.runs)).transpose()?,
    })
}

/// The images under their keys: one time point, one focal plane.
fn inputs(site: &Site) -> BTreeMap<String, Stack> {
    let at = PlaneAt { tpoint: 0, zplane: 0 };
    let channels = site.channels.iter();
    let stack = |plane| Stack::from([(at, Arc::new(Value::Grey(plane)))]);
    channels.map(|(name, plane)| ((*name).to_owned(), stack(plane.clone()))).collect()
}

/// One run.
struct Timed {
    /// Time of each module.
    seconds: Vec<f64>,
    found: BTreeMap<String, SegmentedObjects>,
}

fn timed(project: &CheckedProject, inputs: BTreeMap<String, Stack>) -> Result<Timed> {
    // A run says when it begins with each module.
    let begun = RefCell::new(Vec::with_capacity(project.modules.len() + 1));
    let found = run::<RunError>(project, inputs, || {
        begun.borrow_mut().push(Instant::now());
        Ok(())
    })?;
    let mut begun = begun.into_inner();
    begun.push(Instant::now());
    let seconds = begun.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    Ok(Timed { seconds, found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_has_a_positive_figure_and_cells_and_transcripts_are_found_and_measured() {
        let options = Options { runs: 1, size: Size::new(300, 420), save: None, peer: None };
        let report = measure_all(&options).expect("the pipeline runs");
        assert_eq!(report.modules.len(), 29);
        assert!(report.modules.iter().all(|module| module.seconds > 0.0), "{report}");
        let (cells, transcripts) = (report.objects["Cells"], report.objects["Transcripts"]);
        assert!(cells.count >= 6 && cells.features > 100, "{report}");
        assert!(transcripts.count > 60 && transcripts.features == 20, "{report}");
        assert!(report.to_string().contains("measure_texture_nuclei_1"), "{report}");
    }
}
