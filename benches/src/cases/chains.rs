//! Chains: tiles, and the levels of a block of the map.

use std::sync::Arc;

use tm_engine::Engine;
use tm_engine::image::{Plane, Rect, Size};
use tm_engine::kernels::downsample::Filter;
use tm_engine::kernels::illumination::Correction;
use tm_engine::kernels::rescale::Limits;
use tm_engine::kernels::tile::Placement;
use tm_engine::kernels::{pyramid, tile};
use tm_server::resources::layer::layout::TILE_PX;

use super::{IMAGES, correction};
use crate::case::Case;

/// Levels of a stored block.
const LEVELS: usize = 4;

/// All cases of chains.
pub(super) fn cases(source: &Arc<Vec<Plane<u16>>>) -> tm_engine::Result<Vec<Case>> {
    let correction = Arc::new(correction(source[0].size())?);
    Ok(vec![
        tiles(source, "u16, not corrected", None)?,
        tiles(source, "u16, corrected", Some(&correction))?,
        block(source, "u16, not corrected", None),
        block(source, "u16, corrected", Some(&correction)),
    ])
}

/// Tiles from windows all over an image.
fn tiles(
    source: &Arc<Vec<Plane<u16>>>,
    input: &'static str,
    correction: Option<&Arc<Correction>>,
) -> tm_engine::Result<Case> {
    let (size, side) = (source[0].size(), Size::new(TILE_PX, TILE_PX));
    let (rows, columns) = (size.height / TILE_PX, size.width / TILE_PX);
    let (images, correction, limits) = (Arc::clone(source), correction.cloned(), Limits::new(120, 3000)?);
    let bytes_per_pixel = if correction.is_some() { 11.0 } else { 3.0 };
    let on = move |engine: &Engine, turn: usize| {
        let image = &images[turn % IMAGES];
        let render = |tile: usize| {
            let window = Rect::new(TILE_PX * (tile / columns), TILE_PX * (tile % columns), side);
            let correction = correction.as_ref().map(|planes| planes.window(window)).transpose()?;
            let placement = Placement { pixels: image.window(window)?, y: 0, x: 0, correction };
            engine.render_tile(side, &[placement], Some(limits))
        };
        (0..rows * columns).map(render).collect::<tm_engine::Result<Vec<_>>>()
    };
    Ok(Case::of_engine(tile::SPEC.name, input, rows * columns * side.area(), bytes_per_pixel, on))
}

/// The levels of a canvas that four sites meet on.
fn block(source: &Arc<Vec<Plane<u16>>>, input: &'static str, correction: Option<&Arc<Correction>>) -> Case {
    let size = source[0].size();
    let (images, correction) = (Arc::clone(source), correction.cloned());
    let bytes_per_pixel = if correction.is_some() { 8.0 } else { 0.0 } + 2.0 * (1.0 + 85.0 / 256.0);
    let on = move |engine: &Engine, _: usize| {
        let (y, x) = ((size.height / 2) as i64, (size.width / 2) as i64);
        let (height, width) = (size.height as i64, size.width as i64);
        let places = [(y - height, x - width), (y - height, x), (y, x - width), (y, x)];
        let placements: Vec<Placement<'_, u16>> = images
            .iter()
            .zip(places)
            .map(|(image, (y, x))| Placement {
                pixels: image.view(),
                y,
                x,
                correction: correction.as_ref().map(|planes| planes.view()),
            })
            .collect();
        engine.build_levels(size, &placements, Filter::Mean, LEVELS)
    };
    Case::of_engine(pyramid::SPEC.name, input, size.area(), bytes_per_pixel, on)
}
