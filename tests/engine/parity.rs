//! Every kernel with a shader gives the same on every backend.

use tm_engine::EngineError;
use tm_engine::gpu::{Caps, Gpu};
use tm_engine::image::Size;
use tm_engine::kernels::{ALL, KernelSpec, Noise, SampleBackend};
use tm_tests::backends::gpus;

/// Corners of the index arithmetic: single pixels, single rows and columns, odd sizes, more
/// columns than one workgroup covers, more rows than one workgroup covers.
const SHAPES: [Size; 10] = [
    Size::new(1, 1),
    Size::new(1, 2),
    Size::new(1, 5),
    Size::new(7, 1),
    Size::new(2, 3),
    Size::new(33, 31),
    Size::new(5, 1027),
    Size::new(1030, 3),
    Size::new(64, 256),
    Size::new(255, 513),
];

fn assert_parity(kernel: &KernelSpec, gpu: &Gpu, seed: u64, size: Size) {
    let run = |backend| {
        (kernel.sample)(seed, size, backend)
            .unwrap_or_else(|error| panic!("{} on {size}, seed {seed}, {backend:?}: {error}", kernel.name))
    };
    let (expected, actual) = (run(SampleBackend::Cpu), run(SampleBackend::Gpu(gpu)));
    if let Err(difference) = kernel.tolerance.compare(&expected, &actual) {
        panic!("{} on {size}, seed {seed}, {}: {difference}", kernel.name, gpu.adapter());
    }
}

fn shaded() -> impl Iterator<Item = &'static KernelSpec> {
    ALL.iter().filter(|kernel| kernel.has_gpu())
}

#[test]
fn every_shader_agrees_with_the_cpu_on_awkward_shapes() {
    for gpu in gpus() {
        for kernel in shaded() {
            for (seed, size) in (1..).zip(SHAPES) {
                assert_parity(kernel, &gpu, seed, size);
            }
        }
    }
}

#[test]
fn every_shader_agrees_with_the_cpu_on_random_shapes() {
    let mut noise = Noise::new(2026);
    for gpu in gpus() {
        for kernel in shaded() {
            for seed in 0..24 {
                let mut length = || 1 + usize::from(noise.next_u16()) % 300;
                assert_parity(kernel, &gpu, seed, Size::new(length(), length()));
            }
        }
    }
}

#[test]
fn an_image_beyond_the_limits_of_the_device_is_split_into_bands() {
    for gpu in gpus() {
        // 6 KiB per buffer: four rows of 700 16-bit pixels, or two of 32-bit pixels, which are 6
        // workgroups wide once halved; one workgroup is 4 rows high.
        let gpu = gpu.with_caps(Caps { binding_bytes: 6144, workgroups: 6 });
        for kernel in shaded().filter(|kernel| kernel.splits) {
            for (seed, size) in [(1, Size::new(101, 700)), (2, Size::new(100, 333)), (3, Size::new(77, 1))] {
                assert_parity(kernel, &gpu, seed, size);
            }
        }
    }
}

#[test]
fn a_kernel_that_is_all_or_nothing_leaves_images_beyond_the_limits_to_the_cpu() {
    for gpu in gpus() {
        let gpu = gpu.with_caps(Caps { binding_bytes: 6144, workgroups: 6 });
        for kernel in shaded().filter(|kernel| !kernel.splits) {
            for size in [Size::new(101, 700), Size::new(40, 41)] {
                let result = (kernel.sample)(1, size, SampleBackend::Gpu(&gpu));
                assert!(
                    matches!(result, Err(EngineError::Device(_))),
                    "{} on {size}: {result:?}",
                    kernel.name
                );
            }
            assert_parity(kernel, &gpu, 2, Size::new(11, 13));
        }
    }
}

#[test]
fn an_image_larger_than_a_storage_binding_agrees_with_the_cpu() {
    for gpu in gpus() {
        // 134 MB of 16-bit pixels and a little more than one binding.
        let size = Size::new(8201, 8193);
        for kernel in shaded().filter(|kernel| kernel.name == "downsample") {
            assert_parity(kernel, &gpu, 5, size);
        }
    }
}
