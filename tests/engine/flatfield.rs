//! Flat-field fit and correction on images whose shading is known, against naive code, and
//! properties.

use proptest::prelude::*;
use tm_engine::gpu::Caps;
use tm_engine::image::{GreyPixel, GreyPlane, Plane, Size};
use tm_engine::kernels::Noise;
use tm_engine::kernels::flatfield::{Flatfield, FlatfieldCorrection, FlatfieldImages, MAX_FIT_IMAGES};
use tm_engine::{Engine, EngineError};
use tm_tests::backends::{engines, gpus};
use tm_tests::compare::{assert_close, relative_rms};

/// Brightest left of the centre, about half of that in the far corner; mean 1.
fn profile(size: Size) -> Plane<f64> {
    let shade = |row: usize, column: usize| {
        let y = (row as f64 + 0.5) / size.height as f64 - 0.5;
        let x = (column as f64 + 0.5) / size.width as f64 - 0.4;
        1.2 - 0.9 * (y * y + x * x)
    };
    let plane = Plane::from_fn(size, shade);
    let mean = plane.pixels().iter().sum::<f64>() / size.area() as f64;
    Plane::from_fn(size, |row, column| plane.get(row, column) / mean)
}

/// Images of backgrounds from 300 to 900 counts with square cells, shaded, on a dark-field.
fn images(seed: u64, size: Size, count: usize, dark: &Plane<f64>) -> Vec<GreyPlane> {
    images_with_cells(seed, size, count, dark, 12)
}

fn images_with_cells(seed: u64, size: Size, count: usize, dark: &Plane<f64>, cells: usize) -> Vec<GreyPlane> {
    let (mut noise, profile) = (Noise::new(seed), profile(size));
    (0..count)
        .map(|_| {
            let background = background(&mut noise);
            let cell = (size.height / 12).max(1);
            let cells: Vec<(usize, usize, f64)> = (0..cells)
                .map(|_| {
                    let (y, x) = (usize::from(noise.next_u16()), usize::from(noise.next_u16()));
                    (y % size.height, x % size.width, 2.0 + f64::from(noise.next_u16() % 8))
                })
                .collect();
            let plane = Plane::from_fn(size, |row, column| {
                let inside = |(y, x, _): &&(usize, usize, f64)| {
                    (*y..y + cell).contains(&row) && (*x..x + cell).contains(&column)
                };
                let bright = cells.iter().find(inside).map_or(1.0, |(_, _, factor)| *factor);
                let light = background * bright * profile.get(row, column);
                let grain = 1.0 + (f64::from(noise.next_u16()) / 65_536.0 - 0.5) * 0.1;
                (light * grain + dark.get(row, column) + 0.5) as u16
            });
            GreyPlane::from(plane)
        })
        .collect()
}

fn background(noise: &mut Noise) -> f64 {
    300.0 + 600.0 * f64::from(noise.next_u16()) / 65_536.0
}

fn constant(size: Size, value: f64) -> Plane<f64> {
    Plane::from_fn(size, |_, _| value)
}

fn fit(images: &[GreyPlane], dark: &Plane<f64>) -> Flatfield {
    let mut fit = FlatfieldImages::new(dark.size()).expect("the images have pixels");
    for image in images {
        fit.add(image).expect("images of one size");
    }
    fit.fit(dark).expect("the images are brighter than the dark-field")
}

