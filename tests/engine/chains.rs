//! Levels, pyramids and histograms against the operations they are made of, on every backend.

use proptest::prelude::*;
use tm_engine::image::{BitDepth, GreyPixel, Histogram, Plane, Rect, Size};
use tm_engine::kernels::Noise;
use tm_engine::kernels::alignment::{Residues, Shift};
use tm_engine::kernels::downsample::Filter;
use tm_engine::kernels::illumination::Correction;
use tm_engine::kernels::rescale::Limits;
use tm_engine::kernels::tile::Placement;
use tm_engine::{Backend, Engine, EngineError};
use tm_tests::backends::engines;
use tm_tests::compare::{assert_close, assert_same};

/// Levels one at a time.
fn halved_again_and_again<T: GreyPixel>(plane: &Plane<T>, filter: Filter, levels: usize) -> Vec<Plane<T>> {
    let engine = Engine::cpu();
    let mut made: Vec<Plane<T>> = Vec::new();
    for _ in 0..levels {
        let last = made.last().unwrap_or(plane);
        made.push(match filter {
            Filter::Mean => engine.downsample(last).expect("it works"),
            Filter::Max => engine.downsample_max(last).expect("it works"),
        });
    }
    made
}

fn assert_levels<T: GreyPixel>(engine: &Engine, plane: &Plane<T>, levels: usize) {
    for filter in [Filter::Mean, Filter::Max] {
        let expected = halved_again_and_again(plane, filter, levels);
        let actual = engine.downsample_levels(plane, filter, levels).expect("it works");
        assert_eq!(actual.len(), levels);
        for (level, (expected, actual)) in (1..).zip(expected.iter().zip(&actual)) {
            assert_same(&format!("level {level}, {filter:?}, {}", engine.backend()), expected, actual);
        }
    }
}

#[test]
fn several_levels_at_once_are_those_made_one_by_one() {
    for engine in engines() {
        let mut noise = Noise::new(11);
        for (height, width) in [(1, 1), (1, 65), (64, 64), (65, 129), (100, 300), (0, 7)] {
            let size = Size::new(height, width);
            assert_levels(&engine, &noise.plane::<u8>(size), 6);
            assert_levels(&engine, &noise.plane::<u16>(size), 9);
        }
        assert_levels(&engine, &noise.plane::<u16>(Size::new(3, 3)), 0);
        let refused = engine.downsample_levels(&noise.plane::<u8>(Size::new(2, 2)), Filter::Mean, 33);
        assert!(matches!(refused, Err(EngineError::Parameter { name: "levels", .. })), "{refused:?}");
        let refused = engine.build_levels::<u8>(Size::new(2, 2), &[], Filter::Mean, usize::MAX);
        assert!(matches!(refused, Err(EngineError::Parameter { name: "levels", .. })), "{refused:?}");
    }
}

/// A correction whose exponents and offsets differ from pixel to pixel.
fn correction(noise: &mut Noise, size: Size) -> Correction {
    let mean = Plane::from_fn(size, |_, _| 2.5 + f64::from(noise.next_u16()) / 131_072.0);
    let std = Plane::from_fn(size, |_, _| 0.4 + f64::from(noise.next_u16()) / 655_360.0);
    Correction::from_smoothed(9, &mean, &std).expect("one size")
}

