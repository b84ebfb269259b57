//! Tables of an export: a Parquet file for every type of objects, a row for every object and time point.
//!
//! Row group by row group, column by column: what is in memory does not grow with the number of objects.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::objects::TypeRows;
use super::parents::Parents;
use super::{ExportError, Work, blocking};
use crate::resources::feature::measured::{Cell, Findings, Objects, ValueFiles, Values, Whereabouts};
use crate::resources::feature::queries::MeasuredObject;
use crate::resources::feature::selection::{ObjectFilter, Place};
use crate::resources::mapobject::MapobjectType;
use crate::resources::zarr::names::unique;
use crate::storage::error::Result as StorageResult;
use crate::storage::tables::{Cells, ColumnKind, GROUP_ROWS, PlainTable};

/// Most labels of tool results in memory at once, unless one row has more.
const LABELS_AT_ONCE: usize = 1 << 20;
/// How often a table is planned anew because files were merged meanwhile.
const TRIES: usize = 5;

/// Make the tables.
///
/// # Errors
/// When something cannot be read or written.
pub(super) async fn write(work: &Work, types: &[TypeRows]) -> Result<(), ExportError> {
    if types.is_empty() {
        return Ok(());
    }
    let directory = work.directory.join("features");
    let path = directory.clone();
    blocking(move || Ok(fs::create_dir(path)?)).await?;
    for TypeRows { kind, name, .. } in types {
        write_table(work, kind, directory.join(format!("{name}.parquet"))).await?;
        work.tally.add(1);
    }
    Ok(())
}

async fn write_table(work: &Work, kind: &MapobjectType, path: PathBuf) -> Result<(), ExportError> {
    let (mut table, mut objects) = open(work, kind, path).await?;
    let most = (LABELS_AT_ONCE / table.findings.results().len().max(1)).clamp(1, GROUP_ROWS);
    loop {
        work.go_on()?;
        let rows = objects.take(most).await?;
        if rows.is_empty() {
            break;
        }
        table.findings.prepare(&work.environment, &rows).await?;
        table.parents.prepare(&work.environment, &rows).await?;
        let space = work.space.clone();
        table = blocking(move || {
            space.check()?;
            table.add(&rows)?;
            Ok(table)
        })
        .await?;
    }
    blocking(move || Ok(table.file.finish()?)).await
}

/// Find what a table is made of, and begin it.
async fn open(work: &Work, kind: &MapobjectType, path: PathBuf) -> Result<(Table, Objects), ExportError> {
    let environment = &work.environment;
    for _ in 0..TRIES {
        let mut tx = environment.db.read().await?;
        let places = ObjectFilter::default().find(&mut tx, work.experiment, kind.reference()).await?;
        let findings = Findings::find(&mut tx, work.experiment, kind).await?;
        let parents = Parents::find(&mut tx, kind).await?;
        let files = ValueFiles::find(&mut tx, environment, work.experiment, kind.id, &places).await?;
        drop(tx);
        let Some(values) = blocking(move || Ok(files.open()?)).await? else { continue };
        let objects = Objects::new(environment.clone(), kind, &places, None);
        let whereabouts = Whereabouts::of(kind.reference());
        let table = blocking(move || {
            let columns = columns(whereabouts, &findings, &values, &parents);
            let named: Vec<_> = columns.iter().map(|(name, column)| (name.clone(), column.kind())).collect();
            let file = PlainTable::create(&path, &named)?;
            let columns = columns.into_iter().map(|(_, column)| column).collect();
            Ok(Table { columns, places, findings, values, parents, file })
        });
        return Ok((table.await?, objects));
    }
    Err(ExportError::Unsteady)
}

/// Where the cells of a column come from.
#[derive(Debug, Clone, Copy)]
enum Column {
    Id,
    Whereabouts(Whereabouts),
    /// What a tool found out, by its place among the results.
    Finding(usize),
    /// By its place among the features.
    Feature(usize),
    /// Which object of a type it lies in, by the place of that type among those.
    Parent(usize),
}

impl Column {
    fn kind(self) -> ColumnKind {
        match self {
            Self::Whereabouts(column) if column.is_text() => ColumnKind::Text,
            Self::Id | Self::Whereabouts(_) | Self::Parent(_) => ColumnKind::Integer,
            Self::Finding(_) | Self::Feature(_) => ColumnKind::Number,
        }
    }
}

/// The columns in their order, under names that differ.
fn columns(
    whereabouts: &[Whereabouts],
    findings: &Findings,
    values: &Values,
    parents: &Parents,
) -> Vec<(String, Column)> {
    let mut names = BTreeSet::new();
    let mut columns = Vec::new();
    let mut add = |wanted: &str, column: Column| {
        columns.push((unique(wanted, |name| names.insert(name.to_owned())), column));
    };
    add("mapobject_id", Column::Id);
    whereabouts.iter().for_each(|column| add(column.name(), Column::Whereabouts(*column)));
    let results = findings.results().iter().enumerate();
    results.for_each(|(index, result)| add(&result.name, Column::Finding(index)));
    let features = values.features().iter().enumerate();
    features.for_each(|(index, feature)| add(&feature.name, Column::Feature(index)));
    let around = parents.types().iter().enumerate();
    around.for_each(|(index, kind)| add(&format!("parent_{}", kind.name), Column::Parent(index)));
    columns
}

/// A table that is being written.
struct Table {
    columns: Vec<Column>,
    /// By id.
    places: Vec<Place>,
    findings: Findings,
    values: Values,
    parents: Parents,
    file: PlainTable,
}

impl Table {
    /// Add the rows of some objects. Blocks.
    fn add(&mut self, objects: &[MeasuredObject]) -> StorageResult<()> {
        let Self { columns, places, findings, values, parents, file } = self;
        let located = values.locate(objects)?;
        let place_of = |object: &MeasuredObject| Place::find(object.place_id, places);
        let places: Vec<(&MeasuredObject, &Place)> =
            objects.iter().filter_map(|object| Some((object, place_of(object)?))).collect();
        file.write_group(objects.len(), |index| match columns[index] {
            Column::Id => Ok(Cells::Integers(objects.iter().map(|object| Some(object.id)).collect())),
            Column::Whereabouts(column) => Ok(cells(column, &places)),
            Column::Finding(result) => {
                let result = &findings.results()[result];
                Ok(Cells::Numbers(objects.iter().map(|object| findings.label(result, object)).collect()))
            }
            Column::Feature(feature) => {
                let mut cells = vec![f64::NAN; objects.len()];
                values.read(&located, feature, &mut cells)?;
                values.close(feature);
                Ok(Cells::Numbers(cells))
            }
            Column::Parent(kind) => {
                let kind = &parents.types()[kind];
                Ok(Cells::Integers(objects.iter().map(|object| parents.of(kind, object)).collect()))
            }
        })
    }
}

/// The cells of a column that says where objects are.
fn cells<'a>(column: Whereabouts, objects: &[(&MeasuredObject, &'a Place)]) -> Cells<'a> {
    let cells = objects.iter().map(|(object, place)| column.cell(object, place));
    if column.is_text() {
        Cells::Texts(cells.map(|cell| if let Cell::Text(text) = cell { text } else { "" }).collect())
    } else {
        Cells::Integers(
            cells.map(|cell| if let Cell::Integer(number) = cell { number } else { None }).collect(),
        )
    }
}
