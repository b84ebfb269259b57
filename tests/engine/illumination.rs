//! Illumination statistics and correction against naive code, and properties.

use proptest::prelude::*;
use tm_engine::gpu::Caps;
use tm_engine::image::{BitDepth, GreyPlane, Plane, Size};
use tm_engine::kernels::Noise;
use tm_engine::kernels::illumination::{Correction, IlluminationSums, smooth};
use tm_engine::{Engine, EngineError};
use tm_tests::backends::{engines, gpus};
use tm_tests::compare::assert_close;

fn images(seed: u64, count: usize, size: Size) -> Vec<GreyPlane> {
    let mut noise = Noise::new(seed);
    (0..count).map(|_| noise.plane::<u16>(size).into()).collect()
}

fn sums_of<'a>(size: Size, images: impl IntoIterator<Item = &'a GreyPlane>) -> IlluminationSums {
    let mut sums = IlluminationSums::new(size, BitDepth::Sixteen);
    for image in images {
        sums.add(image).expect("images of one size");
    }
    sums
}

fn logarithms(images: &[GreyPlane], row: usize, column: usize) -> Vec<f64> {
    images.iter().map(|image| f64::from(image.value(row, column).max(1)).log10()).collect()
}

/// `99999 · quantile` of sorted values, by the definition.
fn naive_quantile(sorted: &[u16], index: u64) -> f64 {
    let position = (sorted.len() - 1) as f64 * index as f64 / 99_999.0;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let (low, high) = (f64::from(sorted[below]), f64::from(sorted[above]));
    low + (position - position.floor()) * (high - low)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn statistics_agree_with_two_passes_in_64_bit_floats(seed: u64, count in 2usize..9, width in 1usize..40) {
        let size = Size::new(3, width);
        let images = images(seed, count, size);
        let statistics = sums_of(size, &images).finish();
        for (row, column) in (0..size.height).flat_map(|row| (0..size.width).map(move |column| (row, column))) {
            let values = logarithms(&images, row, column);
            let mean = values.iter().sum::<f64>() / count as f64;
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            prop_assert!((statistics.mean.get(row, column) - mean).abs() <= 1e-6);
            prop_assert!((statistics.std.get(row, column) - (squares / (count - 1) as f64).sqrt()).abs() <= 1e-6);
        }
    }

    #[test]
    fn neither_order_nor_split_nor_batches_change_a_bit(seed: u64, split in 0usize..7, turn in 0usize..7) {
        let size = Size::new(5, 33);
        let mut images = images(seed, 7, size);
        let whole = sums_of(size, &images);
        images.rotate_left(turn);
        let (left, right) = images.split_at(split);
        let mut merged = sums_of(size, right);
        let mut batch = IlluminationSums::new(size, BitDepth::Sixteen);
        batch.add_all(&left.iter().collect::<Vec<_>>()).expect("images of one size");
        merged.merge(&batch).expect("images of one size");
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(merged.finish(), whole.finish());
    }

    #[test]
    fn percentiles_agree_with_sorting(seed: u64, count in 1usize..4, height in 1usize..9, width in 1usize..40) {
        let size = Size::new(height, width);
        let images = images(seed, count, size);
        let percentiles = sums_of(size, &images).finish().percentiles;
        prop_assert_eq!(percentiles.keys.len(), 100_000);
        let sorted: Vec<Vec<u16>> = images
            .iter()
            .map(|image| {
                let GreyPlane::U16(plane) = image else { unreachable!("the images have 16 bits") };
                let mut pixels = plane.pixels().to_vec();
                pixels.sort_unstable();
                pixels
            })
            .collect();
        for index in (0..100_000u64).step_by(1777).chain([1, 49_999, 50_000, 99_998, 99_999]) {
            let mean = sorted.iter().map(|pixels| naive_quantile(pixels, index)).sum::<f64>() / count as f64;
            let actual = f64::from(percentiles.values[index as usize]);
            // Truncated; the naive code may be a rounding error below a whole number.
            prop_assert!(actual <= mean + 1e-6 && mean - actual < 1.0 + 1e-6, "{} → {}, {}", index, actual, mean);
        }
    }

    #[test]
    fn correction_is_within_one_count_of_64_bit_floats(seed: u64, depth_is_16: bool) {
        let size = Size::new(40, 67);
        let mut noise = Noise::new(seed);
        let mean = Plane::from_fn(size, |_, _| 2.2 + 0.6 * f64::from(noise.next_u16()) / 65_536.0);
        let std = Plane::from_fn(size, |_, _| 0.35 + 0.25 * f64::from(noise.next_u16()) / 65_536.0);
        let image: GreyPlane =
            if depth_is_16 { noise.plane::<u16>(size).into() } else { noise.plane::<u8>(size).into() };
        let correction = Correction::from_smoothed(24, &mean, &std).expect("one size");
        let corrected = Engine::cpu().correct_grey(&image, &correction).expect("one size");
        prop_assert_eq!(corrected.depth(), image.depth());
        let average = |plane: &Plane<f64>| plane.pixels().iter().sum::<f64>() / size.area() as f64;
        let (mean_of_mean, mean_of_std) = (average(&mean), average(&std));
        let mut equal = 0;
        for (row, column) in (0..size.height).flat_map(|row| (0..size.width).map(move |column| (row, column))) {
            let value = image.value(row, column);
            let expected = if value == 0 {
                0
            } else {
                let z = (f64::from(value).log10() - mean.get(row, column)) / std.get(row, column);
                10f64.powf(z * mean_of_std + mean_of_mean).clamp(0.0, image.depth().max_value().into()) as u16
            };
            let actual = corrected.value(row, column);
            prop_assert!(expected.abs_diff(actual) <= 1, "{} → {}, not {}", value, actual, expected);
            equal += usize::from(expected == actual);
        }
        prop_assert!(equal * 100 >= size.area() * 99, "{} of {} are equal", equal, size.area());
    }

    #[test]
    fn smoothing_agrees_with_naive_code(seed: u64, height in 1usize..9, width in 1usize..50) {
        let mut noise = Noise::new(seed);
        let size = Size::new(height, width);
        let plane = Plane::from_fn(size, |_, _| f64::from(noise.next_u16()) / 65_536.0);
        let sigma = 1.3;
        let radius = 5i64;
        let reflect = |position: i64, length: usize| {
            let (mut position, length) = (position, length as i64);
            while position < 0 || position >= length {
                position = if position < 0 { -1 - position } else { 2 * length - 1 - position };
            }
            position as usize
        };
        let weight = |k: i64| (-(k * k) as f64 / (2.0 * sigma * sigma)).exp();
        let total: f64 = (-radius..=radius).map(weight).sum();
        let expected = Plane::from_fn(size, |row, column| {
            let mut sum = 0.0;
            for (dy, dx) in (-radius..=radius).flat_map(|dy| (-radius..=radius).map(move |dx| (dy, dx))) {
                let value = plane.get(reflect(row as i64 + dy, height), reflect(column as i64 + dx, width));
                sum += weight(dy) * weight(dx) * value / (total * total);
            }
            sum
        });
        assert_close("smoothed", expected.pixels(), smooth(&plane, sigma).pixels(), 1e-12);
    }
}

