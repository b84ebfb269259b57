//! Every kind of tile against an independent computation.

use reqwest::header::CONTENT_TYPE;
use tm_engine::image::{BitDepth, Rect, Size};
use tm_tests::made_up_map::{MadeUpMap, MapSpec};

use crate::naive::{NaiveLevel, compare};

/// A map of two plates, uneven wells and missing sites, dozens of sites per tile.
fn small_sites(depth: BitDepth, corrected: bool) -> MapSpec {
    let grid = |rows, columns| (0..rows).flat_map(move |y| (0..columns).map(move |x| (y, x)));
    MapSpec {
        site: Size::new(96, 120),
        depth,
        displacement: (0, 0),
        spacer: 61,
        wells: vec![
            ("one", "B03", grid(6, 5).collect()),
            ("one", "B05", grid(4, 5).filter(|site| *site != (1, 2)).collect()),
            ("one", "D03", vec![(0, 0), (5, 4)]),
            ("two", "A01", grid(2, 2).collect()),
        ],
        corrected,
        limits: (100, 5000),
    }
}

/// Four sites a well that overlap, so that a tile can touch nine chunks of four of them.
fn camera_sites(depth: BitDepth, corrected: bool) -> MapSpec {
    let grid = || vec![(0, 0), (0, 1), (1, 0), (1, 1)];
    MapSpec {
        site: Size::new(2160, 2560),
        depth,
        displacement: (-37, -41),
        spacer: 331,
        wells: vec![("one", "B03", grid()), ("one", "C04", grid())],
        corrected,
        limits: (0, 6000),
    }
}

async fn png_of(map: &MadeUpMap, z: usize, y: usize, x: usize, more: &str) -> Vec<u8> {
    let response = map.tile(z, y, x, &format!("&format=png{more}")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()[CONTENT_TYPE], "image/png");
    let bytes = response.bytes().await.unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height, info.bit_depth), (256, 256, png::BitDepth::Eight));
    pixels
}

async fn jpeg_of(map: &MadeUpMap, z: usize, y: usize, x: usize) -> Vec<u8> {
    let response = map.tile(z, y, x, "").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()[CONTENT_TYPE], "image/jpeg");
    let image = libjpeg_turbo_rs::decompress(&response.bytes().await.unwrap()).unwrap();
    assert_eq!((image.width, image.height, image.data.len()), (256, 256, 256 * 256));
    image.data
}

/// Limits that tiles are shown with when the client names none.
fn shown_with(map: &MadeUpMap) -> Option<(u16, u16)> {
    (map.spec.depth == BitDepth::Sixteen).then_some(map.spec.limits)
}

/// Corrected pixels may be off by one count, so their 8-bit values may be off by one too.
async fn check_tile(map: &MadeUpMap, level: &NaiveLevel, z: usize, y: usize, x: usize) {
    let expected = level.tile(y, x, shown_with(map));
    let (allowed, mean) = if map.spec.corrected { (1, 0.1) } else { (0, 0.0) };
    let exact = png_of(map, z, y, x, "").await;
    compare(&exact, &expected, allowed, mean)
        .unwrap_or_else(|error| panic!("tile z {z} y {y} x {x}: {error}"));
    let lossy = jpeg_of(map, z, y, x).await;
    compare(&lossy, &exact, 12, 2.0).unwrap_or_else(|error| panic!("JPEG tile z {z} y {y} x {x}: {error}"));
}

