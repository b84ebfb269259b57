//! Outlines on the GPU: bit for bit those of the CPU, whatever has to be split or emitted again.

use proptest::prelude::*;
use tm_engine::geometry::{FillRule, Outline, rasterise};
use tm_engine::gpu::{Caps, Gpu};
use tm_engine::image::{Plane, Size};
use tm_engine::kernels::{Noise, contours};
use tm_engine::{Backend, Engine, EngineError};
use tm_tests::backends::gpus;

use crate::outlines::{OFFSET, label_images, site_of, trace};

/// On the device itself: an engine would hide that the CPU took over.
fn trace_on(gpu: &Gpu, labels: &Plane<i32>) -> tm_engine::Result<Vec<Outline>> {
    contours::gpu::trace(gpu, labels.view(), OFFSET)
}

fn assert_same_outlines(gpu: &Gpu, labels: &Plane<i32>, what: &str) {
    let outlines = trace_on(gpu, labels).unwrap_or_else(|error| panic!("{what}, {}: {error}", gpu.adapter()));
    assert!(outlines == trace(labels), "{what} of {} on {}", labels.size(), gpu.adapter());
}

/// Pixels that touch at corners only, so that all four sides of each are edges: the first `count` of them.
fn checkerboard(size: Size, count: usize) -> Plane<i32> {
    let mut left = count;
    Plane::from_fn(size, |row, column| {
        let taken = (row + column).is_multiple_of(2) && left > 0;
        left -= usize::from(taken);
        i32::from(taken)
    })
}

/// Blocks of few labels with specks in them: objects that touch, with holes, at the border too.
fn tissue(seed: u64, size: Size) -> Plane<i32> {
    let mut noise = Noise::new(seed);
    let blocks: Vec<u16> = (0..997).map(|_| noise.next_u16() % 4).collect();
    Plane::from_fn(size, |row, column| match noise.next_u16() % 12 {
        0 => i32::from(noise.next_u16() % 4),
        _ => i32::from(blocks[(row / 5 * 71 + column / 9) % blocks.len()]),
    })
}

fn agrees_on_random_labels(gpu: &Gpu, cases: u32) {
    proptest!(ProptestConfig::with_cases(cases), |(labels in label_images(true))| {
        let outlines = trace_on(gpu, &labels).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&outlines, &trace(&labels));
        let back = rasterise(&outlines, site_of(&labels), FillRule::PixelCentres).expect("it fits");
        prop_assert_eq!(back, labels);
    });
}

#[test]
fn the_gpu_traces_what_the_cpu_traces_and_filling_it_gives_the_labels_back() {
    for gpu in gpus() {
        agrees_on_random_labels(&gpu, 300);
    }
}

#[test]
fn outlines_cross_bands_of_rows_and_outputs_of_a_few_edges() {
    // Rows of up to 16 labels: bands of one row or a few, outputs of 8 edges or a few more.
    for binding_bytes in [64, 72, 200] {
        for gpu in gpus() {
            let gpu = gpu.with_caps(Caps { binding_bytes, workgroups: 1 });
            agrees_on_random_labels(&gpu, 80);
        }
    }
}

#[test]
fn images_are_split_by_either_limit_of_the_device() {
    let size = Size::new(23, 700);
    // A workgroup goes through 1024 pixels, and there are workgroups² of them.
    for (binding_bytes, workgroups) in [(1 << 20, 1), (1 << 20, 2), (1 << 20, 3), (2800, 65_535), (9000, 3)] {
        for gpu in gpus() {
            let gpu = gpu.with_caps(Caps { binding_bytes, workgroups });
            assert_same_outlines(&gpu, &tissue(u64::from(workgroups), size), "split labels");
        }
    }
}

#[test]
fn edges_are_numbered_across_more_blocks_than_one_round_of_the_scan_takes() {
    // 1172 blocks of 1024 pixels; a round takes 1024.
    let labels = tissue(9, Size::new(1200, 1000));
    for gpu in gpus() {
        assert_same_outlines(&gpu, &labels, "many blocks");
        let gpu = gpu.with_caps(Caps { binding_bytes: 128 << 20, workgroups: 35 });
        assert_same_outlines(&gpu, &labels, "many blocks in rows of 35 workgroups");
    }
}

#[test]
fn an_output_too_small_by_one_edge_is_followed_by_another() {
    // 64 pixels have 256 edges.
    let labels = checkerboard(Size::new(8, 16), 64);
    for room in [257, 256, 255, 86, 64] {
        for gpu in gpus() {
            let gpu = gpu.with_caps(Caps { binding_bytes: 8 * room, workgroups: 65_535 });
            assert_same_outlines(&gpu, &labels, &format!("room for {room} of 256 edges"));
        }
    }
}

#[test]
fn more_edges_than_guessed_are_all_found_and_the_labels_cross_the_bus_once() {
    let size = Size::new(131, 300);
    // The guess for this size is 2456 edges.
    for pixels in [613, 614, 615, 10_000, 19_650] {
        let labels = checkerboard(size, pixels);
        for gpu in gpus() {
            let gpu = gpu.with_stopwatch();
            assert_same_outlines(&gpu, &labels, &format!("{pixels} pixels that touch at corners"));
            let phases = gpu.take_phases().expect("it has a stopwatch");
            assert_eq!(phases.upload_bytes, 4 * 300 * (131 + 2), "the labels, a row above and a row below");
            let edges = 4 * pixels.max(614);
            assert_eq!(phases.readback_bytes, 4 + 8 * edges as u64, "{pixels} pixels");
        }
    }
}

