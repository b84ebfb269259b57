//! Alignment against naive code, and properties.

use std::sync::LazyLock;

use proptest::prelude::*;
use tm_engine::image::{GreyPixel, Plane, Rect, Size};
use tm_engine::kernels::Noise;
use tm_engine::kernels::alignment::{Clip, Registration, Residues, RobustOptions, Shift, cpu};
use tm_engine::{Engine, EngineError};
use tm_tests::backends::engines;
use tm_tests::compare::{assert_same, same};
use tm_tests::registration::Scene;

/// An engine on each backend, opened once: many small cases run on them.
static ENGINES: LazyLock<Vec<Engine>> = LazyLock::new(engines);

fn naive_shift<T: GreyPixel>(plane: &Plane<T>, shift: Shift) -> Plane<T> {
    let size = plane.size();
    Plane::from_fn(size, |row, column| {
        let (r, c) = (row as i64 - i64::from(shift.y), column as i64 - i64::from(shift.x));
        let inside = (0..size.height as i64).contains(&r) && (0..size.width as i64).contains(&c);
        if inside { plane.get(r as usize, c as usize) } else { T::default() }
    })
}

/// `Σ target[p - d] · reference[p]`, indices modulo the size.
fn naive_sum(reference: &Plane<u16>, target: &Plane<u16>, shift: Shift) -> u128 {
    let Size { height, width } = reference.size();
    let mut sum = 0;
    for (row, column) in (0..height).flat_map(|row| (0..width).map(move |column| (row, column))) {
        let r = (row as i64 - i64::from(shift.y)).rem_euclid(height as i64) as usize;
        let c = (column as i64 - i64::from(shift.x)).rem_euclid(width as i64) as usize;
        sum += u128::from(target.get(r, c)) * u128::from(reference.get(row, column));
    }
    sum
}

/// The definition of compatible registration, every sum exact.
fn naive_compatible(reference: &Plane<u16>, target: &Plane<u16>) -> Shift {
    let Size { height, width } = reference.size();
    let signed =
        |index: usize, side: usize| if index > side / 2 { index as i32 - side as i32 } else { index as i32 };
    let mut best: Option<(u128, i32, Shift)> = None;
    for (row, column) in (0..height).flat_map(|row| (0..width).map(move |column| (row, column))) {
        let shift = Shift::new(signed(row, height), signed(column, width));
        let (sum, distance) = (naive_sum(reference, target, shift), shift.y.abs() + shift.x.abs());
        if best.is_none_or(|(most, least, _)| sum > most || (sum == most && distance < least)) {
            best = Some((sum, distance, shift));
        }
    }
    best.map(|(_, _, shift)| shift).unwrap_or_default()
}

/// One plane moved in a circle.
fn rolled(plane: &Plane<u16>, shift: Shift) -> Plane<u16> {
    let Size { height, width } = plane.size();
    Plane::from_fn(plane.size(), |row, column| {
        let r = (row as i64 + i64::from(shift.y)).rem_euclid(height as i64) as usize;
        let c = (column as i64 + i64::from(shift.x)).rem_euclid(width as i64) as usize;
        plane.get(r, c)
    })
}

/// The shortest shift that does the same in a circle.
fn nearest(shift: Shift, size: Size) -> Shift {
    let along = |shift: i32, side: usize| {
        let index = shift.rem_euclid(side as i32);
        if index > side as i32 / 2 { index - side as i32 } else { index }
    };
    Shift::new(along(shift.y, size.height), along(shift.x, size.width))
}

fn robust(reference: &Plane<u16>, target: &Plane<u16>, options: &RobustOptions) -> Registration {
    Engine::cpu().register_robust(reference, &[target], options).expect("planes of one size")[0]
}

/// What each backend finds.
fn robust_everywhere(
    reference: &Plane<u16>,
    target: &Plane<u16>,
    options: &RobustOptions,
) -> Vec<Registration> {
    let register = |engine: &Engine| engine.register_robust(reference, &[target], options);
    ENGINES.iter().map(|engine| register(engine).expect("planes of one size")[0]).collect()
}

