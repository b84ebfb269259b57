//! The database against the files.
//!
//! Works while a server runs: what looks wrong is looked at twice, the second time as the rows are by then.
//! Files that no row names are no problem then, because some are just being written.

mod look;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::environment::DataLock;
use crate::inventory::{Inventory, Orphans, Scope};
use crate::storage::DataDir;
use crate::store::{Db, Result, StoreError};
use crate::tally::Tally;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// What has it: a path below the data directory.
    pub path: PathBuf,
    /// What is wrong with it, in a few words.
    pub what: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.path.display(), self.what)
    }
}

/// What was looked at, and what is wrong.
#[derive(Debug, Default)]
pub struct Report {
    /// Number of uploaded files.
    pub uploads: usize,
    /// Number of stored channel images.
    pub planes: usize,
    /// Number of layers.
    pub layers: usize,
    /// Number of sets of statistics.
    pub statistics: usize,
    /// What is wrong, by path.
    pub problems: Vec<Problem>,
}

/// Compare the database with the files; `deep` decodes every pixel.
///
/// # Errors
/// When the database cannot be read.
pub async fn run(db: &Db, data: &DataDir, deep: bool, tally: &Arc<Tally>) -> Result<Report> {
    let database = data.database();
    let in_database = db.problems().await?;
    let mut in_database: Vec<Problem> =
        in_database.into_iter().map(|what| problem(data, &database, what)).collect();
    let mut report = match Inventory::read(&mut db.read().await?, Scope::Everything).await {
        Err(error) if !in_database.is_empty() => {
            in_database.push(problem(data, &database, error.to_string()));
            Report::default()
        }
        inventory => compare(db, data, inventory?, deep, tally).await?,
    };
    report.problems.extend(in_database);
    report.problems.sort();
    Ok(report)
}

/// Compare what rows owned a moment ago with the files, and what looks wrong once more with what rows own then.
///
/// # Errors
/// When the database cannot be read.
pub async fn compare(
    db: &Db,
    data: &DataDir,
    first: Inventory,
    deep: bool,
    tally: &Arc<Tally>,
) -> Result<Report> {
    let first = Arc::new(first);
    let mut report = Report::from(first.as_ref());
    let orphans = unless_held(data, &first).await?;
    let suspects = look(data, first, None, deep, tally).await?;
    if suspects.is_empty() && orphans.as_ref().is_none_or(BTreeSet::is_empty) {
        return Ok(report);
    }
    let second = Arc::new(Inventory::read(&mut db.read().await?, Scope::Everything).await?);
    let still = unless_held(data, &second).await?;
    let suspects = suspects.into_iter().map(|problem| data.root().join(problem.path)).collect();
    report.problems = look(data, second, Some(suspects), deep, tally).await?;
    for path in orphans.zip(still).iter().flat_map(|(before, now)| before.intersection(now)) {
        report.problems.push(problem(data, path, "no row names it"));
    }
    Ok(report)
}

impl From<&Inventory> for Report {
    fn from(inventory: &Inventory) -> Self {
        let mut report = Self::default();
        for owned in inventory.experiments.values() {
            report.uploads += owned.uploads.values().map(|files| files.len()).sum::<usize>();
            let fields = owned.plates.values().flat_map(|plate| plate.fields.values());
            report.planes += fields.map(Vec::len).sum::<usize>();
            report.layers += owned.layers.len();
            report.statistics += owned.statistics.len();
        }
        report
    }
}

/// What no row names; `None` while a server runs.
async fn unless_held(data: &DataDir, inventory: &Arc<Inventory>) -> Result<Option<BTreeSet<PathBuf>>> {
    if DataLock::is_held(data).unwrap_or(true) {
        return Ok(None);
    }
    let (data, inventory) = (data.clone(), Arc::clone(inventory));
    blocking(move || {
        let Orphans { paths, fields, unreadable } = inventory.orphans(&data);
        let unreadable = unreadable.into_iter().map(|(path, _)| path);
        let strangers = inventory.strangers(&data);
        Some(paths.into_iter().chain(fields).chain(strangers).chain(unreadable).collect())
    })
    .await
}

/// Look at everything that rows own, or only at what is among or below the paths in `only`.
async fn look(
    data: &DataDir,
    inventory: Arc<Inventory>,
    only: Option<BTreeSet<PathBuf>>,
    deep: bool,
    tally: &Arc<Tally>,
) -> Result<Vec<Problem>> {
    let (data, tally) = (data.clone(), Arc::clone(tally));
    blocking(move || look::look(&data, &inventory, only.as_ref(), deep, &tally)).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StoreError::Corrupt(format!("the look at files panicked: {error}")))
}

/// A problem of something at `path`.
fn problem(data: &DataDir, path: &Path, what: impl Into<String>) -> Problem {
    Problem { path: path.strip_prefix(data.root()).unwrap_or(path).to_owned(), what: what.into() }
}
