//! Vectors of illumination statistics and of the corrections by them and by a flat-field.

use tm_engine::Engine;
use tm_engine::image::{BitDepth, GreyPlane, Plane};
use tm_engine::kernels::flatfield::{self, FlatfieldCorrection, FlatfieldImages};
use tm_engine::kernels::illumination::{
    self, Correction, IlluminationStatistics, IlluminationSums, Moments, smooth,
};
use tm_engine::kernels::{KernelSpec, Tolerance};
use tm_tests::compare::{assert_close, relative_rms};
use tm_tests::vectors::{Vector, Vectors, plane, planes};

fn as_f64(plane: &Plane<u16>) -> Vec<f64> {
    plane.pixels().iter().map(|value| f64::from(*value)).collect()
}

fn statistics_of(stack: &[Plane<u16>], engine: &Engine) -> IlluminationStatistics {
    let images: Vec<GreyPlane> = stack.iter().cloned().map(GreyPlane::from).collect();
    let mut sums = IlluminationSums::new(images[0].size(), BitDepth::Sixteen);
    engine.add_to_statistics(&mut sums, &images.iter().collect::<Vec<_>>()).expect("images of one size");
    sums.finish()
}

pub fn stats(vectors: &Vectors, engine: &Engine) {
    let vector = vectors.load("illum_stats");
    let statistics = statistics_of(&planes(&vector.input("stack")), engine);
    assert_eq!(statistics.images, vector.parse::<u64>("n"));
    for (name, actual) in [("mean", &statistics.mean), ("std", &statistics.std)] {
        let expected = plane::<f64>(&vector.expected(name));
        assert_close(name, expected.pixels(), actual.pixels(), vector.tolerance("abs"));
    }
}

/// In every order that begins with another part.
pub fn merge(vectors: &Vectors, _: &Engine) {
    let vector = vectors.load("illum_merge");
    let counts: Vec<u64> = vector.parse("counts");
    let (means, deviations) = (planes::<f64>(&vector.input("means")), planes::<f64>(&vector.input("m2s")));
    assert_eq!([means.len(), deviations.len()], [counts.len(); 2]);
    let mut parts: Vec<Moments> = counts
        .iter()
        .zip(means.into_iter().zip(deviations))
        .map(|(images, (mean, squared_deviations))| Moments { images: *images, mean, squared_deviations })
        .collect();
    let (mean, std) = (plane::<f64>(&vector.expected("mean")), plane::<f64>(&vector.expected("std")));
    for _ in 0..parts.len() {
        let mut merged = parts[0].clone();
        for part in &parts[1..] {
            merged.merge(part).expect("parts of one size");
        }
        assert_close("mean", mean.pixels(), merged.mean.pixels(), vector.tolerance("abs"));
        assert_close("std", std.pixels(), merged.std().pixels(), vector.tolerance("abs"));
        parts.rotate_left(1);
    }
}

pub fn percentiles(vectors: &Vectors, engine: &Engine) {
    let vector = vectors.load("illum_percentiles");
    let percentiles = statistics_of(&planes(&vector.input("stack")), engine).percentiles;
    let keys: Vec<f64> = vector.parse("keys");
    let actual: Vec<f64> = keys.iter().map(|key| percentiles.at(*key).map_or(f64::NAN, f64::from)).collect();
    let expected: Vec<f64> = vector.expected::<i64>("values").iter().map(|value| *value as f64).collect();
    assert_close("percentiles", &expected, &actual, vector.tolerance("abs"));
}

pub fn smoothing(vectors: &Vectors, _: &Engine) {
    let vector = vectors.load("illum_smooth");
    for name in vector.expected_names() {
        let smoothed = smooth(&plane(&vector.input(&name)), vector.parse("sigma"));
        let expected = plane::<f64>(&vector.expected(&name));
        assert_close(&name, expected.pixels(), smoothed.pixels(), vector.tolerance("abs"));
    }
}

/// The images of a vector, corrected by its statistics, which are those of `illum_stats`.
fn corrected(vectors: &Vectors, vector: &Vector, engine: &Engine) -> Vec<Plane<u16>> {
    let images = planes::<u16>(&vector.input("images"));
    let count = vectors.load("illum_stats").parse("n");
    let correction =
        Correction::from_smoothed(count, &plane(&vector.input("mean")), &plane(&vector.input("std")))
            .expect("mean and deviation have one size");
    let views: Vec<_> = images.iter().map(Plane::view).collect();
    engine.correct_all(&views, &correction).expect("images and correction have one size")
}

