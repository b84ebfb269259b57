//! Wrong shaders: each is found by the comparisons that the right ones pass.
//!
//! A mutant is a shader with one fault, made by replacing some text of it after stitching, so that
//! what lies in `shaders/shared` is mutated for every kernel that imports it. It must compile, and
//! the start-up probe or parity with the CPU must find it, on a device with ordinary limits or with
//! lowered ones, where images are split. To add a kernel, list its faults in a file of this folder
//! and name them in [`ALL`]; every kernel with a shader needs [`LEAST`] of them.

mod alignment;
mod contours;
mod halving;
mod levels;
mod modes;
mod pixels;
mod placing;
mod rescaling;
mod shading;
mod stacks;
mod sums;

use std::collections::HashMap;

use tm_engine::gpu::{Caps, Gpu};
use tm_engine::image::Size;
use tm_engine::kernels::{self, KernelSpec, SampleBackend};
use tm_engine::probe;
use tm_engine::shader::{self, Shader};
use tm_tests::backends::gpus;

/// One thing wrong with a shader.
pub struct Fault {
    /// What it breaks.
    breaks: &'static str,
    /// Text of the stitched shader; occurs once.
    find: &'static str,
    /// What stands there instead.
    replace: &'static str,
}

/// A fault: what it breaks, the text it finds, and what it puts there.
pub const fn fault(breaks: &'static str, find: &'static str, replace: &'static str) -> Fault {
    Fault { breaks, find, replace }
}

/// The faults of one shader of one kernel.
pub struct Mutants {
    /// Name of the kernel.
    kernel: &'static str,
    /// Name of the shader.
    shader: &'static str,
    /// Those of the shader itself, and those of the fragments it imports.
    faults: &'static [&'static [Fault]],
}

/// All of them.
const ALL: &[Mutants] = &[
    Mutants {
        kernel: "illumination_sums",
        shader: "illumination_sums",
        faults: &[sums::SUMS, pixels::PIXELS],
    },
    Mutants {
        kernel: "illumination_apply",
        shader: "illumination_apply",
        faults: &[shading::ILLUMINATION, shading::SHADING, pixels::PIXELS],
    },
    Mutants {
        kernel: "flatfield_apply",
        shader: "flatfield_apply",
        faults: &[shading::FLATFIELD, shading::SHADING, pixels::PIXELS],
    },
    Mutants {
        kernel: "downsample",
        shader: "downsample",
        faults: &[halving::MEAN, halving::EDGE, halving::HALVING, pixels::PIXELS],
    },
    Mutants {
        kernel: "downsample_max",
        shader: "downsample_max",
        faults: &[halving::MAX, halving::HALVING, pixels::PIXELS],
    },
    Mutants { kernel: "downsample_mode", shader: "downsample_mode", faults: &[modes::MODE, pixels::PIXELS] },
    Mutants { kernel: "rescale", shader: "rescale", faults: &[rescaling::RESCALE, pixels::PIXELS] },
    Mutants {
        kernel: "alignment_apply",
        shader: "alignment_apply",
        faults: &[alignment::APPLY, pixels::PIXELS],
    },
    Mutants {
        kernel: "alignment_compatible",
        shader: "alignment_load",
        faults: &[alignment::LOAD, pixels::PIXELS],
    },
    Mutants {
        kernel: "alignment_compatible",
        shader: "alignment_fourier",
        faults: &[alignment::FOURIER, alignment::RADIX_2],
    },
    Mutants { kernel: "alignment_compatible", shader: "alignment_multiply", faults: &[alignment::MULTIPLY] },
    Mutants {
        kernel: "alignment_compatible",
        shader: "alignment_scores",
        faults: &[alignment::SCORES, alignment::FOLDED],
    },
    Mutants {
        kernel: "alignment_compatible",
        shader: "alignment_highest",
        faults: &[alignment::HIGHEST, alignment::PART],
    },
    Mutants { kernel: "alignment_compatible", shader: "alignment_collect", faults: &[alignment::COLLECT] },
    Mutants {
        kernel: "alignment_robust",
        shader: "alignment_whiten_columns",
        faults: &[alignment::WHITEN_COLUMNS, alignment::REFLECT, pixels::PIXELS],
    },
    Mutants {
        kernel: "alignment_robust",
        shader: "alignment_whiten_rows",
        faults: &[alignment::WHITEN_ROWS, alignment::REFLECT],
    },
    Mutants { kernel: "alignment_robust", shader: "alignment_window", faults: &[alignment::WINDOW] },
    Mutants { kernel: "alignment_robust", shader: "alignment_fourier", faults: &[alignment::FOURIER] },
    Mutants {
        kernel: "alignment_robust",
        shader: "alignment_power",
        faults: &[alignment::POWER, alignment::SUMS],
    },
    Mutants { kernel: "alignment_robust", shader: "alignment_multiply", faults: &[alignment::MULTIPLY] },
    Mutants { kernel: "alignment_robust", shader: "alignment_scores", faults: &[alignment::SCORES] },
    Mutants { kernel: "alignment_robust", shader: "alignment_highest", faults: &[alignment::HIGHEST] },
    Mutants {
        kernel: "alignment_robust",
        shader: "alignment_collect",
        faults: &[alignment::COLLECT, alignment::ENTRIES],
    },
    Mutants {
        kernel: "alignment_robust",
        shader: "alignment_overlap",
        faults: &[alignment::OVERLAP, alignment::SUMS],
    },
    Mutants { kernel: "alignment_robust", shader: "alignment_turn", faults: &[alignment::TURN] },
    Mutants { kernel: "projection", shader: "projection", faults: &[stacks::PROJECTION, pixels::PIXELS] },
    Mutants { kernel: "histogram", shader: "histogram", faults: &[stacks::HISTOGRAM, pixels::PIXELS] },
    Mutants {
        kernel: "downsample_levels",
        shader: "downsample_levels",
        faults: &[
            halving::MEAN,
            levels::EDGE,
            levels::SECOND,
            levels::LEVELS,
            levels::EIGHT,
            levels::SIXTEEN,
            pixels::PIXELS,
        ],
    },
    Mutants {
        kernel: "downsample_levels",
        shader: "downsample_levels_max",
        faults: &[halving::MAX, levels::LEVELS, levels::EIGHT, levels::SIXTEEN, pixels::PIXELS],
    },
    Mutants {
        kernel: "tile",
        shader: "place",
        faults: &[placing::PLACE, placing::SIXTEEN, shading::ILLUMINATION, pixels::PIXELS],
    },
    Mutants {
        kernel: "pyramid",
        shader: "place",
        faults: &[placing::PLACE, placing::SIXTEEN, shading::ILLUMINATION, pixels::PIXELS],
    },
    Mutants {
        kernel: "pyramid",
        shader: "downsample_levels",
        faults: &[halving::MEAN, levels::LEVELS, levels::SIXTEEN],
    },
    Mutants {
        kernel: "pyramid",
        shader: "downsample_levels_max",
        faults: &[halving::MAX, levels::LEVELS, levels::EIGHT],
    },
    Mutants { kernel: "contours", shader: "contours_sides", faults: &[contours::SIDES, contours::LABELS] },
    Mutants { kernel: "contours", shader: "contours_scan", faults: &[contours::SCAN] },
    Mutants { kernel: "contours", shader: "contours_emit", faults: &[contours::EMIT, contours::LABELS] },
];

