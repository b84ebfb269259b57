//! Values and metadata of objects as tables: a line for every object and time point, made while they are sent.
//!
//! What does not depend on the number of values is found before the first line: names, places, which rows of which
//! file are about what; files are opened once and go on being readable when a merge replaces them. Then follow, some
//! thousand lines at a time, the objects of the next sites and their values. A client that goes away stops it.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::PathBuf;

use futures_util::Stream;
use futures_util::stream::unfold;

use super::csv::Csv;
use super::queries::{self, MeasuredObject};
use super::selection::{ObjectFilter, Place};
use super::{Feature, merging, open_stack};
use crate::environment::Environment;
use crate::error::{ApiError, ApiResult};
use crate::http::FileName;
use crate::resources::experiment::queries as experiments;
use crate::resources::mapobject::{self, MapobjectType, Reference};
use crate::resources::tools::labels::{self, Labels};
use crate::resources::tools::{ResultFilter, ToolResult, queries as tools};
use crate::storage::error::Result as StorageResult;
use crate::storage::tables::{Part, RowKey, TableStack};
use crate::store::Tx;

/// The objects of so many sites are asked for at once.
const PLACES_AT_ONCE: usize = 16;
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
        let mut features = queries::list(&mut tx, mapobject_type, None).await?;
        let files = files(&mut tx, &environment, experiment, mapobject_type, &places).await?;
        drop(tx);
        let opened = environment.compute.interactive(move |_| open_stack(files)).await;
        let Some(stack) = opened.map_err(ApiError::internal)?? else { continue };
        features.sort_by_key(|feature| feature.id);
        let table = ValueTable { features, stack };
        let objects = Objects::new(environment, &kind, places, filter.tpoint);
        return Ok(Download { file_name, lines: lines(objects, table) });
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
    let mut results = tools::list_results(&mut tx, experiment, ResultFilter::default()).await?;
    drop(tx);
    results.retain(|result| result.mapobject_type_id == mapobject_type);
    results.sort_by_key(|result| result.id);
    let table = MetadataTable {
        reference: kind.reference(),
        places: places.clone(),
        results,
        labels: HashMap::new(),
    };
    let objects = Objects::new(environment, &kind, places, filter.tpoint);
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

/// The files with values of objects in these places, the oldest first, each with the rows that are about them.
async fn files(
    tx: &mut Tx,
    environment: &Environment,
    experiment: i64,
    mapobject_type: i64,
    places: &[Place],
) -> ApiResult<Vec<(PathBuf, Vec<Part>)>> {
    let (Some(first), Some(last)) = (places.first(), places.last()) else { return Ok(Vec::new()) };
    let files = queries::files(tx, mapobject_type).await?;
    let mut parts = merging::parts_by_file(tx, mapobject_type, (first.id, last.id)).await?;
    let path = |id| environment.data.feature_file(experiment, mapobject_type, id);
    Ok(files.iter().filter_map(|file| Some((path(file.id), parts.remove(&file.id)?))).collect())
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
    table.prepare(&objects.environment, &next).await?;
    let made = objects.environment.compute.interactive(move |_| {
        let mut csv = Csv::default();
        table.lines(&next, &mut csv).map(|()| (csv.into_bytes(), table))
    });
    let (lines, table) = made.await.map_err(ApiError::internal)??;
    Ok(Some((lines, objects, table)))
}

/// The objects of a type in their order, asked for as they are needed.
struct Objects {
    environment: Environment,
    mapobject_type: i64,
    reference: Reference,
    tpoint: Option<i64>,
    /// Ids of the places that are left, in order.
    places: VecDeque<i64>,
    waiting: VecDeque<MeasuredObject>,
}

impl Objects {
    fn new(environment: Environment, kind: &MapobjectType, places: Vec<Place>, tpoint: Option<i64>) -> Self {
        Self {
            environment,
            mapobject_type: kind.id,
            reference: kind.reference(),
            tpoint,
            places: places.into_iter().map(|place| place.id).collect(),
            waiting: VecDeque::new(),
        }
    }

