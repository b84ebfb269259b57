//! The project of the benchmark pipeline, which the program carries along.

use std::fs;

use anyhow::{Result, anyhow};
use tm_server::jterator::project::directory;
use tm_server::jterator::{CheckedProject, Surroundings, check};

/// A file of the project: its place in the project's directory, and its text.
macro_rules! file {
    ($path:expr) => {
        ($path, include_str!(concat!("../../../tests/fixtures/jterator/benchmark/", $path)))
    };
}

/// The handles of a module.
macro_rules! handles {
    ($module:literal) => {
        file!(concat!("handles/", $module, ".handles.yaml"))
    };
}

/// All files.
const FILES: &[(&str, &str)] = &[
    file!("pipeline.yaml"),
    handles!("smooth_dapi"),
    handles!("threshold_adaptive"),
    handles!("fill"),
    handles!("separate_clumps"),
    handles!("filter"),
    handles!("label"),
    handles!("register_nuclei"),
    handles!("smooth_celltrace"),
    handles!("segment_secondary"),
    handles!("register_cells"),
    handles!("clip"),
    handles!("register_cytoplasms"),
    handles!("detect_blobs"),
    handles!("register_transcripts"),
    handles!("measure_point_pattern"),
    handles!("measure_intensity_nuclei_1"),
    handles!("measure_intensity_nuclei_4"),
    handles!("measure_intensity_cytoplasms_4"),
    handles!("measure_intensity_cytoplasms_3"),
    handles!("measure_intensity_cytoplasms_5"),
    handles!("measure_intensity_cells_3"),
    handles!("measure_intensity_cells_4"),
    handles!("measure_morphology_cells"),
    handles!("measure_morphology_nuclei"),
    handles!("measure_texture_nuclei_1"),
    handles!("measure_texture_cytoplasms_4"),
    handles!("measure_texture_cytoplasms_3"),
    handles!("measure_intensity_transcripts_5"),
    handles!("measure_morphology_transcripts"),
];

/// The project, read as a directory is and checked as before every run.
///
/// # Errors
/// When the temporary directory cannot be written.
pub fn project() -> Result<CheckedProject> {
    let folder = tempfile::tempdir()?;
    fs::create_dir(folder.path().join("handles"))?;
    for (path, text) in FILES {
        fs::write(folder.path().join(path), text)?;
    }
    let project = directory::read(folder.path())?;
    check(&project, &Surroundings::default()).map_err(|problems| anyhow!("{problems}"))
}
