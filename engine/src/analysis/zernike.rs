//! Zernike moments: the outline of each object in terms of waves on a disc, whichever way it is turned.
//!
//! The disc has its middle at the object's centroid and a radius R half a pixel larger than the distance to the
//! farthest pixel; each of the A pixels weighs 1/A. For n from 0 to 12 and m from 0 to n with n − m even
//!
//! ```text
//! |Z_nm| = (n + 1)/π · |Σ V*_nm(ρ, θ)| / A        V_nm = R_nm(ρ) e^(imθ),    ρ = distance to the centroid / R
//! R_nm(ρ) = Σ_k (−1)^k (n − k)! / (k! ((n + m)/2 − k)! ((n − m)/2 − k)!) ρ^(n − 2k),    k = 0 … (n − m)/2
//! ```
//!
//! The original scaled the bounding box of each object to a square first, so that long objects became round, and
//! took what the spline made of the pixels' edges for weights (D22). There is no way back to its numbers.
//!
//! Teague, Journal of the Optical Society of America 70:920 (1980).

use std::f64::consts::PI;

use super::moments::Moments;
use super::{Measurements, Region, Regions};

/// Largest n.
const DEGREE: usize = 12;

/// Each n and m, in the order of the columns.
fn orders() -> impl Iterator<Item = (usize, usize)> {
    (0..=DEGREE).flat_map(|n| (n % 2..=n).step_by(2).map(move |m| (n, m)))
}

/// The names of the 49 columns.
///
/// ```
/// use tm_engine::analysis::zernike;
/// let columns = zernike::columns();
/// assert_eq!(columns[..3], ["Morphology_Zernike-0-0", "Morphology_Zernike-1-1", "Morphology_Zernike-2-0"]);
/// assert_eq!(columns.len(), 49);
/// ```
pub fn columns() -> Vec<String> {
    orders().map(|(n, m)| format!("Morphology_Zernike-{n}-{m}")).collect()
}

/// Measures the Zernike moments of every object: the columns are [`columns`].
pub fn measure(regions: &Regions) -> Measurements {
    let polynomials: Vec<Vec<f64>> = orders().map(|(n, m)| coefficients(n, m)).collect();
    let rows = regions.map(|region| row(region, &polynomials));
    let mut table = Measurements::of(regions.labels().to_vec());
    table.push_rows(&columns(), &rows);
    table
}

/// The factors of ρ^m, ρ^(m + 2), … in R_nm.
fn coefficients(n: usize, m: usize) -> Vec<f64> {
    let factorial = |number: usize| (1..=number).map(|factor| factor as f64).product::<f64>();
    let term = |k: usize| {
        let sign = if k.is_multiple_of(2) { 1.0 } else { -1.0 };
        sign * factorial(n - k) / (factorial(k) * factorial((n + m) / 2 - k) * factorial((n - m) / 2 - k))
    };
    (0..=(n - m) / 2).rev().map(term).collect()
}

/// A complex number: real and imaginary part.
#[derive(Clone, Copy, Default)]
struct Sum {
    real: f64,
    imaginary: f64,
}

/// |Z_nm| of one object, in the order of the columns.
fn row(region: Region<'_>, polynomials: &[Vec<f64>]) -> Vec<f64> {
    let moments = Moments::of(region);
    let (x, y) = (moments.centroid_x(), moments.centroid_y());
    let radius = radius(region, x, y);
    // Σ e^(imθ) ρ^(m + 2j) at [m][j].
    let mut sums = [[Sum::default(); DEGREE / 2 + 1]; DEGREE + 1];
    for run in region.runs {
        let y = (run.row as f64 - y) / radius;
        for column in run.columns() {
            let x = (column as f64 - x) / radius;
            let squared = x * x + y * y;
            let (mut real, mut imaginary) = (1.0, 0.0);
            for (m, sums) in sums.iter_mut().enumerate() {
                let (mut power_real, mut power_imaginary) = (real, imaginary);
                for sum in &mut sums[..=(DEGREE - m) / 2] {
                    sum.real += power_real;
                    sum.imaginary += power_imaginary;
                    power_real *= squared;
                    power_imaginary *= squared;
                }
                (real, imaginary) = (real * x - imaginary * y, real * y + imaginary * x);
            }
        }
    }
    let size = |((n, m), factors): ((usize, usize), &Vec<f64>)| {
        let part = |part: fn(&Sum) -> f64| {
            factors.iter().zip(&sums[m]).map(|(factor, sum)| factor * part(sum)).sum::<f64>()
        };
        let sum = part(|sum| sum.real).hypot(part(|sum| sum.imaginary));
        (n + 1) as f64 / PI * sum / region.area as f64
    };
    orders().zip(polynomials).map(size).collect()
}

/// Half a pixel more than the distance of the farthest pixel to the centroid, in pixels.
fn radius(region: Region<'_>, x: f64, y: f64) -> f64 {
    let farthest = |run: &super::Run| {
        let across = (x - run.start as f64).abs().max(((run.end - 1) as f64 - x).abs());
        across.hypot(run.row as f64 - y)
    };
    0.5 + region.runs.iter().map(farthest).fold(0.0, f64::max)
}
