//! Illumination: statistics, correction, flat-field.

use std::sync::{Arc, Mutex, PoisonError};

use tm_engine::Engine;
use tm_engine::image::{BitDepth, GreyPlane, Plane, Size};
use tm_engine::kernels::flatfield::{self, FlatfieldCorrection};
use tm_engine::kernels::illumination::{self, IlluminationSums};

use super::{IMAGES, correction, images, statistics};
use crate::case::{Case, OnEngine};

/// Sites that are added to statistics at once.
const SITES: usize = 16;

/// All cases of illumination.
pub(super) fn cases(source: &Arc<Vec<Plane<u16>>>) -> tm_engine::Result<Vec<Case>> {
    let mut cases = statistics_cases(source[0].size());
    cases.extend([one(source)?, several(source)?, flat(source)?]);
    Ok(cases)
}

fn statistics_cases(size: Size) -> Vec<Case> {
    let sites: Arc<Vec<GreyPlane>> = Arc::new(images(size, SITES).into_iter().map(GreyPlane::from).collect());
    let (pixels, planes) = (size.area() * SITES, 32.0 / SITES as f64);
    let part =
        |input, bytes_per_pixel, add: fn(&mut IlluminationSums, &[&GreyPlane]) -> tm_engine::Result<()>| {
            let (sites, mut sums) = (Arc::clone(&sites), IlluminationSums::new(size, BitDepth::Sixteen));
            Case {
                kernel: illumination::SUMS.name,
                input,
                pixels,
                bytes_per_pixel,
                run: Box::new(move |_| add(&mut sums, &sites.iter().collect::<Vec<_>>())),
                on: None,
            }
        };
    let logarithms = part("16 sites, logarithms", 2.0 + planes, IlluminationSums::add_logarithms_of);
    let percentiles = part("16 sites, percentiles", 2.0, IlluminationSums::add_histograms_of);
    let both = part("16 sites, both", 4.0 + planes, IlluminationSums::add_all);
    let sums = Mutex::new(IlluminationSums::new(size, BitDepth::Sixteen));
    let both = Case { on: Some(Box::new(Summing { sites, sums })), ..both };
    let (mean, _) = statistics(size);
    let smoothing = Case {
        kernel: illumination::SUMS.name,
        input: "smoothing f64",
        pixels: size.area(),
        bytes_per_pixel: 16.0,
        run: Box::new(move |_| {
            drop(illumination::smooth(&mean, 5.0));
            Ok(())
        }),
        on: None,
    };
    vec![logarithms, percentiles, both, smoothing]
}

/// Adds sites to sums that exist already, as a job does with each batch.
struct Summing {
    sites: Arc<Vec<GreyPlane>>,
    sums: Mutex<IlluminationSums>,
}

impl OnEngine for Summing {
    fn run(&self, engine: &Engine, _turn: usize) -> tm_engine::Result<()> {
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        engine.add_to_statistics(&mut sums, &self.sites.iter().collect::<Vec<_>>())
    }

    fn values(&self, engine: &Engine) -> tm_engine::Result<Vec<f64>> {
        let mut sums = IlluminationSums::new(self.sites[0].size(), self.sites[0].depth());
        engine.add_to_statistics(&mut sums, &self.sites.iter().collect::<Vec<_>>())?;
        let moments = sums.moments();
        Ok([moments.mean.into_pixels(), moments.squared_deviations.into_pixels()].concat())
    }
}

fn one(source: &Arc<Vec<Plane<u16>>>) -> tm_engine::Result<Case> {
    let size = source[0].size();
    let planes = Arc::new(correction(size)?);
    let mut output = vec![Plane::<u16>::zeros(size); IMAGES];
    let (images, images_on, planes_on) = (Arc::clone(source), Arc::clone(source), Arc::clone(&planes));
    let on = move |engine: &Engine, turn: usize| engine.correct(&images_on[turn % IMAGES], &planes_on);
    let case = Case::of_engine(illumination::APPLY.name, "u16", size.area(), 12.0, on);
    Ok(case.on_cpu(move |turn| {
        illumination::cpu::correct_into(images[turn % IMAGES].view(), &planes, &mut output[turn % IMAGES])
    }))
}

/// All images in one call: a GPU reads the planes once for all of them.
fn several(source: &Arc<Vec<Plane<u16>>>) -> tm_engine::Result<Case> {
    let size = source[0].size();
    let planes = Arc::new(correction(size)?);
    let mut output = vec![Plane::<u16>::zeros(size); IMAGES];
    let (images, images_on, planes_on) = (Arc::clone(source), Arc::clone(source), Arc::clone(&planes));
    let on = move |engine: &Engine, _: usize| {
        engine.correct_all(&images_on.iter().map(Plane::view).collect::<Vec<_>>(), &planes_on)
    };
    let bytes_per_pixel = 4.0 + 8.0 / IMAGES as f64;
    let pixels = size.area() * IMAGES;
    let case = Case::of_engine(illumination::APPLY.name, "u16, 4 images", pixels, bytes_per_pixel, on);
    Ok(case.on_cpu(move |_| {
        images
            .iter()
            .zip(&mut output)
            .try_for_each(|(image, output)| illumination::cpu::correct_into(image.view(), &planes, output))
    }))
}

fn flat(source: &Arc<Vec<Plane<u16>>>) -> tm_engine::Result<Case> {
    let size = source[0].size();
    let (profile, _) = statistics(size);
    let planes = Arc::new(FlatfieldCorrection::new(&profile, &Plane::from_fn(size, |_, _| 100.0))?);
    let mut output = vec![Plane::<u16>::zeros(size); IMAGES];
    let (images, images_on, planes_on) = (Arc::clone(source), Arc::clone(source), Arc::clone(&planes));
    let on = move |engine: &Engine, turn: usize| {
        engine.apply_flatfield(&[images_on[turn % IMAGES].view()], &planes_on)
    };
    let case = Case::of_engine(flatfield::SPEC.name, "u16", size.area(), 12.0, on);
    Ok(case.on_cpu(move |turn| {
        flatfield::cpu::apply_into(images[turn % IMAGES].view(), &planes, &mut output[turn % IMAGES])
    }))
}
