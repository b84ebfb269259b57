//! Properties of whole operations on made-up images, on every backend.

use tm_engine::geometry::{FillRule, MapOffset, SiteFrame, rasterise};
use tm_engine::image::{BitDepth, GreyPlane, Plane, Size};
use tm_engine::kernels::Noise;
use tm_engine::kernels::alignment::{RobustOptions, Shift};
use tm_engine::kernels::contours::border_labels;
use tm_engine::kernels::flatfield::{FlatfieldCorrection, FlatfieldImages};
use tm_engine::kernels::illumination::{Correction, IlluminationSums, SMOOTHING_SIGMA_PX};
use tm_tests::backends::engines;
use tm_tests::registration::Scene;

/// From `low` to below `high`.
fn between(noise: &mut Noise, low: f64, high: f64) -> f64 {
    low + (high - low) * f64::from(noise.next_u16()) / 65_536.0
}

fn size_between(noise: &mut Noise, low: u16, high: u16) -> Size {
    let mut side = || usize::from(low + noise.next_u16() % (high - low));
    Size::new(side(), side())
}

/// Blocks of a few labels and of background, with specks of other labels in them.
fn label_image(seed: u64) -> Plane<i32> {
    let mut noise = Noise::new(seed);
    let size = size_between(&mut noise, 1, 140);
    let block = 1 + usize::from(noise.next_u16() % 12);
    let labels = 1 + noise.next_u16() % 40;
    let mut label = || i32::from(noise.next_u16() % (labels + 1));
    let blocks =
        Plane::from_fn(Size::new(size.height.div_ceil(block), size.width.div_ceil(block)), |_, _| label());
    Plane::from_fn(size, |row, column| match noise.next_u16() % 30 {
        0 => i32::from(noise.next_u16() % (labels + 1)),
        _ => blocks.get(row / block, column / block),
    })
}

#[test]
fn outlines_are_valid_measure_their_pixels_and_give_the_label_image_back() {
    let offset = MapOffset { y: 900, x: 70_000 };
    let (mut holes, mut single_pixels, mut at_border, mut inside) = (0, 0, 0, 0);
    for (engine, seed) in engines().iter().flat_map(|engine| (0..60).map(move |seed| (engine, seed))) {
        let labels = label_image(seed);
        let outlines = engine.trace_outlines(&labels, offset).expect("labels are traced");
        let mut pixels = vec![0usize; 64];
        for label in labels.pixels() {
            pixels[usize::try_from(*label).expect("not negative")] += 1;
        }
        let expected: Vec<(i32, f64)> = (1..)
            .zip(&pixels[1..])
            .filter(|(_, count)| **count > 0)
            .map(|(label, count)| (label, *count as f64))
            .collect();
        let measured: Vec<(i32, f64)> =
            outlines.iter().map(|outline| (outline.label, outline.area())).collect();
        assert_eq!(measured, expected, "seed {seed} on {}", engine.backend());
        for part in outlines.iter().flat_map(|outline| &outline.parts) {
            part.check().unwrap_or_else(|problem| panic!("seed {seed} on {}: {problem}", engine.backend()));
            holes += part.holes.len();
            single_pixels += usize::from(part.area() == 1.0);
        }
        let border = border_labels(&labels).len();
        at_border += border;
        inside += outlines.len() - border;
        let site = SiteFrame::new(offset, labels.size()).expect("on the map");
        let back = rasterise(&outlines, site, FillRule::PixelCentres).expect("it fits");
        assert_eq!(back, labels, "seed {seed} on {}", engine.backend());
    }
    assert!(holes > 100 && single_pixels > 100 && at_border > 100 && inside > 100, "all sorts occurred");
}

#[test]
fn planted_shifts_up_to_four_tenths_of_the_side_are_found() {
    for engine in engines() {
        for seed in 0..8 {
            let mut noise = Noise::new(seed);
            let size = size_between(&mut noise, 120, 200);
            let mut along = |side: usize| (between(&mut noise, -0.4, 0.4) * side as f64) as i32;
            let shift = Shift::new(along(size.height), along(size.width));
            let mut scene = Scene::new(seed, size, 80);
            let [reference, target] = [Shift::default(), shift].map(|shift| scene.view(shift));
            let (reference, target) = (scene.exposed(&reference, 1.0), scene.exposed(&target, 1.0));
            let found = engine.register_robust(&reference, &[&target], &RobustOptions::default());
            let found = found.expect("planes of one size")[0];
            assert_eq!(found.shift, shift, "seed {seed}, {size}, {}: {found:?}", engine.backend());
            assert!(found.is_accepted(), "seed {seed}: {found:?}");
            // What leaves at one side comes back at the other: what the classical method assumes.
            let around = |index: usize, shift: i32, side: usize| {
                let position = index as i64 + i64::from(shift);
                usize::try_from(position.rem_euclid(side as i64)).expect("not negative")
            };
            let rolled = Plane::from_fn(size, |row, column| {
                reference.get(around(row, shift.y, size.height), around(column, shift.x, size.width))
            });
            let found = engine.register_compatible(&reference, &[&rolled]).expect("planes of one size");
            assert_eq!(found, [shift], "seed {seed}, {size}, {}", engine.backend());
        }
    }
}

