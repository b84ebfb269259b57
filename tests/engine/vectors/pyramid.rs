//! Vectors of grey values: limits, rescaling, projection, levels of a pyramid.

use serde_json::Value;
use tm_engine::Engine;
use tm_engine::image::{BitDepth, GreyPlane, Plane, Rect, Size};
use tm_engine::kernels::rescale::{Limits, clip_limits};
use tm_engine::kernels::tile::Placement;
use tm_tests::compare::assert_same;
use tm_tests::vectors::{Vectors, plane, planes, rows};

pub fn clipping(vectors: &Vectors, _: &Engine) {
    let vector = vectors.load("clip_limits");
    let (cases, expected) = (rows::<u16>(&vector.input("cases")), rows::<u16>(&vector.expected("limits")));
    let actual: Vec<Vec<u16>> = cases
        .iter()
        .map(|case| {
            let depth = BitDepth::from_bits(case[2].into()).expect("8 or 16 bits");
            let limits = clip_limits(depth, case[0], case[1]);
            vec![limits.lower, limits.upper]
        })
        .collect();
    assert_eq!(actual, expected);
}

/// By the kernel, and by the fused one that renders tiles.
pub fn rescale_u8(vectors: &Vectors, engine: &Engine) {
    let vector = vectors.load("rescale_u8");
    let image = plane::<u16>(&vector.input("image"));
    let expected = planes::<u8>(&vector.expected("images"));
    let limits: Vec<[u16; 2]> = vector.parse("limits");
    assert_eq!(limits.len(), expected.len());
    for ([lower, upper], expected) in limits.iter().zip(&expected) {
        let limits = Limits::new(*lower, *upper).expect("limits are in order");
        let actual = engine.rescale(&image, limits).expect("rescaling works");
        assert_same(&format!("{limits:?}"), expected, &actual);
        let placement = Placement { pixels: image.view(), y: 0, x: 0, correction: None };
        let tile = engine.render_tile(image.size(), &[placement], Some(limits)).expect("a tile is rendered");
        assert_same(&format!("the fused tile with {limits:?}"), expected, &tile);
    }
}

/// Each level from the one before: `image`, `image2`, `image3`, …
pub fn downsample2(vectors: &Vectors, engine: &Engine) {
    let vector = vectors.load("downsample2");
    let mut level = plane::<u8>(&vector.input("image"));
    for name in vector.expected_names() {
        level = engine.downsample(&level).expect("downsampling works");
        assert_same(&name, &plane(&vector.expected(&name)), &level);
    }
}

pub fn projection(vectors: &Vectors, engine: &Engine) {
    let vector = vectors.load("projection_max");
    let stack: Vec<GreyPlane> =
        planes::<u16>(&vector.input("stack")).into_iter().map(GreyPlane::from).collect();
    let GreyPlane::U16(projected) = engine.project_max(&stack).expect("planes of one size") else {
        panic!("16 bits stay 16 bits")
    };
    assert_same("the projection", &plane(&vector.expected("image")), &projected);
}

/// The order of the original: rescale, then average 8-bit values.
pub fn tiny(vectors: &Vectors, engine: &Engine) {
    let vector = vectors.load("pyramid_tiny");
    let sites = planes::<u16>(&vector.input("sites"));
    let table = rows::<i64>(&vector.input("site_table"));
    let [lower, upper]: [u16; 2] = vector.parse("limits");
    let limits = Limits::new(lower, upper).expect("limits are in order");
    assert_eq!(sites.len(), table.len());
    let placements: Vec<Placement<'_, u16>> = sites
        .iter()
        .zip(&table)
        .map(|(site, row)| Placement { pixels: site.view(), y: row[5], x: row[6], correction: None })
        .collect();
    let levels = vector.parse::<Vec<Value>>("level_sizes_yx").len();
    let name = |level: usize| format!("level_{level}");
    let base = plane::<u8>(&vector.expected(&name(levels - 1)));
    let mut level =
        engine.render_tile(base.size(), &placements, Some(limits)).expect("the canvas is rendered");
    assert_same("the canvas", &base, &level);
    // The same canvas tile by tile; the vectors hold whole tiles.
    let side: usize = vector.parse("tile_size");
    for y in (0..base.size().height).step_by(side) {
        for x in (0..base.size().width).step_by(side) {
            let rect = Rect::new(y, x, Size::new(side, side));
            let shifted: Vec<_> = placements
                .iter()
                .map(|placement| Placement {
                    y: placement.y - y as i64,
                    x: placement.x - x as i64,
                    ..*placement
                })
                .collect();
            let tile = engine.render_tile(rect.size, &shifted, Some(limits)).expect("a tile is rendered");
            assert_same("a tile", &base.window(rect).expect("inside the canvas").to_plane(), &tile);
        }
    }
    for index in (0..levels - 1).rev() {
        level = engine.downsample(&level).expect("downsampling works");
        let expected = plane::<u8>(&vector.expected(&name(index)));
        // Below a whole number of tiles, what a level lacks is black.
        assert_same(&name(index), &expected, &padded(&level, expected.size()));
    }
}

fn padded(level: &Plane<u8>, size: Size) -> Plane<u8> {
    let Size { height, width } = level.size();
    assert!(height <= size.height && width <= size.width, "{} does not fit {size}", level.size());
    Plane::from_fn(size, |y, x| if y < height && x < width { level.get(y, x) } else { 0 })
}