#[test]
fn a_large_image_is_summed_in_parallel_as_a_small_one() {
    let size = Size::new(700, 1100);
    let images = images(8, 2, size);
    let statistics = sums_of(size, &images).finish();
    for (row, column) in [(0, 0), (350, 17), (699, 1099)] {
        let values = logarithms(&images, row, column);
        assert!((statistics.mean.get(row, column) - (values[0] + values[1]) / 2.0).abs() <= 1e-6);
    }
    let mut histogram = vec![0u64; 65_536];
    for image in &images {
        for row in 0..size.height {
            for column in 0..size.width {
                histogram[usize::from(image.value(row, column))] += 1;
            }
        }
    }
    assert_eq!(statistics.histogram, histogram);
}

#[test]
fn keys_are_all_thousandths_but_the_median() {
    let size = Size::new(1, 4);
    let percentiles = sums_of(size, &images(1, 1, size)).finish().percentiles;
    assert_eq!(percentiles.keys.len(), 100_000);
    assert!(percentiles.keys.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!((percentiles.keys[0], percentiles.keys[99_999]), (0.0, 100.0));
    assert!(!percentiles.keys.contains(&50.0));
    assert!(percentiles.keys.contains(&49.999) && percentiles.keys.contains(&50.001));
}

#[test]
fn a_percentile_is_looked_up_at_the_nearest_key() {
    let size = Size::new(1, 2);
    let image: GreyPlane = Plane::new(size, vec![0u16, 60_000]).expect("two pixels").into();
    let percentiles = sums_of(size, [&image]).finish().percentiles;
    assert_eq!((percentiles.at(-1.0), percentiles.at(0.0)), (Some(0), Some(0)));
    assert_eq!((percentiles.at(100.0), percentiles.at(1000.0)), (Some(60_000), Some(60_000)));
    assert_eq!(percentiles.at(50.0), Some(29_999));
    assert_eq!(percentiles.at(24.9996), percentiles.at(25.0));
    assert_eq!(percentiles.at(f64::NAN), None);
    assert_eq!(IlluminationSums::new(size, BitDepth::Sixteen).finish().percentiles.at(50.0), None);
}

#[test]
fn fewer_than_two_images_have_no_deviation_and_correct_nothing() {
    let size = Size::new(2, 3);
    let images = images(4, 1, size);
    let statistics = sums_of(size, &images).finish();
    assert!(statistics.std.pixels().iter().all(|value| value.is_nan()));
    let correction = statistics.correction();
    assert_eq!(correction.invalid_pixels, size.area());
    assert_eq!(Engine::cpu().correct_grey(&images[0], &correction).expect("one size"), images[0]);
    let none = IlluminationSums::new(size, BitDepth::Sixteen).finish();
    assert_eq!((none.images, none.correction().invalid_pixels), (0, size.area()));
}

#[test]
fn pixels_without_usable_deviation_pass_unchanged() {
    let size = Size::new(1, 6);
    let mean = Plane::new(size, vec![2.0; 6]).expect("six pixels");
    let std = Plane::new(size, vec![0.5, 0.0, 1e-6, f64::NAN, f64::INFINITY, -0.5]).expect("six pixels");
    let correction = Correction::from_smoothed(9, &mean, &std).expect("one size");
    assert_eq!(correction.invalid_pixels, 5);
    let image = Plane::new(size, vec![1000u16; 6]).expect("six pixels");
    let corrected = Engine::cpu().correct(&image, &correction).expect("one size");
    assert_ne!(corrected.get(0, 0), 1000);
    assert_eq!(corrected.pixels()[1..], [1000; 5]);
}

#[test]
fn zero_stays_zero_and_bright_pixels_are_clamped() {
    let size = Size::new(1, 4);
    let mean = Plane::new(size, vec![1.0, 3.0, 1.0, 3.0]).expect("four pixels");
    let std = Plane::new(size, vec![0.5; 4]).expect("four pixels");
    let correction = Correction::from_smoothed(9, &mean, &std).expect("one size");
    let engine = Engine::cpu();
    let sixteen = Plane::new(size, vec![60_000u16, 60_000, 0, 0]).expect("four pixels");
    let corrected = engine.correct(&sixteen, &correction).expect("one size");
    assert_eq!(corrected.get(0, 0), u16::MAX);
    assert!(corrected.get(0, 1).abs_diff(6000) <= 1);
    assert_eq!(corrected.pixels()[2..], [0, 0]);
    let eight = Plane::new(size, vec![200u8, 200, 1, 1]).expect("four pixels");
    let corrected = engine.correct(&eight, &correction).expect("one size");
    assert_eq!(corrected.get(0, 0), u8::MAX);
    assert_eq!(corrected.get(0, 3), 0);
}

#[test]
fn images_of_another_size_or_depth_are_refused_and_not_added() {
    let size = Size::new(2, 3);
    let mut sums = IlluminationSums::new(size, BitDepth::Sixteen);
    let good = GreyPlane::zeros(BitDepth::Sixteen, size);
    for wrong in
        [GreyPlane::zeros(BitDepth::Sixteen, Size::new(3, 2)), GreyPlane::zeros(BitDepth::Eight, size)]
    {
        assert!(matches!(sums.add_all(&[&good, &wrong]), Err(EngineError::Shape { .. })));
    }
    assert!(sums.merge(&IlluminationSums::new(size, BitDepth::Eight)).is_err());
    assert_eq!(sums, IlluminationSums::new(size, BitDepth::Sixteen));
}

/// A correction of plausible strength, with an unusable pixel in every 17.
fn shading(seed: u64, size: Size) -> Correction {
    let mut noise = Noise::new(seed);
    let mean = Plane::from_fn(size, |_, _| 2.2 + 0.6 * f64::from(noise.next_u16()) / 65_536.0);
    let std = Plane::from_fn(size, |row, column| {
        if (row * size.width + column).is_multiple_of(17) {
            0.0
        } else {
            0.35 + 0.25 * f64::from(noise.next_u16()) / 65_536.0
        }
    });
    Correction::from_smoothed(24, &mean, &std).expect("one size")
}

#[test]
fn statistics_added_on_any_backend_are_equal_to_the_last_bit() {
    for (seed, size) in (1..).zip([Size::new(1, 1), Size::new(3, 5), Size::new(40, 301), Size::new(0, 4)]) {
        let images = images(seed, 11, size);
        let expected = sums_of(size, &images);
        for engine in engines() {
            let mut sums = IlluminationSums::new(size, BitDepth::Sixteen);
            for group in images.chunks(4) {
                let group: Vec<&GreyPlane> = group.iter().collect();
                engine.add_to_statistics(&mut sums, &group).expect("images of one size");
            }
            assert_eq!(sums, expected, "{size} on {}", engine.backend());
        }
    }
}

/// The largest square is below 2⁴⁵: 3000 of them overflow the lower word half a million times.
#[test]
fn sums_of_the_brightest_pixels_carry_into_their_upper_words() {
    let size = Size::new(1, 2);
    let image: GreyPlane = Plane::new(size, vec![u16::MAX, u16::MAX - 1]).expect("two pixels").into();
    let images = vec![&image; 3000];
    let mut expected = IlluminationSums::new(size, BitDepth::Sixteen);
    expected.add_all(&images).expect("images of one size");
    for engine in engines() {
        let mut sums = IlluminationSums::new(size, BitDepth::Sixteen);
        engine.add_to_statistics(&mut sums, &images).expect("images of one size");
        assert_eq!(sums, expected, "{}", engine.backend());
    }
}

#[test]
fn images_that_do_not_fit_statistics_are_refused_on_every_backend_and_none_is_added() {
    let size = Size::new(2, 3);
    let good = GreyPlane::zeros(BitDepth::Sixteen, size);
    for engine in engines() {
        let mut sums = IlluminationSums::new(size, BitDepth::Sixteen);
        for wrong in
            [GreyPlane::zeros(BitDepth::Sixteen, Size::new(3, 2)), GreyPlane::zeros(BitDepth::Eight, size)]
        {
            let result = engine.add_to_statistics(&mut sums, &[&good, &wrong]);
            assert!(matches!(result, Err(EngineError::Shape { .. })), "{}: {result:?}", engine.backend());
        }
        engine.add_to_statistics(&mut sums, &[]).expect("nothing is nothing wrong");
        assert_eq!(sums, IlluminationSums::new(size, BitDepth::Sixteen));
    }
}

#[test]
fn images_corrected_together_are_what_they_are_one_by_one() {
    let size = Size::new(37, 131);
    let correction = shading(3, size);
    let mut noise = Noise::new(4);
    let images: Vec<Plane<u16>> = (0..7).map(|_| noise.plane(size)).collect();
    let views: Vec<_> = images.iter().map(Plane::view).collect();
    // Also where a buffer holds one row of planes, or two rows of images.
    let narrow = gpus()
        .into_iter()
        .map(|gpu| Engine::with_gpu(gpu.with_caps(Caps { binding_bytes: 1100, workgroups: 65_535 })));
    for engine in engines().into_iter().chain(narrow) {
        let together = engine.correct_all(&views, &correction).expect("one size");
        assert_eq!(together.len(), images.len());
        for (image, corrected) in images.iter().zip(&together) {
            let alone = engine.correct(image, &correction).expect("one size");
            assert_eq!(&alone, corrected, "{}", engine.backend());
        }
        assert_eq!(engine.correct_all::<u16>(&[], &correction).expect("nothing to do"), []);
    }
}

#[test]
fn unusable_pixels_pass_and_zeros_stay_on_every_backend() {
    let size = Size::new(9, 70);
    let correction = shading(5, size);
    let sixteen = Noise::new(6).plane::<u16>(size);
    let eight = Noise::new(7).plane::<u8>(size);
    for engine in engines() {
        let corrected = engine.correct(&sixteen, &correction).expect("one size");
        let corrected_eight = engine.correct(&eight, &correction).expect("one size");
        let mut passed = 0;
        for (index, exponent) in correction.exponent.pixels().iter().enumerate() {
            let (value, value_eight) = (sixteen.pixels()[index], eight.pixels()[index]);
            if *exponent < 0.0 || value == 0 {
                assert_eq!(corrected.pixels()[index], value, "pixel {index} on {}", engine.backend());
            }
            if *exponent < 0.0 || value_eight == 0 {
                assert_eq!(
                    corrected_eight.pixels()[index],
                    value_eight,
                    "pixel {index} on {}",
                    engine.backend()
                );
            }
            passed += usize::from(*exponent < 0.0);
        }
        assert_eq!(passed, correction.invalid_pixels);
        assert!(passed > 30);
    }
}

/// All 16-bit values at once, against the definition in 64-bit floats.
#[test]
fn every_value_is_corrected_within_one_count_on_every_backend() {
    let size = Size::new(256, 256);
    let image = Plane::from_fn(size, |row, column| (256 * row + column) as u16);
    for engine in engines() {
        for (exponent, offset) in [(1.0f32, 0.0f32), (0.75, 3.9), (1.45, -7.1), (0.9, 2.0), (3.0, -30.0)] {
            let plane = |value| Plane::from_fn(size, |_, _| value);
            let correction =
                Correction { exponent: plane(exponent), offset: plane(offset), invalid_pixels: 0 };
            let corrected = engine.correct(&image, &correction).expect("one size");
            let mut unequal = 0;
            for (value, actual) in image.pixels().iter().zip(corrected.pixels()).skip(1) {
                let power = f64::from(exponent) * f64::from(*value).log2() + f64::from(offset);
                let expected = power.exp2().clamp(0.0, 65_535.0) as u16;
                assert!(expected.abs_diff(*actual) <= 1, "{value} → {actual}, not {expected}");
                unequal += usize::from(expected != *actual);
            }
            // Of the identity every exact result is a whole number, the hardest case of truncation.
            let most = if exponent == 1.0 { size.area() } else { size.area() / 100 };
            assert!(unequal <= most, "{unequal} unequal for {exponent} on {}", engine.backend());
        }
    }
}

#[test]
fn a_correction_of_another_size_is_refused_on_every_backend() {
    let correction = shading(5, Size::new(3, 4));
    let (right, wrong) = (Plane::<u8>::zeros(Size::new(3, 4)), Plane::<u8>::zeros(Size::new(4, 3)));
    for engine in engines() {
        let result = engine.correct_all(&[right.view(), wrong.view()], &correction);
        assert!(matches!(result, Err(EngineError::Shape { .. })), "{}", engine.backend());
    }
}

#[test]
fn a_device_lost_between_images_changes_no_result() {
    let size = Size::new(20, 33);
    let images = images(9, 6, size);
    let (first, second) = images.split_at(3);
    let expected = sums_of(size, &images);
    let correction = shading(10, size);
    let GreyPlane::U16(image) = &images[0] else { unreachable!("the images have 16 bits") };
    for gpu in gpus() {
        let engine = Engine::with_gpu(gpu);
        let mut sums = IlluminationSums::new(size, BitDepth::Sixteen);
        engine.add_to_statistics(&mut sums, &first.iter().collect::<Vec<_>>()).expect("one size");
        engine.lose_device();
        engine.add_to_statistics(&mut sums, &second.iter().collect::<Vec<_>>()).expect("the CPU takes over");
        assert_eq!(sums, expected);
        let corrected = engine.correct(image, &correction).expect("the CPU takes over");
        assert_eq!(corrected, Engine::cpu().correct(image, &correction).expect("one size"));
    }
}