/// The shift that every backend finds.
fn compatible(reference: &Plane<u16>, target: &Plane<u16>) -> Shift {
    let mut shifts = ENGINES
        .iter()
        .map(|engine| engine.register_compatible(reference, &[target]).expect("planes of one size")[0]);
    let expected = shifts.next().expect("the CPU is a backend");
    assert!(shifts.all(|shift| shift == expected), "backends agree on planes of {}", reference.size());
    expected
}

/// Pixels that may be anything, and often tie.
fn coarse(noise: &mut Noise, size: Size, values: u16) -> Plane<u16> {
    Plane::from_fn(size, |_, _| noise.next_u16() % values)
}

fn shifts() -> impl Strategy<Value = Shift> {
    let along = || prop_oneof![4 => -9i32..9, 2 => -60i32..60, 1 => any::<i32>()];
    (along(), along()).prop_map(|(y, x)| Shift::new(y, x))
}

proptest! {
    #[test]
    fn shifting_agrees_with_naive_code(
        height in 0usize..40, width in 0usize..90, seed: u64, shift in shifts(),
    ) {
        let size = Size::new(height, width);
        let mut noise = Noise::new(seed);
        let (eight, sixteen) = (noise.plane::<u8>(size), noise.plane::<u16>(size));
        for engine in &*ENGINES {
            let moved = engine.shift(&eight, shift).expect("it works");
            prop_assert_eq!(same(&naive_shift(&eight, shift), &moved), Ok(()));
            let moved = engine.shift(&sixteen, shift).expect("it works");
            prop_assert_eq!(same(&naive_shift(&sixteen, shift), &moved), Ok(()));
        }
    }

    #[test]
    fn cropping_and_padding_are_the_shifted_plane_inside_the_intersection(
        height in 0usize..40, width in 0usize..90, seed: u64, shifts in prop::collection::vec(shifts(), 1..5),
    ) {
        let size = Size::new(height, width);
        let plane = Noise::new(seed).plane::<u16>(size);
        let residues = Residues::of(&shifts);
        let place = residues.intersection(size);
        for (shift, engine) in shifts.iter().flat_map(|shift| ENGINES.iter().map(move |engine| (shift, engine))) {
            let moved = naive_shift(&plane, *shift);
            let cropped = engine.align_crop(&plane, *shift, residues).expect("the shift is one of them");
            prop_assert_eq!(cropped.size(), place.size);
            let padded = engine.align_pad(&plane, *shift, residues).expect("the shift is one of them");
            let expected = Plane::from_fn(size, |row, column| {
                let inside = (place.y..place.y + place.size.height).contains(&row)
                    && (place.x..place.x + place.size.width).contains(&column);
                if inside { moved.get(row, column) } else { 0 }
            });
            prop_assert_eq!(same(&expected, &padded), Ok(()));
            if place.size.area() > 0 {
                let expected = moved.window(place).expect("inside the plane").to_plane();
                prop_assert_eq!(same(&expected, &cropped), Ok(()));
            }
        }
    }

    #[test]
    fn every_cycle_keeps_the_pixels_that_were_there_in_all(
        seed: u64, shifts in prop::collection::vec((-9i32..9, -9i32..9), 1..5),
    ) {
        // Windows of one scene: what is left of them after alignment must be equal.
        let scene = Noise::new(seed).plane::<u16>(Size::new(60, 70));
        let cut = |shift: &Shift| {
            let at = |start: i32, shift: i32| usize::try_from(start + shift).expect("inside the scene");
            let rect = Rect::new(at(12, shift.y), at(12, shift.x), Size::new(31, 44));
            scene.window(rect).expect("inside the scene").to_plane()
        };
        let shifts: Vec<Shift> = shifts.iter().map(|(y, x)| Shift::new(*y, *x)).collect();
        let residues = Residues::of(&shifts);
        let engine = Engine::cpu();
        let reference = engine.align_crop(&cut(&Shift::default()), Shift::default(), residues);
        let reference = reference.expect("no shift is always among them");
        for shift in &shifts {
            let aligned = engine.align_crop(&cut(shift), *shift, residues).expect("the shift is one of them");
            prop_assert_eq!(same(&reference, &aligned), Ok(()));
        }
    }

    #[test]
    fn a_shift_that_the_residues_leave_out_is_refused(seed: u64, shift in shifts()) {
        prop_assume!(shift != Shift::default());
        let plane = Noise::new(seed).plane::<u16>(Size::new(9, 9));
        let engine = Engine::cpu();
        for refused in [
            engine.align_crop(&plane, shift, Residues::default()),
            engine.align_pad(&plane, shift, Residues::default()),
        ] {
            let refused = matches!(refused, Err(EngineError::Parameter { name: "residues", .. }));
            prop_assert!(refused);
        }
    }

    #[test]
    fn compatible_registration_agrees_with_exact_sums_over_all_shifts(
        height in 1usize..14, width in 1usize..14, seed: u64, values in 1u16..5, roll in (-7i32..7, -7i32..7),
        unrelated: bool,
    ) {
        let size = Size::new(height, width);
        let mut noise = Noise::new(seed);
        let scale = if noise.next_u16().is_multiple_of(2) { 1 } else { 16_000 };
        let reference = coarse(&mut noise, size, values);
        let target = if unrelated {
            coarse(&mut noise, size, values)
        } else {
            rolled(&reference, Shift::new(roll.0, roll.1))
        };
        let scaled = |plane: Plane<u16>| Plane::from_fn(size, |r, c| plane.get(r, c) * scale);
        let (reference, target) = (scaled(reference), scaled(target));
        prop_assert_eq!(compatible(&reference, &target), naive_compatible(&reference, &target));
    }

    #[test]
    fn registration_of_anything_is_finite_and_identical_planes_do_not_move(
        height in 0usize..40, width in 0usize..40, seed: u64, values in 1u16..9, max_shift: u32,
    ) {
        check_anything(&ENGINES[..1], Size::new(height, width), seed, values, max_shift)?;
    }
}

