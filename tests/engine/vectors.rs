//! The numeric vectors of the imaging reference: every one that is about the engine, on every backend.
//!
//! [`ALL`] lists them. A check takes everything from the manifest, so that it also judges another folder
//! of the same vectors with other values, which `TM_VECTORS` names.

mod alignment;
mod illumination;
pub mod outlines;
mod pyramid;

use std::path::Path;
use std::process::Command;

use ndarray::ArrayD;
use ndarray_npy::{read_npy, write_npy};
use serde_json::{Value, json};
use tempfile::TempDir;
use tm_engine::kernels::{self, KernelSpec};
use tm_engine::{Backend, Engine};
use tm_tests::backends::engines;
use tm_tests::vectors::{OF_THE_SERVER, VARIABLE, Vectors, outcome, unmatched};

/// A vector and how it is checked.
struct Check {
    /// Name of the vector.
    name: &'static str,
    /// The kernels that do it; none for what is not done by kernels.
    kernels: &'static [KernelSpec],
    /// Panics unless an engine gives what the vector expects.
    run: fn(&Vectors, &Engine),
}

/// All of them, in the order of the manifest.
const ALL: &[Check] = &[
    Check { name: "illum_stats", kernels: &[kernels::illumination::SUMS], run: illumination::stats },
    Check { name: "illum_merge", kernels: &[], run: illumination::merge },
    Check {
        name: "illum_percentiles",
        kernels: &[kernels::illumination::SUMS],
        run: illumination::percentiles,
    },
    Check { name: "illum_smooth", kernels: &[], run: illumination::smoothing },
    Check { name: "illum_correct", kernels: &[kernels::illumination::APPLY], run: illumination::correct },
    Check {
        name: "illum_correct_wrap",
        kernels: &[kernels::illumination::APPLY],
        run: illumination::correct_wrap,
    },
    Check {
        name: "rescale_u8",
        kernels: &[kernels::rescale::SPEC, kernels::tile::SPEC],
        run: pyramid::rescale_u8,
    },
    Check { name: "clip_limits", kernels: &[], run: pyramid::clipping },
    Check { name: "align_shift", kernels: &[kernels::alignment::COMPATIBLE], run: alignment::shift },
    Check { name: "align_apply", kernels: &[kernels::alignment::APPLY], run: alignment::apply },
    Check { name: "align_subpixel", kernels: &[kernels::alignment::ROBUST], run: alignment::subpixel },
    Check {
        name: "pyramid_tiny",
        kernels: &[kernels::downsample::SPEC, kernels::tile::SPEC],
        run: pyramid::tiny,
    },
    Check { name: "downsample2", kernels: &[kernels::downsample::SPEC], run: pyramid::downsample2 },
    Check { name: "outline_centre", kernels: &[], run: outlines::centre },
    Check { name: "outline_exact", kernels: &[kernels::contours::SPEC], run: outlines::exact },
    Check { name: "rasterise_exact", kernels: &[], run: outlines::rasterise_exact },
    Check { name: "rasterise_centre", kernels: &[], run: outlines::rasterise_centre },
    Check { name: "polygon_measure", kernels: &[], run: outlines::measure },
    Check { name: "simplify", kernels: &[], run: outlines::simplification },
    Check { name: "border_objects", kernels: &[], run: outlines::border_objects },
    Check { name: "static_outline", kernels: &[], run: outlines::static_outline },
    Check { name: "projection_max", kernels: &[kernels::projection::SPEC], run: pyramid::projection },
    Check { name: "flatfield_fit", kernels: &[], run: illumination::flatfield_fit },
    Check {
        name: "flatfield_apply",
        kernels: &[kernels::flatfield::SPEC],
        run: illumination::flatfield_apply,
    },
];

/// What became of a vector on one backend.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    Passed,
    /// The operation has no GPU code.
    CpuOnly,
    Failed(String),
}

