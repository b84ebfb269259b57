//! The kernels at the size of a camera image: on the CPU into buffers that exist already, and through
//! an engine with a GPU, upload and readback included.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use tm_engine::geometry::MapOffset;
use tm_engine::image::{BitDepth, GreyPlane, Plane, Rect, Size};
use tm_engine::kernels::flatfield::{self, FlatfieldCorrection};
use tm_engine::kernels::illumination::{self, Correction, IlluminationSums};
use tm_engine::kernels::rescale::{self, Limits};
use tm_engine::kernels::tile::{self, Placement};
use tm_engine::kernels::{Noise, contours, downsample, projection};
use tm_engine::{Backend, BackendChoice, Engine};

use crate::alignment;
use crate::bandwidth::{COPY_BYTES, copy_bytes_per_second};
use crate::report::{Bandwidth, KernelFigure, KernelReport, Machine};

/// A camera image.
pub const CAMERA: Size = Size::new(2160, 2560);
/// Sites that are added to illumination statistics at once.
const SITES: usize = 16;
/// Images per case, used in turns: more than the caches hold.
const IMAGES: usize = 4;
/// Edge of a tile.
const TILE: usize = 256;

type Run = Box<dyn FnMut(usize) -> tm_engine::Result<()> + Send>;
type RunOn = Box<dyn FnMut(&Engine, usize) -> tm_engine::Result<()> + Send>;

/// One thing to measure.
pub struct Case {
    /// Name of the kernel in the engine's registry.
    pub kernel: &'static str,
    /// What it is given.
    pub input: &'static str,
    /// Pixels of input of one run.
    pub pixels: usize,
    /// Bytes per pixel of input that have to cross memory.
    pub bytes_per_pixel: f64,
    /// Does it once on the CPU; the argument counts runs.
    pub run: Run,
    /// Does it once on an engine, where the engine has the operation.
    pub run_on: Option<RunOn>,
}

impl Case {
    /// Kernel and input.
    pub fn name(&self) -> String {
        format!("{} {}", self.kernel, self.input)
    }
}

/// What to measure, and how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// Measures only cases whose name contains this.
    pub filter: String,
    /// Time for each figure in seconds.
    pub seconds: f64,
    /// Size of the images.
    pub size: Size,
    /// Bytes of one memory copy.
    pub copy_bytes: usize,
    /// Where a GPU is looked for.
    pub backend: BackendChoice,
}

impl Options {
    /// Figures that can be quoted.
    pub fn full(filter: String, seconds: f64, backend: BackendChoice) -> Self {
        Self { filter, seconds, size: CAMERA, copy_bytes: COPY_BYTES, backend }
    }

    /// Small images and few runs: shows that everything works, its figures mean nothing.
    pub fn quick(filter: String, backend: BackendChoice) -> Self {
        Self { filter, seconds: 0.01, size: Size::new(540, 640), copy_bytes: 16 << 20, backend }
    }
}

/// Measures all cases: on one thread, on all cores, and on the GPU if there is one.
///
/// # Errors
/// Those of the engine; a GPU that was asked for and is not there.
pub fn measure_all(options: &Options) -> Result<KernelReport> {
    let engine = Engine::new(options.backend)?;
    let info = engine.info();
    let machine = Machine::new(info.adapter.as_ref().map(ToString::to_string));
    let counts = if machine.cores > 1 { vec![1, machine.cores] } else { vec![1] };
    let mut cases = cases(options.size)?;
    cases.retain(|case| case.name().contains(&options.filter));
    let mut report = KernelReport {
        image_height: options.size.height,
        image_width: options.size.width,
        copy: Vec::new(),
        kernels: Vec::new(),
        machine,
    };
    for threads in counts {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let bytes_per_second = pool.install(|| copy_bytes_per_second(options.copy_bytes, 8));
        report.copy.push(Bandwidth { threads, bytes_per_second });
        for case in &mut cases {
            let seconds = pool.install(|| median_seconds(options.seconds, &mut case.run))?;
            let figure = KernelFigure::new(case, Backend::Cpu, threads, seconds, bytes_per_second);
            report.kernels.push(figure);
        }
    }
    let on_gpu = |case: &Case| {
        info.kernels.iter().any(|entry| entry.name == case.kernel && entry.backend == Backend::Gpu)
    };
    let Some(copy) = report.copy.last() else { return Ok(report) };
    let (threads, bytes_per_second) = (copy.threads, copy.bytes_per_second);
    for case in cases.iter_mut().filter(|case| on_gpu(case)) {
        let Some(run_on) = &mut case.run_on else { continue };
        let seconds = median_seconds(options.seconds, &mut |turn| run_on(&engine, turn))?;
        report.kernels.push(KernelFigure::new(case, Backend::Gpu, threads, seconds, bytes_per_second));
    }
    Ok(report)
}

