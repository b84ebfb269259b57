//! What a start tidies up after a server that stopped without warning.
//!
//! Rows first: uploads that nobody works on any more (workflows go on where they were: see
//! [`crate::workflow::Workflows::resume`]). Then files that no row names: old or
//! never finished generations of images, layers and statistics, uploads of deleted acquisitions, whole
//! directories of deleted experiments. After an unclean stop it looks inside all of these, too: that
//! walks over everything there is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::environment::{Environment, LastStop};
use crate::inventory::{Inventory, Scope, is_directory};
use crate::resources::feature::queries as features;
use crate::resources::file;
use crate::storage::images::keep_fields;
use crate::storage::{DataDir, StorageError};
use crate::store::{Result, StoreError};

/// Tidy up. Only for a time when nobody else uses the data directory.
///
/// # Errors
/// When the database fails. Files that cannot be removed are reported and left for the next start.
pub async fn at_start(environment: &Environment, last_stop: LastStop) -> Result<()> {
    let now = environment.now();
    let mut tx = environment.db.write().await?;
    let uploads = file::reset_stale(&mut tx, now).await?;
    features::delete_abandoned(&mut tx).await?;
    tx.commit().await?;
    if uploads > 0 {
        tracing::warn!(uploads, "uploads were interrupted when the server stopped; they can be repeated");
    }
    if let Err(error) = file::sweep(environment).await {
        tracing::warn!(%error, "uploads without rows could not all be removed");
    }
    let scope = match last_stop {
        LastStop::Clean => Scope::Directories,
        LastStop::Unclean => Scope::Everything,
    };
    let inventory = Inventory::read(&mut environment.db.read().await?, scope).await?;
    let (data, leftovers) = (environment.data.clone(), environment.leftovers.clone());
    let tidied = tokio::task::spawn_blocking(move || tidy(&data, &inventory)).await;
    if !tidied.map_err(|error| StoreError::Corrupt(format!("the sweep of files panicked: {error}")))? {
        leftovers.add();
    }
    Ok(())
}

/// Remove what no row names, as far as the inventory reaches; false when something is left. Blocks.
pub fn tidy(data: &DataDir, inventory: &Inventory) -> bool {
    let mut all = true;
    if inventory.scope == Scope::Everything {
        for (experiment, owned) in &inventory.experiments {
            for (plate, images) in &owned.plates {
                let path = data.plate_images(*experiment, *plate, images.generation);
                all &= tidy_plate(&path, images.fields.keys().cloned().collect());
            }
        }
    }
    let orphans = inventory.orphans(data);
    for (directory, error) in &orphans.unreadable {
        tracing::warn!(directory = %directory.display(), %error, "cannot look for files without rows");
    }
    for path in &orphans.paths {
        all &= remove(path);
    }
    all && orphans.unreadable.is_empty()
}

fn tidy_plate(path: &Path, fields: BTreeSet<String>) -> bool {
    match keep_fields(path, &fields) {
        Ok(removed) => {
            if removed > 0 {
                tracing::info!(path = %path.display(), removed, "removed field images: no row names them");
            }
            true
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot look for field images without rows");
            // Of missing or damaged metadata the next start makes no more than this one.
            !matches!(error, StorageError::Io(_))
        }
    }
}

fn remove(path: &Path) -> bool {
    let removed = if is_directory(path) { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Ok(()) => tracing::info!(path = %path.display(), "removed: no row names it"),
        Err(ref error) => {
            tracing::warn!(path = %path.display(), %error, "no row names it, but it cannot be removed");
        }
    }
    removed.is_ok()
}
