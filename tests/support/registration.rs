//! Made-up pairs of images whose shift is known, and the classical ways to find it.
//!
//! After the benchmark of the imaging reference: textured nuclei, shot noise, static shading, dirt.

use rustfft::FftPlanner;
use rustfft::num_complex::Complex;
use tm_engine::image::{Plane, Size};
use tm_engine::kernels::Noise;
use tm_engine::kernels::alignment::Shift;

/// Counts of the background, whose shot noise is in every image.
pub const BACKGROUND: f64 = 100.0;

/// Textured nuclei on a plane larger than the images that are cut from it.
#[derive(Debug)]
pub struct Scene {
    noise: Noise,
    size: Size,
    margin: usize,
    signal: Plane<f64>,
}

impl Scene {
    /// A scene for images of a size that move by up to `margin` pixels.
    pub fn new(seed: u64, size: Size, margin: usize) -> Self {
        let mut noise = Noise::new(seed);
        let whole = Size::new(size.height + 2 * margin, size.width + 2 * margin);
        let mut signal = Plane::zeros(whole);
        for _ in 0..(whole.area() / 700).max(1) {
            add_nucleus(&mut noise, &mut signal);
        }
        Self { noise, size, margin, signal }
    }

    /// The expected signal of the image that this shift moves onto the image of no shift.
    pub fn view(&self, shift: Shift) -> Plane<f64> {
        let at = |index: usize, shift: i32| {
            let position = (index + self.margin) as i64 + i64::from(shift);
            usize::try_from(position).expect("the shift is within the margin")
        };
        Plane::from_fn(self.size, |row, column| self.signal.get(at(row, shift.y), at(column, shift.x)))
    }

    /// A camera's image: signal times contrast on a background, with shot noise.
    pub fn exposed(&mut self, signal: &Plane<f64>, contrast: f64) -> Plane<u16> {
        self.exposed_under(signal, contrast, |_, _| 1.0)
    }

    /// As [`exposed`](Self::exposed), with a lamp that is not equally bright everywhere.
    pub fn exposed_under(
        &mut self,
        signal: &Plane<f64>,
        contrast: f64,
        lamp: impl Fn(usize, usize) -> f64,
    ) -> Plane<u16> {
        Plane::from_fn(signal.size(), |row, column| {
            let expected = (BACKGROUND + contrast * signal.get(row, column)) * lamp(row, column);
            shot_noise(&mut self.noise, expected)
        })
    }

    /// A shift of up to `most` pixels along each axis.
    pub fn random_shift(&mut self, most: u16) -> Shift {
        let mut along = || i32::from(self.noise.next_u16() % (2 * most + 1)) - i32::from(most);
        Shift::new(along(), along())
    }

    /// Puts saturated specks on an image, on less than half a percent of its pixels.
    pub fn soil(&mut self, image: &mut Plane<u16>) {
        let Size { height, width } = image.size();
        for _ in 0..2 {
            let (y, x) = (between(&mut self.noise, height as f64), between(&mut self.noise, width as f64));
            for row in 0..height {
                for (column, value) in image.row_mut(row).iter_mut().enumerate() {
                    if (row as f64 - y).powi(2) + (column as f64 - x).powi(2) < 25.0 {
                        *value = 30_000;
                    }
                }
            }
        }
    }
}

/// The lamp of a microscope: bright in the middle, at two fifths of that in the corners.
pub fn vignette(size: Size) -> impl Fn(usize, usize) -> f64 {
    move |row, column| {
        let along = |index: usize, side: usize| 2.0 * index as f64 / side as f64 - 1.0;
        1.0 - 0.3 * (along(row, size.height).powi(2) + along(column, size.width).powi(2))
    }
}

/// A number from 0 up to `end`.
fn between(noise: &mut Noise, end: f64) -> f64 {
    end * f64::from(noise.next_u16()) / 65_536.0
}