/// Median time of a run in seconds, over runs that together take at least `seconds`.
fn median_seconds(
    seconds: f64,
    run: &mut (dyn FnMut(usize) -> tm_engine::Result<()> + Send),
) -> tm_engine::Result<f64> {
    run(0)?;
    let mut times = Vec::new();
    let mut total = 0.0;
    while total < seconds || times.len() < 5 {
        let start = Instant::now();
        run(times.len())?;
        let time = start.elapsed().as_secs_f64();
        times.push(time);
        total += time;
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// Made-up camera images: 16-bit, dim, with noise.
fn images(size: Size, count: usize) -> Vec<Plane<u16>> {
    let mut noise = Noise::new(1);
    (0..count)
        .map(|_| {
            Plane::from_fn(size, |row, column| {
                300 + (row / 9 + column / 7) as u16 % 2000 + noise.next_u16() % 256
            })
        })
        .collect()
}

/// A correction of plausible strength.
fn correction(size: Size) -> tm_engine::Result<Correction> {
    let (mean, std) = statistics(size);
    Correction::from_smoothed(100, &mean, &std)
}

fn statistics(size: Size) -> (Plane<f64>, Plane<f64>) {
    let shade = |row: usize, column: usize| {
        let (y, x) = (row as f64 / size.height as f64 - 0.5, column as f64 / size.width as f64 - 0.5);
        y * y + x * x
    };
    let mean = Plane::from_fn(size, |row, column| 3.0 - 0.4 * shade(row, column));
    let std = Plane::from_fn(size, |row, column| 0.5 - 0.2 * shade(row, column));
    (mean, std)
}

/// All cases, on images of this size.
///
/// # Errors
/// Those of the engine, none of which is expected here.
pub fn cases(size: Size) -> tm_engine::Result<Vec<Case>> {
    let source = Arc::new(images(size, IMAGES));
    let mut cases = illumination_cases(size);
    cases.push(correction_case(&source)?);
    cases.push(correction_of_several_case(&source)?);
    cases.push(flatfield_case(&source)?);
    cases.push(downsample_u8_case(&source)?);
    cases.push(downsample_u16_case(&source));
    cases.push(downsample_max_case(&source));
    cases.push(downsample_mode_case(&source)?);
    cases.push(rescale_case(&source)?);
    cases.push(projection_case(&source));
    cases.push(tile_case(&source, "u16, not corrected", false)?);
    cases.push(tile_case(&source, "u16, corrected", true)?);
    cases.push(contours_case(size));
    cases.extend(alignment::cases(&source)?);
    Ok(cases)
}

fn illumination_cases(size: Size) -> Vec<Case> {
    let sites: Arc<Vec<GreyPlane>> = Arc::new(images(size, SITES).into_iter().map(GreyPlane::from).collect());
    let sums_case =
        |input, bytes_per_pixel, add: fn(&mut IlluminationSums, &[&GreyPlane]) -> tm_engine::Result<()>| {
            let (sites, mut sums) = (Arc::clone(&sites), IlluminationSums::new(size, BitDepth::Sixteen));
            Case {
                kernel: illumination::SUMS.name,
                input,
                pixels: size.area() * SITES,
                bytes_per_pixel,
                run: Box::new(move |_| add(&mut sums, &sites.iter().collect::<Vec<_>>())),
                run_on: None,
            }
        };
    let planes = 32.0 / SITES as f64;
    let (mean, _) = statistics(size);
    let mut both = sums_case("16 sites, both", 4.0 + planes, IlluminationSums::add_all);
    let (sites_on, mut sums) = (Arc::clone(&sites), IlluminationSums::new(size, BitDepth::Sixteen));
    both.run_on = Some(Box::new(move |engine, _| {
        engine.add_to_statistics(&mut sums, &sites_on.iter().collect::<Vec<_>>())
    }));
    vec![
        sums_case("16 sites, logarithms", 2.0 + planes, IlluminationSums::add_logarithms_of),
        sums_case("16 sites, percentiles", 2.0, IlluminationSums::add_histograms_of),
        both,
        Case {
            kernel: illumination::SUMS.name,
            input: "smoothing f64",
            pixels: size.area(),
            bytes_per_pixel: 16.0,
            run: Box::new(move |_| {
                drop(illumination::smooth(&mean, 5.0));
                Ok(())
            }),
            run_on: None,
        },
    ]
}

fn correction_case(source: &Arc<Vec<Plane<u16>>>) -> tm_engine::Result<Case> {
    let size = source[0].size();
    let mut output = vec![Plane::<u16>::zeros(size); IMAGES];
    let planes = Arc::new(correction(size)?);
    let (images, images_on, planes_on) = (Arc::clone(source), Arc::clone(source), Arc::clone(&planes));
    Ok(Case {
        kernel: illumination::APPLY.name,
        input: "u16",
        pixels: size.area(),
        bytes_per_pixel: 12.0,
        run: Box::new(move |turn| {
            illumination::cpu::correct_into(images[turn % IMAGES].view(), &planes, &mut output[turn % IMAGES])
        }),
        run_on: Some(Box::new(move |engine, turn| {
            engine.correct(&images_on[turn % IMAGES], &planes_on).map(drop)
        })),
    })
}

/// All images in one call: a GPU reads the planes once for all of them.
fn correction_of_several_case(source: &Arc<Vec<Plane<u16>>>) -> tm_engine::Result<Case> {
    let size = source[0].size();
    let mut output = vec![Plane::<u16>::zeros(size); IMAGES];
    let planes = Arc::new(correction(size)?);
    let (images, images_on, planes_on) = (Arc::clone(source), Arc::clone(source), Arc::clone(&planes));
    Ok(Case {
        kernel: illumination::APPLY.name,
        input: "u16, 4 images",
        pixels: size.area() * IMAGES,
        bytes_per_pixel: 4.0 + 8.0 / IMAGES as f64,
        run: Box::new(move |_| {
            images.iter().zip(&mut output).try_for_each(|(image, output)| {
                illumination::cpu::correct_into(image.view(), &planes, output)
            })
        }),
        run_on: Some(Box::new(move |engine, _| {
            let views: Vec<_> = images_on.iter().map(Plane::view).collect();
            engine.correct_all(&views, &planes_on).map(drop)
        })),
    })
}

fn flatfield_case(source: &Arc<Vec<Plane<u16>>>) -> tm_engine::Result<Case> {
    let size = source[0].size();
    let mut output = vec![Plane::<u16>::zeros(size); IMAGES];
    let (profile, _) = statistics(size);
    let planes = Arc::new(FlatfieldCorrection::new(&profile, &Plane::from_fn(size, |_, _| 100.0))?);
    let (images, images_on, planes_on) = (Arc::clone(source), Arc::clone(source), Arc::clone(&planes));
    Ok(Case {
        kernel: flatfield::SPEC.name,
        input: "u16",
        pixels: size.area(),
        bytes_per_pixel: 12.0,
        run: Box::new(move |turn| {
            flatfield::cpu::apply_into(images[turn % IMAGES].view(), &planes, &mut output[turn % IMAGES])
        }),
        run_on: Some(Box::new(move |engine, turn| {
            engine.apply_flatfield(&[images_on[turn % IMAGES].view()], &planes_on).map(drop)
        })),
    })
}

fn downsample_u8_case(source: &Arc<Vec<Plane<u16>>>) -> tm_engine::Result<Case> {
    let size = source[0].size();
    let low =
        |image: &Plane<u16>| Plane::new(size, image.pixels().iter().map(|value| *value as u8).collect());
    let images: Arc<Vec<Plane<u8>>> = Arc::new(source.iter().map(low).collect::<Result<_, _>>()?);
    let images_on = Arc::clone(&images);
    let mut output = vec![Plane::<u8>::zeros(size.halved()); IMAGES];
    Ok(Case {
        kernel: downsample::SPEC.name,
        input: "u8",
        pixels: size.area(),
        bytes_per_pixel: 1.25,
        run: Box::new(move |turn| {
            downsample::cpu::downsample_into(images[turn % IMAGES].view(), &mut output[turn % IMAGES])
        }),
        run_on: Some(Box::new(move |engine, turn| engine.downsample(&images_on[turn % IMAGES]).map(drop))),
    })
}

fn downsample_u16_case(source: &Arc<Vec<Plane<u16>>>) -> Case {
    let size = source[0].size();
    let (images, images_on) = (Arc::clone(source), Arc::clone(source));
    let mut output = vec![Plane::<u16>::zeros(size.halved()); IMAGES];
    Case {
        kernel: downsample::SPEC.name,
        input: "u16",
        pixels: size.area(),
        bytes_per_pixel: 2.5,
        run: Box::new(move |turn| {
            downsample::cpu::downsample_into(images[turn % IMAGES].view(), &mut output[turn % IMAGES])
        }),
        run_on: Some(Box::new(move |engine, turn| engine.downsample(&images_on[turn % IMAGES]).map(drop))),
    }
}

fn downsample_max_case(source: &Arc<Vec<Plane<u16>>>) -> Case {
    let size = source[0].size();
    let (images, images_on) = (Arc::clone(source), Arc::clone(source));
    let mut output = vec![Plane::<u16>::zeros(size.halved()); IMAGES];
    Case {
        kernel: downsample::MAX.name,
        input: "u16",
        pixels: size.area(),
        bytes_per_pixel: 2.5,
        run: Box::new(move |turn| {
            downsample::cpu::downsample_max_into(images[turn % IMAGES].view(), &mut output[turn % IMAGES])
        }),
        run_on: Some(Box::new(move |engine, turn| {
            engine.downsample_max(&images_on[turn % IMAGES]).map(drop)
        })),
    }
}

/// Label images: the grey values of the images, of which neighbours often agree.
fn downsample_mode_case(source: &Arc<Vec<Plane<u16>>>) -> tm_engine::Result<Case> {
    let size = source[0].size();
    let label = |image: &Plane<u16>| {
        Plane::new(size, image.pixels().iter().map(|value| i32::from(*value / 256)).collect())
    };
    let images: Arc<Vec<Plane<i32>>> = Arc::new(source.iter().map(label).collect::<Result<_, _>>()?);
    let images_on = Arc::clone(&images);
    let mut output = vec![Plane::<i32>::zeros(size.halved()); IMAGES];
    Ok(Case {
        kernel: downsample::MODE.name,
        input: "i32",
        pixels: size.area(),
        bytes_per_pixel: 5.0,
        run: Box::new(move |turn| {
            downsample::cpu::downsample_labels_into(images[turn % IMAGES].view(), &mut output[turn % IMAGES])
        }),
        run_on: Some(Box::new(move |engine, turn| {
            engine.downsample_labels(&images_on[turn % IMAGES]).map(drop)
        })),
    })
}

fn rescale_case(source: &Arc<Vec<Plane<u16>>>) -> tm_engine::Result<Case> {
    let (size, limits) = (source[0].size(), Limits::new(120, 3000)?);
    let (images, images_on) = (Arc::clone(source), Arc::clone(source));
    let mut output = vec![Plane::<u8>::zeros(size); IMAGES];
    Ok(Case {
        kernel: rescale::SPEC.name,
        input: "u16",
        pixels: size.area(),
        bytes_per_pixel: 3.0,
        run: Box::new(move |turn| {
            rescale::cpu::rescale_into(images[turn % IMAGES].view(), limits, &mut output[turn % IMAGES])
        }),
        run_on: Some(Box::new(move |engine, turn| {
            engine.rescale(&images_on[turn % IMAGES], limits).map(drop)
        })),
    })
}

fn projection_case(source: &Arc<Vec<Plane<u16>>>) -> Case {
    let planes: Arc<Vec<GreyPlane>> = Arc::new(source.iter().cloned().map(GreyPlane::from).collect());
    let planes_on = Arc::clone(&planes);
    Case {
        kernel: projection::SPEC.name,
        input: "u16, 4 planes",
        pixels: source[0].size().area() * IMAGES,
        bytes_per_pixel: (2.0 * IMAGES as f64 + 2.0) / IMAGES as f64,
        run: Box::new(move |_| projection::cpu::project_max(&planes).map(drop)),
        run_on: Some(Box::new(move |engine, _| engine.project_max(&planes_on).map(drop))),
    }
}

/// Tiles from windows all over an image.
fn tile_case(source: &Arc<Vec<Plane<u16>>>, input: &'static str, corrected: bool) -> tm_engine::Result<Case> {
    let (image_size, side) = (source[0].size(), Size::new(TILE, TILE));
    let (rows, columns) = (image_size.height / TILE, image_size.width / TILE);
    let (images, planes, limits) = (Arc::clone(source), correction(image_size)?, Limits::new(120, 3000)?);
    let render = Arc::new(move |engine: &Engine, turn: usize| {
        let image = &images[turn % IMAGES];
        for tile in 0..rows * columns {
            let window = Rect::new(TILE * (tile / columns), TILE * (tile % columns), side);
            let correction = if corrected { Some(planes.window(window)?) } else { None };
            let placement = Placement { pixels: image.window(window)?, y: 0, x: 0, correction };
            engine.render_tile(side, &[placement], Some(limits))?;
        }
        Ok(())
    });
    let (cpu, render_on) = (Engine::cpu(), Arc::clone(&render));
    Ok(Case {
        kernel: tile::SPEC.name,
        input,
        pixels: rows * columns * side.area(),
        bytes_per_pixel: if corrected { 11.0 } else { 3.0 },
        run: Box::new(move |turn| render(&cpu, turn)),
        run_on: Some(Box::new(move |engine, turn| render_on(engine, turn))),
    })
}

/// Round objects of 40 pixels' width, one for each square of 50, that touch nothing.
fn contours_case(size: Size) -> Case {
    const PITCH: usize = 50;
    let labels = Plane::from_fn(size, |row, column| {
        let (y, x) = ((row % PITCH).abs_diff(PITCH / 2), (column % PITCH).abs_diff(PITCH / 2));
        let object = row / PITCH * size.width.div_ceil(PITCH) + column / PITCH + 1;
        if y * y + x * x <= 400 { i32::try_from(object).unwrap_or(i32::MAX) } else { 0 }
    });
    let labels = Arc::new(labels);
    let labels_on = Arc::clone(&labels);
    Case {
        kernel: contours::SPEC.name,
        input: "i32, cells",
        pixels: size.area(),
        bytes_per_pixel: 4.0,
        run: Box::new(move |_| contours::cpu::trace(labels.view(), MapOffset::default()).map(drop)),
        run_on: Some(Box::new(move |engine, _| {
            engine.trace_outlines(&labels_on, MapOffset::default()).map(drop)
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_registered_kernel_has_a_case() {
        let cases = cases(Size::new(256, 256)).expect("the cases are valid");
        for kernel in tm_engine::kernels::ALL {
            assert!(cases.iter().any(|case| case.kernel == kernel.name), "no case for {}", kernel.name);
        }
    }

    #[test]
    fn a_quick_run_has_positive_figures_for_every_case() {
        let mut options = Options::quick(String::new(), BackendChoice::Auto);
        (options.size, options.seconds) = (Size::new(256, 256), 0.0);
        let report = measure_all(&options).expect("the kernels run");
        let json = serde_json::to_value(&report).expect("the report is plain data");
        let rows = json["kernels"].as_array().expect("a list");
        let cases = cases(options.size).expect("the cases are valid");
        for case in &cases {
            let of_case: Vec<_> = rows.iter().filter(|row| row["name"] == case.name()).collect();
            assert!(of_case.len() >= report.copy.len(), "too few rows for {}", case.name());
            for row in of_case {
                for key in ["seconds", "megapixels_per_second", "bytes_moved", "share_of_copy"] {
                    assert!(row[key].as_f64().is_some_and(|value| value > 0.0), "{key} in {row}");
                }
            }
        }
        assert!(report.to_string().lines().count() > rows.len());
    }
}
