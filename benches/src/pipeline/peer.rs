//! The same pipeline in Python: images as files of NumPy, and the script that reads them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use ndarray::ArrayView2;
use ndarray_npy::write_npy;

use super::report::Peer;
use super::site::Site;

/// The script.
const SCRIPT: &str = include_str!("../../peers/site_pipeline.py");
/// What keeps the libraries to one thread each.
const ONE_THREAD: [&str; 4] =
    ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"];

/// Writes the channels of a site as `channel_1.npy` and so on, 16 bits each.
///
/// # Errors
/// When the directory cannot be made or written.
pub fn save(site: &Site, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    for (name, plane) in &site.channels {
        let path = directory.join(format!("channel_{name}.npy"));
        let pixels = plane.clone().into_u16();
        let shape = (pixels.size().height, pixels.size().width);
        let array = ArrayView2::from_shape(shape, pixels.pixels())?;
        write_npy(&path, &array).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Runs the pipeline in this Python and on the site, as often as said.
///
/// # Errors
/// When Python or a library is missing, or the script fails.
pub fn measure(python: &Path, site: &Site, runs: usize) -> Result<Peer> {
    let directory = tempfile::tempdir()?;
    save(site, directory.path())?;
    let script = directory.path().join("site_pipeline.py");
    fs::write(&script, SCRIPT)?;
    let mut command = Command::new(python);
    command.arg(&script).arg(directory.path()).arg(runs.to_string());
    command.envs(ONE_THREAD.map(|name| (name, "1")));
    let output = command.output().with_context(|| format!("cannot run {}", python.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the script of the peer failed:\n{said}");
    serde_json::from_slice(&output.stdout).context("what the script of the peer wrote")
}