/// Faults that a kernel with a shader has at least.
const LEAST: usize = 10;

/// Shapes compared without a split, quick ones first: edges in words and in workgroups.
const WHOLE: [Size; 8] = [
    Size::new(33, 31),
    Size::new(5, 1027),
    Size::new(1030, 3),
    Size::new(7, 1),
    Size::new(1, 5),
    Size::new(2, 3),
    Size::new(1, 1),
    Size::new(255, 513),
];

/// Limits under which the shapes of [`SPLIT`] are split into bands of few rows.
const LOWERED: Caps = Caps { binding_bytes: 6144, workgroups: 6 };
const SPLIT: [Size; 3] = [Size::new(101, 700), Size::new(100, 333), Size::new(77, 1)];

const SEED: u64 = 11;

/// The same device twice, with ordinary and with lowered limits, and what the CPU makes of the samples.
struct Bench {
    ordinary: Gpu,
    lowered: Gpu,
    expected: HashMap<(&'static str, Size), Vec<f64>>,
}

impl Bench {
    /// On the preferred adapter of this machine, if there is one: what a fault does is the same on all.
    fn open() -> Option<Self> {
        let first = || gpus().into_iter().next();
        Some(Self { ordinary: first()?, lowered: first()?.with_caps(LOWERED), expected: HashMap::new() })
    }

    /// With another source of a shader.
    fn with_shader(self, name: &'static str, source: &str) -> Self {
        Self {
            ordinary: self.ordinary.with_shader(name, source.to_owned()),
            lowered: self.lowered.with_shader(name, source.to_owned()),
            ..self
        }
    }