/// A lamp that is brightest at one corner and darkest at another: half a wave along each axis, so that
/// reflected borders go on smoothly. Mean near 1.
struct Lamp {
    size: Size,
    down: f64,
    across: f64,
}

impl Lamp {
    fn new(noise: &mut Noise) -> Self {
        let size = size_between(noise, 60, 160);
        Self { size, down: between(noise, -0.15, 0.15), across: between(noise, -0.15, 0.15) }
    }

    /// Natural logarithm of the brightness at a pixel; 0 on average.
    fn log(&self, row: usize, column: usize) -> f64 {
        let wave =
            |index: usize, side: usize| (std::f64::consts::PI * (index as f64 + 0.5) / side as f64).cos();
        self.down * wave(row, self.size.height) + self.across * wave(column, self.size.width)
    }

    fn image(&self, light: f64, dark: f64) -> Plane<u16> {
        Plane::from_fn(self.size, |row, column| (light * self.log(row, column).exp() + dark).round() as u16)
    }
}

/// The largest distance of a pixel from a value.
fn distance(plane: &Plane<u16>, value: f64) -> f64 {
    plane.pixels().iter().map(|pixel| (f64::from(*pixel) - value).abs()).fold(0.0, f64::max)
}

#[test]
fn images_of_an_empty_slide_are_flat_once_corrected_by_their_own_statistics() {
    for engine in engines() {
        for seed in 0..6 {
            let mut noise = Noise::new(seed);
            let lamp = Lamp::new(&mut noise);
            let lights: Vec<f64> = (0..24).map(|_| between(&mut noise, 1000.0, 4000.0)).collect();
            let images: Vec<GreyPlane> = lights.iter().map(|light| lamp.image(*light, 0.0).into()).collect();
            let mut sums = IlluminationSums::new(lamp.size, BitDepth::Sixteen);
            engine
                .add_to_statistics(&mut sums, &images.iter().collect::<Vec<_>>())
                .expect("images of one size");
            let statistics = sums.finish();
            let exact = Correction::from_smoothed(statistics.images, &statistics.mean, &statistics.std)
                .expect("one size");
            let smoothed = statistics.correction();
            // Smoothing flattens half a wave over `side` pixels by this share.
            let flattened = |side: usize| {
                1.0 - (-(std::f64::consts::PI * SMOOTHING_SIGMA_PX / side as f64).powi(2) / 2.0).exp()
            };
            let left = lamp.down.abs() * flattened(lamp.size.height)
                + lamp.across.abs() * flattened(lamp.size.width);
            for (image, light) in images.iter().zip(&lights) {
                let GreyPlane::U16(image) = image else { unreachable!("the images have 16 bits") };
                let shading = distance(image, *light);
                let flat = engine.correct(image, &exact).expect("one size");
                let off = distance(&flat, *light);
                assert!(off <= 2.5, "seed {seed}, {}: {off} of {light}, {shading} before", engine.backend());
                let flat = engine.correct(image, &smoothed).expect("one size");
                let off = distance(&flat, *light);
                let most = 2.5 + light * left.exp_m1();
                assert!(off <= most, "seed {seed}, {}: {off} of {light}, not {most}", engine.backend());
            }
        }
    }
}

#[test]
fn images_of_an_empty_slide_are_flat_once_corrected_by_their_flat_field() {
    for engine in engines() {
        for seed in 0..6 {
            let mut noise = Noise::new(seed);
            let lamp = Lamp::new(&mut noise);
            let dark = between(&mut noise, 0.0, 300.0).round();
            let darkfield = Plane::from_fn(lamp.size, |_, _| dark);
            let lights: Vec<f64> = (0..12).map(|_| between(&mut noise, 300.0, 4000.0)).collect();
            let images: Vec<Plane<u16>> = lights.iter().map(|light| lamp.image(*light, dark)).collect();
            let profile = Plane::from_fn(lamp.size, |row, column| lamp.log(row, column).exp());
            let mean = profile.pixels().iter().sum::<f64>() / lamp.size.area() as f64;
            let planted = FlatfieldCorrection::new(&profile, &darkfield).expect("one size");
            let mut fit = FlatfieldImages::new(lamp.size).expect("the images have pixels");
            for image in &images {
                fit.add(&image.clone().into()).expect("images of one size");
            }
            let fitted = fit.fit(&darkfield).expect("the images are bright").correction();
            let views: Vec<_> = images.iter().map(Plane::view).collect();
            let flat = engine.apply_flatfield(&views, &planted).expect("one size");
            for (flat, light) in flat.iter().zip(&lights) {
                let off = distance(flat, *light);
                assert!(off <= 1.5, "seed {seed}, {}: {off} of {light}", engine.backend());
            }
            // A fitted profile has mean 1.
            let flat = engine.apply_flatfield(&views, &fitted).expect("one size");
            for (flat, light) in flat.iter().zip(&lights) {
                let off = distance(flat, light * mean);
                assert!(off <= 2.0, "seed {seed}, {}: {off} of {light}", engine.backend());
            }
        }
    }
}
