//! What rows own: every file and directory that something in the database names.
//!
//! The sweep at start removes what is not in it, the check looks at what is, the backup copies it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::resources::acquisition::queries as acquisitions;
use crate::resources::feature::queries as features;
use crate::resources::workflow::queries;
use crate::storage::DataDir;
use crate::storage::atomic::is_temporary;
use crate::storage::images::{PlaneIndex, field_directories};
use crate::store::{Result, StoreError, Tx};

/// How much of what rows own is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Directories of experiments, acquisitions, plates, layers and statistics, and files with feature values: few,
    /// whatever the experiments hold.
    Directories,
    /// Every uploaded file, field image, plane and log, too.
    Everything,
}

/// What rows own, as of one moment.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// What was asked for.
    pub scope: Scope,
    /// By id of the experiment.
    pub experiments: BTreeMap<i64, Owned>,
}

/// What the rows of one experiment own.
#[derive(Debug, Clone, Default)]
pub struct Owned {
    /// The complete files of every acquisition.
    pub uploads: BTreeMap<i64, Uploads>,
    /// Files of linked directories, with their length in bytes where it is known: relied on, but nobody's here.
    pub linked: BTreeMap<PathBuf, Option<i64>>,
    /// The images of every plate that has some.
    pub plates: BTreeMap<i64, PlateImages>,
    /// Ids of the layers.
    pub layers: BTreeSet<i64>,
    /// Names of the statistics.
    pub statistics: BTreeSet<String>,
    /// Length in bytes of the files with feature values, by the ids of type and file.
    pub features: BTreeMap<(i64, i64), i64>,
    /// Ids of the jobs; each may have logs.
    pub jobs: BTreeSet<i64>,
    /// Whether a workflow is not over: its layers may be without files until it goes on.
    pub unfinished: bool,
}

/// Names of complete files, with their length in bytes where it is known.
pub type Uploads = BTreeMap<String, Option<i64>>;

/// The channel images of a plate.
#[derive(Debug, Clone, Default)]
pub struct PlateImages {
    /// Current generation.
    pub generation: i64,
    /// Its field images, each with the planes whose pixels are stored.
    pub fields: BTreeMap<String, Vec<PlaneIndex>>,
}

/// What no row names.
#[derive(Debug, Default)]
pub struct Orphans {
    /// Files and directories, outermost first.
    pub paths: Vec<PathBuf>,
    /// Field images inside plates; only [`crate::storage::images::keep_fields`] removes them well.
    pub fields: Vec<PathBuf>,
    /// What could not be looked at.
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

/// The directories of an experiment that this version knows.
const KINDS: [&str; 6] = ["uploads", "plates", "layers", "statistics", "features", "logs"];

impl Inventory {
    /// Read what rows own.
    ///
    /// # Errors
    /// When the database fails, or a row makes no sense.
    pub async fn read(tx: &mut Tx, scope: Scope) -> Result<Self> {
        let mut all = Self { scope, experiments: BTreeMap::new() };
        for experiment in queries::experiment_ids(tx).await? {
            all.experiments.insert(experiment, Owned::default());
        }
        for (experiment, acquisition) in acquisitions::all(tx).await? {
            all.of(experiment).uploads.insert(acquisition, Uploads::new());
        }
        for (experiment, plate, generation) in queries::plate_generations(tx).await? {
            all.of(experiment).plates.insert(plate, PlateImages { generation, fields: BTreeMap::new() });
        }
        for (experiment, layer) in queries::all_layers(tx).await? {
            all.of(experiment).layers.insert(layer);
        }
        for (experiment, file) in queries::all_statistics(tx).await? {
            all.of(experiment).statistics.insert(file);
        }
        for (experiment, kind, file, size) in features::all_files(tx).await? {
            all.of(experiment).features.insert((kind, file), size);
        }
        for experiment in queries::unfinished_experiments(tx).await? {
            all.of(experiment).unfinished = true;
        }
        if scope == Scope::Everything {
            all.read_contents(tx).await?;
        }
        Ok(all)
    }

