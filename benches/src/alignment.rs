//! The alignment of cycles at the size of a camera image.

use std::sync::Arc;

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
        let images = Arc::clone(images);
        Case {
            kernel: APPLY.name,
            input: "u16, moved",
            pixels,
            bytes_per_pixel: 4.0,
            run: Box::new(move |run| {
                cpu::shift(images[run % images.len()].view(), SHIFT);
                Ok(())
            }),
            run_on: None,
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
    Ok(vec![moved, compatible, robust])
}
