//! Gabor: how much an object looks like stripes of a width.
//!
//! With the origin at the object's centroid, A its area, σ = √(A/π)/3 and v′ its values less their mean, the
//! response to a wavelength f is the largest over θ = 0°, 45°, 90°, 135° of
//!
//! ```text
//! |Σ v′ G e^(iφ)|,    G = 1000/(2πσ²) · exp(−(x² + y²)/2σ²),    φ = 2π/f · (y cos θ + x sin θ)
//! ```
//!
//! Filters are meant to have zero mean over the object; since v′ has, they need not be given one. Everything
//! splits into a factor of x and one of y, so there is no exponential or cosine per pixel.
//!
//! The original called f a frequency and clients know it by this name, but it is a wavelength in pixels (D23).

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use crate::image::Plane;

use super::super::Region;
use super::super::moments::Moments;

/// The names of the columns.
pub(super) fn columns(frequencies: &[u32]) -> Vec<String> {
    frequencies.iter().map(|frequency| format!("Texture_Gabor-frequency-{frequency}")).collect()
}

/// A complex number.
#[derive(Clone, Copy, Default)]
struct Wave {
    real: f64,
    imaginary: f64,
}

impl Wave {
    fn at(phase: f64) -> Self {
        Self { real: phase.cos(), imaginary: phase.sin() }
    }

    fn add_product(&mut self, left: Self, right: Self) {
        self.real += left.real * right.real - left.imaginary * right.imaginary;
        self.imaginary += left.real * right.imaginary + left.imaginary * right.real;
    }

    fn scaled(self, factor: f64) -> Self {
        Self { real: self.real * factor, imaginary: self.imaginary * factor }
    }

    fn conjugate(self) -> Self {
        Self { imaginary: -self.imaginary, ..self }
    }
}

/// Numbers per column: the envelope, then a wave along the row and one at 45° for each wavelength.
fn factors(wavelengths: usize) -> usize {
    1 + 4 * wavelengths
}

/// The response of an object to each wavelength.
pub(super) fn responses(region: Region<'_>, image: &Plane<u16>, wavelengths: &[u32]) -> Vec<f64> {
    let moments = Moments::of(region);
    let two_variances = 2.0 * region.area as f64 / PI / 9.0;
    let envelope = |offset: f64| (-offset * offset / two_variances).exp();
    let turns: Vec<f64> = wavelengths.iter().map(|length| 2.0 * PI / f64::from(*length)).collect();
    let factors = factors(wavelengths.len());
    let mut table = Vec::with_capacity(region.bounds.size.width * factors);
    for column in region.bounds.x..region.bounds.x + region.bounds.size.width {
        let x = column as f64 - moments.centroid_x();
        table.push(envelope(x));
        for turn in &turns {
            for wave in [Wave::at(turn * x), Wave::at(turn * x * FRAC_1_SQRT_2)] {
                let wave = wave.scaled(envelope(x));
                table.extend([wave.real, wave.imaginary]);
            }
        }
    }
    let mean = mean(region, image);
    let mut sums = vec![[Wave::default(); 4]; turns.len()];
    let mut row_sums = vec![0.0; factors];
    for row in region.runs.chunk_by(|left, right| left.row == right.row) {
        row_sums.fill(0.0);
        for run in row {
            let start = run.start - region.bounds.x;
            let values = &image.row(run.row)[run.columns()];
            for (value, factors) in values.iter().zip(table[start * factors..].chunks_exact(factors)) {
                let value = f64::from(*value) - mean;
                for (sum, factor) in row_sums.iter_mut().zip(factors) {
                    *sum += value * factor;
                }
            }
        }
        let y = row[0].row as f64 - moments.centroid_y();
        let height = envelope(y);
        for ((sums, turn), waves) in sums.iter_mut().zip(&turns).zip(row_sums[1..].chunks_exact(4)) {
            let still = Wave { real: row_sums[0], imaginary: 0.0 };
            let along = Wave { real: waves[0], imaginary: waves[1] };
            let aslant = Wave { real: waves[2], imaginary: waves[3] };
            let down = Wave::at(turn * y * FRAC_1_SQRT_2).scaled(height);
            sums[0].add_product(still, Wave::at(turn * y).scaled(height));
            sums[1].add_product(aslant, down);
            sums[2].add_product(along, Wave { real: height, imaginary: 0.0 });
            sums[3].add_product(aslant, down.conjugate());
        }
    }
    let scale = 1000.0 / (PI * two_variances);
    let strongest =
        |sums: &[Wave; 4]| sums.iter().map(|sum| sum.real.hypot(sum.imaginary)).fold(0.0, f64::max) * scale;
    sums.iter().map(strongest).collect()
}

/// Mean value of the object's pixels.
fn mean(region: Region<'_>, image: &Plane<u16>) -> f64 {
    let values = region.runs.iter().flat_map(|run| &image.row(run.row)[run.columns()]);
    values.map(|value| u64::from(*value)).sum::<u64>() as f64 / region.area as f64
}
