//! The alignment of cycles.

use std::sync::Arc;

use tm_engine::Engine;
use tm_engine::image::Plane;
use tm_engine::kernels::alignment::cpu::{self, CompatibleReference, RobustReference};
use tm_engine::kernels::alignment::{APPLY, COMPATIBLE, ROBUST, RobustOptions, Shift};

use super::IMAGES;
use crate::case::Case;

/// How far the target lies from the reference.
const SHIFT: Shift = Shift { y: 13, x: -21 };
/// Largest shift that the search with a limit looks at, in pixels.
const LIMIT_PX: u32 = 108;
/// Targets of one reference, which is transformed once for them.
const TARGETS: usize = 4;

/// All cases of alignment, on the first of these images and the same one moved.
pub(super) fn cases(images: &Arc<Vec<Plane<u16>>>) -> tm_engine::Result<Vec<Case>> {
    let pixels = images[0].size().area();
    let target = Arc::new(cpu::shift(images[0].view(), SHIFT));
    let moved = {
        let images = Arc::clone(images);
        let on = move |engine: &Engine, turn: usize| engine.shift(&images[turn % IMAGES], SHIFT);
        Case::of_engine(APPLY.name, "u16, moved", pixels, 4.0, on)
    };
    let compatible = {
        let (images, target) = (Arc::clone(images), Arc::clone(&target));
        let on =
            move |engine: &Engine, _: usize| engine.register_compatible(&images[0], &[&*target; TARGETS]);
        Case::of_engine(COMPATIBLE.name, "u16, 4 targets", pixels * (TARGETS + 1), 2.0, on)
    };
    let options = RobustOptions { max_shift_px: Some(LIMIT_PX), ..RobustOptions::default() };
    let robust = {
        let (images, target) = (Arc::clone(images), Arc::clone(&target));
        let on = move |engine: &Engine, _: usize| {
            engine.register_robust(&images[0], &[&*target; TARGETS], &options)
        };
        Case::of_engine(ROBUST.name, "u16, 4 targets, to 108 px", pixels * (TARGETS + 1), 2.0, on)
    };
    let mut cases = vec![moved, compatible, robust];
    // What a further target costs.
    let reference = CompatibleReference::new(images[0].view())?;
    let next = Arc::clone(&target);
    cases.push(Case {
        kernel: COMPATIBLE.name,
        input: "u16, a further target",
        pixels,
        bytes_per_pixel: 2.0,
        run: Box::new(move |_| reference.register(next.view()).map(drop)),
        on: None,
    });
    let reference = RobustReference::new(images[0].view(), &options)?;
    cases.push(Case {
        kernel: ROBUST.name,
        input: "u16, a further target, to 108 px",
        pixels,
        bytes_per_pixel: 2.0,
        run: Box::new(move |_| reference.register(target.view()).map(drop)),
        on: None,
    });
    Ok(cases)
}