#[test]
fn one_ring_through_the_whole_image_is_followed_to_its_end() {
    // A comb: its outline runs along every row twice.
    let size = Size::new(120, 90);
    let labels = Plane::from_fn(size, |row, column| i32::from(column == 0 || row.is_multiple_of(2)));
    for gpu in gpus() {
        assert_same_outlines(&gpu, &labels, "a comb");
        let gpu = gpu.with_caps(Caps { binding_bytes: 1000, workgroups: 65_535 });
        assert_same_outlines(&gpu, &labels, "a comb in bands");
    }
}

#[test]
fn the_engine_traces_on_the_gpu_and_refuses_what_the_cpu_refuses() {
    let labels = tissue(4, Size::new(50, 77));
    let negative = Plane::new(Size::new(2, 2), vec![0, 3, 0, -7]).expect("four pixels");
    for gpu in gpus() {
        let off_the_map = tm_engine::geometry::MapOffset { y: i32::MAX, x: 0 };
        for (labels, offset) in [(&negative, OFFSET), (&labels, off_the_map)] {
            let expected = contours::cpu::trace(labels.view(), offset).expect_err("refused");
            let actual = contours::gpu::trace(&gpu, labels.view(), offset).expect_err("refused");
            assert_eq!(actual.to_string(), expected.to_string());
            assert!(matches!(actual, EngineError::Parameter { .. }));
        }
        for size in [Size::new(0, 0), Size::new(0, 5), Size::new(5, 0), Size::new(4, 3)] {
            assert_eq!(trace_on(&gpu, &Plane::zeros(size)).expect("nothing to trace"), []);
        }
        let engine = Engine::with_gpu(gpu);
        let info = engine.info();
        let kernel = info.kernels.iter().find(|kernel| kernel.name == contours::SPEC.name);
        assert_eq!(kernel.map(|kernel| kernel.backend), Some(Backend::Gpu), "{info:?}");
        assert_eq!(engine.trace_outlines(&labels, OFFSET).expect("labels are traced"), trace(&labels));
    }
}

#[test]
fn a_row_of_labels_that_no_binding_holds_is_left_to_the_cpu() {
    let labels = tissue(5, Size::new(3, 400));
    for gpu in gpus() {
        let gpu = gpu.with_caps(Caps { binding_bytes: 1599, workgroups: 65_535 });
        assert!(matches!(trace_on(&gpu, &labels), Err(EngineError::Device(_))));
        let engine = Engine::with_gpu(gpu);
        assert_eq!(engine.trace_outlines(&labels, OFFSET).expect("the CPU takes over"), trace(&labels));
    }
}

#[test]
fn a_device_that_can_bind_next_to_nothing_is_not_used() {
    for caps in [(0, 1), (4, 1), (7, 1), (1 << 20, 0)] {
        for gpu in gpus() {
            let gpu = gpu.with_caps(Caps { binding_bytes: caps.0, workgroups: caps.1 });
            let result = trace_on(&gpu, &checkerboard(Size::new(1, 1), 1));
            assert!(matches!(result, Err(EngineError::Device(_))), "{caps:?}: {result:?}");
        }
    }
    // Two words for the sums of a block, two for an edge.
    for gpu in gpus() {
        let gpu = gpu.with_caps(Caps { binding_bytes: 8, workgroups: 1 });
        assert_same_outlines(&gpu, &checkerboard(Size::new(3, 2), 3), "edges one by one");
    }
}

/// A device on which `text` of a shader reads otherwise.
fn with_change(gpu: Gpu, name: &str, text: &str, otherwise: &str) -> Gpu {
    let shader = contours::SPEC.shaders.iter().find(|shader| shader.name == name).expect("a shader");
    let source = tm_engine::shader::stitch(shader.source).expect("it is whole");
    assert_eq!(source.matches(text).count(), 1, "{name}: {text}");
    gpu.with_shader(shader.name, source.replace(text, otherwise))
}

#[test]
fn edges_that_make_no_rings_are_an_error_and_never_followed_without_end() {
    let labels = checkerboard(Size::new(9, 40), 100);
    let changes = [
        // Rings that do not come back to where they began.
        ("contours_emit", "return first_edge(pixel) + ", "return 1u + first_edge(pixel) + "),
        ("contours_emit", "return first_edge(pixel) + ", "return min(1u, first_edge(pixel)) + "),
        // Edges of nowhere, and out of order.
        ("contours_emit", "return 4u * (", "return 0x7ffffff0u + 4u * ("),
        ("contours_emit", "edges[slot]", "edges[slot ^ 1u]"),
        // Edges that nobody wrote, and more than there can be.
        ("contours_emit", "slot < params.room", "slot < 50u"),
        ("contours_scan", "sums[0] = before", "sums[0] = 1u + before"),
        ("contours_scan", "sums[0] = before", "sums[0] = 0xffffffffu"),
    ];
    for (name, text, otherwise) in changes {
        for gpu in gpus() {
            let gpu = with_change(gpu, name, text, otherwise);
            let result = trace_on(&gpu, &labels);
            assert!(matches!(result, Err(EngineError::Device(_))), "{name}: {otherwise}: {result:?}");
        }
    }
}
