//! Vectors of what the server computes: the layout of the map and its pyramid, tiles and what they show.

use serde_json::Value;
use tm_engine::Engine;
use tm_engine::geometry::{MapRect, Polygon};
use tm_engine::image::{Plane, Size};
use tm_engine::kernels::rescale::Limits;
use tm_engine::kernels::tile::Placement;
use tm_server::resources::layer::layout::{
    MapLayout, PlateSites, SitePosition, Spacing, WellSites, depth, plate_grid_shape,
};
use tm_server::resources::mapobject::zoom::{MapobjectKind, Shown, ZoomThresholds};
use tm_server::resources::tile::TileAddress;
use tm_server::storage::encode;
use tm_tests::vectors::{self, OF_THE_SERVER, Vectors, outcome, rows};
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// A vector, and a function that panics unless the server gives what it expects.
type Check = (&'static str, fn(&Vectors));

/// All of them, and the pyramid, which is one of the engine too.
const ALL: &[Check] = &[
    ("pyramid_layout", layouts_and_depths),
    ("plate_grid_shape", plate_grid_shapes),
    ("pyramid_tiny", tiny_pyramid),
    ("jpeg95", jpeg_round_trip),
    ("tile_box", tile_boxes),
    ("zoom_thresholds", zoom_thresholds),
    ("tile_query", objects_in_tiles),
];

#[test]
fn vectors_of_the_server_agree() {
    let vectors = Vectors::named();
    println!("{}", vectors.folder().display());
    let mut failures = Vec::new();
    for (name, check) in ALL {
        let outcome = outcome(|| check(&vectors));
        println!("{name:<20} {}", if outcome.is_ok() { "passed" } else { "FAILED" });
        failures.extend(outcome.err().map(|why| format!("{name}: {why}")));
    }
    println!("{} vectors of the server: {} failed", ALL.len(), failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    for name in OF_THE_SERVER {
        assert!(ALL.iter().any(|(tested, _)| tested == name), "{name} has no test");
    }
}

fn plate_grid_shapes(vectors: &Vectors) {
    let expected = rows::<usize>(&vectors.load("plate_grid_shape").expected("rows_cols"));
    for (plates, shape) in (1..).zip(expected) {
        let grid = plate_grid_shape(plates);
        assert_eq!([grid.height, grid.width], shape[..], "{plates} plates");
    }
}

/// Rows and columns of wells that `count` may stand for: `pyramid_layout` only counts them. Those of the
/// plate formats are known; of others any full rectangle may be meant.
fn rasters(count: usize) -> Vec<Size> {
    match count {
        4 => vec![Size::new(2, 2)],
        6 => vec![Size::new(2, 3)],
        12 => vec![Size::new(3, 4)],
        24 => vec![Size::new(4, 6)],
        48 => vec![Size::new(6, 8)],
        96 => vec![Size::new(8, 12)],
        384 => vec![Size::new(16, 24)],
        _ => (1..=26)
            .filter(|rows| count.is_multiple_of(*rows))
            .map(|rows| Size::new(rows, count / rows))
            .filter(|raster| raster.width < 100)
            .collect(),
    }
}

/// Plates of wells of `sites`, and the id of the last site.
fn plates(count: i64, raster: Size, sites: Size) -> (Vec<PlateSites>, i64) {
    let mut last = 0;
    let mut well = |row: usize, column: usize| {
        let mut position = |y: usize, x: usize| {
            last += 1;
            SitePosition { id: last, y: y as i64, x: x as i64 }
        };
        let mut positions = Vec::new();
        for y in 0..sites.height {
            positions.extend((0..sites.width).map(|x| position(y, x)));
        }
        let letter = char::from(b'A' + u8::try_from(row).unwrap());
        WellSites { id: 0, name: format!("{letter}{:02}", column + 1), sites: positions }
    };
    let plates = (1..=count)
        .map(|id| {
            let mut wells = Vec::new();
            for row in 0..raster.height {
                wells.extend((0..raster.width).map(|column| well(row, column)));
            }
            PlateSites { id, wells }
        })
        .collect();
    (plates, last)
}

fn layouts_and_depths(vectors: &Vectors) {
    let vector = vectors.load("pyramid_layout");
    let tile: usize = vector.parse("tile_size");
    for case in rows::<i64>(&vector.expected("cases")) {
        let [count, wells, rows, columns, height, width, spacer] = case[..7] else { panic!("{case:?}") };
        let size = |height: i64, width: i64| Size::new(height as usize, width as usize);
        let results: Vec<Vec<i64>> = rasters(wells as usize)
            .into_iter()
            .map(|raster| {
                let spacing = Spacing {
                    site: size(height, width),
                    vertical_displacement: 0,
                    horizontal_displacement: 0,
                    well_spacer: spacer,
                };
                let (plates, last) = plates(count, raster, size(rows, columns));
                let grid = plate_grid_shape(plates.len());
                let layout = MapLayout::new(spacing, plates).unwrap();
                let size = layout.size();
                let levels = depth(size, tile);
                let tiles: usize = (0..levels)
                    .map(|level| layout.reduced_size(level))
                    .map(|size| size.height.div_ceil(tile) * size.width.div_ceil(tile))
                    .sum();
                let offset = layout.site_offset(last).unwrap();
                let numbers =
                    [grid.height, grid.width, size.height, size.width, levels, tiles, offset.y, offset.x];
                numbers.map(|value| value as i64).to_vec()
            })
            .collect();
        assert!(results.iter().any(|result| *result == case[7..]), "{case:?}: {results:?}");
    }
}

/// A tile that was encoded and decoded is near the tile, and near what another encoder makes of it.
fn jpeg_round_trip(vectors: &Vectors) {
    let vector = vectors.load("jpeg95");
    let image = vectors::plane::<u8>(&vector.input("image"));
    let jpeg = encode::jpeg(&image, vector.parse("quality")).unwrap();
    let grey = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::Luma);
    let decoded =
        zune_jpeg::JpegDecoder::new_with_options(std::io::Cursor::new(&jpeg), grey).decode().unwrap();
    let theirs = vectors::plane::<u8>(&vector.expected("decoded"));
    for (name, expected) in [("the tile", &image), ("the other decoded", &theirs)] {
        assert_eq!(decoded.len(), expected.size().area(), "{name}");
        let differences = || expected.pixels().iter().zip(&decoded).map(|(a, b)| f64::from(a.abs_diff(*b)));
        let mean = differences().sum::<f64>() / decoded.len() as f64;
        assert!(mean <= vector.tolerance("mean_abs"), "{mean} from {name} on average");
        let most = differences().fold(0.0, f64::max);
        assert!(most <= vector.tolerance("abs"), "{most} from {name}");
    }
}

/// The square of a tile on a map with `max_zoom + 1` levels.
fn square(z: u64, y: u64, x: u64, max_zoom: u64) -> MapRect {
    let levels = usize::try_from(max_zoom).unwrap() + 1;
    TileAddress::new(z, y, x, levels).and_then(TileAddress::map_rect).unwrap()
}

fn tile_boxes(vectors: &Vectors) {
    let vector = vectors.load("tile_box");
    for row in rows::<i64>(&vector.expected("boxes")) {
        let [z, y, x] = [row[0], row[1], row[2]].map(|value| u64::try_from(value).unwrap());
        let MapRect { x_min, y_min, x_max, y_max } = square(z, y, x, vector.parse("maxzoom"));
        assert_eq!([x_min, y_min, x_max, y_max].map(i64::from), row[3..], "tile {z}, {y}, {x}");
    }
}

fn zoom_thresholds(vectors: &Vectors) {
    let vector = vectors.load("zoom_thresholds");
    let kinds: Vec<MapobjectKind> = vector
        .parse::<Vec<String>>("kind")
        .iter()
        .map(|kind| match kind.as_str() {
            "Plate" => MapobjectKind::Plates,
            "Well" => MapobjectKind::Wells,
            "Site" => MapobjectKind::Sites,
            "segmented as polygons" => MapobjectKind::Outlines,
            "segmented as points" => MapobjectKind::Points,
            other => panic!("no such kind of objects: {other}"),
        })
        .collect();
    for row in rows::<u64>(&vector.expected("table")) {
        let kind = kinds[usize::try_from(row[1]).unwrap()];
        let thresholds = ZoomThresholds::of(kind, row[0]);
        assert_eq!([thresholds.outlines, thresholds.points], row[2..], "{kind:?} up to {}", row[0]);
    }
}

fn objects_in_tiles(vectors: &Vectors) {
    let vector = vectors.load("tile_query");
    let max_zoom: u64 = vector.parse("maxzoom");
    let thresholds =
        ZoomThresholds { outlines: vector.parse("polygon_thresh"), points: vector.parse("centroid_thresh") };
    let polygons: Vec<Polygon> = rows::<i32>(&vector.input("boxes_x0_row0_x1_row1"))
        .iter()
        .map(|row| MapRect { x_min: row[0], y_min: -row[3], x_max: row[2], y_max: -row[1] }.to_ring())
        .map(|shell| Polygon { shell, holes: Vec::new() })
        .collect();
    for row in rows::<u64>(&vector.expected("table")) {
        let (z, tile) = (row[0], square(row[0], row[1], row[2], max_zoom));
        let shown = thresholds.shown_at(z);
        let mode = match shown {
            Shown::Nothing => 0,
            Shown::Points => 1,
            Shown::Outlines => 2,
        };
        assert_eq!(mode, row[3], "level {z}");
        let hits = polygons.iter().map(|polygon| match shown {
            Shown::Nothing => false,
            Shown::Points => {
                let centroid = polygon.centroid();
                (f64::from(tile.x_min)..=f64::from(tile.x_max)).contains(&centroid.x)
                    && (f64::from(tile.y_min)..=f64::from(tile.y_max)).contains(&centroid.y)
            }
            Shown::Outlines => polygon.intersects(&tile),
        });
        assert_eq!(hits.map(u64::from).collect::<Vec<_>>(), row[4..], "tile {:?}", &row[..3]);
    }
}

#[test]
fn a_tile_beyond_32_bit_coordinates_has_no_square() {
    let square = |y, x, levels| TileAddress::new(0, y, x, levels).and_then(TileAddress::map_rect);
    assert_eq!(square(0, 0, 23).map(|square| square.x_max), Some(1 << 30));
    assert_eq!(square(1, 0, 23), None, "its lower edge");
    assert_eq!(square(0, 1, 23), None, "its right edge");
    assert_eq!(square(0, (1 << 32) - 1, 1), None);
    for levels in [24, 57, 60, 64, 65, 1000] {
        assert_eq!(square(0, 0, levels), None, "{levels} levels");
    }
}

/// In the original's order: rescaled first, then averaged as 8-bit values.
fn tiny_pyramid(vectors: &Vectors) {
    let vector = vectors.load("pyramid_tiny");
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