proptest! {
    // One case is 36 registrations.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn registration_of_anything_is_finite_on_every_backend(
        height in 0usize..40, width in 0usize..40, seed: u64, values in 1u16..9, max_shift: u32,
    ) {
        check_anything(&ENGINES, Size::new(height, width), seed, values, max_shift)?;
    }
}

fn check_anything(
    engines: &[Engine],
    size: Size,
    seed: u64,
    values: u16,
    max_shift: u32,
) -> Result<(), TestCaseError> {
    let mut noise = Noise::new(seed);
    let (one, other) = (coarse(&mut noise, size, values), noise.plane::<u16>(size));
    for max_shift_px in [None, Some(max_shift), Some(3)] {
        for clip in [Clip::Off, Clip::Percentile(99.5), Clip::Value(2)] {
            let options = RobustOptions { max_shift_px, clip, ..RobustOptions::default() };
            let pairs = [(&one, &other), (&other, &one), (&one, &one), (&other, &other)];
            for ((reference, target), engine) in
                pairs.into_iter().flat_map(|pair| engines.iter().map(move |engine| (pair, engine)))
            {
                let found = engine.register_robust(reference, &[target], &options).expect("one size")[0];
                prop_assert!((0.0..=1.0).contains(&found.quality), "{:?}", found);
                prop_assert!((0.0..=1.0).contains(&found.threshold), "{:?}", found);
                prop_assert!(found.error() >= 0.0, "{:?}", found);
                prop_assert!((found.subpixel.y - f64::from(found.shift.y)).abs() <= 0.5, "{:?}", found);
                prop_assert!((found.subpixel.x - f64::from(found.shift.x)).abs() <= 0.5, "{:?}", found);
                let reach = |side: usize| max_shift_px.map_or(side / 2, |most| most as usize).min(side);
                prop_assert!(found.shift.y.unsigned_abs() as usize <= reach(size.height), "{:?}", found);
                prop_assert!(found.shift.x.unsigned_abs() as usize <= reach(size.width), "{:?}", found);
                if std::ptr::eq(reference, target) {
                    prop_assert_eq!(found.shift, Shift::default());
                    prop_assert_eq!((found.subpixel.y, found.subpixel.x), (0.0, 0.0));
                }
            }
        }
    }
    prop_assert_eq!(compatible(&other, &other), Shift::default());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn planted_shifts_up_to_four_tenths_of_the_side_are_recovered(
        seed: u64, y in -0.4f64..0.4, x in -0.4f64..0.4, height in 150usize..200, width in 150usize..200,
    ) {
        let size = Size::new(height, width);
        let shift = Shift::new((y * height as f64) as i32, (x * width as f64) as i32);
        let mut scene = Scene::new(seed, size, 80);
        let (reference, target) = (scene.view(Shift::default()), scene.view(shift));
        let (reference, target) = (scene.exposed(&reference, 1.0), scene.exposed(&target, 1.0));
        for found in robust_everywhere(&reference, &target, &RobustOptions::default()) {
            prop_assert_eq!(found.shift, shift, "{:?}", found);
            prop_assert!(found.is_accepted(), "{:?}", found);
            prop_assert!((found.subpixel.y - f64::from(shift.y)).abs() <= 0.25, "{:?}", found);
            prop_assert!((found.subpixel.x - f64::from(shift.x)).abs() <= 0.25, "{:?}", found);
        }
    }

    #[test]
    fn planes_without_content_are_not_accepted(seed: u64, level in 0u16..60_000, height in 1usize..130, width in 1usize..130) {
        let size = Size::new(height, width);
        let mut noise = Noise::new(seed);
        let flat = Plane::from_fn(size, |_, _| level);
        let other = Plane::from_fn(size, |_, _| level / 2);
        let textured = Scene::new(seed, size, 0);
        let textured = textured.view(Shift::default()).pixels().iter().map(|value| *value as u16).collect();
        let textured = Plane::new(size, textured).expect("one value per pixel");
        let noisy = Plane::from_fn(size, |_, _| level + noise.next_u16() % 50);
        for (reference, target) in [(&flat, &flat), (&flat, &other), (&flat, &textured), (&noisy, &flat)] {
            for found in robust_everywhere(reference, target, &RobustOptions::default()) {
                prop_assert!(!found.is_accepted(), "{:?}", found);
                prop_assert_eq!((found.quality, found.shift), (0.0, Shift::default()));
                prop_assert_eq!(found.error(), f64::INFINITY);
            }
        }
    }
}

