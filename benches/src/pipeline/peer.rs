//! The same pipeline in Python: images as files of NumPy, and the script that reads them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tm_engine::image::GreyPlane;

use super::report::Peer;
use super::site::Site;

/// The script.
const SCRIPT: &str = include_str!("../../peers/site_pipeline.py");
/// What keeps the libraries to one thread each.
const ONE_THREAD: [&str; 4] =
    ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"];

/// Writes the channels of a site as `channel_1.npy` and so on.
///
/// # Errors
/// When the directory cannot be made or written.
pub fn save(site: &Site, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    for (name, plane) in &site.channels {
        let path = directory.join(format!("channel_{name}.npy"));
        fs::write(&path, npy(plane)).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// A plane as a file of NumPy, version 1.0.
fn npy(plane: &GreyPlane) -> Vec<u8> {
    let size = plane.size();
    let (kind, pixels) = match plane {
        GreyPlane::U8(plane) => ("|u1", plane.pixels().to_vec()),
        GreyPlane::U16(plane) => {
            ("<u2", plane.pixels().iter().flat_map(|value| value.to_le_bytes()).collect())
        }
    };
    let shape = format!("({}, {})", size.height, size.width);
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    // With a line end the header comes to a whole number of 64 bytes; it is far below 2^16.
    let padded = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((padded as u16).to_le_bytes());
    file.extend(format!("{header:<width$}\n", width = padded - 1).into_bytes());
    file.extend(pixels);
    file
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

#[cfg(test)]
mod tests {
    use super::*;
    use tm_engine::image::{Plane, Size};

    #[test]
    fn a_plane_is_written_as_numpy_reads_it() {
        let plane = Plane::new(Size::new(1, 2), vec![1u16, 258]).expect("two pixels");
        let file = npy(&plane.into());
        assert_eq!(file.len(), 128 + 4);
        assert_eq!(file[..10], *b"\x93NUMPY\x01\x00\x76\x00");
        let text = String::from_utf8_lossy(&file[10..128]);
        assert!(text.starts_with("{'descr': '<u2', 'fortran_order': False, 'shape': (1, 2), }"), "{text}");
        assert!(text.ends_with(" \n"), "{text}");
        assert_eq!(file[128..], [1, 0, 2, 1]);
    }
}