/// An ellipse with a soft edge, brighter and darker in places.
fn add_nucleus(noise: &mut Noise, signal: &mut Plane<f64>) {
    let Size { height, width } = signal.size();
    let (y, x) = (between(noise, height as f64), between(noise, width as f64));
    let (long, short) = (6.0 + between(noise, 6.0), 5.0 + between(noise, 3.0));
    let (sine, cosine) = between(noise, std::f64::consts::PI).sin_cos();
    let brightness = 200.0 + between(noise, 500.0);
    let waves = [(); 4].map(|()| [between(noise, 1.4) - 0.7, between(noise, 1.4) - 0.7, between(noise, 6.3)]);
    let rows = (y - 16.0).max(0.0) as usize..((y + 16.0) as usize).min(height);
    for row in rows {
        let columns = (x - 16.0).max(0.0) as usize..((x + 16.0) as usize).min(width);
        for column in columns {
            let (down, right) = (row as f64 - y, column as f64 - x);
            let (u, v) = ((cosine * right + sine * down) / long, (cosine * down - sine * right) / short);
            let radius = (u * u + v * v).sqrt();
            if radius > 1.6 {
                continue;
            }
            let inside = 1.0 / (1.0 + ((radius - 1.0) * 6.0).exp());
            let texture: f64 =
                waves.iter().map(|[fy, fx, phase]| (fy * down + fx * right + phase).sin()).sum();
            signal.row_mut(row)[column] += brightness * inside * (1.0 + 0.18 * texture);
        }
    }
}

/// A number of photons: Poisson's distribution, for many photons the normal one.
fn shot_noise(noise: &mut Noise, expected: f64) -> u16 {
    let mut uniform = || (f64::from(noise.next_u16()) + 0.5) / 65_536.0;
    if expected < 30.0 {
        let end = (-expected).exp();
        let (mut photons, mut product) = (0u16, uniform());
        while product > end {
            photons += 1;
            product *= uniform();
        }
        return photons;
    }
    let normal = (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
    (expected + expected.sqrt() * normal).round().clamp(0.0, 65_535.0) as u16
}

/// Phase correlation (Kuglin and Hines, 1975): the maximum of the correlation of two images whose
/// spectra have magnitude 1, in whole pixels, with a Hann window or without one.
pub fn phase_correlation(reference: &Plane<u16>, target: &Plane<u16>, window: bool) -> Shift {
    let Size { height, width } = reference.size();
    let hann = |index: usize, side: usize| {
        0.5 - 0.5 * (std::f64::consts::TAU * index as f64 / (side - 1) as f64).cos()
    };
    let transformed = |plane: &Plane<u16>| {
        let mean =
            plane.pixels().iter().map(|value| f64::from(*value)).sum::<f64>() / plane.size().area() as f64;
        let mut values = Vec::with_capacity(plane.size().area());
        for row in 0..height {
            for column in 0..width {
                let factor = if window { hann(row, height) * hann(column, width) } else { 1.0 };
                values.push(Complex::new(factor * (f64::from(plane.get(row, column)) - mean), 0.0));
            }
        }
        transform(values, plane.size(), false)
    };
    let (reference, target) = (transformed(reference), transformed(target));
    let phases = reference
        .iter()
        .zip(&target)
        .map(|(r, t)| {
            let product = r * t.conj();
            product / product.norm().max(1e-12)
        })
        .collect();
    let correlation = transform(phases, Size::new(height, width), true);
    let best = (0..correlation.len()).max_by(|a, b| correlation[*a].re.total_cmp(&correlation[*b].re));
    let best = best.expect("the images have pixels");
    let lag = |index: usize, side: usize| {
        let lag = if index > side / 2 { index as i64 - side as i64 } else { index as i64 };
        i32::try_from(lag).expect("a small image")
    };
    Shift::new(lag(best / width, height), lag(best % width, width))
}

/// A plain two-dimensional transform.
fn transform(mut values: Vec<Complex<f64>>, size: Size, inverse: bool) -> Vec<Complex<f64>> {
    let mut planner = FftPlanner::new();
    let mut plan = |length| {
        if inverse { planner.plan_fft_inverse(length) } else { planner.plan_fft_forward(length) }
    };
    plan(size.width).process(&mut values);
    let mut columns: Vec<Complex<f64>> = (0..values.len())
        .map(|index| values[index % size.height * size.width + index / size.height])
        .collect();
    plan(size.height).process(&mut columns);
    (0..values.len()).map(|index| columns[index % size.width * size.height + index / size.width]).collect()
}
