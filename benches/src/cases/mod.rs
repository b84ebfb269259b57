//! Every kernel and chain with the inputs it is measured on.

mod alignment;
mod chains;
mod illumination;
mod kernels;

use std::sync::Arc;

use tm_engine::image::{Plane, Size};
use tm_engine::kernels::Noise;
use tm_engine::kernels::illumination::Correction;

use crate::case::Case;

/// Images per case, used in turns: more than the caches hold.
const IMAGES: usize = 4;

/// All cases, on images of this size.
///
/// # Errors
/// Those of the engine, none of which is expected here.
pub fn all(size: Size) -> tm_engine::Result<Vec<Case>> {
    let source = Arc::new(images(size, IMAGES));
    let mut cases = illumination::cases(&source)?;
    cases.extend(kernels::cases(&source)?);
    cases.extend(chains::cases(&source)?);
    cases.extend(alignment::cases(&source)?);
    Ok(cases)
}

/// Made-up camera images: 16-bit, dim, with noise.
fn images(size: Size, count: usize) -> Vec<Plane<u16>> {
    let mut noise = Noise::new(1);
    (0..count)
        .map(|_| {
            Plane::from_fn(size, |row, column| {
                300 + (row / 9 + column / 7) as u16 % 2000 + noise.next_u16() % 256
            })
        })
        .collect()
}

/// A correction of plausible strength.
fn correction(size: Size) -> tm_engine::Result<Correction> {
    let (mean, std) = statistics(size);
    Correction::from_smoothed(100, &mean, &std)
}

/// Mean and deviation, in log10 units, that grow dim towards the corners.
fn statistics(size: Size) -> (Plane<f64>, Plane<f64>) {
    let shade = |row: usize, column: usize| {
        let (y, x) = (row as f64 / size.height as f64 - 0.5, column as f64 / size.width as f64 - 0.5);
        y * y + x * x
    };
    let mean = Plane::from_fn(size, |row, column| 3.0 - 0.4 * shade(row, column));
    let std = Plane::from_fn(size, |row, column| 0.5 - 0.2 * shade(row, column));
    (mean, std)
}