    /// The next objects, at most so many; none after the last.
    async fn take(&mut self, most: usize) -> ApiResult<Vec<MeasuredObject>> {
        while self.waiting.len() < most && !self.places.is_empty() {
            let places: Vec<i64> = self.places.drain(..PLACES_AT_ONCE.min(self.places.len())).collect();
            let range = (places[0], places[places.len() - 1]);
            let (kind, tpoint) = (self.mapobject_type, self.tpoint);
            let mut tx = self.environment.db.read().await?;
            let found = match self.reference {
                Reference::Plate => queries::objects_in_plates(&mut tx, kind, range, tpoint).await,
                Reference::Well => queries::objects_in_wells(&mut tx, kind, range, tpoint).await,
                Reference::Site => queries::objects_in_sites(&mut tx, kind, range, tpoint).await,
            };
            let wanted = |object: &MeasuredObject| places.binary_search(&object.place_id).is_ok();
            self.waiting.extend(found?.into_iter().filter(wanted));
        }
        Ok(self.waiting.drain(..most.min(self.waiting.len())).collect())
    }
}

/// Values of features.
struct ValueTable {
    /// By id.
    features: Vec<Feature>,
    stack: TableStack,
}

impl Table for ValueTable {
    fn head(&self, csv: &mut Csv) {
        csv.text("mapobject_id");
        self.features.iter().for_each(|feature| csv.text(&feature.name));
        csv.end_line();
    }

    fn lines_at_once(&self) -> usize {
        (VALUES_AT_ONCE / self.features.len().max(1)).clamp(1, LINES_AT_ONCE)
    }

    fn lines(&mut self, objects: &[MeasuredObject], csv: &mut Csv) -> StorageResult<()> {
        // Objects that are the same at all time points have no values.
        let key = |object: &MeasuredObject| RowKey {
            site: object.place_id,
            tpoint: object.tpoint.unwrap_or(-1),
            mapobject: object.id,
        };
        let keys: Vec<RowKey> = objects.iter().map(key).collect();
        let located = self.stack.locate(&keys)?;
        let mut values = vec![f64::NAN; objects.len() * self.features.len()];
        for (feature, values) in self.features.iter().zip(values.chunks_mut(objects.len())) {
            self.stack.read(&located, feature.id, values)?;
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
    reference: Reference,
    /// By id.
    places: Vec<Place>,
    /// By id.
    results: Vec<ToolResult>,
    /// What each of them says of the objects of the next lines, by result, site and time point.
    labels: HashMap<(i64, i64, i64), Labels>,
}

impl Table for MetadataTable {
    fn head(&self, csv: &mut Csv) {
        let columns: &[&str] = match self.reference {
            Reference::Plate => &["plate_name"],
            Reference::Well => &["plate_name", "well_name"],
            Reference::Site => &[
                "plate_name",
                "well_name",
                "well_pos_y",
                "well_pos_x",
                "tpoint",
                "zplane",
                "label",
                "is_border",
            ],
        };
        csv.text("mapobject_id");
        columns.iter().for_each(|column| csv.text(column));
        self.results.iter().for_each(|result| csv.text(&result.name));
        csv.end_line();
    }

    fn lines_at_once(&self) -> usize {
        LINES_AT_ONCE
    }

    async fn prepare(&mut self, environment: &Environment, objects: &[MeasuredObject]) -> ApiResult<()> {
        self.labels.clear();
        if self.results.is_empty() || self.reference != Reference::Site {
            return Ok(());
        }
        let mut tx = environment.db.read().await?;
        for object in objects {
            for result in &self.results {
                // Objects that are the same at all time points are labelled at the first.
                let (site, tpoint) = (object.place_id, object.tpoint.unwrap_or(0));
                if let Entry::Vacant(entry) = self.labels.entry((result.id, site, tpoint)) {
                    entry.insert(labels::of_site(&mut tx, result, site, tpoint).await?);
                }
            }
        }
        Ok(())
    }

    fn lines(&mut self, objects: &[MeasuredObject], csv: &mut Csv) -> StorageResult<()> {
        for object in objects {
            let found = self.places.binary_search_by_key(&object.place_id, |place| place.id);
            let Some(place) = found.ok().map(|at| &self.places[at]) else { continue };
            csv.integer(Some(object.id));
            csv.text(&place.plate);
            if self.reference != Reference::Plate {
                csv.text(&place.well);
            }
            if let Some((y, x)) = place.position {
                csv.integer(Some(y));
                csv.integer(Some(x));
                for column in [object.tpoint, object.zplane, object.label, object.is_border] {
                    csv.integer(column);
                }
            }
            for result in &self.results {
                let at = (result.id, object.place_id, object.tpoint.unwrap_or(0));
                let label = self.labels.get(&at).and_then(|labels| labels.get(object.id));
                csv.text(&result.label_text(label.unwrap_or(f64::NAN)));
            }
            csv.end_line();
        }
        Ok(())
    }
}
