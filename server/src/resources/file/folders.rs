//! The files of a directory as a microscope leaves them: those in it, and those in the folders that its type makes
//! itself ([`MicroscopeType::is_folder`]), two deep at most. Other folders are left alone.

use std::fs;
use std::io;
use std::path::Path;

use crate::microscopes::MicroscopeType;

/// How deep folders of a microscope type lie in each other.
const MAX_DEPTH: usize = 2;

/// A file of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Path within the directory, with `/`: `TimePoint_1/ZStep_2/x.tif`.
    pub name: String,
    /// Length in bytes.
    pub size: u64,
}

/// The files of a directory by name: no hidden ones, none whose name is not UTF-8, nothing that is not `admitted`,
/// which is asked with names without links. Blocks.
///
/// # Errors
/// When a directory cannot be listed.
pub fn files_of(
    directory: &Path,
    microscope: &dyn MicroscopeType,
    admitted: impl Fn(&Path) -> bool,
) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut folders = vec![(directory.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // A link that leads nowhere is no file.
            let Ok(real) = entry.path().canonicalize() else { continue };
            let Ok(metadata) = real.metadata() else { continue };
            if name.starts_with('.') || !admitted(&real) {
                continue;
            }
            if metadata.is_file() {
                found.push(Found { name: format!("{prefix}{name}"), size: metadata.len() });
            } else if metadata.is_dir() && depth < MAX_DEPTH && microscope.is_folder(&name) {
                folders.push((entry.path(), format!("{prefix}{name}/"), depth + 1));
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}
