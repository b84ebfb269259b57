//! How bright each object is.
//!
//! ```text
//! max, mean, min, sum     of the values of its pixels
//! std                     √((A·Σv² − (Σv)²) / A²) of A pixels: the standard deviation of the population
//! ```
//!
//! Sums are whole numbers, so nothing is lost before the last division and root.

use crate::error::Result;
use crate::image::{GreyPixel, GreyPlane, Plane};

use super::{Measurements, Region, Regions, check_size, for_depth};

/// The features, in the order of their columns.
pub const COLUMNS: [&str; 5] =
    ["Intensity_max", "Intensity_mean", "Intensity_min", "Intensity_sum", "Intensity_std"];

/// Measures the intensity of every object: the columns are [`COLUMNS`].
///
/// ```
/// use tm_engine::analysis::{Regions, intensity};
/// use tm_engine::image::{Plane, Size};
/// let size = Size::new(1, 4);
/// let regions = Regions::of(&Plane::new(size, vec![3, 3, 0, 8])?);
/// let image = Plane::new(size, vec![1u16, 5, 900, 7])?;
/// let table = intensity::measure(&regions, &image.into())?;
/// assert_eq!(table.values("Intensity_sum"), Some(&[6.0, 7.0][..]));
/// assert_eq!(table.values("Intensity_std"), Some(&[2.0, 0.0][..]));
/// # Ok::<(), tm_engine::EngineError>(())
/// ```
///
/// # Errors
/// [`EngineError::Shape`](crate::EngineError::Shape) when the image has another size than the label image.
pub fn measure(regions: &Regions, image: &GreyPlane) -> Result<Measurements> {
    check_size("intensity image", regions.size(), image.size())?;
    let rows = for_depth!(image, plane => regions.map(|region| row(region, plane)));
    let mut table = Measurements::of(regions.labels().to_vec());
    table.push_rows(&COLUMNS, &rows);
    Ok(table)
}

/// The features of one object, in the order of [`COLUMNS`].
fn row<T: GreyPixel>(region: Region<'_>, image: &Plane<T>) -> [f64; COLUMNS.len()] {
    let (mut low, mut high, mut sum, mut squares) = (u16::MAX, 0, 0u64, 0u64);
    for run in region.runs {
        for value in &image.row(run.row)[run.columns()] {
            let value: u16 = (*value).into();
            low = low.min(value);
            high = high.max(value);
            sum += u64::from(value);
            // 2³² pixels of 2³² each fit.
            squares += u64::from(value) * u64::from(value);
        }
    }
    let area = region.area as u128;
    let spread = area * u128::from(squares) - u128::from(sum) * u128::from(sum);
    let pixels = region.area as f64;
    [f64::from(high), sum as f64 / pixels, f64::from(low), sum as f64, (spread as f64).sqrt() / pixels]
}
