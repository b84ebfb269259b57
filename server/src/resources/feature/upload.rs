//! Values that a client sends: checked, written as a file of their own, and made current by one transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;

use serde::de::{DeserializeSeed, Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::queries::{self, RowsOfSite};
use super::{MOST_FEATURES, merging};
use crate::environment::Environment;
use crate::error::{ApiError, ApiResult};
use crate::resources::experiment::{check_name, queries as experiments};
use crate::resources::mapobject;
use crate::storage::tables::{GROUP_ROWS, RowKey, TableRow, TableWriter, WrittenTable};
use crate::store::{StoreError, Tx};

/// Values of features of the objects at a site and time point.
#[derive(Debug, Clone)]
pub struct NewValues {
    /// Name of the plate.
    pub plate: String,
    /// Name of the well.
    pub well: String,
    /// Row of the site in the well.
    pub y: i64,
    /// Column of the site in the well.
    pub x: i64,
    /// Time point.
    pub tpoint: i64,
    /// Names of the features.
    pub names: Vec<String>,
    /// Labels of the objects.
    pub labels: Vec<i64>,
    /// A row for every label, in each a value for every name.
    pub values: Values,
}

/// A table of numbers, row by row.
#[derive(Debug, Clone, Default)]
pub struct Values {
    rows: usize,
    columns: usize,
    numbers: Vec<f64>,
}

impl NewValues {
    /// Check what needs no database.
    ///
    /// # Errors
    /// 400 naming what does not fit.
    pub fn check(&self) -> ApiResult<()> {
        let refuse = |message| Err(ApiError::malformed(message));
        for name in &self.names {
            check_name("names", name)?;
        }
        if let Some(name) = repeated(&self.names) {
            return refuse(format!("`names` holds \"{name}\" twice"));
        }
        if let Some(label) = repeated(&self.labels) {
            return refuse(format!("`labels` holds {label} twice"));
        }
        let Values { rows, columns, .. } = self.values;
        if rows != self.labels.len() {
            return refuse(format!("`values` has {rows} rows, `labels` asks for {}", self.labels.len()));
        }
        if rows > 0 && columns != self.names.len() {
            return refuse(format!("`values` has {columns} columns, `names` asks for {}", self.names.len()));
        }
        if self.names.len() > MOST_FEATURES {
            return refuse(format!("`names` holds more than {MOST_FEATURES} names"));
        }
        Ok(())
    }
}

fn repeated<T: Ord>(things: &[T]) -> Option<&T> {
    let mut seen = BTreeSet::new();
    things.iter().find(|thing| !seen.insert(*thing))
}

/// What an upload is about, once everything it names is found.
struct Found {
    site: i64,
    /// Ids of the features, in the order of the names.
    features: Vec<i64>,
    /// Id, label and row of `values` of the objects, by id.
    objects: Vec<(i64, i64, usize)>,
}

/// Store values. Those of features that they do not name, and of other objects, stay as they are.
///
/// # Errors
/// 404 for a type, site or time point that does not exist, a site without objects, or an object without a label; 507
/// when there is no room.
pub async fn store(
    environment: &Environment,
    experiment: i64,
    mapobject_type: i64,
    new: NewValues,
) -> ApiResult<()> {
    environment.space.check()?;
    merging::make_room(environment, experiment, mapobject_type).await?;
    let found = find(environment, experiment, mapobject_type, &new).await?;
    if found.features.is_empty() || found.objects.is_empty() {
        return Ok(());
    }
    let features = found.features.clone();
    let directory = environment.data.features(experiment);
    let (site, tpoint) = (found.site, new.tpoint);
    let written = environment.compute.interactive(move |_| {
        let mut writer = TableWriter::create(&directory, &found.features)?;
        for objects in found.objects.chunks(GROUP_ROWS) {
            let row = |&(mapobject, label, _): &(i64, i64, usize)| TableRow {
                key: RowKey { site, tpoint, mapobject },
                label,
            };
            let rows: Vec<TableRow> = objects.iter().map(row).collect();
            let value = |row: usize, column: usize| new.values.numbers[row * new.values.columns + column];
            writer.write_group(&rows, |column| {
                Ok(objects.iter().map(|&(_, _, row)| value(row, column)).collect())
            })?;
        }
        writer.finish()
    });
    let written = written.await.map_err(ApiError::internal)??;
    keep(environment, experiment, mapobject_type, &features, written).await?;
    merging::begin(environment, experiment, mapobject_type);
    Ok(())
}

/// Find what an upload names; features that are new get their ids, and are not seen before their values are stored.
async fn find(
    environment: &Environment,
    experiment: i64,
    mapobject_type: i64,
    new: &NewValues,
) -> ApiResult<Found> {
    let mut tx = environment.db.write().await?;
    // Uploads of an experiment take turns, so that no two of them add the same feature.
    experiments::touch(&mut tx, experiment, environment.now()).await?;
    let kind = mapobject::get(&mut tx, experiment, mapobject_type).await?;
    let names = (new.plate.as_str(), new.well.as_str());
    let site = queries::find_site(&mut tx, experiment, names, (new.y, new.x)).await?.ok_or_else(|| {
        let (plate, well) = names;
        ApiError::not_found(format!("site y {}, x {} of well \"{well}\" of plate \"{plate}\"", new.y, new.x))
    })?;
    let layer = queries::first_layer(&mut tx, mapobject_type, new.tpoint).await?.ok_or_else(|| {
        ApiError::not_found(format!("a layer of \"{}\" at time point {}", kind.name, new.tpoint))
    })?;
    let segmented = queries::segmented(&mut tx, mapobject_type, site, new.tpoint).await?;
    if segmented.is_empty() {
        return Err(ApiError::not_found(format!("objects of \"{}\" at this site", kind.name)));
    }
    let rows: HashMap<i64, usize> = new.labels.iter().enumerate().map(|(row, label)| (*label, row)).collect();
    let mut objects = BTreeMap::new();
    for (label, object, of_layer) in segmented {
        match rows.get(&label) {
            Some(row) => drop(objects.insert(object, (label, *row))),
            None if of_layer == layer => {
                return Err(ApiError::not_found(format!("label {label} of a segmented object in `labels`")));
            }
            None => {}
        }
    }
    let features = reserve(&mut tx, mapobject_type, &new.names).await?;
    tx.commit().await?;
    let objects = objects.into_iter().map(|(object, (label, row))| (object, label, row)).collect();
    Ok(Found { site, features, objects })
}

/// The ids of features of these names, in their order.
///
/// # Errors
/// 400 when the type would have too many.
pub(super) async fn reserve(tx: &mut Tx, mapobject_type: i64, names: &[String]) -> ApiResult<Vec<i64>> {
    let known = queries::all_of_type(tx, mapobject_type).await?;
    let known: HashMap<String, i64> = known.into_iter().map(|(id, name)| (name, id)).collect();
    let added = names.iter().filter(|name| !known.contains_key(*name)).count();
    if known.len() + added > MOST_FEATURES {
        let message = format!("the type would have more than {MOST_FEATURES} features");
        return Err(ApiError::malformed(message));
    }
    let mut ids = Vec::with_capacity(names.len());
    for name in names {
        ids.push(match known.get(name) {
            Some(id) => *id,
            None => queries::insert(tx, mapobject_type, name).await?,
        });
    }
    Ok(ids)
}

/// Make a written file current, and its features seen.
async fn keep(
    environment: &Environment,
    experiment: i64,
    mapobject_type: i64,
    features: &[i64],
    written: WrittenTable,
) -> ApiResult<()> {
    let mut tx = environment.db.write().await?;
    experiments::touch(&mut tx, experiment, environment.now()).await?;
    for feature in features {
        if !queries::set_stored(&mut tx, *feature).await? {
            return Err(ApiError::conflict("a feature was deleted meanwhile; nothing was stored, try again"));
        }
    }
    let path = insert_on_top(environment, &mut tx, experiment, mapobject_type, &written).await?;
    let kept = environment.compute.interactive(move |_| written.keep(&path)).await;
    kept.map_err(ApiError::internal)??;
    tx.commit().await?;
    Ok(())
}

/// Add the rows of a written file on top of all others of its type; the value is where it is to be.
///
/// # Errors
/// When the database fails.
pub(super) async fn insert_on_top(
    environment: &Environment,
    tx: &mut Tx,
    experiment: i64,
    mapobject_type: i64,
    written: &WrittenTable,
) -> Result<PathBuf, StoreError> {
    let files = queries::files(tx, mapobject_type).await?;
    let generation = files.last().map_or(1, |file| file.generation + 1);
    let file = insert(tx, mapobject_type, generation, written).await?;
    Ok(environment.data.feature_file(experiment, mapobject_type, file))
}

/// Add the rows of a written file.
///
/// # Errors
/// When the database fails.
pub(super) async fn insert(
    tx: &mut Tx,
    mapobject_type: i64,
    generation: i64,
    written: &WrittenTable,
) -> Result<i64, StoreError> {
    let number = |value: u64| {
        i64::try_from(value).map_err(|_| StoreError::Corrupt(format!("a file with {value} rows or bytes")))
    };
    let file = queries::insert_file(tx, mapobject_type, generation, number(written.size)?).await?;
    for part in &written.parts {
        let rows = RowsOfSite {
            feature_file_id: file,
            site_id: part.site,
            tpoint: part.tpoint,
            first_row: number(part.rows.start)?,
            row_count: number(part.rows.end - part.rows.start)?,
        };
        queries::insert_rows(tx, rows).await?;
    }
    Ok(file)
}

/// Read into one list: a list for every row would take several times the memory.
impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rows;

        impl<'de> Visitor<'de> for Rows {
            type Value = Values;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of rows of numbers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Values, A::Error> {
                let mut values = Values::default();
                while rows.next_element_seed(Row(&mut values.numbers))?.is_some() {
                    values.rows += 1;
                    if values.rows == 1 {
                        values.columns = values.numbers.len();
                    }
                    if values.numbers.len() != values.rows * values.columns {
                        let columns = values.numbers.len() + values.columns - values.rows * values.columns;
                        return Err(Error::custom(format!(
                            "row {} of `values` has {columns} numbers, the first has {}",
                            values.rows, values.columns
                        )));
                    }
                }
                Ok(values)
            }
        }

        deserializer.deserialize_seq(Rows)
    }
}

/// A row, read onto the end of a list; `null` is NaN.
struct Row<'a>(&'a mut Vec<f64>);

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a row of numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<(), A::Error> {
        while let Some(number) = numbers.next_element::<Option<f64>>()? {
            self.0.push(number.unwrap_or(f64::NAN));
        }
        Ok(())
    }
}
