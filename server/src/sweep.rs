//! What a start tidies up after a server that stopped without warning.
//!
//! Rows first: uploads that nobody works on any more (workflows go on where they were: see
//! [`crate::workflow::Workflows::resume`]). Then files that no row names: old or
//! never finished generations of images, layers and statistics, uploads of deleted acquisitions, whole
//! directories of deleted experiments.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::resources::file;
use crate::resources::workflow::queries as workflows;
use crate::store::{Result, StoreError};

/// Tidy up. Only for a time when nobody else uses the data directory.
///
/// # Errors
/// When the database fails. Files that cannot be removed are reported and left for the next start.
pub async fn at_start(environment: &Environment) -> Result<()> {
    let now = environment.now();
    let mut tx = environment.db.write().await?;
    let uploads = file::reset_stale(&mut tx, now).await?;
    tx.commit().await?;
    if uploads > 0 {
        tracing::warn!(uploads, "uploads were interrupted when the server stopped; they can be repeated");
    }
    if let Err(error) = file::sweep(environment).await {
        tracing::warn!(%error, "uploads without rows could not all be removed");
    }
    let owned = owned_paths(environment).await?;
    let root = environment.data.experiments();
    tokio::task::spawn_blocking(move || remove_others(&root, &owned))
        .await
        .map_err(|error| StoreError::Corrupt(format!("the sweep of files panicked: {error}")))
}

/// Everything below the experiments' directory that some row names.
async fn owned_paths(environment: &Environment) -> Result<HashSet<PathBuf>> {
    let data = &environment.data;
    let mut tx = environment.db.read().await?;
    let mut owned = HashSet::new();
    for experiment in workflows::experiment_ids(&mut tx).await? {
        owned.insert(data.experiment(experiment));
    }
    for (experiment, plate, generation) in workflows::plate_generations(&mut tx).await? {
        owned.insert(data.plate_images(experiment, plate, generation));
    }
    for (experiment, layer) in workflows::all_layers(&mut tx).await? {
        owned.insert(data.layer(experiment, layer));
    }
    for (experiment, file) in workflows::all_statistics(&mut tx).await? {
        owned.insert(data.statistics(experiment, &file));
    }
    Ok(owned)
}

/// Remove experiments, plates' images, layers and statistics that are not in `owned`.
fn remove_others(root: &Path, owned: &HashSet<PathBuf>) {
    for experiment in entries(root) {
        if !owned.contains(&experiment) {
            remove(&experiment);
            continue;
        }
        for kind in ["plates", "layers", "statistics"] {
            for path in entries(&experiment.join(kind)) {
                if !owned.contains(&path) {
                    remove(&path);
                }
            }
        }
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect(),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(directory = %directory.display(), %error, "cannot look for files without rows");
            }
            Vec::new()
        }
    }
}

fn remove(path: &Path) {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Ok(()) => tracing::info!(path = %path.display(), "removed: no row names it"),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "no row names it, but it cannot be removed")
        }
    }
}
