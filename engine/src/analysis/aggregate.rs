//! From the features of objects to those of the objects they lie in.
//!
//! An object lies in every containing object that has one of its pixels. For each containing object and each
//! feature, over the objects in it and leaving out NaN:
//!
//! ```text
//! Count          number of objects in it
//! Mean_<feature>, Std_<feature> (of the population), Sum_<feature>
//! ```
//!
//! Without an object or without a value, `Count` is 0 and the others are NaN. `Count` counts objects, not
//! intensities, so it gets no channel in its name, other than in the original.

use crate::error::{EngineError, Result};
use crate::image::Plane;

use super::{Measurements, Regions, check_size};

/// The name of the column with the number of objects.
pub const COUNT: &str = "Count";

/// The names of the columns that stand for columns of these names, in their order.
///
/// ```
/// use tm_engine::analysis::aggregate;
/// let columns = aggregate::columns(["Intensity_max"]);
/// assert_eq!(columns, ["Count", "Mean_Intensity_max", "Std_Intensity_max", "Sum_Intensity_max"]);
/// ```
pub fn columns<'a>(features: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let of = |feature: &str| ["Mean", "Std", "Sum"].map(|statistic| format!("{statistic}_{feature}"));
    std::iter::once(COUNT.to_owned()).chain(features.into_iter().flat_map(of)).collect()
}

/// Aggregates features of `parts` over the objects of `whole_labels` that contain them.
///
/// ```
/// use tm_engine::analysis::{Regions, aggregate, intensity};
/// use tm_engine::image::{Plane, Size};
/// let size = Size::new(1, 6);
/// let cells = Plane::new(size, vec![3, 3, 3, 3, 0, 5])?;
/// let spots = Regions::of(&Plane::new(size, vec![1, 0, 0, 2, 0, 0])?);
/// let image = Plane::new(size, vec![10u8, 0, 0, 20, 0, 0])?;
/// let table = intensity::measure(&spots, &image.into())?;
/// let table = aggregate::aggregate(&table, &spots, &cells, &Regions::of(&cells))?;
/// assert_eq!(table.values("Count"), Some(&[2.0, 0.0][..]));
/// assert_eq!(table.values("Mean_Intensity_max").map(|values| values[0]), Some(15.0));
/// # Ok::<(), tm_engine::EngineError>(())
/// ```
///
/// # Errors
/// [`EngineError::Shape`] when the label images have different sizes, or the table has other objects than `parts`.
pub fn aggregate(
    table: &Measurements,
    parts: &Regions,
    whole_labels: &Plane<i32>,
    wholes: &Regions,
) -> Result<Measurements> {
    check_size("label image of containing objects", parts.size(), whole_labels.size())?;
    check_size("regions of containing objects", parts.size(), wholes.size())?;
    if table.labels != parts.labels() {
        return Err(EngineError::Shape {
            what: "table to aggregate",
            expected: format!("a row for each of {} objects", parts.len()),
            actual: format!("{} rows, or those of other objects", table.labels.len()),
        });
    }
    let inside = contents(parts, whole_labels, wholes);
    let mut aggregated = Measurements::of(wholes.labels().to_vec());
    aggregated.push_count(COUNT, inside.iter().map(|parts| parts.len() as f64).collect());
    let mut names = columns(table.columns.iter().map(|column| column.name.as_str())).into_iter().skip(1);
    for column in &table.columns {
        let statistics = inside.iter().map(|parts| statistics(parts.iter().map(|part| column.values[*part])));
        let rows: Vec<[f64; 3]> = statistics.collect();
        aggregated.push_rows(&names.by_ref().take(3).collect::<Vec<_>>(), &rows);
    }
    Ok(aggregated)
}

/// Refuses objects that are not pixel by pixel the ones of the same label in `whole_labels`.
///
/// # Errors
/// [`EngineError::Shape`] when the label images have different sizes, [`EngineError::Parameter`] with the first
/// pixel that has another label in `whole_labels`.
pub fn check_same_labels(parts: &Regions, whole_labels: &Plane<i32>) -> Result<()> {
    check_size("label image of the objects to assign to", parts.size(), whole_labels.size())?;
    for region in parts.iter() {
        for run in region.runs {
            let pixels = &whole_labels.row(run.row)[run.columns()];
            // Without a branch for each pixel.
            if pixels.iter().fold(0, |differing, label| differing | (label ^ region.label)) == 0 {
                continue;
            }
            let mut pixels = run.columns().zip(pixels);
            if let Some((column, other)) = pixels.find(|(_, label)| **label != region.label) {
                let (label, row) = (region.label, run.row);
                let problem = format!(
                    "have the labels of the objects they are assigned to, but {label} is in {other} at row {row}, \
                     column {column}"
                );
                return Err(EngineError::Parameter { name: "objects", problem });
            }
        }
    }
    Ok(())
}

/// For each containing object, the indices of the objects that have pixels in it, ascending.
fn contents(parts: &Regions, whole_labels: &Plane<i32>, wholes: &Regions) -> Vec<Vec<usize>> {
    let labels_inside = parts.map(|region| {
        let pixels = region.runs.iter().map(|run| &whole_labels.row(run.row)[run.columns()]);
        let mut labels: Vec<i32> =
            pixels.flat_map(|row| row.chunk_by(|left, right| left == right)).map(|same| same[0]).collect();
        labels.sort_unstable();
        labels.dedup();
        labels
    });
    let mut inside = vec![Vec::new(); wholes.len()];
    for (part, labels) in labels_inside.iter().enumerate() {
        for whole in labels.iter().filter_map(|label| wholes.index_of(*label)) {
            inside[whole].push(part);
        }
    }
    inside
}

/// Mean, standard deviation and sum of the values that are numbers.
fn statistics(values: impl Iterator<Item = f64> + Clone) -> [f64; 3] {
    let numbers = values.filter(|value| !value.is_nan());
    let count = numbers.clone().count() as f64;
    if count == 0.0 {
        return [f64::NAN; 3];
    }
    let sum: f64 = numbers.clone().sum();
    let mean = sum / count;
    let squares: f64 = numbers.map(|value| (value - mean) * (value - mean)).sum();
    [mean, (squares / count).sqrt(), sum]
}