#[test]
fn noise_and_other_places_are_accepted_about_as_rarely_as_the_threshold_says() {
    let size = Size::new(128, 128);
    let (mut noise_accepted, mut places_accepted) = (0, 0);
    for seed in 0..60 {
        let mut noise = Noise::new(seed);
        let mut blank = || Plane::from_fn(size, |_, _| 100 + noise.next_u16() % 64);
        noise_accepted += u32::from(robust(&blank(), &blank(), &RobustOptions::default()).is_accepted());
        let place = |seed| {
            let mut scene = Scene::new(seed, size, 0);
            let view = scene.view(Shift::default());
            scene.exposed(&view, 1.0)
        };
        let (one, other) = (place(1000 + seed), place(2000 + seed));
        places_accepted += u32::from(robust(&one, &other, &RobustOptions::default()).is_accepted());
    }
    println!("accepted: {noise_accepted} of 60 pairs of noise, {places_accepted} of 60 pairs of places");
    assert!(noise_accepted <= 2, "{noise_accepted} of 60 pairs of noise");
    assert!(places_accepted <= 3, "{places_accepted} of 60 pairs of places");
}

#[test]
fn shifts_beyond_half_the_side_are_found_where_they_are_allowed() {
    let mut scene = Scene::new(5, Size::new(400, 300), 230);
    let shift = Shift::new(-220, 8);
    let (reference, target) = (scene.view(Shift::default()), scene.view(shift));
    let (reference, target) = (scene.exposed(&reference, 1.0), scene.exposed(&target, 1.0));
    let wide = RobustOptions { max_shift_px: Some(230), ..RobustOptions::default() };
    for found in robust_everywhere(&reference, &target, &wide) {
        assert_eq!(found.shift, shift);
    }
    let narrow = RobustOptions { max_shift_px: Some(30), ..wide };
    for found in robust_everywhere(&reference, &target, &narrow) {
        assert!(!found.is_accepted() && found.shift.y.abs() <= 30, "{found:?}");
    }
}

