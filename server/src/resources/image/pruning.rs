//! What goes with channel images that are deleted: what shows them, and what is nothing without them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::queries;
use crate::environment::{Environment, Removal};
use crate::resources::feature;
use crate::resources::mapobject::queries as mapobjects;
use crate::resources::plate::queries as plates;
use crate::resources::segmentation::queries as segmentations;
use crate::resources::workflow::queries as workflows;
use crate::store::{Result, Tx};

/// Files whose rows a transaction deletes; they go after its commit.
#[derive(Debug, Default)]
pub struct Pruned {
    files: Vec<PathBuf>,
    /// Plates' images and the fields that stay in them.
    fields: Vec<(PathBuf, BTreeSet<String>)>,
}

impl Pruned {
    /// Files or directories go as they are.
    pub fn files(&mut self, path: PathBuf) {
        self.files.push(path);
    }

    /// Channel images of an experiment were deleted: with them go all of its layers, because full resolution is
    /// rendered from what is left and the map is laid out anew, and the channels and cycles without any image.
    /// Statistics of channels that are left stay.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn layers_and_channels(
        &mut self,
        tx: &mut Tx,
        environment: &Environment,
        experiment: i64,
    ) -> Result<()> {
        let data = &environment.data;
        let layers = workflows::delete_layers(tx, experiment).await?;
        self.files.extend(layers.into_iter().map(|layer| data.layer(experiment, layer)));
        workflows::clear_pyramid(tx, experiment).await?;
        mapobjects::bump_layers_of(tx, experiment).await?;
        let statistics = queries::delete_unused_channels(tx, experiment).await?;
        self.files.extend(statistics.iter().map(|file| data.statistics(experiment, file)));
        Ok(())
    }

    /// Channel images of a plate were deleted: with them go its sites and wells without any image, and the field
    /// images they were in. The plate keeps the number of its generation, so that none is used twice.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plate(
        &mut self,
        tx: &mut Tx,
        environment: &Environment,
        experiment: i64,
        plate: i64,
    ) -> Result<()> {
        queries::delete_unused_wells(tx, plate).await?;
        let Some(found) = plates::find(tx, experiment, plate).await? else { return Ok(()) };
        let images = environment.data.plate_images(experiment, plate, found.image_generation);
        let fields: BTreeSet<String> = queries::fields_of_plate(tx, plate).await?.into_iter().collect();
        if fields.is_empty() {
            self.files.push(images);
        } else {
            self.fields.push((images, fields));
        }
        Ok(())
    }

    /// Channel images at these time points and focal planes were deleted: with the last of them go layers of objects
    /// that show nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn empty_layers(tx: &mut Tx, experiment: i64, planes: &BTreeSet<(i64, i64)>) -> Result<()> {
        for (tpoint, zplane) in planes {
            segmentations::delete_empty_layers(tx, experiment, *tpoint, *zplane).await?;
        }
        Ok(())
    }

    /// Sites of an experiment were deleted: with them go the files with feature values that are about nothing else.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn feature_files(
        &mut self,
        tx: &mut Tx,
        environment: &Environment,
        experiment: i64,
    ) -> Result<()> {
        self.files.extend(feature::forget_empty_files(tx, environment, experiment).await?);
        Ok(())
    }

    /// Commit, and forget what is known of the experiment.
    ///
    /// # Errors
    /// When the commit fails; all files stay then.
    pub async fn commit(self, tx: Tx, environment: &Environment, experiment: i64) -> Result<Obsolete> {
        let removal = environment.leftovers.begin();
        tx.commit().await?;
        environment.maps.forget(experiment).await;
        Ok(Obsolete { pruned: self, removal })
    }
}

/// Files whose rows are gone.
#[derive(Debug)]
#[must_use]
pub struct Obsolete {
    pruned: Pruned,
    removal: Removal,
}

impl Obsolete {
    /// Remove them. What cannot be removed now is removed by the sweep at the next start.
    pub async fn remove(self, environment: &Environment) {
        for path in self.pruned.files {
            environment.remove_files(path).await;
        }
        for (plate, fields) in self.pruned.fields {
            environment.keep_fields(plate, fields).await;
        }
        self.removal.done();
    }
}