#[test]
fn a_pyramid_is_correcting_then_placing_then_halving() {
    let (site, canvas) = (Size::new(90, 150), Size::new(200, 331));
    let mut noise = Noise::new(12);
    let correction = correction(&mut noise, site);
    let images: Vec<Plane<u16>> = (0..4).map(|_| noise.plane(site)).collect();
    let places = [(-7, 4), (-7, 154), (83, 4), (120, 200)];
    let cpu = Engine::cpu();
    let corrected: Vec<Plane<u16>> =
        images.iter().map(|image| cpu.correct(image, &correction).expect("one size")).collect();
    let mut painted = Plane::<u16>::zeros(canvas);
    for (image, (y, x)) in corrected.iter().zip(places) {
        for (row, column) in (0..site.height).flat_map(|row| (0..site.width).map(move |column| (row, column)))
        {
            let (r, c) = (row as i64 + y, column as i64 + x);
            if (0..canvas.height as i64).contains(&r) && (0..canvas.width as i64).contains(&c) {
                painted.row_mut(r as usize)[c as usize] = image.get(row, column);
            }
        }
    }
    let expected = halved_again_and_again(&painted, Filter::Mean, 5);
    let window = Rect::new(0, 0, site);
    let placements: Vec<_> = images
        .iter()
        .zip(places)
        .map(|(image, (y, x))| Placement {
            pixels: image.view(),
            y,
            x,
            correction: Some(correction.window(window).expect("inside")),
        })
        .collect();
    for engine in engines() {
        let levels = engine.build_levels(canvas, &placements, Filter::Mean, 5).expect("it works");
        assert_eq!(levels.len(), expected.len());
        let allowed = if engine.backend() == Backend::Cpu { 0.0 } else { 1.0 };
        for (expected, actual) in expected.iter().zip(&levels) {
            assert_eq!(expected.size(), actual.size());
            let [expected, actual] = [expected, actual]
                .map(|plane| plane.pixels().iter().map(|value| f64::from(*value)).collect::<Vec<_>>());
            assert_close("a level", &expected, &actual, allowed);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_aligned_placement_shows_the_padded_image_at_the_place_of_the_reference(
        seed: u64, y in -9i32..9, x in -9i32..9, other_y in -9i32..9, other_x in -9i32..9,
        place_y in -5i64..5, place_x in -5i64..5,
    ) {
        let size = Size::new(12, 14);
        let image = Noise::new(seed).plane::<u16>(size);
        let (shift, other) = (Shift::new(y, x), Shift::new(other_y, other_x));
        let residues = Residues::of(&[shift, other]);
        let engine = Engine::cpu();
        let padded = engine.align_pad(&image, shift, residues).expect("the shift is one of them");
        let expected = engine
            .compose(size, &[Placement { pixels: padded.view(), y: place_y, x: place_x, correction: None }])
            .expect("it works");
        let aligned = Placement::aligned(&image, shift, residues, (place_y, place_x), None)
            .expect("the shift is one of them");
        assert_same("aligned", &expected, &engine.compose(size, &[aligned]).expect("it works"));
        if shift != Shift::default() {
            let wrong = Placement::aligned(&image, shift, Residues::default(), (0, 0), None);
            let is_refused = matches!(wrong, Err(EngineError::Parameter { name: "residues", .. }));
            prop_assert!(is_refused);
        }
    }
}

fn counted<T: GreyPixel>(plane: &Plane<T>) -> Vec<u64> {
    let mut counts = vec![0; Histogram::bins(T::DEPTH)];
    for value in plane.pixels() {
        counts[usize::from((*value).into())] += 1;
    }
    counts
}

#[test]
fn a_histogram_counts_every_pixel_once() {
    for engine in engines() {
        let mut noise = Noise::new(13);
        // The last one is counted by several threads.
        for (height, width) in [(0, 4), (1, 1), (3, 5), (77, 131), (700, 801)] {
            let size = Size::new(height, width);
            let (eight, sixteen) = (noise.plane::<u8>(size), noise.plane::<u16>(size));
            let histogram = engine.histogram(&eight).expect("it works");
            assert_eq!(histogram.counts(), counted(&eight), "{size}, 8 bits, {}", engine.backend());
            let histogram = engine.histogram(&sixteen).expect("it works");
            assert_eq!(histogram.counts(), counted(&sixteen), "{size}, 16 bits, {}", engine.backend());
            assert_eq!((histogram.pixels(), histogram.depth()), (size.area() as u64, BitDepth::Sixteen));
        }
    }
}

#[test]
fn limits_of_percentiles_are_grey_values_of_the_image_and_kept_apart() {
    let ramp = Plane::from_fn(Size::new(1, 1001), |_, column| 100 + 10 * column as u16);
    for engine in engines() {
        let histogram = engine.histogram(&ramp).expect("it works");
        let limits = |lower, upper| Limits::of_percentiles(&histogram, lower, upper);
        assert_eq!(limits(0.0, 100.0), Some(Limits { lower: 100, upper: 10_100 }));
        assert_eq!(limits(1.0, 99.0), Some(Limits { lower: 200, upper: 10_000 }));
        // Between two pixels: 100 + 10·0.05 truncated.
        assert_eq!(limits(0.005, 50.0), Some(Limits { lower: 100, upper: 5100 }));
        assert_eq!(limits(50.0, 50.5), Some(Limits { lower: 5100, upper: 5355 }), "at least 255 apart");
        assert_eq!(limits(-1.0, 50.0), None);
        let nothing = engine.histogram(&Plane::<u16>::zeros(Size::new(0, 9))).expect("it works");
        assert_eq!(Limits::of_percentiles(&nothing, 1.0, 99.0), None);
    }
}