    async fn read_contents(&mut self, tx: &mut Tx) -> Result<()> {
        for file in queries::complete_files(tx).await? {
            let uploads = self.of(file.experiment_id).uploads.entry(file.acquisition_id).or_default();
            let size = uploads.entry(file.name).or_default();
            *size = size.or(file.size);
        }
        for file in queries::linked_files(tx).await? {
            let path = PathBuf::from(file.directory).join(file.name);
            self.of(file.experiment_id).linked.insert(path, file.size);
        }
        for plane in queries::all_planes(tx).await? {
            let corrupt = |_| StoreError::Corrupt(format!("plane of field {}", plane.field));
            let at = PlaneIndex {
                t: plane.t_index.try_into().map_err(corrupt)?,
                c: plane.c_index.try_into().map_err(corrupt)?,
                z: plane.z_index.try_into().map_err(corrupt)?,
            };
            let images = self.of(plane.experiment_id).plates.entry(plane.plate_id).or_default();
            let planes = images.fields.entry(plane.field).or_default();
            if plane.stored {
                planes.push(at);
            }
        }
        for (experiment, job) in queries::all_jobs(tx).await? {
            self.of(experiment).jobs.insert(job);
        }
        Ok(())
    }

    /// Whether rows own all of this later on, too, when they own what is in `later`. Files go after their rows and
    /// never come back, so nothing of this was removed, not even in part, if so.
    pub fn lasts_until(&self, later: &Self) -> bool {
        self.experiments.iter().all(|(experiment, owned)| {
            later.experiments.get(experiment).is_some_and(|later| owned.lasts_until(later))
        })
    }

    fn of(&mut self, experiment: i64) -> &mut Owned {
        self.experiments.entry(experiment).or_default()
    }

    /// What lies in the data directory and no row names: whole directories, and with [`Scope::Everything`] what
    /// is inside those that are named, temporary files included. What this version knows nothing of is left
    /// out.
    pub fn orphans(&self, data: &DataDir) -> Orphans {
        let mut orphans = Orphans::default();
        for (name, path) in orphans.entries(&data.experiments()) {
            match name.parse().ok().and_then(|id: i64| Some((id, self.experiments.get(&id)?))) {
                Some((experiment, owned)) if path == data.experiment(experiment) => {
                    self.look_into(data, experiment, owned, &mut orphans);
                }
                _ => orphans.paths.push(path),
            }
        }
        orphans
    }

    fn look_into(&self, data: &DataDir, experiment: i64, owned: &Owned, orphans: &mut Orphans) {
        let directories = owned.directories(data, experiment);
        let named: BTreeSet<PathBuf> = directories.chain(owned.feature_files(data, experiment)).collect();
        for kind in ["uploads", "plates", "layers", "statistics", "features"] {
            for (_, path) in orphans.entries(&data.experiment(experiment).join(kind)) {
                if !named.contains(&path) {
                    orphans.paths.push(path);
                }
            }
        }
        if self.scope == Scope::Directories {
            return;
        }
        for (acquisition, uploads) in &owned.uploads {
            for (name, path) in orphans.entries(&data.uploads(experiment, *acquisition)) {
                if !uploads.contains_key(&name) {
                    orphans.paths.push(path);
                }
            }
        }
        for (name, path) in orphans.entries(&data.experiment(experiment).join("logs")) {
            let job = name.strip_suffix(".out").or_else(|| name.strip_suffix(".err"));
            if !job.and_then(|id| id.parse().ok()).is_some_and(|id: i64| owned.jobs.contains(&id)) {
                orphans.paths.push(path);
            }
        }
        for (plate, images) in &owned.plates {
            let path = data.plate_images(experiment, *plate, images.generation);
            match field_directories(&path) {
                Ok(fields) => {
                    let strange = fields.into_iter().filter(|(field, _)| !images.fields.contains_key(field));
                    orphans.fields.extend(strange.map(|(_, path)| path));
                }
                Err(error) => orphans.unreadable.push((path, error)),
            }
        }
        for directory in owned.zarr_directories(data, experiment) {
            orphans.temporaries(&directory);
        }
    }