async fn check_all_tiles(spec: MapSpec) {
    let map = MadeUpMap::start(spec).await;
    let report = map.build_pyramid().await;
    assert_eq!(report.missing.len(), 0);
    let levels = NaiveLevel::all(&map);
    for (z, level) in levels.iter().enumerate() {
        for y in 0..level.height.div_ceil(256) {
            for x in 0..level.width.div_ceil(256) {
                check_tile(&map, level, z, y, x).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tiles_of_small_16_bit_sites_are_right() {
    check_all_tiles(small_sites(BitDepth::Sixteen, false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tiles_of_small_corrected_16_bit_sites_are_right() {
    check_all_tiles(small_sites(BitDepth::Sixteen, true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tiles_of_small_8_bit_sites_are_right() {
    check_all_tiles(small_sites(BitDepth::Eight, false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tiles_of_small_corrected_8_bit_sites_are_right() {
    check_all_tiles(small_sites(BitDepth::Eight, true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tiles_of_a_map_smaller_than_a_tile_are_right() {
    let wells = vec![("one", "A01", vec![(0, 0)])];
    let spec = MapSpec { site: Size::new(99, 131), wells, ..small_sites(BitDepth::Sixteen, false) };
    check_all_tiles(spec).await;
}

/// The tile at full resolution that touches most chunks of 256×256 pixels, and how many: with four sites.
fn busiest_tile(map: &MadeUpMap, layout: &tm_server::resources::layer::MapLayout) -> (usize, usize, usize) {
    let mut busiest = (0, 0, 0);
    let size = layout.size();
    for y in 0..size.height.div_ceil(256) {
        for x in 0..size.width.div_ceil(256) {
            let sites = layout.sites_in(Rect::new(256 * y, 256 * x, Size::new(256, 256)));
            let axis = |tile: usize, start: usize, side: usize| {
                let from = (256 * tile).max(start) - start;
                let to = (256 * tile + 256).min(start + side) - start;
                to.div_ceil(256) - from / 256
            };
            let chunks = sites.iter().map(|site| {
                axis(y, site.rect.y, map.spec.site.height) * axis(x, site.rect.x, map.spec.site.width)
            });
            let chunks: usize = chunks.sum();
            if sites.len() == 4 && chunks > busiest.0 {
                busiest = (chunks, y, x);
            }
        }
    }
    busiest
}

async fn check_camera_sites(depth: BitDepth, corrected: bool) {
    let map = MadeUpMap::start(camera_sites(depth, corrected)).await;
    map.build_pyramid().await;
    let environment = &map.app.environment;
    let layout = environment.maps.layout(environment, map.experiment).await.unwrap();
    let (chunks, y, x) = busiest_tile(&map, &layout);
    assert!(chunks >= 9, "a tile must touch nine chunks of four sites, the busiest touches {chunks}");
    let levels = NaiveLevel::all(&map);
    let full = levels.len() - 1;
    check_tile(&map, &levels[full], full, y, x).await;
    // The last tiles, which overhang; the gap between wells; the seam between blocks of 4096 pixels.
    let last = |side: usize| side.div_ceil(256) - 1;
    for (y, x) in [(last(levels[full].height), last(levels[full].width)), (17, 20), (8, 9)] {
        check_tile(&map, &levels[full], full, y, x).await;
    }
    for (z, level) in levels[..full].iter().enumerate() {
        let (bottom, right) = (last(level.height), last(level.width));
        for (y, x) in
            [(0, 0), (bottom, right), (bottom / 2, right / 2), (bottom, right / 2), (bottom / 2, right)]
        {
            check_tile(&map, level, z, y, x).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tiles_of_16_bit_camera_sites_are_right() {
    check_camera_sites(BitDepth::Sixteen, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tiles_of_corrected_16_bit_camera_sites_are_right() {
    check_camera_sites(BitDepth::Sixteen, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tiles_of_8_bit_camera_sites_are_right() {
    check_camera_sites(BitDepth::Eight, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_the_request_replace_those_of_the_layer() {
    for depth in [BitDepth::Eight, BitDepth::Sixteen] {
        let map =
            MadeUpMap::start(MapSpec { limits: (0, depth.max_value()), ..small_sites(depth, false) }).await;
        map.build_pyramid().await;
        let levels = NaiveLevel::all(&map);
        for (more, limits) in [("&min=20&max=90", (20, 90)), ("&max=200", (0, 200)), ("&min=7&max=8", (7, 8))]
        {
            for z in [0, levels.len() - 1] {
                let tile = png_of(&map, z, 0, 0, more).await;
                compare(&tile, &levels[z].tile(0, 0, Some(limits)), 0, 0.0).unwrap();
            }
        }
    }
}