#[test]
fn a_measured_threshold_lies_between_unrelated_and_related_planes() {
    let size = Size::new(96, 96);
    let mut scenes: Vec<Scene> = (0..8).map(|seed| Scene::new(seed, size, 10)).collect();
    let planes: Vec<Plane<u16>> = scenes
        .iter_mut()
        .map(|scene| {
            let view = scene.view(Shift::default());
            scene.exposed(&view, 1.0)
        })
        .collect();
    let views: Vec<_> = planes.iter().map(Plane::view).collect();
    let options = RobustOptions::default();
    let measure = |planes: &[_], pairs| cpu::permutation_threshold(planes, &options, pairs, 7);
    let threshold = measure(&views, 100).expect("planes of one size").expect("there are pairs");
    let target = scenes[0].view(Shift::new(3, -5));
    let target = scenes[0].exposed(&target, 1.0);
    let found = robust(&planes[0], &target, &RobustOptions { threshold: Some(threshold), ..options });
    assert!(found.is_accepted() && found.threshold == threshold, "{found:?}");
    let unrelated = robust(&planes[0], &planes[1], &options);
    assert!(unrelated.quality <= threshold, "{unrelated:?} against {threshold}");
    assert_eq!(measure(&views, 100).expect("planes of one size"), Some(threshold), "one seed, one result");
    assert_eq!(measure(&views[..1], 100).expect("one plane"), None);
    assert_eq!(measure(&views, 0).expect("no pairs"), None);
    assert_eq!(measure(&[], 10).expect("no planes"), None);
    let small = Plane::<u16>::zeros(Size::new(96, 95));
    assert!(matches!(measure(&[views[0], small.view()], 10), Err(EngineError::Shape { .. })));
}

#[test]
fn planes_of_8_bits_register_like_the_same_values_in_16_bits() {
    let size = Size::new(61, 47);
    let eight = Noise::new(4).plane::<u8>(size);
    let moved = Engine::cpu().shift(&eight, Shift::new(-4, 6)).expect("it works");
    let widened = |plane: &Plane<u8>| Plane::from_fn(size, |row, column| u16::from(plane.get(row, column)));
    let options = RobustOptions::default();
    let engine = Engine::cpu();
    let found = engine.register_robust(&eight, &[&moved], &options).expect("one size")[0];
    assert_eq!(found, robust(&widened(&eight), &widened(&moved), &options));
    assert_eq!(found.shift, Shift::new(4, -6));
    let shifts = engine.register_compatible(&eight, &[&moved, &eight]).expect("one size");
    assert_eq!(shifts, [Shift::new(4, -6), Shift::default()]);
}

#[test]
fn the_brightest_planes_do_not_overflow_and_a_plane_of_one_value_does_not_move() {
    let white = Plane::from_fn(Size::new(700, 600), |_, _| u16::MAX);
    assert_eq!(compatible(&white, &white), Shift::default());
    let mut spot = Plane::<u16>::zeros(Size::new(701, 613));
    spot.row_mut(350)[300] = u16::MAX;
    let moved = Engine::cpu().shift(&spot, Shift::new(-350, 306)).expect("it works");
    assert_eq!(compatible(&spot, &moved), Shift::new(350, -306), "the sides are primes");
}

#[test]
fn planes_whose_sides_are_primes_register_alike_on_every_backend() {
    for (height, width) in [(211, 131), (1, 7), (7, 1), (97, 1), (1, 509), (2, 113), (64, 127), (127, 90)] {
        let size = Size::new(height, width);
        let mut noise = Noise::new(11);
        let reference = noise.plane::<u16>(size);
        for shift in [Shift::new(0, 2), Shift::new(-1, 1), Shift::new(height as i32 / 2, -(width as i32) / 2)]
        {
            assert_eq!(compatible(&reference, &rolled(&reference, shift)), nearest(shift, size), "{size}");
        }
        // Nothing in common: many shifts are nearly as good as the best one, or just as good.
        compatible(&reference, &noise.plane::<u16>(size));
        for values in [2, 3, 300] {
            let (one, other) = (coarse(&mut noise, size, values), coarse(&mut noise, size, values));
            compatible(&one, &other);
        }
    }
}