    /// What lies in the directories of experiments besides those that this version knows.
    pub fn strangers(&self, data: &DataDir) -> Vec<PathBuf> {
        let mut orphans = Orphans::default();
        let mut strangers = Vec::new();
        for experiment in self.experiments.keys() {
            let entries = orphans.entries(&data.experiment(*experiment)).into_iter();
            strangers
                .extend(entries.filter(|(name, _)| !KINDS.contains(&name.as_str())).map(|(_, path)| path));
        }
        strangers
    }
}

impl Owned {
    /// Files with feature values need not last: each is copied whole or found missing, and merges replace them often.
    fn lasts_until(&self, later: &Self) -> bool {
        let uploads = self.uploads.iter().all(|(acquisition, files)| {
            let later = later.uploads.get(acquisition);
            later.is_some_and(|later| files.iter().all(|(name, size)| later.get(name) == Some(size)))
        });
        let plates = self.plates.iter().all(|(plate, images)| {
            let later = later.plates.get(plate).filter(|later| later.generation == images.generation);
            later.is_some_and(|later| images.fields.keys().all(|field| later.fields.contains_key(field)))
        });
        uploads
            && plates
            && self.layers.is_subset(&later.layers)
            && self.statistics.is_subset(&later.statistics)
            && self.jobs.is_subset(&later.jobs)
    }

    /// The directories that rows name.
    fn directories<'a>(&'a self, data: &'a DataDir, experiment: i64) -> impl Iterator<Item = PathBuf> + 'a {
        let uploads = self.uploads.keys().map(move |acquisition| data.uploads(experiment, *acquisition));
        uploads.chain(self.zarr_directories(data, experiment))
    }

    /// The files with feature values that rows name.
    pub fn feature_files<'a>(
        &'a self,
        data: &'a DataDir,
        experiment: i64,
    ) -> impl Iterator<Item = PathBuf> + 'a {
        self.features.keys().map(move |(kind, file)| data.feature_file(experiment, *kind, *file))
    }

    /// About how many files there are.
    pub fn files(&self) -> usize {
        let uploads = self.uploads.values().map(|files| files.len()).sum::<usize>();
        let fields = self.plates.values().flat_map(|plate| plate.fields.values());
        uploads + self.features.len() + fields.map(|planes| 2 + planes.len()).sum::<usize>()
    }

    /// The Zarr hierarchies that rows name.
    pub fn zarr_directories<'a>(
        &'a self,
        data: &'a DataDir,
        experiment: i64,
    ) -> impl Iterator<Item = PathBuf> + 'a {
        let plates = self.plates.iter();
        let plates = plates.map(move |(id, images)| data.plate_images(experiment, *id, images.generation));
        let layers = self.layers.iter().map(move |layer| data.layer(experiment, *layer));
        let statistics = self.statistics.iter().map(move |file| data.statistics(experiment, file));
        plates.chain(layers).chain(statistics)
    }
}

impl Orphans {
    /// Names and paths in a directory, by name; none when there is no such directory.
    fn entries(&mut self, directory: &Path) -> Vec<(String, PathBuf)> {
        let named = |entry: fs::DirEntry| (entry.file_name().to_string_lossy().into_owned(), entry.path());
        let listed = fs::read_dir(directory)
            .and_then(|entries| entries.map(|entry| entry.map(named)).collect::<io::Result<Vec<_>>>());
        match listed {
            Ok(mut entries) => {
                entries.sort();
                entries
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    self.unreadable.push((directory.to_owned(), error));
                }
                Vec::new()
            }
        }
    }

    /// Find temporary files and directories, however deep.
    fn temporaries(&mut self, directory: &Path) {
        for (name, path) in self.entries(directory) {
            if is_temporary(&name) {
                self.paths.push(path);
            } else if is_directory(&path) {
                self.temporaries(&path);
            }
        }
    }
}

/// Whether there is a directory at `path`; a link to one is none.
pub fn is_directory(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|file| file.is_dir())
}
