//! Downsampling by maxima and by majorities against naive code, and properties.

use proptest::prelude::*;
use tm_engine::image::{GreyPixel, Plane, Size};
use tm_engine::kernels::downsample::{self, Label};
use tm_engine::kernels::{KernelSpec, Noise};
use tm_engine::{Backend, Engine};
use tm_tests::backends::engines;
use tm_tests::compare::{assert_same, same};

/// The pixels of the input that an output pixel is made from, those that exist, in reading order.
fn block<T: Copy>(size: Size, row: usize, column: usize, at: impl Fn(usize, usize) -> T) -> Vec<T> {
    [(0, 0), (0, 1), (1, 0), (1, 1)]
        .into_iter()
        .map(|(down, right)| (2 * row + down, 2 * column + right))
        .filter(|(row, column)| *row < size.height && *column < size.width)
        .map(|(row, column)| at(row, column))
        .collect()
}

fn halved(size: Size) -> Size {
    Size::new(size.height.div_ceil(2), size.width.div_ceil(2))
}

fn naive_max<T: GreyPixel>(plane: &Plane<T>) -> Plane<T> {
    Plane::from_fn(halved(plane.size()), |row, column| {
        let pixels = block(plane.size(), row, column, |row, column| plane.get(row, column));
        pixels.into_iter().max().expect("a block has a pixel")
    })
}

fn naive_mode<T: Label>(plane: &Plane<T>) -> Plane<T> {
    Plane::from_fn(halved(plane.size()), |row, column| {
        let labels = block(plane.size(), row, column, |row, column| plane.get(row, column));
        let votes = |label: T| labels.iter().filter(|other| **other == label).count();
        let most = labels.iter().map(|label| votes(*label)).max().expect("a block has a label");
        *labels.iter().find(|label| votes(**label) == most).expect("a label has most votes")
    })
}

/// A label image with few labels, negative ones too where there are such.
fn labels(seed: u64, size: Size) -> Plane<i32> {
    let mut noise = Noise::new(seed);
    Plane::from_fn(size, |_, _| [0, 3, -1, i32::MIN, 70_000][usize::from(noise.next_u16() % 5)])
}

prop_compose! {
    fn sizes()(height in 0usize..40, width in 0usize..140) -> Size { Size::new(height, width) }
}

proptest! {
    #[test]
    fn maxima_agree_with_naive_code(size in sizes(), seed: u64) {
        let mut noise = Noise::new(seed);
        let (eight, sixteen) = (noise.plane::<u8>(size), noise.plane::<u16>(size));
        let engine = Engine::cpu();
        prop_assert_eq!(same(&naive_max(&eight), &engine.downsample_max(&eight).expect("it works")), Ok(()));
        prop_assert_eq!(same(&naive_max(&sixteen), &engine.downsample_max(&sixteen).expect("it works")), Ok(()));
    }

    #[test]
    fn majorities_agree_with_naive_code(size in sizes(), seed: u64) {
        let wide = labels(seed, size);
        let engine = Engine::cpu();
        prop_assert_eq!(engine.downsample_labels(&wide).expect("it works"), naive_mode(&wide));
        let sixteen = Plane::from_fn(size, |row, column| wide.get(row, column).unsigned_abs() as u16 % 3);
        prop_assert_eq!(engine.downsample_labels(&sixteen).expect("it works"), naive_mode(&sixteen));
        let eight = Plane::from_fn(size, |row, column| sixteen.get(row, column) as u8);
        prop_assert_eq!(engine.downsample_labels(&eight).expect("it works"), naive_mode(&eight));
    }

    #[test]
    fn the_mean_never_exceeds_the_maximum_and_the_mode_makes_no_label(size in sizes(), seed: u64) {
        let plane = Noise::new(seed).plane::<u16>(size);
        let engine = Engine::cpu();
        let (mean, max) = (engine.downsample(&plane).expect("it works"), engine.downsample_max(&plane).expect("it works"));
        prop_assert!(mean.pixels().iter().zip(max.pixels()).all(|(mean, max)| mean <= max));
        let labels = labels(seed, size);
        let half = engine.downsample_labels(&labels).expect("it works");
        prop_assert!(half.pixels().iter().all(|label| labels.pixels().contains(label)));
    }
}

/// All 256 arrangements of four values at once: every majority and every tie.
#[test]
fn every_arrangement_of_four_labels_is_decided_alike_on_every_backend() {
    let size = Size::new(2, 512);
    let at = |row: usize, column: usize| {
        let digit = 2 * row + column % 2;
        [0i32, 5, -7, 1 << 20][((column / 2) >> (2 * digit)) & 3]
    };
    let plane = Plane::from_fn(size, at);
    for engine in engines() {
        let half = engine.downsample_labels(&plane).expect("it works");
        assert_eq!(half, naive_mode(&plane), "{}", engine.backend());
    }
}

#[test]
fn an_object_at_an_odd_edge_keeps_its_label_when_halved() {
    let plane = Plane::new(Size::new(3, 3), vec![1u16, 1, 2, 1, 1, 2, 3, 3, 4]).expect("nine labels");
    for engine in engines() {
        let half = engine.downsample_labels(&plane).expect("it works");
        assert_eq!(half.pixels(), [1, 2, 3, 4], "{}", engine.backend());
    }
}

#[test]
fn a_large_plane_gives_in_parallel_what_small_ones_give() {
    let plane = Noise::new(9).plane::<u16>(Size::new(1201, 1303));
    let engine = Engine::cpu();
    assert_same("maxima", &naive_max(&plane), &engine.downsample_max(&plane).expect("it works"));
    let labels = labels(9, plane.size());
    assert_eq!(engine.downsample_labels(&labels).expect("it works"), naive_mode(&labels));
}

#[test]
fn outputs_given_by_the_caller_must_be_half_the_size() {
    let plane = Noise::new(1).plane::<u16>(Size::new(5, 7));
    let (mut right, mut wrong) = (Plane::zeros(Size::new(3, 4)), Plane::zeros(Size::new(3, 3)));
    downsample::cpu::downsample_max_into(plane.view(), &mut right).expect("the size is right");
    assert_same("maxima", &naive_max(&plane), &right);
    assert!(downsample::cpu::downsample_max_into(plane.view(), &mut wrong).is_err());
    downsample::cpu::downsample_labels_into(plane.view(), &mut right).expect("the size is right");
    assert_eq!(right, naive_mode(&plane));
    assert!(downsample::cpu::downsample_labels_into(plane.view(), &mut wrong).is_err());
}

#[test]
fn each_rule_runs_on_the_device_that_the_engine_has() {
    for engine in engines().into_iter().filter(|engine| engine.backend() == Backend::Gpu) {
        let on_gpu = |spec: KernelSpec| {
            engine.info().kernels.iter().any(|entry| entry.name == spec.name && entry.backend == Backend::Gpu)
        };
        assert!(on_gpu(downsample::SPEC) && on_gpu(downsample::MAX) && on_gpu(downsample::MODE));
    }
}
