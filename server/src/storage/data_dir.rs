//! Where things are below the data directory.
//!
//! ```text
//! tmserver.sqlite  identity  secret  lock
//! experiments/<id>/uploads/<acquisition>/<file name>
//!                  plates/<plate>-<generation>.ome.zarr
//!                  layers/<layer>.ome.zarr
//!                  statistics/<name>.zarr
//!                  features/<object type>-<file>.parquet
//!                  logs/<task>.out  logs/<task>.err
//! ```
//!
//! Names carry database ids only, so renaming a resource touches no file.

use std::path::{Path, PathBuf};

/// The directory that holds everything the server stores.
#[derive(Debug, Clone)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// The data directory at `root`; nothing is created yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The embedded database.
    pub fn database(&self) -> PathBuf {
        self.root.join("tmserver.sqlite")
    }

    /// Which database the files belong to.
    pub fn identity(&self) -> PathBuf {
        self.root.join("identity")
    }

    /// The key that signs access tokens.
    pub fn secret(&self) -> PathBuf {
        self.root.join("secret")
    }

    /// The file whose lock keeps a second server away.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// All experiments.
    pub fn experiments(&self) -> PathBuf {
        self.root.join("experiments")
    }

    /// All files of one experiment.
    pub fn experiment(&self, experiment: i64) -> PathBuf {
        self.experiments().join(experiment.to_string())
    }

    /// The uploaded files of one acquisition, under their secured names.
    pub fn uploads(&self, experiment: i64, acquisition: i64) -> PathBuf {
        self.experiment(experiment).join("uploads").join(acquisition.to_string())
    }

    /// The channel images of one plate: an OME-Zarr HCS plate.
    pub fn plate_images(&self, experiment: i64, plate: i64, generation: i64) -> PathBuf {
        self.experiment(experiment).join("plates").join(format!("{plate}-{generation}.ome.zarr"))
    }

    /// The pyramid of one channel layer: an OME-Zarr image without its full resolution.
    pub fn layer(&self, experiment: i64, layer: i64) -> PathBuf {
        self.experiment(experiment).join("layers").join(format!("{layer}.ome.zarr"))
    }

    /// One set of illumination statistics, by the name its row records.
    pub fn statistics(&self, experiment: i64, file: &str) -> PathBuf {
        self.experiment(experiment).join("statistics").join(format!("{file}.zarr"))
    }

    /// The files with the feature values of an experiment.
    pub fn features(&self, experiment: i64) -> PathBuf {
        self.experiment(experiment).join("features")
    }

    /// One file with feature values of the objects of a type, by the ids of both.
    pub fn feature_file(&self, experiment: i64, mapobject_type: i64, file: i64) -> PathBuf {
        self.features(experiment).join(format!("{mapobject_type}-{file}.parquet"))
    }

    /// What a job wrote to its standard output or error: `stream` is `out` or `err`.
    pub fn log(&self, experiment: i64, task: i64, stream: &str) -> PathBuf {
        self.experiment(experiment).join("logs").join(format!("{task}.{stream}"))
    }
}
