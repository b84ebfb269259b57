//! The alignment of cycles at the size of a camera image.

use std::sync::Arc;

use tm_engine::Engine;
use tm_engine::image::Plane;
use tm_engine::kernels::alignment::cpu::{self, CompatibleReference, RobustReference};
use tm_engine::kernels::alignment::{APPLY, COMPATIBLE, ROBUST, RobustOptions, Shift};

use crate::kernels::Case;

/// How far the target lies from the reference.
const SHIFT: Shift = Shift { y: 13, x: -21 };
/// Largest shift that the search with a limit looks at, in pixels.
const LIMIT_PX: u32 = 108;

/// All cases, on the first of these images and the same one moved.
///
/// # Errors
/// Those of the engine, none of which is expected here.
pub fn cases(images: &Arc<Vec<Plane<u16>>>) -> tm_engine::Result<Vec<Case>> {
    let pixels = images[0].size().area();
    let target = Arc::new(cpu::shift(images[0].view(), SHIFT));
    let moved = {
        let (images, images_on) = (Arc::clone(images), Arc::clone(images));
        Case {
            kernel: APPLY.name,
            input: "u16, moved",
            pixels,
            bytes_per_pixel: 4.0,
            run: Box::new(move |run| {
                cpu::shift(images[run % images.len()].view(), SHIFT);
                Ok(())
            }),
            run_on: Some(Box::new(move |engine, run| {
                engine.shift(&images_on[run % images_on.len()], SHIFT).map(drop)
            })),
        }
    };
    let compatible = {
        let (reference, target) = (CompatibleReference::new(images[0].view())?, Arc::clone(&target));
        Case {
            kernel: COMPATIBLE.name,
            input: "u16, each target",
            pixels,
            bytes_per_pixel: 2.0,
            run: Box::new(move |_| reference.register(target.view()).map(drop)),
            run_on: None,
        }
    };
    let options = RobustOptions { max_shift_px: Some(LIMIT_PX), ..RobustOptions::default() };
    let reference = RobustReference::new(images[0].view(), &options)?;
    let robust = Case {
        kernel: ROBUST.name,
        input: "u16, each target, shifts to 108",
        pixels,
        bytes_per_pixel: 2.0,
        run: Box::new(move |_| reference.register(target.view()).map(drop)),
        run_on: None,
    };
    Ok(vec![moved, compatible, robust, several_compatible(images), several_robust(images)])
}

/// A reference and all images as its targets, which is what a GPU does at once.
fn several_compatible(images: &Arc<Vec<Plane<u16>>>) -> Case {
    let (images_on, engine) = (Arc::clone(images), Engine::cpu());
    let images = Arc::clone(images);
    let register = |engine: &Engine, images: &[Plane<u16>]| {
        engine.register_compatible(&images[0], &images.iter().collect::<Vec<_>>()).map(drop)
    };
    Case {
        kernel: COMPATIBLE.name,
        input: "u16, reference and targets",
        pixels: images.iter().map(|image| image.size().area()).sum(),
        bytes_per_pixel: 2.0,
        run: Box::new(move |_| register(&engine, &images)),
        run_on: Some(Box::new(move |engine, _| register(engine, &images_on))),
    }
}

/// As [`several_compatible`].
fn several_robust(images: &Arc<Vec<Plane<u16>>>) -> Case {
    let (images_on, engine) = (Arc::clone(images), Engine::cpu());
    let images = Arc::clone(images);
    let register = |engine: &Engine, images: &[Plane<u16>]| {
        let options = RobustOptions { max_shift_px: Some(LIMIT_PX), ..RobustOptions::default() };
        engine.register_robust(&images[0], &images.iter().collect::<Vec<_>>(), &options).map(drop)
    };
    Case {
        kernel: ROBUST.name,
        input: "u16, reference and targets, shifts to 108",
        pixels: images.iter().map(|image| image.size().area()).sum(),
        bytes_per_pixel: 2.0,
        run: Box::new(move |_| register(&engine, &images)),
        run_on: Some(Box::new(move |engine, _| register(engine, &images_on))),
    }
}
