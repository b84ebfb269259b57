//! Comparisons that say where two results differ. Their own tests show that they can fail.

use tm_engine::image::{GreyPixel, Plane};

/// Panics unless the values agree within `abs`; NaN equals NaN only, and nothing equals nothing.
pub fn assert_close(what: &str, expected: &[f64], actual: &[f64], abs: f64) {
    if let Err(difference) = close(expected, actual, abs) {
        panic!("{what}: {difference}");
    }
}

/// Panics unless the planes are equal in size and in every pixel.
pub fn assert_same<T: GreyPixel>(what: &str, expected: &Plane<T>, actual: &Plane<T>) {
    if let Err(difference) = same(expected, actual) {
        panic!("{what}: {difference}");
    }
}

/// Says how two planes differ, if they do. Empty planes of one size are equal.
pub fn same<T: GreyPixel>(expected: &Plane<T>, actual: &Plane<T>) -> Result<(), String> {
    if expected.size() != actual.size() {
        return Err(format!("size {} instead of {}", actual.size(), expected.size()));
    }
    let width = expected.size().width;
    let mut differences =
        expected.pixels().iter().zip(actual.pixels()).enumerate().filter(|(_, (a, b))| a != b);
    match differences.next() {
        None => Ok(()),
        Some((index, (expected, actual))) => Err(format!(
            "pixel at row {}, column {} is {actual:?}, expected {expected:?}; {} more differ",
            index / width,
            index % width,
            differences.count()
        )),
    }
}

/// Says how two sequences of numbers differ by more than `abs`, if they do.
pub fn close(expected: &[f64], actual: &[f64], abs: f64) -> Result<(), String> {
    if expected.is_empty() || expected.len() != actual.len() {
        return Err(format!("{} values, expected {} (more than none)", actual.len(), expected.len()));
    }
    for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
        let equal = expected.is_nan() && actual.is_nan();
        let near = (expected - actual).abs() <= abs;
        if !equal && !near {
            return Err(format!("value {index} is {actual}, expected {expected} ± {abs}"));
        }
    }
    Ok(())
}

/// Root mean square of `(actual - expected)/expected`; NaN where there is nothing to compare.
pub fn relative_rms(expected: &Plane<f64>, actual: &Plane<f64>) -> f64 {
    if expected.size() != actual.size() {
        return f64::NAN;
    }
    let squares = expected.pixels().iter().zip(actual.pixels());
    let sum: f64 = squares.map(|(expected, actual)| ((actual - expected) / expected).powi(2)).sum();
    (sum / expected.size().area() as f64).sqrt()
}
