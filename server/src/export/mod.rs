//! An experiment as ordinary directories that need no server: complete OME-Zarr under plain names.
//!
//! ```text
//! plates/<plate>.ome.zarr                   its stored images, as they are
//!     <row>/<column>/<field>/labels/<type>  label images of the objects in a field image
//! layers/<channel>_t<time>_z<plane>.ome.zarr    all levels, full resolution included
//! features/<type>.parquet                   every object: where it is, what tools found out, what was measured
//! ```
//!
//! Only read from: works while a server runs. What rows name is taken down first and compared with what they name in
//! the end; if files were removed meanwhile the export is none. It is filled under another name and renamed.
//! Each kind of thing has a module of its own, and a folder of its own in the export.

mod features;
mod labels;
mod layers;
mod objects;
mod plates;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use self::layers::LayerRow;
use self::objects::TypeRows;
use self::plates::PlateRows;
use crate::config::Config;
use crate::environment::Environment;
use crate::resources::experiment::Experiment;
use crate::resources::experiment::sharing::{self, ShareError};
use crate::resources::layer::MapError;
use crate::resources::segmentation::queries as segmentations;
use crate::storage::copy::Copied;
use crate::storage::staging::StagedDirectory;
use crate::storage::target::{TargetError, check_target, put};
use crate::storage::{Space, StorageError};
use crate::store::StoreError;
use crate::tally::Tally;

/// What was exported.
#[derive(Debug)]
pub struct Report {
    /// The experiment.
    pub experiment: Experiment,
    /// Number of plates.
    pub plates: usize,
    /// Number of layers.
    pub layers: usize,
    /// Number of channel images.
    pub planes: usize,
    /// Number of planes of label images.
    pub labels: usize,
    /// Number of types of objects.
    pub types: usize,
    /// What should be in it and is not, in a few words each.
    pub missing: Vec<String>,
}