impl Outcome {
    fn as_text(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::CpuOnly => "CPU only",
            Self::Failed(_) => "FAILED",
        }
    }
}

fn run(check: &Check, vectors: &Vectors, engine: &Engine) -> Outcome {
    let on_gpu = engine.backend() == Backend::Gpu;
    if on_gpu && !check.kernels.iter().any(KernelSpec::has_gpu) {
        return Outcome::CpuOnly;
    }
    let given_up = engine.info().kernels.into_iter().find(|entry| {
        let used = |kernel: &KernelSpec| kernel.name == entry.name && kernel.has_gpu();
        on_gpu && entry.backend == Backend::Cpu && check.kernels.iter().any(used)
    });
    if let Some(kernel) = given_up {
        return Outcome::Failed(kernel.note.unwrap_or_default());
    }
    outcome(|| (check.run)(vectors, engine)).map_or_else(Outcome::Failed, |()| Outcome::Passed)
}

#[test]
fn vectors_agree_on_every_backend() {
    let vectors = Vectors::named();
    let engines = engines();
    let columns: Vec<String> = engines
        .iter()
        .map(|engine| engine.info().adapter.map_or_else(|| "CPU".to_owned(), |adapter| adapter.name))
        .collect();
    println!("{}", vectors.folder().display());
    println!("{:<20} {}", "vector", columns.join(" | "));
    let (mut counts, mut failures) = ([0; 4], Vec::new());
    for name in vectors.names() {
        let Some(check) = ALL.iter().find(|check| check.name == name) else {
            let elsewhere = OF_THE_SERVER.contains(&name.as_str());
            println!("{name:<20} {}", if elsewhere { "of the server: tests/tiles" } else { "NOT TESTED" });
            counts[3] += usize::from(elsewhere);
            continue;
        };
        let outcomes: Vec<Outcome> = engines.iter().map(|engine| run(check, &vectors, engine)).collect();
        let texts: Vec<&str> = outcomes.iter().map(Outcome::as_text).collect();
        println!("{name:<20} {}", texts.join(" | "));
        for (outcome, column) in outcomes.iter().zip(&columns) {
            match outcome {
                Outcome::Passed => counts[0] += 1,
                Outcome::CpuOnly => counts[1] += 1,
                Outcome::Failed(why) => {
                    counts[2] += 1;
                    failures.push(format!("{name} on {column}: {why}"));
                }
            }
        }
    }
    let names = vectors.names();
    let listed: Vec<&str> = names.iter().map(String::as_str).collect();
    let tested: Vec<&str> = ALL.iter().map(|check| check.name).chain(OF_THE_SERVER.iter().copied()).collect();
    let [passed, cpu_only, failed, of_the_server] = counts;
    println!(
        "{} vectors on {} backends: {passed} passed, {cpu_only} on the CPU only, {failed} failed; \
         {of_the_server} of the server",
        listed.len(),
        engines.len()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(unmatched(&listed, &tested), [""; 0], "vectors without a test, or tests without a vector");
}

#[test]
fn vectors_without_a_test_and_tests_without_a_vector_are_named() {
    assert_eq!(unmatched(&["a", "b"], &["b", "c"]), ["a", "c"]);
    assert_eq!(unmatched(&["a", "b"], &["b", "a"]), [""; 0]);
}

/// A copy of the vectors to change.
struct Copy {
    directory: TempDir,
}

impl Copy {
    fn new() -> Self {
        let directory = TempDir::new().expect("there is room for a copy");
        for entry in std::fs::read_dir(Vectors::fixtures().folder()).expect("the folder can be read") {
            let entry = entry.expect("the folder can be read");
            std::fs::copy(entry.path(), directory.path().join(entry.file_name())).expect("a file is copied");
        }
        Self { directory }
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        self.directory.path().join(file)
    }

    /// Changes the manifest's entry of a vector.
    fn change_entry(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let path = self.path("vectors.json");
        let text = std::fs::read_to_string(&path).expect("the manifest can be read");
        let mut manifest: Value = serde_json::from_str(&text).expect("the manifest is JSON");
        let entries = manifest["vectors"].as_array_mut().expect("the manifest lists vectors");
        change(entries.iter_mut().find(|entry| entry["name"] == name).expect("the vector is there"));
        std::fs::write(path, manifest.to_string()).expect("the manifest is written");
    }

    /// Runs the check of all vectors on this copy, as its own process: whether it passed, and what it said.
    fn judge(&self) -> (bool, String) {
        let output = Command::new(std::env::current_exe().expect("this test has a program"))
            .args(["--exact", "vectors::vectors_agree_on_every_backend", "--nocapture"])
            .env(VARIABLE, self.directory.path())
            .output()
            .expect("the program starts");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

fn read<T: ndarray_npy::ReadableElement>(path: &Path) -> ArrayD<T> {
    read_npy(path).expect("the array can be read")
}

#[test]
fn vectors_of_another_folder_are_judged_by_its_values_and_only_by_them() {
    let copy = Copy::new();
    // An image of another size, reduced once instead of three times.
    let image = ArrayD::from_shape_fn(vec![6, 10], |at| u8::try_from(at[0] * 25 + at[1]).expect("below 256"));
    let mean = |y: usize, x: usize| {
        let sum: u32 =
            [[y, x], [y, x + 1], [y + 1, x], [y + 1, x + 1]].iter().map(|at| u32::from(image[&at[..]])).sum();
        u8::try_from((sum + 2) / 4).expect("a mean of bytes")
    };
    let half = ArrayD::from_shape_fn(vec![3, 5], |at| mean(2 * at[0], 2 * at[1]));
    write_npy(copy.path("downsample2.in.image.npy"), &image).expect("written");
    write_npy(copy.path("downsample2.out.image.npy"), &half).expect("written");
    copy.change_entry("downsample2", |entry| {
        entry["expected"] = json!({"image": "downsample2.out.image.npy"});
    });
    // Two parts instead of three: none, and all images.
    let (means, deviations) = (copy.path("illum_merge.in.means.npy"), copy.path("illum_merge.in.m2s.npy"));
    let expected = Vectors::fixtures().load("illum_stats");
    let (mean, std) = (expected.expected::<f64>("mean"), expected.expected::<f64>("std"));
    let images: u32 = expected.parse("n");
    let squares = std.mapv(|std| std * std * f64::from(images - 1));
    for (path, whole) in [(&means, mean), (&deviations, squares)] {
        let nothing = ArrayD::<f64>::zeros(whole.shape());
        let parts = ndarray::stack(ndarray::Axis(0), &[nothing.view(), whole.view()]).expect("one size");
        write_npy(path, &parts).expect("written");
    }
    copy.change_entry("illum_merge", |entry| entry["params"]["counts"] = json!([0, images]));
    let (passed, said) = copy.judge();
    assert!(passed, "{said}");
    assert!(said.contains(&copy.directory.path().display().to_string()), "{said}");

    // One count more or less in one pixel of what is expected.
    let path = copy.path("projection_max.out.image.npy");
    let mut image: ArrayD<u16> = read(&path);
    image[[0, 0]] ^= 1;
    write_npy(&path, &image).expect("written");
    // Nothing else allowed than the formula gives.
    copy.change_entry("illum_smooth", |entry| entry["tolerance"]["abs"] = json!(-1.0));
    // A vector that nobody knows.
    copy.change_entry("simplify", |entry| entry["name"] = json!("simplified"));
    let (passed, said) = copy.judge();
    assert!(!passed, "{said}");
    let failed: Vec<&str> = said
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter_map(|words| match words[..] {
            [name, "FAILED", ..] | [name, "NOT", "TESTED"] => Some(name),
            _ => None,
        })
        .collect();
    assert_eq!(failed, ["illum_smooth", "simplified", "projection_max"], "{said}");
}
