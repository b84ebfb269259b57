//! Kernels of one step: halving, counting, stretching, projecting, tracing.

use std::sync::Arc;

use tm_engine::Engine;
use tm_engine::geometry::MapOffset;
use tm_engine::image::{GreyPixel, GreyPlane, Pixel, Plane, PlaneRef, Size};
use tm_engine::kernels::downsample::{self, Filter};
use tm_engine::kernels::rescale::{self, Limits};
use tm_engine::kernels::{contours, histogram, projection};

use super::IMAGES;
use crate::case::{Case, Values};

/// Levels of a stored block.
const LEVELS: usize = 4;

type Images<T> = Arc<Vec<Plane<T>>>;

/// All cases of these kernels.
pub(super) fn cases(source: &Images<u16>) -> tm_engine::Result<Vec<Case>> {
    let eight = converted(source, |value| value as u8);
    // Label images: the grey values of the images, of which neighbours often agree.
    let labels = converted(source, |value| i32::from(value / 256));
    Ok(vec![
        halving(downsample::SPEC.name, "u8", &eight, Engine::downsample, downsample::cpu::downsample_into),
        halving(downsample::SPEC.name, "u16", source, Engine::downsample, downsample::cpu::downsample_into),
        halving(
            downsample::MAX.name,
            "u16",
            source,
            Engine::downsample_max,
            downsample::cpu::downsample_max_into,
        ),
        halving(
            downsample::MODE.name,
            "i32",
            &labels,
            Engine::downsample_labels,
            downsample::cpu::downsample_labels_into,
        ),
        levels("u8, 4 levels", &eight),
        levels("u16, 4 levels", source),
        counting("u8", &eight),
        counting("u16", source),
        stretching(source)?,
        projecting(source),
        tracing(source[0].size()),
    ])
}

fn converted<T: Pixel>(source: &Images<u16>, convert: fn(u16) -> T) -> Images<T> {
    let convert =
        |image: &Plane<u16>| Plane::from_fn(image.size(), |row, column| convert(image.get(row, column)));
    Arc::new(source.iter().map(convert).collect())
}

fn halving<T: Pixel>(
    kernel: &'static str,
    input: &'static str,
    images: &Images<T>,
    on_engine: fn(&Engine, &Plane<T>) -> tm_engine::Result<Plane<T>>,
    into: fn(PlaneRef<'_, T>, &mut Plane<T>) -> tm_engine::Result<()>,
) -> Case
where
    Plane<T>: Values,
{
    let size = images[0].size();
    let (images, images_on) = (Arc::clone(images), Arc::clone(images));
    let mut output = vec![Plane::<T>::zeros(size.halved()); IMAGES];
    let on = move |engine: &Engine, turn: usize| on_engine(engine, &images_on[turn % IMAGES]);
    Case::of_engine(kernel, input, size.area(), 1.25 * size_of::<T>() as f64, on)
        .on_cpu(move |turn| into(images[turn % IMAGES].view(), &mut output[turn % IMAGES]))
}

fn levels<T: GreyPixel>(input: &'static str, images: &Images<T>) -> Case
where
    Plane<T>: Values,
{
    let images = Arc::clone(images);
    let pixels = images[0].size().area();
    let on = move |engine: &Engine, turn: usize| {
        engine.downsample_levels(&images[turn % IMAGES], Filter::Mean, LEVELS)
    };
    // ¼ + 1/16 + 1/64 + 1/256 of the pixels are written.
    let bytes_per_pixel = size_of::<T>() as f64 * (1.0 + 85.0 / 256.0);
    Case::of_engine(downsample::LEVELS.name, input, pixels, bytes_per_pixel, on)
}

fn counting<T: GreyPixel>(input: &'static str, images: &Images<T>) -> Case {
    let images = Arc::clone(images);
    let pixels = images[0].size().area();
    let on = move |engine: &Engine, turn: usize| engine.histogram(&images[turn % IMAGES]);
    Case::of_engine(histogram::SPEC.name, input, pixels, size_of::<T>() as f64, on)
}

fn stretching(source: &Images<u16>) -> tm_engine::Result<Case> {
    let (size, limits) = (source[0].size(), Limits::new(120, 3000)?);
    let (images, images_on) = (Arc::clone(source), Arc::clone(source));
    let mut output = vec![Plane::<u8>::zeros(size); IMAGES];
    let on = move |engine: &Engine, turn: usize| engine.rescale(&images_on[turn % IMAGES], limits);
    Ok(Case::of_engine(rescale::SPEC.name, "u16", size.area(), 3.0, on).on_cpu(move |turn| {
        rescale::cpu::rescale_into(images[turn % IMAGES].view(), limits, &mut output[turn % IMAGES])
    }))
}

fn projecting(source: &Images<u16>) -> Case {
    let planes: Arc<Vec<GreyPlane>> = Arc::new(source.iter().cloned().map(GreyPlane::from).collect());
    let pixels = source[0].size().area() * IMAGES;
    let bytes_per_pixel = 2.0 + 2.0 / IMAGES as f64;
    let on = move |engine: &Engine, _: usize| engine.project_max(&planes);
    Case::of_engine(projection::SPEC.name, "u16, 4 planes", pixels, bytes_per_pixel, on)
}

/// Round objects of 40 pixels' width, one for each square of 50, that touch nothing.
fn tracing(size: Size) -> Case {
    const PITCH: usize = 50;
    let labels = Plane::from_fn(size, |row, column| {
        let (y, x) = ((row % PITCH).abs_diff(PITCH / 2), (column % PITCH).abs_diff(PITCH / 2));
        let object = row / PITCH * size.width.div_ceil(PITCH) + column / PITCH + 1;
        if y * y + x * x <= 400 { i32::try_from(object).unwrap_or(i32::MAX) } else { 0 }
    });
    let labels = Arc::new(labels);
    let on = move |engine: &Engine, _: usize| engine.trace_outlines(&labels, MapOffset::default());
    Case::of_engine(contours::SPEC.name, "i32, cells", size.area(), 4.0, on)
}