fn problem(result: tm_engine::Result<Flatfield>) -> &'static str {
    match result {
        Err(EngineError::Parameter { name, .. }) => name,
        Err(EngineError::Shape { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_planted_profile_is_found_at_sizes_that_do_and_do_not_divide_that_of_the_fit() {
    for size in [Size::new(40, 56), Size::new(128, 128), Size::new(150, 301)] {
        let dark = constant(size, 100.0);
        let flatfield = fit(&images(1, size, 16, &dark), &dark);
        let planted = profile(size);
        let before = relative_rms(&planted, &constant(size, 1.0));
        let after = relative_rms(&planted, &flatfield.profile);
        assert!(before > 0.1 && after < 0.02, "{size}: {before} without a fit, {after} with one");
        let mean = flatfield.profile.pixels().iter().sum::<f64>() / size.area() as f64;
        assert!((mean - 1.0).abs() < 1e-9, "{size}: the mean is {mean}");
        assert!(flatfield.converged, "{size}");
    }
}

/// What reweighting is for: a plain minimisation takes part of so many cells for light, and is off
/// by half as much again.
#[test]
fn cells_on_a_third_of_every_image_hardly_show_in_the_profile() {
    let size = Size::new(64, 64);
    let dark = constant(size, 100.0);
    let flatfield = fit(&images_with_cells(8, size, 16, &dark, 60), &dark);
    let rms = relative_rms(&profile(size), &flatfield.profile);
    assert!(rms < 0.0045, "{rms}");
}

#[test]
fn the_brightness_of_each_background_is_found_in_counts() {
    let size = Size::new(64, 64);
    let dark = constant(size, 50.0);
    // No cells: brightness is all that differs.
    let planted: Vec<f64> = (1..9).map(|step| 150.0 * f64::from(step)).collect();
    let profile = profile(size);
    let images: Vec<GreyPlane> = planted
        .iter()
        .map(|light| {
            Plane::from_fn(size, |row, column| (light * profile.get(row, column) + 50.5) as u16).into()
        })
        .collect();
    let flatfield = fit(&images, &dark);
    for (planted, found) in planted.iter().zip(&flatfield.brightness) {
        assert!((planted - found).abs() < 0.01 * planted, "{found}, not {planted}");
    }
    assert_eq!(flatfield.brightness.len(), planted.len());
}

#[test]
fn a_measured_dark_field_that_is_not_even_is_taken_off() {
    let size = Size::new(90, 70);
    let dark = Plane::from_fn(size, |row, column| 80.0 + row as f64 + 2.0 * column as f64);
    let images = images(2, size, 16, &dark);
    let planted = profile(size);
    let with = relative_rms(&planted, &fit(&images, &dark).profile);
    let without = relative_rms(&planted, &fit(&images, &constant(size, 0.0)).profile);
    assert!(with < 0.02 && without > 2.0 * with, "{with} with the dark-field, {without} without");
}

#[test]
fn a_dark_field_is_estimated_where_backgrounds_differ() {
    let size = Size::new(64, 80);
    let even = constant(size, 150.0);
    let sloping = Plane::from_fn(size, |row, column| 100.0 + row as f64 + 0.5 * column as f64);
    for (name, dark, profile_rms, dark_rms) in [("even", even, 0.01, 0.06), ("sloping", sloping, 0.015, 0.3)]
    {
        let images = images(7, size, 40, &dark);
        let mut fit = FlatfieldImages::new(size).expect("the images have pixels");
        for image in &images {
            fit.add(image).expect("images of one size");
        }
        let flatfield = fit.fit_with_darkfield().expect("the images are bright");
        let ignored = fit.fit(&constant(size, 0.0)).expect("the images are bright");
        let planted = profile(size);
        let with = relative_rms(&planted, &flatfield.profile);
        let without = relative_rms(&planted, &ignored.profile);
        assert!(
            with < profile_rms && without > 3.0 * with,
            "{name}: {with} with a dark-field, {without} without"
        );
        let off = relative_rms(&dark, &flatfield.darkfield);
        assert!(off < dark_rms, "{name}: the dark-field is off by {off}");
        // Brightness is counted from the dark-field, so the least is not far above 300.
        let least = flatfield.brightness.iter().copied().fold(f64::INFINITY, f64::min);
        assert!((250.0..400.0).contains(&least), "{name}: the darkest background is {least}");
        assert!(flatfield.converged, "{name}");
    }
}

#[test]
fn a_dark_field_that_nothing_tells_from_light_is_estimated_as_none() {
    let size = Size::new(16, 20);
    let planted = profile(size);
    let image: GreyPlane =
        Plane::from_fn(size, |row, column| (900.0 * planted.get(row, column)) as u16).into();
    let mut fit = FlatfieldImages::new(size).expect("the images have pixels");
    for _ in 0..4 {
        fit.add(&image).expect("images of one size");
    }
    assert_eq!(problem(fit.fit_with_darkfield()), "images");
    fit.add(&image).expect("images of one size");
    let flatfield = fit.fit_with_darkfield().expect("the images are bright");
    assert_eq!(flatfield.darkfield, constant(size, 0.0));
    assert!(relative_rms(&planted, &flatfield.profile) < 0.01);
}

#[test]
fn corrected_images_are_even_and_keep_their_brightness() {
    let size = Size::new(96, 128);
    let dark = constant(size, 100.0);
    let training = images(3, size, 16, &dark);
    let correction = fit(&training, &dark).correction();
    assert_eq!((correction.invalid_pixels, correction.size()), (0, size));
    let planted = profile(size);
    let empty = Plane::from_fn(size, |row, column| (500.0 * planted.get(row, column) + 100.5) as u16);
    for engine in engines() {
        let flat = engine.apply_flatfield(&[empty.view()], &correction).expect("one size");
        let values: Vec<f64> = flat[0].pixels().iter().map(|value| f64::from(*value)).collect();
        let expected = constant(size, 500.0);
        let actual = Plane::new(size, values).expect("one value per pixel");
        let rms = relative_rms(&expected, &actual);
        assert!(rms < 0.02, "{rms} on {}", engine.backend());
    }
}

#[test]
fn brighter_light_changes_brightness_but_not_the_profile() {
    let size = Size::new(32, 48);
    let images = images(5, size, 8, &constant(size, 0.0));
    let brighter: Vec<GreyPlane> = images
        .iter()
        .map(|image| Plane::from_fn(size, |row, column| image.value(row, column) * 4).into())
        .collect();
    let (one, four) = (fit(&images, &constant(size, 0.0)), fit(&brighter, &constant(size, 0.0)));
    assert_close("profile", one.profile.pixels(), four.profile.pixels(), 1e-9);
    let expected: Vec<f64> = one.brightness.iter().map(|value| 4.0 * value).collect();
    assert_close("brightness", &expected, &four.brightness, 1e-6);
}

#[test]
fn what_cannot_be_fitted_is_refused_with_the_reason() {
    let size = Size::new(6, 8);
    assert!(matches!(FlatfieldImages::new(Size::new(0, 8)), Err(EngineError::Parameter { .. })));
    assert!(matches!(FlatfieldImages::new(Size::new(8, 0)), Err(EngineError::Parameter { .. })));
    let image: GreyPlane = Noise::new(1).plane::<u8>(size).into();
    let mut fit = FlatfieldImages::new(size).expect("the images have pixels");
    assert!(matches!(
        fit.add(&GreyPlane::from(Plane::<u8>::zeros(Size::new(8, 6)))),
        Err(EngineError::Shape { .. })
    ));
    for _ in 0..4 {
        fit.add(&image).expect("one size");
    }
    assert_eq!((problem(fit.fit(&constant(size, 0.0))), fit.images()), ("images", 4));
    fit.add(&image).expect("one size");
    fit.fit(&constant(size, 0.0)).expect("five images are enough");
    assert_eq!(problem(fit.fit(&constant(Size::new(8, 6), 0.0))), "dark-field of a flat-field");
    assert_eq!(problem(fit.fit(&constant(size, f64::NAN))), "darkfield");
    assert_eq!(problem(fit.fit(&constant(size, f64::INFINITY))), "darkfield");
    assert_eq!(problem(fit.fit(&constant(size, 255.0))), "images", "nothing is brighter than white");
    let spread = Plane::from_fn(size, |row, _| if row % 2 == 0 { 1e300 } else { -1e300 });
    assert!(fit.fit(&spread).is_err(), "not a dark-field that 64-bit floats can square");
    let mut black = FlatfieldImages::new(size).expect("the images have pixels");
    for _ in 0..5 {
        black.add(&GreyPlane::from(Plane::<u16>::zeros(size))).expect("one size");
    }
    assert_eq!(problem(black.fit(&constant(size, 0.0))), "images");
    for _ in 5..MAX_FIT_IMAGES {
        black.add(&image).expect("one size");
    }
    assert!(matches!(black.add(&image), Err(EngineError::Parameter { .. })));
}

#[test]
fn images_of_one_pixel_and_of_one_row_are_fitted() {
    for size in [Size::new(1, 1), Size::new(1, 9), Size::new(9, 1)] {
        let images: Vec<GreyPlane> =
            (1..6u16).map(|step| Plane::from_fn(size, |_, _| 100 * step).into()).collect();
        let flatfield = fit(&images, &constant(size, 0.0));
        assert_close("an even profile", constant(size, 1.0).pixels(), flatfield.profile.pixels(), 1e-3);
    }
}

#[test]
fn pixels_without_usable_profile_or_dark_field_pass_unchanged_on_every_backend() {
    let size = Size::new(1, 7);
    let profile = [1.0, 0.0, -1.0, f64::NAN, f64::INFINITY, 1e-3, 1.0];
    let dark = [100.0, 100.0, 100.0, 100.0, 100.0, 100.0, f64::NAN];
    let plane = |values: [f64; 7]| Plane::new(size, values.to_vec()).expect("seven pixels");
    let correction = FlatfieldCorrection::new(&plane(profile), &plane(dark)).expect("one size");
    assert_eq!(correction.invalid_pixels, 6);
    let image = Plane::new(size, vec![1000u16; 7]).expect("seven pixels");
    for engine in engines() {
        let flat = engine.apply_flatfield(&[image.view()], &correction).expect("one size");
        assert_eq!(flat[0].pixels(), [900, 1000, 1000, 1000, 1000, 1000, 1000], "{}", engine.backend());
    }
    assert!(FlatfieldCorrection::new(&plane(profile), &constant(Size::new(7, 1), 0.0)).is_err());
}

#[test]
fn images_flattened_together_are_what_they_are_one_by_one() {
    let size = Size::new(23, 130);
    let correction = FlatfieldCorrection::new(&profile(size), &constant(size, 90.0)).expect("one size");
    let mut noise = Noise::new(6);
    let images: Vec<Plane<u8>> = (0..5).map(|_| noise.plane(size)).collect();
    let views: Vec<_> = images.iter().map(Plane::view).collect();
    let narrow = gpus()
        .into_iter()
        .map(|gpu| Engine::with_gpu(gpu.with_caps(Caps { binding_bytes: 1100, workgroups: 65_535 })));
    for engine in engines().into_iter().chain(narrow) {
        let together = engine.apply_flatfield(&views, &correction).expect("one size");
        for (view, flat) in views.iter().zip(&together) {
            let alone = engine.apply_flatfield(&[*view], &correction).expect("one size");
            assert_eq!(&alone[0], flat, "{}", engine.backend());
        }
        let other = Plane::<u8>::zeros(Size::new(130, 23));
        let result = engine.apply_flatfield(&[other.view()], &correction);
        assert!(matches!(result, Err(EngineError::Shape { .. })), "{}", engine.backend());
    }
}

fn naive<T: GreyPixel>(image: &Plane<T>, profile: &Plane<f64>, dark: &Plane<f64>) -> Vec<u16> {
    let pixels = image.pixels().iter().zip(profile.pixels().iter().zip(dark.pixels()));
    pixels
        .map(|(value, (profile, dark))| {
            let value: u16 = (*value).into();
            let flat = ((f64::from(value) - dark) / profile + 0.5).floor();
            flat.clamp(0.0, T::DEPTH.max_value().into()) as u16
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn correction_is_within_one_count_of_64_bit_floats(seed: u64, height in 1usize..40, width in 1usize..90) {
        let size = Size::new(height, width);
        let mut noise = Noise::new(seed);
        let mut unit = || f64::from(noise.next_u16()) / 65_536.0;
        let profile = Plane::from_fn(size, |_, _| 0.3 + 1.5 * unit());
        let dark = Plane::from_fn(size, |_, _| 300.0 * unit() - 20.0);
        let (eight, sixteen) = (noise.plane::<u8>(size), noise.plane::<u16>(size));
        let correction = FlatfieldCorrection::new(&profile, &dark).expect("one size");
        let engine = Engine::cpu();
        let flat = engine.apply_flatfield(&[eight.view()], &correction).expect("one size");
        for (expected, actual) in naive(&eight, &profile, &dark).into_iter().zip(flat[0].pixels()) {
            prop_assert!(expected.abs_diff(u16::from(*actual)) <= 1, "{actual}, not {expected}");
        }
        let flat = engine.apply_flatfield(&[sixteen.view()], &correction).expect("one size");
        let mut equal = 0;
        for (expected, actual) in naive(&sixteen, &profile, &dark).into_iter().zip(flat[0].pixels()) {
            prop_assert!(expected.abs_diff(*actual) <= 1, "{actual}, not {expected}");
            equal += usize::from(expected == *actual);
        }
        // One in a hundred, and one more where there are fewer pixels than that.
        prop_assert!((size.area() - equal) * 100 <= size.area() + 100, "{equal} of {} are equal", size.area());
    }
}
