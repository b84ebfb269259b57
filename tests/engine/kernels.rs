//! Downsampling, rescaling, projection and the fused tile against naive code, and properties.

use proptest::prelude::*;
use tm_engine::image::{BitDepth, GreyPixel, GreyPlane, Plane, Rect, Size};
use tm_engine::kernels::illumination::Correction;
use tm_engine::kernels::rescale::{Limits, clip_limits};
use tm_engine::kernels::tile::Placement;
use tm_engine::kernels::{Noise, downsample, rescale};
use tm_engine::{Engine, EngineError};
use tm_tests::compare::{assert_same, same};

fn naive_downsample<T: GreyPixel>(plane: &Plane<T>) -> Plane<T> {
    let size = plane.size();
    let at = |row: usize, column: usize| -> u64 {
        if row < size.height && column < size.width { plane.get(row, column).into().into() } else { 0 }
    };
    Plane::from_fn(Size::new(size.height.div_ceil(2), size.width.div_ceil(2)), |row, column| {
        let (row, column) = (2 * row, 2 * column);
        let sum = at(row, column) + at(row, column + 1) + at(row + 1, column) + at(row + 1, column + 1);
        T::from_low_bits(((sum + 2) / 4) as u16)
    })
}

fn naive_stretch(value: u16, limits: Limits) -> u8 {
    let (value, lower, upper) = (u64::from(value), u64::from(limits.lower), u64::from(limits.upper));
    if value < lower {
        0
    } else if value >= upper {
        255
    } else if upper - lower == 1 {
        0
    } else {
        (255 * (value - lower) / (upper - lower - 1)) as u8
    }
}

