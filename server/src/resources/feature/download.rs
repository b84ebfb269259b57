//! Values and metadata of objects as tables: a line for every object and time point, made while they are sent.
//!
//! What does not depend on the number of values is found before the first line: names, places, which rows of which
//! file are about what; files are opened once and go on being readable when a merge replaces them. Then follow, some
//! thousand lines at a time, the objects of the next sites and their values. A client that goes away stops it.

use std::io;

use futures_util::Stream;
use futures_util::stream::unfold;

use super::csv::Csv;
use super::measured::{Cell, Findings, Objects, ValueFiles, Values, Whereabouts};
use super::queries::MeasuredObject;
use super::selection::{ObjectFilter, Place};
use crate::environment::Environment;
use crate::error::{ApiError, ApiResult};
use crate::http::FileName;
use crate::resources::experiment::queries as experiments;
use crate::resources::mapobject::{self, MapobjectType};
use crate::storage::error::Result as StorageResult;
use crate::store::Tx;

/// Most lines made at once.
const LINES_AT_ONCE: usize = 4096;
/// Most values in lines made at once, unless one line has more.
const VALUES_AT_ONCE: usize = 1 << 16;
/// How often a download is planned anew because files were merged meanwhile.
const TRIES: usize = 5;

/// A table that is about to be sent.
#[derive(Debug)]
pub struct Download<S> {
    /// What to call the file.
    pub file_name: FileName,
    /// Its lines, some at a time.
    pub lines: S,
}

/// The values of all features of the objects of a type.
///
/// # Errors
/// 400 for a filter that does not apply, 404 for a type, plate, well, position or time point that does not exist.
pub async fn values(
    environment: Environment,
    experiment: i64,
    mapobject_type: i64,
    filter: ObjectFilter<'_>,
) -> ApiResult<Download<impl Stream<Item = io::Result<Vec<u8>>> + Send + use<>>> {
    for _ in 0..TRIES {
        let mut tx = environment.db.read().await?;
        let kind = mapobject::get(&mut tx, experiment, mapobject_type).await?;
        let places = filter.places(&mut tx, experiment, &kind).await?;
        let file_name = file_name(&mut tx, experiment, &kind, filter, "feature-values.csv").await?;
        let files = ValueFiles::find(&mut tx, &environment, experiment, mapobject_type, &places).await?;
        drop(tx);
        let opened = environment.compute.interactive(move |_| files.open()).await;
        let Some(values) = opened.map_err(ApiError::internal)?? else { continue };
        let objects = Objects::new(environment, &kind, &places, filter.tpoint);
        return Ok(Download { file_name, lines: lines(objects, ValueTable(values)) });
    }
    Err(ApiError::internal("files of feature values are replaced faster than they can be opened"))
}

/// Where the objects of a type are, and what is known of them beside their values.
///
/// # Errors
/// As [`values`].
pub async fn metadata(
    environment: Environment,
    experiment: i64,
    mapobject_type: i64,
    filter: ObjectFilter<'_>,
) -> ApiResult<Download<impl Stream<Item = io::Result<Vec<u8>>> + Send + use<>>> {
    let mut tx = environment.db.read().await?;
    let kind = mapobject::get(&mut tx, experiment, mapobject_type).await?;
    let places = filter.places(&mut tx, experiment, &kind).await?;
    let file_name = file_name(&mut tx, experiment, &kind, filter, "metadata.csv").await?;
    let findings = Findings::find(&mut tx, experiment, &kind).await?;
    drop(tx);
    let objects = Objects::new(environment, &kind, &places, filter.tpoint);
    let table = MetadataTable { whereabouts: Whereabouts::of(kind.reference()), places, findings };
    Ok(Download { file_name, lines: lines(objects, table) })
}

async fn file_name(
    tx: &mut Tx,
    experiment: i64,
    kind: &MapobjectType,
    filter: ObjectFilter<'_>,
    suffix: &str,
) -> ApiResult<FileName> {
    let found = experiments::find(tx, experiment).await?;
    let found = found.ok_or_else(|| ApiError::not_found(format!("experiment {experiment}")))?;
    Ok(filter.file_name(&found.name, kind, suffix))
}