/// Within the tolerance of the vector, and as often equal as the kernel promises.
fn assert_corrected(vector: &Vector, kernel: &KernelSpec, actual: &[Plane<u16>]) {
    let expected = planes::<u16>(&vector.expected("images"));
    assert_eq!(actual.len(), expected.len());
    let (mut equal, mut all) = (0, 0);
    for (expected, actual) in expected.iter().zip(actual) {
        assert_close("corrected image", &as_f64(expected), &as_f64(actual), vector.tolerance("abs"));
        equal += expected.pixels().iter().zip(actual.pixels()).filter(|(a, b)| a == b).count();
        all += expected.size().area();
    }
    let Tolerance::Counts { equal_share, .. } = kernel.tolerance else { panic!("{:?}", kernel.tolerance) };
    assert!(equal as f64 >= equal_share * all as f64, "only {equal} of {all} are equal");
}

pub fn correct(vectors: &Vectors, engine: &Engine) {
    let vector = vectors.load("illum_correct");
    let actual = corrected(vectors, &vector, engine);
    assert_corrected(&vector, &illumination::APPLY, &actual);
    // Before truncation, which takes less than one count.
    for (actual, exact) in actual.iter().zip(planes::<f32>(&vector.expected("unquantised"))) {
        let exact: Vec<f64> = exact.pixels().iter().map(|value| f64::from(*value).min(65_535.0)).collect();
        assert_close("unquantised", &exact, &as_f64(actual), 1.0 + vector.tolerance("abs"));
    }
}

/// The original wraps around where this clamps; elsewhere both are the same, but for what becomes of 0.
pub fn correct_wrap(vectors: &Vectors, engine: &Engine) {
    let vector = vectors.load("illum_correct_wrap");
    let images = planes::<u16>(&vector.input("images"));
    let wrapped = planes::<u16>(&vector.expected("images"));
    let actual = corrected(vectors, &vector, engine);
    assert_eq!([images.len(), wrapped.len()], [actual.len(); 2]);
    let (mut expected, mut compared) = (Vec::new(), Vec::new());
    for ((image, wrapped), actual) in images.iter().zip(&wrapped).zip(&actual) {
        for ((value, wrapped), actual) in image.pixels().iter().zip(wrapped.pixels()).zip(actual.pixels()) {
            if *value != 0 && *actual != u16::MAX {
                expected.push(f64::from(*wrapped));
                compared.push(f64::from(*actual));
            }
        }
    }
    // This vector only informs; that of the same images without wrapping says what may differ.
    let tolerance = vectors.load("illum_correct").tolerance("abs");
    assert_close("where nothing overflowed", &expected, &compared, tolerance);
}

pub fn flatfield_fit(vectors: &Vectors, _: &Engine) {
    let vector = vectors.load("flatfield_fit");
    let images = planes::<u16>(&vector.input("stack"));
    let mut fit = FlatfieldImages::new(images[0].size()).expect("the images have pixels");
    for image in &images {
        fit.add(&image.clone().into()).expect("images of one size");
    }
    assert_eq!(fit.images() as u64, vector.parse::<u64>("n"));
    let dark: f64 = vector.parse("darkfield");
    let flatfield = fit.fit(&Plane::from_fn(images[0].size(), |_, _| dark)).expect("the images are bright");
    let rms = relative_rms(&plane(&vector.expected("flatfield")), &flatfield.profile);
    assert!(rms <= vector.tolerance("relative_rms"), "{rms}");
}

pub fn flatfield_apply(vectors: &Vectors, engine: &Engine) {
    let vector = vectors.load("flatfield_apply");
    let images = planes::<u16>(&vector.input("stack"));
    let dark: f64 = vector.parse("darkfield");
    let profile = plane::<f64>(&vector.input("flatfield"));
    let correction = FlatfieldCorrection::new(&profile, &Plane::from_fn(profile.size(), |_, _| dark))
        .expect("profile and dark-field have one size");
    let views: Vec<_> = images.iter().map(Plane::view).collect();
    let actual = engine.apply_flatfield(&views, &correction).expect("one size");
    assert_corrected(&vector, &flatfield::SPEC, &actual);
}