/// Why there is no export; nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It is not clear which experiment is meant.
    #[error(transparent)]
    Experiment(#[from] ShareError),
    /// The experiment has no images.
    #[error("{0} has no images yet: there is nothing to export")]
    Nothing(String),
    /// The export cannot be where it was wanted.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A file could not be copied.
    #[error("the export failed: {0}")]
    Copy(#[from] io::Error),
    /// A file could not be read or written.
    #[error("the export failed: {0}")]
    Storage(#[from] StorageError),
    /// Full resolution could not be made.
    #[error("the export failed: {0}")]
    Map(#[from] MapError),
    /// The database could not be read.
    #[error("the export failed: {0}")]
    Store(#[from] StoreError),
    /// Images, layers or objects were removed while they were exported.
    #[error("images, layers or objects of the experiment were replaced while they were exported; try again")]
    Unsteady,
    /// Somebody stopped it.
    #[error("stopped")]
    Stopped,
}

/// What every part of an export needs.
#[derive(Clone)]
struct Work {
    environment: Environment,
    experiment: i64,
    /// Where the export is while it is filled.
    directory: PathBuf,
    /// The room where it is.
    space: Space,
    copied: Arc<Copied>,
    tally: Arc<Tally>,
    /// How many blocks are made at once.
    at_once: usize,
}

impl Work {
    fn go_on(&self) -> Result<(), ExportError> {
        if self.tally.is_stopped() { Err(ExportError::Stopped) } else { Ok(()) }
    }
}

/// Export an experiment, by id, name, or `OWNER/NAME`, to `target`, which must not exist or be empty; it appears
/// whole or not at all.
///
/// # Errors
/// [`ExportError`]; nothing of the export is left then.
pub async fn run(
    environment: &Environment,
    config: &Config,
    experiment: &str,
    target: &Path,
    tally: &Arc<Tally>,
) -> Result<Report, ExportError> {
    let found = sharing::find(&mut environment.db.read().await?, experiment).await?;
    let rows = Rows::read(environment, found.id, None).await?;
    if rows.plates.is_empty() {
        return Err(ExportError::Nothing(sharing::described(&found)));
    }
    let target = check_target(&environment.data, target)?;
    let staged = StagedDirectory::new(&target)?;
    let work = Work {
        environment: environment.clone(),
        experiment: found.id,
        directory: staged.path().to_owned(),
        space: Space::new(staged.path(), config.reserve_bytes),
        copied: Arc::default(),
        tally: Arc::clone(tally),
        at_once: layers::blocks_at_once(config.cores, config.memory_mb),
    };
    prepare(&work, &rows).await?;
    let (planes, mut missing) = plates::write(&work, &rows.plates).await?;
    let (labels, without_image) = labels::write(&work, &rows.plates, &rows.types).await?;
    missing.extend(without_image);
    missing.extend(layers::write(&work, &rows.layers).await?);
    features::write(&work, &rows.types).await?;
    if !rows.last_until(&Rows::read(environment, found.id, Some(rows.newest)).await?) {
        return Err(ExportError::Unsteady);
    }
    let report = Report {
        experiment: found,
        plates: rows.plates.len(),
        layers: rows.layers.iter().filter(|layer| layer.is_complete).count(),
        planes,
        labels,
        types: rows.types.len(),
        missing,
    };
    blocking(move || Ok(put(staged, &target)?)).await?;
    Ok(report)
}

/// What rows name of an experiment, as of one moment.
struct Rows {
    plates: Vec<PlateRows>,
    layers: Vec<LayerRow>,
    types: Vec<TypeRows>,
    /// The id of the last segmentation that is looked at.
    newest: i64,
}

impl Rows {
    /// Read them, without segmentations that are newer than this if one is given.
    async fn read(
        environment: &Environment,
        experiment: i64,
        newest: Option<i64>,
    ) -> Result<Self, ExportError> {
        let mut tx = environment.db.read().await?;
        let newest = match newest {
            Some(newest) => newest,
            None => segmentations::newest(&mut tx).await?,
        };
        Ok(Self {
            plates: plates::rows(&mut tx, experiment).await?,
            layers: layers::rows(&mut tx, environment, experiment).await?,
            types: objects::rows(&mut tx, experiment, newest).await?,
            newest,
        })
    }

    /// Whether all that was exported is there later on, too.
    fn last_until(&self, later: &Self) -> bool {
        self.plates.iter().all(|plate| plate.lasts_until(&later.plates))
            && self.layers.iter().all(|layer| layer.lasts_until(&later.layers))
            && self.types.iter().all(|kind| kind.lasts_until(&later.types))
    }
}

/// Check that there is room, and say how much there is to do.
async fn prepare(work: &Work, rows: &Rows) -> Result<(), ExportError> {
    let blocks = layers::count_blocks(work, &rows.layers).await?;
    let labels = labels::count(&rows.plates, &rows.types);
    let tables: u64 = rows.types.iter().map(|kind| kind.bytes).sum();
    let to_make = blocks + labels + rows.types.len();
    let (work, plates, layers) = (work.clone(), rows.plates.clone(), rows.layers.clone());
    blocking(move || {
        let mut stored = Stored::default();
        plates::measure(&work, &plates, &mut stored);
        // Each image is in one layer, whose full resolution is the same pixels in the same code.
        let full_resolution = if blocks > 0 { stored.bytes } else { 0 };
        layers::measure(&work, &layers, &mut stored)?;
        work.space.check_room(stored.bytes + full_resolution + tables)?;
        work.tally.begin(stored.files + to_make);
        Ok(())
    })
    .await
}

/// What lies in the data directory.
#[derive(Debug, Default)]
struct Stored {
    files: usize,
    bytes: u64,
}

impl Stored {
    fn add(&mut self, file: &Path) {
        if let Ok(found) = file.metadata() {
            self.files += 1;
            self.bytes += found.len();
        }
    }
}

/// Do all of these, as many at once as there is memory for.
///
/// All are seen to their end: who went on writing would bring back what is removed after a failure.
async fn each<T, F: Future<Output = Result<T, ExportError>>>(
    work: &Work,
    tasks: impl IntoIterator<Item = F>,
) -> Result<Vec<T>, ExportError> {
    let outcomes: Vec<Result<T, ExportError>> = stream::iter(tasks)
        .buffer_unordered(work.at_once)
        .inspect(|outcome| {
            if outcome.is_err() {
                work.tally.stop();
            }
        })
        .collect()
        .await;
    outcomes.into_iter().collect()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ExportError> + Send + 'static,
) -> Result<T, ExportError> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
