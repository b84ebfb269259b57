//! Taking fields out of a plate, so that what is left is a plate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::metadata;
use crate::storage::atomic;
use crate::storage::error::{Result, StorageError};

/// Two at once could each write down fields that the other one removes.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The images that the wells of a plate list, by path of the well.
type Wells = BTreeMap<String, Vec<Value>>;

/// Keep only these fields (see [`super::field_path`]) of the plate at `path`; the value is how many field
/// images were removed.
///
/// Wells, acquisitions, rows and columns without a field go, too. The numbers of the fields in a well have
/// gaps then. Metadata are rewritten first, the wells before the plate, and each whole or not at all: the plate
/// is one at every moment, and a second call finishes what a crash interrupted. A plate that holds
/// nothing else is not touched.
///
/// # Errors
/// [`StorageError::NotFound`] when there is no plate, [`StorageError::Corrupt`] when its metadata are not what
/// this program writes or none of the fields is in it (nothing is removed then), [`StorageError::Io`].
pub fn keep_fields(path: &Path, fields: &BTreeSet<String>) -> Result<usize> {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut plate = metadata::read_document(path)?;
    let mut left = Wells::new();
    let mut shrunk = Vec::new();
    for well in strings(&plate["attributes"]["ome"]["plate"]["wells"], "path") {
        let directory = path.join(&well);
        let mut document = metadata::read_document(&directory)?;
        let images = &mut document["attributes"]["ome"]["well"]["images"];
        let Some(listed) = images.as_array() else {
            return Err(StorageError::corrupt(&directory, "a well without a list of images"));
        };
        let kept: Vec<Value> = listed.iter().filter(|image| is_kept(fields, &well, image)).cloned().collect();
        if kept.is_empty() {
            continue;
        }
        if kept.len() < listed.len() {
            *images = json!(kept);
            shrunk.push((directory, document));
        }
        left.insert(well, kept);
    }
    if left.is_empty() {
        return Err(StorageError::corrupt(path, "none of the fields to keep is in the plate"));
    }
    for (directory, well) in shrunk {
        write(&directory, &well)?;
    }
    let before = plate.clone();
    shrink(&mut plate["attributes"]["ome"]["plate"], &left);
    if plate != before {
        write(path, &plate)?;
    }
    remove_others(path, fields)
}

fn is_kept(fields: &BTreeSet<String>, well: &str, image: &Value) -> bool {
    image["path"].as_str().is_some_and(|index| fields.contains(&format!("{well}/{index}")))
}

fn write(directory: &Path, document: &Value) -> Result<()> {
    Ok(atomic::write(&directory.join("zarr.json"), metadata::text(document).as_bytes())?)
}

/// The values of `key` of all objects of a list.
fn strings(list: &Value, key: &str) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|entry| Some(entry[key].as_str()?.to_owned())).collect()
}

/// Leave nothing in a plate's metadata but these wells and what they need.
fn shrink(plate: &mut Value, left: &Wells) {
    let used = |part: fn((&str, &str)) -> String| -> BTreeSet<String> {
        left.keys().filter_map(|well| well.split_once('/')).map(part).collect()
    };
    let rows = used(|(row, _)| row.to_owned());
    let columns = used(|(_, column)| column.to_owned());
    retain(&mut plate["rows"], |row| row["name"].as_str().is_some_and(|name| rows.contains(name)));
    retain(&mut plate["columns"], |column| {
        column["name"].as_str().is_some_and(|name| columns.contains(name))
    });
    let (rows, columns) = (strings(&plate["rows"], "name"), strings(&plate["columns"], "name"));
    retain(&mut plate["wells"], |well| {
        let Some(path) = well["path"].as_str().map(ToOwned::to_owned) else { return false };
        if let Some((row, column)) = path.split_once('/') {
            well["rowIndex"] = json!(rows.iter().position(|name| name == row));
            well["columnIndex"] = json!(columns.iter().position(|name| name == column));
        }
        left.contains_key(&path)
    });
    let most = |counts: &dyn Fn(&Value) -> bool| {
        left.values().map(|images| images.iter().filter(|image| counts(image)).count()).max().unwrap_or(0)
    };
    retain(&mut plate["acquisitions"], |acquisition| {
        let id = acquisition["id"].clone();
        let fields = most(&|image| image["acquisition"] == id);
        acquisition["maximumfieldcount"] = json!(fields);
        fields > 0
    });
    plate["field_count"] = json!(most(&|_| true));
}

fn retain(list: &mut Value, keep: impl FnMut(&mut Value) -> bool) {
    if let Some(list) = list.as_array_mut() {
        list.retain_mut(keep);
    }
}

/// Remove the directories of fields that are not in `fields`, and of wells and rows without any.
fn remove_others(plate: &Path, fields: &BTreeSet<String>) -> Result<usize> {
    let mut removed = 0;
    for (field, path) in field_directories(plate)? {
        if !fields.contains(&field) {
            fs::remove_dir_all(path)?;
            removed += 1;
        }
    }
    let is_used =
        |prefix: String| fields.range(prefix.clone()..).next().is_some_and(|f| f.starts_with(&prefix));
    for (row, path) in subdirectories(plate, is_row)? {
        if !is_used(format!("{row}/")) {
            fs::remove_dir_all(path)?;
            continue;
        }
        for (column, path) in subdirectories(&path, is_column)? {
            if !is_used(format!("{row}/{column}/")) {
                fs::remove_dir_all(path)?;
            }
        }
    }
    Ok(removed)
}

/// The field images whose directories are in the plate at `path`, listed in its metadata or not: name (see
/// [`super::field_path`]) and directory.
///
/// # Errors
/// When a directory cannot be listed; a missing one has no fields.
pub fn field_directories(path: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for (row, path) in subdirectories(path, is_row)? {
        for (column, path) in subdirectories(&path, is_column)? {
            for (index, path) in subdirectories(&path, is_number)? {
                found.push((format!("{row}/{column}/{index}"), path));
            }
        }
    }
    Ok(found)
}

fn is_row(name: &str) -> bool {
    matches!(name.len(), 1 | 2) && name.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_column(name: &str) -> bool {
    name.len() == 2 && is_number(name)
}

fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// The directories in `path` with such a name, by name; none when there is no `path`.
fn subdirectories(path: &Path, is_wanted: fn(&str) -> bool) -> io::Result<Vec<(String, PathBuf)>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_wanted(&name) && entry.file_type()?.is_dir() {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}
