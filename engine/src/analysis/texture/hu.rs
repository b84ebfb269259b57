//! Hu's seven moment invariants, of the intensities of an object.
//!
//! With central moments μ_pq = Σ v (x − x̄)^p (y − ȳ)^q, x̄ and ȳ weighted by intensity, and
//! ν_pq = μ_pq / μ₀₀^(1 + (p + q)/2). x is the column. Intensities are used as they are, so the numbers are small,
//! and smaller for brighter objects. NaN for an object without intensity.
//!
//! Hu, IRE Transactions on Information Theory 8:179 (1962).

use crate::image::Plane;

use super::super::Region;

/// The names of the columns.
pub(super) fn columns() -> Vec<String> {
    (0..7).map(|index| format!("Texture_Hu-{index}")).collect()
}

/// The invariants of one object.
pub(super) fn invariants(region: Region<'_>, image: &Plane<u16>) -> [f64; 7] {
    let Some(moments) = central_moments(region, image) else { return [f64::NAN; 7] };
    let nu = |p: usize, q: usize| moments[p][q] / moments[0][0].powf(1.0 + (p + q) as f64 / 2.0);
    let (n20, n11, n02) = (nu(2, 0), nu(1, 1), nu(0, 2));
    let (n30, n21, n12, n03) = (nu(3, 0), nu(2, 1), nu(1, 2), nu(0, 3));
    let (sum_x, sum_y) = (n30 + n12, n21 + n03);
    let (difference_x, difference_y) = (n30 - 3.0 * n12, 3.0 * n21 - n03);
    let (squared_x, squared_y) = (sum_x * sum_x, sum_y * sum_y);
    let (turn_x, turn_y) = (squared_x - 3.0 * squared_y, 3.0 * squared_x - squared_y);
    [
        n20 + n02,
        (n20 - n02) * (n20 - n02) + 4.0 * n11 * n11,
        difference_x * difference_x + difference_y * difference_y,
        squared_x + squared_y,
        difference_x * sum_x * turn_x + difference_y * sum_y * turn_y,
        (n20 - n02) * (squared_x - squared_y) + 4.0 * n11 * sum_x * sum_y,
        difference_y * sum_x * turn_x - difference_x * sum_y * turn_y,
    ]
}

/// μ_pq at `[p][q]` for p + q up to 3; `None` when all intensities are 0.
fn central_moments(region: Region<'_>, image: &Plane<u16>) -> Option<[[f64; 4]; 4]> {
    let (mut sum, mut sum_x, mut sum_y) = (0u64, 0u128, 0u128);
    for run in region.runs {
        let (mut row_sum, mut row_sum_x) = (0, 0);
        for (x, value) in (0u64..).zip(&image.row(run.row)[run.columns()]) {
            row_sum += u64::from(*value);
            row_sum_x += u64::from(*value) * x;
        }
        sum += row_sum;
        sum_x += u128::from(row_sum_x) + u128::from(row_sum) * (run.start - region.bounds.x) as u128;
        sum_y += u128::from(row_sum) * (run.row - region.bounds.y) as u128;
    }
    if sum == 0 {
        return None;
    }
    let centre_x = region.bounds.x as f64 + sum_x as f64 / sum as f64;
    let centre_y = region.bounds.y as f64 + sum_y as f64 / sum as f64;
    let mut moments = [[0.0; 4]; 4];
    for run in region.runs {
        let mut powers = [0.0; 4];
        for (column, value) in run.columns().zip(&image.row(run.row)[run.columns()]) {
            let x = column as f64 - centre_x;
            let mut term = f64::from(*value);
            for power in &mut powers {
                *power += term;
                term *= x;
            }
        }
        let y = run.row as f64 - centre_y;
        for (p, power) in powers.iter().enumerate() {
            let mut term = *power;
            for moment in &mut moments[p][..4 - p] {
                *moment += term;
                term *= y;
            }
        }
    }
    Some(moments)
}