/// A table whose lines are about objects.
trait Table: Send + 'static {
    /// Write the head line.
    fn head(&self, csv: &mut Csv);

    /// How many lines are made at once.
    fn lines_at_once(&self) -> usize;

    /// Ask the database for what the lines of some objects need beside them.
    fn prepare(
        &mut self,
        _environment: &Environment,
        _objects: &[MeasuredObject],
    ) -> impl Future<Output = ApiResult<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Write the lines of some objects. Blocks.
    fn lines(&mut self, objects: &[MeasuredObject], csv: &mut Csv) -> StorageResult<()>;
}

/// The lines of a table, the head line first.
fn lines<T: Table>(objects: Objects, table: T) -> impl Stream<Item = io::Result<Vec<u8>>> + Send + use<T> {
    let mut csv = Csv::default();
    table.head(&mut csv);
    let head = csv.into_bytes();
    unfold(Some((objects, table, Some(head))), |state| async {
        let (objects, table, head) = state?;
        if let Some(head) = head {
            return Some((Ok(head), Some((objects, table, None))));
        }
        match next_lines(objects, table).await {
            Ok(next) => next.map(|(lines, objects, table)| (Ok(lines), Some((objects, table, None)))),
            // The status is sent already: a table that breaks off tells the client.
            Err(error) => Some((Err(io::Error::other(error.message().to_owned())), None)),
        }
    })
}

/// The next lines; `None` after the last.
async fn next_lines<T: Table>(
    mut objects: Objects,
    mut table: T,
) -> ApiResult<Option<(Vec<u8>, Objects, T)>> {
    let next = objects.take(table.lines_at_once()).await?;
    if next.is_empty() {
        return Ok(None);
    }
    table.prepare(objects.environment(), &next).await?;
    let made = objects.environment().compute.interactive(move |_| {
        let mut csv = Csv::default();
        table.lines(&next, &mut csv).map(|()| (csv.into_bytes(), table))
    });
    let (lines, table) = made.await.map_err(ApiError::internal)??;
    Ok(Some((lines, objects, table)))
}

/// Values of features.
struct ValueTable(Values);

impl Table for ValueTable {
    fn head(&self, csv: &mut Csv) {
        csv.text("mapobject_id");
        self.0.features().iter().for_each(|feature| csv.text(&feature.name));
        csv.end_line();
    }

    fn lines_at_once(&self) -> usize {
        (VALUES_AT_ONCE / self.0.features().len().max(1)).clamp(1, LINES_AT_ONCE)
    }

    fn lines(&mut self, objects: &[MeasuredObject], csv: &mut Csv) -> StorageResult<()> {
        let located = self.0.locate(objects)?;
        let mut values = vec![f64::NAN; objects.len() * self.0.features().len()];
        for (feature, values) in values.chunks_mut(objects.len()).enumerate() {
            self.0.read(&located, feature, values)?;
        }
        for (index, object) in objects.iter().enumerate() {
            csv.integer(Some(object.id));
            values.iter().skip(index).step_by(objects.len()).for_each(|value| csv.number(*value));
            csv.end_line();
        }
        Ok(())
    }
}

/// Places, labels and edges, and what tools found out.
struct MetadataTable {
    whereabouts: &'static [Whereabouts],
    /// By id.
    places: Vec<Place>,
    findings: Findings,
}

impl Table for MetadataTable {
    fn head(&self, csv: &mut Csv) {
        csv.text("mapobject_id");
        self.whereabouts.iter().for_each(|column| csv.text(column.name()));
        self.findings.results().iter().for_each(|result| csv.text(&result.name));
        csv.end_line();
    }

    fn lines_at_once(&self) -> usize {
        LINES_AT_ONCE
    }

    async fn prepare(&mut self, environment: &Environment, objects: &[MeasuredObject]) -> ApiResult<()> {
        Ok(self.findings.prepare(environment, objects).await?)
    }

    fn lines(&mut self, objects: &[MeasuredObject], csv: &mut Csv) -> StorageResult<()> {
        for object in objects {
            let Some(place) = Place::find(object.place_id, &self.places) else { continue };
            csv.integer(Some(object.id));
            for column in self.whereabouts {
                match column.cell(object, place) {
                    Cell::Text(text) => csv.text(text),
                    Cell::Integer(number) => csv.integer(number),
                }
            }
            for result in self.findings.results() {
                csv.text(&result.label_text(self.findings.label(result, object)));
            }
            csv.end_line();
        }
        Ok(())
    }
}
