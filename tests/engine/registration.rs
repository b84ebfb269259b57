//! Which method finds how many of the shifts between made-up images.

use std::time::Instant;

use tm_engine::image::{Plane, Size};
use tm_engine::kernels::Noise;
use tm_engine::kernels::alignment::cpu::{CompatibleReference, RobustReference};
use tm_engine::kernels::alignment::{Clip, RobustOptions, Shift};
use tm_engine::{Engine, EngineError};
use tm_tests::backends::engines;
use tm_tests::registration::{Scene, phase_correlation, vignette};
use tm_tests::vectors::{Vectors, planes};

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

const BRIGHT: Row = Row {
    name: "bright, shifts ≤ 10",
    most_px: 10,
    contrast: 1.0,
    shading: false,
    dirt: false,
    clipped: false,
};
const FAR: Row = Row { name: "shifts ≤ 60", most_px: 60, ..BRIGHT };
const SHADED: Row = Row { name: "static shading", shading: true, ..BRIGHT };
const VERY_DIM: Row = Row { name: "contrast × 0.03", contrast: 0.03, ..BRIGHT };
const DIM_SHADED: Row = Row { name: "contrast × 0.06, shading", contrast: 0.06, shading: true, ..BRIGHT };
const DIRTY: Row = Row { name: "dirt in one image", dirt: true, ..BRIGHT };
const DIRTY_CLIPPED: Row = Row { name: "dirt, clipped at p99.5", dirt: true, clipped: true, ..BRIGHT };
const ROWS: [Row; 7] = [BRIGHT, FAR, SHADED, VERY_DIM, DIM_SHADED, DIRTY, DIRTY_CLIPPED];

/// The methods, in the order of [`Found::right`].
const METHODS: [&str; 6] = ["circular", "phase", "phase+Hann", "LoG 1", "LoG 2", "ours"];

/// Pairs of a row whose shift a method finds, and how many of ours are accepted.
#[derive(Debug, Default)]
struct Found {
    right: [usize; METHODS.len()],
    /// Right ones of ours that are accepted.
    accepted: usize,
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
        found.accepted += usize::from(ours.is_accepted() && ours.shift == planted);
    }
    println!("{:26} {:?} of {pairs}, accepted {}", row.name, found.right, found.accepted);
    found
}

/// What 10 pairs of each row are known to show; the shares of 100 are printed below.
#[test]
fn robust_registration_finds_every_shift_where_the_classical_methods_miss_some() {
    println!("{:26} {METHODS:?}", "");
    let pairs = 10;
    let found = ROWS.map(|row| measure(&row, pairs));
    for (row, found) in ROWS.iter().zip(&found) {
        assert_eq!((found.right[5], found.accepted), (10, 10), "{}: {found:?}", row.name);
    }
    let [bright, far, shaded, very_dim, dim_shaded, dirty, dirty_clipped] = found.map(|found| found.right);
    for row in [bright, far, shaded, dirty_clipped] {
        assert_eq!((row[0], row[4]), (10, 10), "circular and LoG 2 find what is bright");
    }
    assert!(
        bright[1] < 10 && shaded[1] < 10,
        "phase correlation without window misses some of the brightest"
    );
    assert!(
        very_dim[1..4].iter().all(|right| *right <= 8),
        "phases and a narrow LoG drown in noise: {very_dim:?}"
    );
    assert!(very_dim[2] <= 5 && very_dim[3] <= 5 && dim_shaded[2] <= 7, "{very_dim:?}, {dim_shaded:?}");
    assert!(dirty[0] <= 3 && dirty[4] <= 5, "dirt outweighs the cells where it is not clipped: {dirty:?}");
}