#[test]
fn equal_correlations_go_to_the_smaller_shift_and_half_an_even_side_is_positive() {
    // Stripes of period 8: eight columns to either side are as good as none.
    let stripes = Plane::from_fn(Size::new(16, 64), |_, column| if column % 8 < 3 { 900 } else { 7 });
    assert_eq!(compatible(&stripes, &stripes), Shift::default());
    let moved = rolled(&stripes, Shift::new(0, 3));
    assert_eq!(compatible(&stripes, &moved), Shift::new(0, 3));
    let mut spot = Plane::<u16>::zeros(Size::new(6, 1));
    spot.row_mut(0)[0] = 5;
    assert_eq!(compatible(&spot, &rolled(&spot, Shift::new(3, 0))), Shift::new(3, 0));
}

#[test]
fn small_identical_planes_do_not_move_by_fractions_either() {
    for (height, width) in (1..9).flat_map(|height| (1..9).map(move |width| (height, width))) {
        let size = Size::new(height, width);
        let mut noise = Noise::new(3);
        // Also a single slope, which looks much the same from half a pixel aside.
        for plane in
            [noise.plane::<u16>(size), Plane::from_fn(size, |row, column| (900 * row + 70 * column) as u16)]
        {
            for found in robust_everywhere(&plane, &plane, &RobustOptions::default()) {
                assert_eq!((found.shift, found.subpixel), (Shift::default(), Default::default()), "{size}");
            }
        }
    }
}

#[test]
fn planes_of_the_size_of_cameras_register_in_both_ways() {
    for size in [Size::new(2160, 2560), Size::new(2000, 2000), Size::new(1009, 1201)] {
        let reference = Noise::new(8).plane::<u16>(size);
        let target = Engine::cpu().shift(&reference, Shift::new(-37, 20)).expect("it works");
        assert_eq!(compatible(&reference, &target), Shift::new(37, -20), "{size}");
        let options = RobustOptions { max_shift_px: Some(100), ..RobustOptions::default() };
        for found in robust_everywhere(&reference, &target, &options) {
            assert_eq!(found.shift, Shift::new(37, -20), "{size}: {found:?}");
            assert!(found.is_accepted() && found.quality > 0.9, "{size}: {found:?}");
        }
    }
}

#[test]
fn targets_of_another_size_and_options_out_of_range_are_refused() {
    let engine = Engine::cpu();
    let (plane, other) = (Plane::<u16>::zeros(Size::new(4, 5)), Plane::zeros(Size::new(5, 4)));
    let options = RobustOptions::default();
    assert!(matches!(engine.register_compatible(&plane, &[&other]), Err(EngineError::Shape { .. })));
    assert!(matches!(engine.register_robust(&plane, &[&other], &options), Err(EngineError::Shape { .. })));
    for wrong in [
        RobustOptions { sigma_px: f64::NAN, ..options },
        RobustOptions { sigma_px: 0.0, ..options },
        RobustOptions { sigma_px: 51.0, ..options },
        RobustOptions { upsampling: 0, ..options },
        RobustOptions { upsampling: 201, ..options },
        RobustOptions { clip: Clip::Percentile(f64::NAN), ..options },
        RobustOptions { clip: Clip::Percentile(100.5), ..options },
        RobustOptions { threshold: Some(f64::NAN), ..options },
        RobustOptions { threshold: Some(-0.1), ..options },
    ] {
        let refused = engine.register_robust(&plane, &[&plane], &wrong);
        assert!(matches!(refused, Err(EngineError::Parameter { .. })), "{wrong:?}");
    }
}

#[test]
fn a_window_without_columns_has_rows_without_pixels() {
    let plane = Noise::new(1).plane::<u16>(Size::new(5, 7));
    let window = plane.window(Rect::new(1, 3, Size::new(4, 0))).expect("inside the plane");
    assert_same("nothing", &Plane::zeros(Size::new(4, 0)), &window.to_plane());
}