    /// What first finds something wrong with a kernel, if anything does.
    fn judge(&mut self, kernel: &'static KernelSpec) -> Option<String> {
        if let Err(error) = probe::probe(kernel, &self.ordinary) {
            let how =
                if error.to_string().contains("is wrong on this device") { "" } else { ", by an error" };
            return Some(format!("probe{how}: {error}"));
        }
        let whole = WHOLE.map(|size| (size, false));
        let split = SPLIT.map(|size| (size, true)).into_iter().filter(|_| kernel.splits);
        whole.into_iter().chain(split).find_map(|(size, in_bands)| {
            let gpu = if in_bands { &self.lowered } else { &self.ordinary };
            let expected = self.expected.entry((kernel.name, size)).or_insert_with(|| {
                (kernel.sample)(SEED, size, SampleBackend::Cpu).expect("the CPU runs every sample")
            });
            let bands = if in_bands { " in bands" } else { "" };
            match (kernel.sample)(SEED, size, SampleBackend::Gpu(gpu)) {
                Ok(actual) => kernel
                    .tolerance
                    .compare(expected, &actual)
                    .err()
                    .map(|difference| format!("parity on {size}{bands}: {difference}")),
                Err(error) => Some(format!("parity on {size}{bands}, by an error: {error}")),
            }
        })
    }
}

/// The text with the one occurrence of `find` replaced.
fn mutate(source: &str, fault: &Fault) -> Result<String, String> {
    match source.matches(fault.find).count() {
        1 if fault.find != fault.replace => Ok(source.replacen(fault.find, fault.replace, 1)),
        1 => Err("replaces text by itself".to_owned()),
        count => Err(format!("finds its text {count} times: {:?}", fault.find)),
    }
}

fn kernel_named(name: &str) -> &'static KernelSpec {
    kernels::ALL.iter().find(|kernel| kernel.name == name).unwrap_or_else(|| panic!("no kernel {name:?}"))
}

fn shader_of(mutants: &Mutants) -> &'static Shader {
    let kernel = kernel_named(mutants.kernel);
    let found = kernel.shaders.iter().find(|shader| shader.name == mutants.shader);
    found.unwrap_or_else(|| panic!("{} has no shader {:?}", kernel.name, mutants.shader))
}

fn stitched(shader: &Shader) -> String {
    shader::stitch(shader.source).expect("every fragment exists")
}

#[test]
fn a_fault_that_finds_nothing_or_two_places_or_changes_nothing_is_refused() {
    assert_eq!(mutate("a + b", &fault("", "+", "-")), Ok("a - b".to_owned()));
    for (find, replace) in [("*", "-"), ("a", "b"), ("+ b", "+ b")] {
        assert!(mutate("a + a + b", &fault("", find, replace)).is_err(), "{find}");
    }
}

#[test]
fn every_kernel_with_a_shader_has_mutants_of_it() {
    for kernel in kernels::ALL.iter().filter(|kernel| kernel.has_gpu()) {
        let of_kernel = ALL.iter().filter(|mutants| mutants.kernel == kernel.name);
        let count = of_kernel.flat_map(|mutants| mutants.faults).map(|faults| faults.len()).sum::<usize>();
        assert!(count >= LEAST, "{} has {count} mutants, not {LEAST}", kernel.name);
    }
}

#[test]
fn every_mutant_has_one_fault_and_compiles() {
    let mut problems = Vec::new();
    for mutants in ALL {
        let source = stitched(shader_of(mutants));
        for fault in mutants.faults.iter().copied().flatten() {
            let problem = mutate(&source, fault).map_or_else(Some, |mutant| crate::shaders::problem(&mutant));
            problems.extend(problem.map(|why| format!("{}, {}: {why}", mutants.shader, fault.breaks)));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_mutant_is_found_and_no_shader_without_a_fault_is() {
    let Some(mut bench) = Bench::open() else { return };
    let (mut all, mut wrong) = (0, Vec::new());
    for kernel in kernels::ALL.iter().filter(|kernel| kernel.has_gpu()) {
        for shader in kernel.shaders {
            bench = bench.with_shader(shader.name, &stitched(shader));
        }
        let found = bench.judge(kernel);
        wrong.extend(found.map(|difference| format!("{} without a fault: {difference}", kernel.name)));
    }
    for mutants in ALL {
        let (kernel, shader) = (kernel_named(mutants.kernel), shader_of(mutants));
        let source = stitched(shader);
        for fault in mutants.faults.iter().copied().flatten() {
            let mutant = mutate(&source, fault).unwrap_or_else(|why| panic!("{}: {why}", fault.breaks));
            bench = bench.with_shader(shader.name, &mutant);
            let caught = bench.judge(kernel);
            let by = caught.as_deref().map_or("NOT FOUND", |by| by.split(':').next().unwrap_or(by));
            println!("{:<20} {:<24} {:<60} {by}", kernel.name, shader.name, fault.breaks);
            all += 1;
            if caught.is_none() {
                wrong.push(format!("{}, {}: nothing finds {:?}", kernel.name, shader.name, fault.breaks));
            }
        }
        bench = bench.with_shader(shader.name, &source);
    }
    println!("{all} mutants, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
