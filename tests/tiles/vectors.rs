//! The layout and the pyramid against numbers made by other programs.

use serde_json::Value;
use tm_engine::Engine;
use tm_engine::image::{Plane, Size};
use tm_engine::kernels::rescale::Limits;
use tm_engine::kernels::tile::Placement;
use tm_server::resources::layer::layout::{
    MapLayout, PlateSites, SitePosition, Spacing, WellSites, depth, plate_grid_shape,
};
use tm_tests::vectors::{self, Vector};

#[test]
fn plate_grid_shapes_are_those_of_the_vectors() {
    let expected = Vector::load("plate_grid_shape").expected::<i64>("rows_cols");
    assert!(expected.shape()[0] > 10);
    for (index, shape) in expected.outer_iter().enumerate() {
        let grid = plate_grid_shape(index + 1);
        assert_eq!([grid.height as i64, grid.width as i64], [shape[0], shape[1]], "{} plates", index + 1);
    }
}

/// The wells of the cases of `pyramid_layout`, which only counts them.
fn wells(count: i64) -> Vec<String> {
    let raster = |rows: std::ops::Range<u8>, columns: std::ops::RangeInclusive<u32>| {
        let name = |row: u8, column: u32| format!("{}{column:02}", char::from(b'A' + row));
        rows.flat_map(|row| columns.clone().map(move |column| name(row, column))).collect()
    };
    match count {
        1 => raster(0..1, 1..=1),
        4 => raster(2..4, 3..=4),
        96 => raster(0..8, 1..=12),
        384 => raster(0..16, 1..=24),
        other => panic!("no plate of {other} wells"),
    }
}

#[test]
fn layouts_and_depths_are_those_of_the_vectors() {
    let cases = Vector::load("pyramid_layout").expected::<i64>("cases");
    for case in cases.outer_iter() {
        let case: Vec<i64> = case.iter().copied().collect();
        let [plates, well_count, rows, columns, height, width, spacer] = case[..7] else {
            panic!("{case:?}")
        };
        let spacing = Spacing {
            site: Size::new(height as usize, width as usize),
            vertical_displacement: 0,
            horizontal_displacement: 0,
            well_spacer: spacer,
        };
        let mut next = 0;
        let mut site = |y, x| {
            next += 1;
            SitePosition { id: next, y, x }
        };
        let plates: Vec<_> = (1..=plates)
            .map(|id| PlateSites {
                id,
                wells: wells(well_count)
                    .into_iter()
                    .map(|name| WellSites {
                        id: 0,
                        name,
                        sites: (0..rows)
                            .flat_map(|y| (0..columns).map(move |x| (y, x)))
                            .map(|(y, x)| site(y, x))
                            .collect(),
                    })
                    .collect(),
            })
            .collect();
        let grid = plate_grid_shape(plates.len());
        let layout = MapLayout::new(spacing, plates).unwrap();
        let size = layout.size();
        let tiles: usize = (0..layout.depth())
            .map(|level| layout.reduced_size(level))
            .map(|size| size.height.div_ceil(256) * size.width.div_ceil(256))
            .sum();
        let last = layout.site_offset(next).unwrap();
        let actual =
            [grid.height, grid.width, size.height, size.width, layout.depth(), tiles, last.y, last.x]
                .map(|value| value as i64);
        assert_eq!(actual, case[7..], "{case:?}");
    }
}

/// In the original's order: rescaled first, then averaged as 8-bit values.
#[test]
fn tiny_pyramid_is_that_of_the_vectors() {
    let vector = Vector::load("pyramid_tiny");
    let experiment = vector.parameter("experiment");
    let number = |value: &Value| value.as_i64().unwrap();
    let images = vectors::planes(&vector.input::<u16>("sites"));
    let table = vector.input::<i64>("site_table");
    let site =
        Size::new(number(&experiment["site_height"]) as usize, number(&experiment["site_width"]) as usize);
    let spacing = Spacing {
        site,
        vertical_displacement: 0,
        horizontal_displacement: 0,
        well_spacer: number(&experiment["well_spacer"]),
    };
    let mut plate = PlateSites { id: 1, wells: Vec::new() };
    for (id, row) in table.outer_iter().enumerate() {
        let name = format!("{}{:02}", char::from(b'A' + row[1] as u8), row[2] + 1);
        if plate.wells.last().is_none_or(|well| well.name != name) {
            plate.wells.push(WellSites { id: 0, name, sites: Vec::new() });
        }
        let position = SitePosition { id: id as i64, y: row[3], x: row[4] };
        plate.wells.last_mut().unwrap().sites.push(position);
    }
    let layout = MapLayout::new(spacing, vec![plate]).unwrap();
    let limits = vector.parameter("limits");
    let limits = Limits::new(number(&limits[0]) as u16, number(&limits[1]) as u16).unwrap();
    let engine = Engine::cpu();
    let rescaled: Vec<Plane<u8>> =
        images.iter().map(|plane| engine.rescale(plane, limits).unwrap()).collect();
    let placements: Vec<_> = rescaled
        .iter()
        .enumerate()
        .map(|(id, plane)| {
            let rect = layout.site_offset(id as i64).unwrap();
            assert_eq!([rect.y as i64, rect.x as i64], [table[[id, 5]], table[[id, 6]]], "site {id}");
            Placement { pixels: plane.view(), y: rect.y as i64, x: rect.x as i64, correction: None }
        })
        .collect();
    let mut level = engine.compose(layout.size(), &placements).unwrap();
    let tile = number(vector.parameter("tile_size")) as usize;
    let levels = depth(layout.size(), tile);
    assert_eq!(levels, vector.parameter("level_sizes_yx").as_array().unwrap().len());
    for z in (0..levels).rev() {
        let expected = vectors::plane(&vector.expected::<u8>(&format!("level_{z}")));
        // The vectors hold whole tiles: beyond the map they are black.
        let Size { height, width } = expected.size();
        let inside = |y, x| y < level.size().height && x < level.size().width;
        assert!(inside(height - tile, width - tile), "level {z} has other tiles");
        let padded = Plane::from_fn(expected.size(), |y, x| if inside(y, x) { level.get(y, x) } else { 0 });
        assert_eq!(padded, expected, "level {z}");
        level = engine.downsample(&level).unwrap();
    }
}