fn naive_compose<T: GreyPixel>(size: Size, placements: &[Placement<'_, T>]) -> Plane<T> {
    Plane::from_fn(size, |row, column| {
        let hit = placements.iter().rev().find_map(|placement| {
            let source = placement.pixels.size();
            let (r, c) = (row as i64 - placement.y, column as i64 - placement.x);
            let inside = (0..source.height as i64).contains(&r) && (0..source.width as i64).contains(&c);
            inside.then(|| placement.pixels.row(r as usize)[c as usize])
        });
        hit.unwrap_or_default()
    })
}

prop_compose! {
    fn sizes()(height in 0usize..70, width in 0usize..200) -> Size { Size::new(height, width) }
}

fn limits() -> impl Strategy<Value = Limits> {
    let wide = (0u16..u16::MAX).prop_flat_map(|lower| (Just(lower), lower + 1..=u16::MAX));
    let narrow = (0u16..u16::MAX, 1u16..400).prop_map(|(lower, span)| (lower, lower.saturating_add(span)));
    prop_oneof![wide, narrow].prop_map(|(lower, upper)| Limits { lower, upper })
}

proptest! {
    #[test]
    fn downsampling_agrees_with_naive_code(size in sizes(), seed: u64) {
        let mut noise = Noise::new(seed);
        let (eight, sixteen) = (noise.plane::<u8>(size), noise.plane::<u16>(size));
        let engine = Engine::cpu();
        prop_assert_eq!(same(&naive_downsample(&eight), &engine.downsample(&eight).expect("it works")), Ok(()));
        prop_assert_eq!(same(&naive_downsample(&sixteen), &engine.downsample(&sixteen).expect("it works")), Ok(()));
    }

    #[test]
    fn rescaling_agrees_with_naive_code(size in sizes(), seed: u64, limits in limits()) {
        let mut noise = Noise::new(seed);
        let (eight, sixteen) = (noise.plane::<u8>(size), noise.plane::<u16>(size));
        let engine = Engine::cpu();
        let expected = Plane::from_fn(size, |row, column| naive_stretch(sixteen.get(row, column), limits));
        prop_assert_eq!(same(&expected, &engine.rescale(&sixteen, limits).expect("limits are in order")), Ok(()));
        let expected = Plane::from_fn(size, |row, column| naive_stretch(eight.get(row, column).into(), limits));
        prop_assert_eq!(same(&expected, &engine.rescale(&eight, limits).expect("limits are in order")), Ok(()));
    }

    #[test]
    fn composing_agrees_with_naive_code(
        size in sizes(),
        seed: u64,
        positions in prop::collection::vec((sizes(), -80i64..80, -210i64..210), 0..6),
    ) {
        let mut noise = Noise::new(seed);
        let planes: Vec<Plane<u16>> = positions.iter().map(|(size, _, _)| noise.plane(*size)).collect();
        let placements: Vec<Placement<'_, u16>> = planes
            .iter()
            .zip(&positions)
            .map(|(plane, (_, y, x))| Placement { pixels: plane.view(), y: *y, x: *x, correction: None })
            .collect();
        let expected = naive_compose(size, &placements);
        let engine = Engine::cpu();
        prop_assert_eq!(same(&expected, &engine.compose(size, &placements).expect("it works")), Ok(()));
        let limits = Limits { lower: 1000, upper: 50_000 };
        let shown = engine.rescale(&expected, limits).expect("limits are in order");
        prop_assert_eq!(same(&shown, &engine.render_tile(size, &placements, Some(limits)).expect("it works")), Ok(()));
    }

    #[test]
    fn the_fused_tile_is_correction_then_placement_then_rescaling(
        seed: u64, top in 0usize..20, left in 0usize..30, y in -5i64..40, x in -5i64..60,
    ) {
        let size = Size::new(40, 1500);
        let mut noise = Noise::new(seed);
        let site = noise.plane::<u16>(size);
        let mean = Plane::from_fn(size, |_, _| 2.0 + f64::from(noise.next_u16()) / 65_536.0);
        let std = Plane::from_fn(size, |_, column| if column == 3 { 0.0 } else { 0.5 });
        let correction = Correction::from_smoothed(10, &mean, &std).expect("one size");
        let rect = Rect::new(top, left, Size::new(17, 1444));
        let placement = Placement {
            pixels: site.window(rect).expect("inside the site"),
            y,
            x,
            correction: Some(correction.window(rect).expect("inside the site")),
        };
        let engine = Engine::cpu();
        let corrected = engine.correct(&site, &correction).expect("one size");
        let plain = Placement { pixels: corrected.window(rect).expect("inside"), correction: None, ..placement };
        let output = Size::new(50, 1333);
        let expected = engine.compose(output, &[plain]).expect("it works");
        prop_assert_eq!(same(&expected, &engine.compose(output, &[placement]).expect("it works")), Ok(()));
        let limits = Limits { lower: 500, upper: 30_000 };
        let expected = engine.rescale(&expected, limits).expect("limits are in order");
        let tile = engine.render_tile(output, &[placement], Some(limits)).expect("it works");
        prop_assert_eq!(same(&expected, &tile), Ok(()));
    }
}

#[test]
fn a_large_plane_gives_in_parallel_what_small_ones_give() {
    let plane = Noise::new(9).plane::<u16>(Size::new(1201, 1303));
    let engine = Engine::cpu();
    assert_same("halved", &naive_downsample(&plane), &engine.downsample(&plane).expect("it works"));
    let limits = Limits { lower: 120, upper: 3000 };
    let expected = Plane::from_fn(plane.size(), |row, column| naive_stretch(plane.get(row, column), limits));
    assert_same("rescaled", &expected, &engine.rescale(&plane, limits).expect("it works"));
    let placement = Placement { pixels: plane.view(), y: -3, x: 7, correction: None };
    let expected = naive_compose(plane.size(), &[placement]);
    assert_same("composed", &expected, &engine.compose(plane.size(), &[placement]).expect("it works"));
}

#[test]
fn ties_of_a_mean_go_up_and_missing_pixels_count_as_zero() {
    let plane = Plane::new(Size::new(1, 3), vec![1u8, 1, 7]).expect("three pixels");
    // (1 + 1 + 0 + 0) / 4 = ½ → 1, and 7 / 4 = 1¾ → 2.
    assert_eq!(Engine::cpu().downsample(&plane).expect("it works").pixels(), [1, 2]);
}

#[test]
fn the_brightest_values_do_not_overflow() {
    let plane = Plane::new(Size::new(2, 2), vec![u16::MAX; 4]).expect("four pixels");
    assert_eq!(Engine::cpu().downsample(&plane).expect("it works").pixels(), [u16::MAX]);
}

#[test]
fn limits_that_are_not_in_order_are_refused() {
    let plane = Plane::<u16>::zeros(Size::new(1, 1));
    assert!(Limits::new(5, 5).is_err() && Limits::new(6, 5).is_err());
    let wrong = Limits { lower: 6, upper: 5 };
    for engine in tm_tests::backends::engines() {
        assert!(matches!(engine.rescale(&plane, wrong), Err(EngineError::Parameter { .. })));
    }
    let placement = Placement { pixels: plane.view(), y: 0, x: 0, correction: None };
    let engine = Engine::cpu();
    assert!(engine.render_tile(plane.size(), &[placement], Some(wrong)).is_err());
}

#[test]
fn clip_limits_are_in_order_for_every_pair_of_percentiles() {
    for depth in [BitDepth::Eight, BitDepth::Sixteen] {
        for lower in (0..=u16::MAX).step_by(251).chain([255, u16::MAX - 1, u16::MAX]) {
            for upper in (0..=u16::MAX).step_by(1021).chain([u16::MAX]) {
                let limits = clip_limits(depth, lower, upper);
                assert!(limits.lower < limits.upper, "{lower}, {upper}: {limits:?}");
            }
        }
    }
}

#[test]
fn sixteen_bit_pixels_need_limits_and_eight_bit_pixels_are_copied_without() {
    let engine = Engine::cpu();
    let size = Size::new(2, 3);
    let sixteen = Noise::new(1).plane::<u16>(size);
    let placement = Placement { pixels: sixteen.view(), y: 0, x: 0, correction: None };
    assert!(matches!(engine.render_tile(size, &[placement], None), Err(EngineError::Parameter { .. })));
    let eight = Noise::new(1).plane::<u8>(size);
    let placement = Placement { pixels: eight.view(), y: 0, x: 0, correction: None };
    assert_same("a copy", &eight, &engine.render_tile(size, &[placement], None).expect("it works"));
}

#[test]
fn placements_far_outside_are_left_out() {
    let plane = Plane::new(Size::new(2, 2), vec![9u8; 4]).expect("four pixels");
    let far = [(i64::MIN, 0), (i64::MAX, 0), (0, i64::MIN), (0, i64::MAX), (-2, 0), (0, -2), (3, 0), (0, 3)];
    let placements: Vec<_> =
        far.iter().map(|(y, x)| Placement { pixels: plane.view(), y: *y, x: *x, correction: None }).collect();
    let size = Size::new(3, 3);
    assert_same("black", &Plane::zeros(size), &Engine::cpu().compose(size, &placements).expect("it works"));
}

#[test]
fn a_correction_window_of_another_size_is_refused() {
    let size = Size::new(4, 4);
    let plane = Plane::<u16>::zeros(size);
    let ones = Plane::from_fn(Size::new(4, 5), |_, _| 1.0);
    let correction = Correction::from_smoothed(9, &ones, &ones).expect("one size");
    let placement = Placement { pixels: plane.view(), y: 0, x: 0, correction: Some(correction.view()) };
    let engine = Engine::cpu();
    assert!(matches!(engine.compose(size, &[placement]), Err(EngineError::Shape { .. })));
    assert!(matches!(engine.correct(&plane, &correction), Err(EngineError::Shape { .. })));
}

#[test]
fn outputs_given_by_the_caller_must_have_the_right_size() {
    let plane = Noise::new(1).plane::<u16>(Size::new(5, 7));
    let mut half = Plane::zeros(Size::new(3, 4));
    downsample::cpu::downsample_into(plane.view(), &mut half).expect("the size is right");
    assert_same("halved", &naive_downsample(&plane), &half);
    assert!(downsample::cpu::downsample_into(plane.view(), &mut Plane::zeros(Size::new(2, 4))).is_err());
    let limits = Limits::full(BitDepth::Sixteen);
    assert!(rescale::cpu::rescale_into(plane.view(), limits, &mut Plane::zeros(Size::new(5, 6))).is_err());
}

#[test]
fn projection_refuses_nothing_and_planes_that_differ() {
    let engine = Engine::cpu();
    let plane = |depth, height| GreyPlane::zeros(depth, Size::new(height, 3));
    assert!(matches!(engine.project_max(&[]), Err(EngineError::Parameter { .. })));
    for other in [plane(BitDepth::Sixteen, 2), plane(BitDepth::Eight, 3)] {
        let planes = [plane(BitDepth::Eight, 2), other];
        assert!(matches!(engine.project_max(&planes), Err(EngineError::Shape { .. })));
    }
    let one = plane(BitDepth::Eight, 2);
    assert_eq!(engine.project_max(std::slice::from_ref(&one)).expect("one plane"), one);
}