/// The images of the vector for the classical method, which must agree with its shifts.
#[test]
fn robust_registration_finds_and_accepts_the_shifts_of_noisy_cycles_too() {
    let vector = Vectors::fixtures().load("align_shift");
    let cycles = planes::<u16>(&vector.input("cycles"));
    let targets: Vec<_> = cycles.iter().collect();
    let reference = &cycles[vector.parse::<usize>("reference_index")];
    let found = Engine::cpu().register_robust(reference, &targets, &RobustOptions::default());
    let expected = vector.expected::<i32>("shifts_yx");
    for (found, expected) in found.expect("cycles of one size").iter().zip(expected.rows()) {
        assert_eq!(found.shift, Shift::new(expected[0], expected[1]), "{found:?}");
        assert!(found.is_accepted(), "{found:?}");
    }
}

#[test]
fn a_gpu_finds_the_shifts_that_the_cpu_finds() {
    for engine in engines() {
        for row in &ROWS {
            for seed in 0..2 {
                let (reference, target, planted) = pair(row, seed);
                let options = RobustOptions::default();
                let found = engine.register_robust(&reference, &[&target], &options).expect("one size")[0];
                assert_eq!(found.shift, planted, "{} on {}: {found:?}", row.name, engine.backend());
                assert!(found.is_accepted(), "{} on {}: {found:?}", row.name, engine.backend());
                let compatible = |engine: &Engine| engine.register_compatible(&reference, &[&target]);
                assert_eq!(
                    compatible(&engine).expect("one size"),
                    compatible(&Engine::cpu()).expect("one size"),
                    "{} on {}",
                    row.name,
                    engine.backend()
                );
            }
        }
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

/// Not a check but figures, as above.
#[test]
#[ignore = "prints timings"]
fn figures_of_registration_time() {
    let size = Size::new(2160, 2560);
    let reference = Noise::new(8).plane::<u16>(size);
    let target = Engine::cpu().shift(&reference, Shift::new(-37, 20)).expect("it works");
    let rounds = 3;
    let start = Instant::now();
    let compatible = CompatibleReference::new(reference.view()).expect("a small plane");
    println!("compatible, reference of {size}: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    for _ in 0..rounds {
        compatible.register(target.view()).expect("one size");
    }
    println!("compatible, each target: {:.0} ms", start.elapsed().as_secs_f64() * 1e3 / f64::from(rounds));
    for max_shift_px in [Some(108), None] {
        let options = RobustOptions { max_shift_px, ..RobustOptions::default() };
        let start = Instant::now();
        let robust = RobustReference::new(reference.view(), &options).expect("a small plane");
        println!("robust to {max_shift_px:?} px, reference: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        for _ in 0..rounds {
            robust.register(target.view()).expect("one size");
        }
        println!("robust, each target: {:.0} ms", start.elapsed().as_secs_f64() * 1e3 / f64::from(rounds));
    }
}

#[test]
fn a_shift_found_in_another_way_is_judged_by_what_the_images_have_in_common_there() {
    for engine in engines() {
        let (reference, target, planted) = pair(&ROWS[0], 5);
        let options = RobustOptions::default();
        let found = engine.register_robust(&reference, &[&target], &options).expect("one size")[0];
        let elsewhere = Shift::new(planted.y + 7, planted.x - 9);
        let targets = [&target, &target];
        let judged = engine.judge_shifts(&reference, &targets, &[planted, elsewhere], &options);
        let judged = judged.expect("one shift for each target");
        assert_eq!((judged[0].shift, judged[1].shift), (planted, elsewhere));
        assert!((judged[0].quality - found.quality).abs() < 1e-6, "{judged:?}, {found:?}");
        assert!(judged[0].is_accepted() && !judged[1].is_accepted(), "{judged:?}");
        let blank = Plane::<u16>::zeros(SIZE);
        let of_blank = engine.judge_shifts(&reference, &[&blank], &[Shift::default()], &options);
        assert!(!of_blank.expect("one size")[0].is_accepted());
        let refused = engine.judge_shifts(&reference, &targets, &[planted], &options);
        assert!(matches!(refused, Err(EngineError::Parameter { name: "shifts", .. })), "{refused:?}");
    }
}
