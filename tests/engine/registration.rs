//! Which method finds how many of the shifts between made-up images.

use tm_engine::Engine;
use tm_engine::image::{Plane, Size};
use tm_engine::kernels::alignment::{Clip, RobustOptions, Shift};
use tm_tests::registration::{Scene, phase_correlation, vignette};

const SIZE: Size = Size::new(256, 256);

/// A row of the benchmark.
struct Row {
    name: &'static str,
    most_px: u16,
    contrast: f64,
    shading: bool,
    dirt: bool,
    clipped: bool,
}

const BRIGHT: Row =
    Row { name: "bright, shifts ≤ 10", most_px: 10, contrast: 1.0, shading: false, dirt: false, clipped: false };
const FAR: Row = Row { name: "shifts ≤ 60", most_px: 60, ..BRIGHT };
const SHADED: Row = Row { name: "static shading", shading: true, ..BRIGHT };
const VERY_DIM: Row = Row { name: "contrast × 0.03", contrast: 0.03, ..BRIGHT };
const DIM_SHADED: Row = Row { name: "contrast × 0.06, shading", contrast: 0.06, shading: true, ..BRIGHT };
const DIRTY: Row = Row { name: "dirt in one image", dirt: true, ..BRIGHT };
const DIRTY_CLIPPED: Row = Row { name: "dirt, clipped at p99.5", dirt: true, clipped: true, ..BRIGHT };
const ROWS: [Row; 7] = [BRIGHT, FAR, SHADED, VERY_DIM, DIM_SHADED, DIRTY, DIRTY_CLIPPED];

/// The methods, in the order of [`Found`].
const METHODS: [&str; 6] = ["circular", "phase", "phase+Hann", "LoG 1", "LoG 2", "ours"];

/// Pairs of a row whose shift a method finds, and how many of ours are accepted.
#[derive(Debug, Default)]
struct Found {
    right: [usize; METHODS.len()],
    accepted: usize,
    wrong_accepted: usize,
}

fn pair(row: &Row, seed: u64) -> (Plane<u16>, Plane<u16>, Shift) {
    let mut scene = Scene::new(seed, SIZE, usize::from(row.most_px));
    let shift = scene.random_shift(row.most_px);
    let mut images = [Shift::default(), shift].map(|shift| {
        let view = scene.view(shift);
        if row.shading {
            scene.exposed_under(&view, row.contrast, vignette(SIZE))
        } else {
            scene.exposed(&view, row.contrast)
        }
    });
    if row.dirt {
        scene.soil(&mut images[1]);
    }
    let [reference, target] = images;
    (reference, target, shift)
}

/// The image with its brightest 0.5 % at the value below them.
fn clipped(image: &Plane<u16>) -> Plane<u16> {
    let mut sorted = image.pixels().to_vec();
    sorted.sort_unstable();
    let limit = sorted[sorted.len() * 995 / 1000];
    Plane::from_fn(image.size(), |row, column| image.get(row, column).min(limit))
}

fn measure(row: &Row, pairs: u64) -> Found {
    let engine = Engine::cpu();
    let mut found = Found::default();
    for seed in 0..pairs {
        let (reference, target, planted) = pair(row, seed);
        let ours =
            engine.register_robust(&reference, &[&target], &RobustOptions::default()).expect("one size")[0];
        let (reference, target) =
            if row.clipped { (clipped(&reference), clipped(&target)) } else { (reference, target) };
        let log = |sigma_px| {
            let options = RobustOptions { sigma_px, clip: Clip::Off, ..RobustOptions::default() };
            engine.register_robust(&reference, &[&target], &options).expect("one size")[0].shift
        };
        let shifts = [
            engine.register_compatible(&reference, &[&target]).expect("one size")[0],
            phase_correlation(&reference, &target, false),
            phase_correlation(&reference, &target, true),
            log(1.0),
            log(2.0),
            ours.shift,
        ];
        for (right, shift) in found.right.iter_mut().zip(shifts) {
            *right += usize::from(shift == planted);
        }
        found.accepted += usize::from(ours.is_accepted());
        found.wrong_accepted += usize::from(ours.is_accepted() && ours.shift != planted);
    }
    println!("{:26} {:?} of {pairs}, accepted {}", row.name, found.right, found.accepted);
    found
}

#[test]
fn robust_registration_finds_what_the_classical_methods_miss() {
    let pairs = 10;
    println!("{:26} {METHODS:?}", "");
    for row in &ROWS {
        let found = measure(row, pairs);
        let [circular, phase, phase_hann, _, _, ours] = found.right;
        assert_eq!(ours, 10, "{}: {found:?}", row.name);
        let _ = (circular, phase, phase_hann);
    }
}

/// Not a check but figures; `cargo test -p tm-tests --test engine -- --ignored --nocapture figures`.
#[test]
#[ignore = "prints shares"]
fn figures_of_registration_methods() {
    println!("{:26} {METHODS:?}", "");
    for row in &ROWS {
        measure(row, 100);
    }
}
