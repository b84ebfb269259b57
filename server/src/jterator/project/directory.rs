//! Projects as directories: `pipeline.yaml`, and `handles/<module>.handles.yaml` for each module.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

use super::pipeline::Pipeline;
use super::problems::Problems;
use super::{Project, yaml};
use crate::storage::StorageError;
use crate::storage::staging::StagedDirectory;

/// File of the pipeline.
const PIPELINE: &str = "pipeline.yaml";
/// Folder of the handles.
const HANDLES: &str = "handles";
/// Most bytes of all files together; YAML takes more room than JSON.
const MOST_BYTES: u64 = 4 << 20;

/// Why a directory could not be read as a project, or written.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is no YAML.
    #[error("{}: {message}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// The project is not well formed.
    #[error("{0}")]
    Project(#[from] Problems),
    /// The directory cannot be written.
    #[error("{0}")]
    Storage(#[from] StorageError),
}

/// Read the project in a directory. Blocks.
///
/// # Errors
/// When a file is missing, too large or no YAML, and everything that is wrong with the project's form.
pub fn read(directory: &Path) -> Result<Project, DirectoryError> {
    let mut left = MOST_BYTES;
    let pipeline = read_file(&directory.join(PIPELINE), &mut left)?;
    let mut handles = Map::new();
    // What is wrong with the pipeline is said below, together with the rest.
    let mut ignored = Problems::default();
    for item in Pipeline::read(&pipeline, &mut ignored).items {
        let name = item.module_name();
        if !name.is_empty() && !handles.contains_key(name) {
            let value = read_file(&directory.join(HANDLES).join(file_name(name)), &mut left)?;
            handles.insert(name.to_owned(), value);
        }
    }
    Ok(Project::parse(&pipeline, &Value::Object(handles))?)
}

/// Write the project as a new directory. Blocks.
///
/// # Errors
/// When there is something at that place already, or it cannot be written.
pub fn write(project: &Project, directory: &Path) -> Result<(), DirectoryError> {
    let staged = StagedDirectory::new(directory)?;
    write_file(&staged.path().join(PIPELINE), &project.pipeline)?;
    let handles = staged.path().join(HANDLES);
    fs::create_dir(&handles).map_err(StorageError::from)?;
    for (name, module) in &project.handles {
        write_file(&handles.join(file_name(name)), module)?;
    }
    Ok(staged.commit()?)
}

fn file_name(module: &str) -> String {
    format!("{module}.handles.yaml")
}

/// Read a file of at most `left` bytes, which are that many fewer then.
fn read_file(path: &Path, left: &mut u64) -> Result<Value, DirectoryError> {
    let unreadable = |source| DirectoryError::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(*left + 1).read_to_string(&mut text)).map_err(unreadable)?;
    let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
    *left = left.checked_sub(bytes).ok_or_else(|| {
        let message = format!("the files of a project are larger than {MOST_BYTES} bytes together");
        unreadable(io::Error::new(io::ErrorKind::FileTooLarge, message))
    })?;
    yaml::read(&text).map_err(|message| DirectoryError::Yaml { path: path.to_owned(), message })
}

fn write_file(path: &Path, value: &impl Serialize) -> Result<(), DirectoryError> {
    let text =
        yaml::write(value).map_err(|message| DirectoryError::Yaml { path: path.to_owned(), message })?;
    Ok(fs::write(path, text).map_err(StorageError::from)?)
}
