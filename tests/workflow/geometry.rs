//! Every pixel of every level of a map lies where the definition says.

use tm_tests::app::TestApp;
use tm_tests::cellvoyager::{FieldOrder, PlateFiles};
use tm_tests::databases::Database;
use tm_tests::plates::{ALL_STAGES, Experiment, Layer};
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::naive::{Level, rescaled, sites};

tm_tests::on_each_database![
    flavor = "multi_thread";
    every_pixel_of_every_level_lies_where_the_definition_says,
    maps_of_8_bits_show_the_stored_values,
];

const HEIGHT: usize = 96;
const WIDTH: usize = 120;

/// Two plates with empty rows and columns between their wells, grids of different sizes and a missing
/// site; wide enough for several blocks of the pyramid and levels above them.
fn plates(bits: u32) -> [PlateFiles; 2] {
    let plate = |number| {
        PlateFiles::new("run_7_C04x").plate_number(number).size(HEIGHT, WIDTH).depth(bits).grid(1, 2)
    };
    [
        plate(1)
            .wells(&["B03", "B05", "D03", "D08", "D11", "B20", "D24"])
            .grid_of("B03", 2, 3)
            .grid_of("D03", 2, 2)
            .hole("B03", 1, 1),
        plate(2).wells(&["B03", "C04"]).grid_of("C04", 3, 1).order(FieldOrder::Spiral),
    ]
}

async fn upload(experiment: &Experiment<'_>, plates: &[PlateFiles; 2]) {
    experiment.upload("plate one", "a", &plates[0]).await;
    experiment.upload("plate two", "a", &plates[1]).await;
}

/// The levels of the one layer, computed here; checks what the server says about them.
fn levels(layer: &Layer, plates: &[PlateFiles; 2]) -> Vec<Level> {
    let full = Level::full(&sites(&[&plates[0], &plates[1]], 1, 1, 1), HEIGHT, WIDTH);
    // Plate one: rows B and D, columns 3, 5, 8, 11, 20 and 24, wells of 2×3 sites.
    // Plate two: rows B and C, wells of 3×2 sites; it is the higher one.
    assert_eq!((full.height, full.width), (2 * (2 * 288 + 500) + 1000, 6 * 360 + 5 * 500));
    assert_eq!((layer.size.height, layer.size.width), (full.height, full.width));
    let levels = full.pyramid();
    assert_eq!((layer.max_zoom, levels.len()), (5, 6));
    levels
}

/// The largest and the mean difference of two tiles.
fn difference(one: &[u8], other: &[u8]) -> (u8, f64) {
    assert_eq!((one.len(), other.len()), (256 * 256, 256 * 256));
    let differences = || one.iter().zip(other).map(|(one, other)| one.abs_diff(*other));
    let sum: f64 = differences().map(f64::from).sum();
    (differences().max().unwrap(), sum / one.len() as f64)
}

/// Compare all tiles of all levels, exact and as JPEG.
async fn compare(experiment: &Experiment<'_>, plates: &[PlateFiles; 2], shown: impl Fn(u16) -> u8) {
    let layer = experiment.only_layer().await;
    let mut bright = 0;
    for (z, level) in levels(&layer, plates).iter().enumerate() {
        for (y, x) in layer.tiles(z) {
            let expected: Vec<u8> = level.tile(y, x).into_iter().map(&shown).collect();
            let actual = experiment.png_tile(&layer, (z, y, x)).await;
            let first = actual.iter().zip(&expected).position(|(actual, expected)| actual != expected);
            assert_eq!(first, None, "first wrong pixel of tile {z}/{y}/{x}");
            if expected.iter().all(|value| *value == 0) {
                continue;
            }
            bright += 1;
            let jpeg = experiment.tile(&layer, (z, y, x), "").await;
            let decoded = decode_jpeg(&jpeg);
            let (largest, mean) = difference(&decoded, &expected);
            assert!(largest <= 12 && mean <= 2.0, "{z}/{y}/{x}: up to {largest}, {mean} on average");
        }
        // Beyond the map there is nothing, also where a tile would be at another zoom level.
        let (rows, columns) = (level.height.div_ceil(256), level.width.div_ceil(256));
        for beyond in [(z, rows, 0), (z, 0, columns)] {
            assert!(experiment.png_tile(&layer, beyond).await.iter().all(|value| *value == 0));
        }
    }
    assert!(bright > 30, "only {bright} tiles show anything");
}

/// The grey values of a JPEG, by other means than those it was made with.
fn decode_jpeg(bytes: &[u8]) -> Vec<u8> {
    let grey = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(std::io::Cursor::new(bytes), grey);
    let pixels = decoder.decode().unwrap();
    let info = decoder.info().unwrap();
    assert_eq!((info.width, info.height, info.components), (256, 256, 1));
    pixels
}

async fn every_pixel_of_every_level_lies_where_the_definition_says(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    let plates = plates(16);
    upload(&experiment, &plates).await;
    experiment.run(ALL_STAGES, &[("illuminati", "batch_size", 4.into())]).await;
    assert_eq!(experiment.only_layer().await.limits, (0, 65535));
    compare(&experiment, &plates, |value| rescaled(value, (0, 65535))).await;
}

async fn maps_of_8_bits_show_the_stored_values(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    let plates = plates(8);
    upload(&experiment, &plates).await;
    // Nothing is stretched in 8-bit images, whatever is asked for.
    experiment.run(ALL_STAGES, &[("illuminati", "clip", true.into())]).await;
    assert_eq!(experiment.only_layer().await.limits, (0, 255));
    compare(&experiment, &plates, |value| value as u8).await;
}

#[test]
fn the_jpeg_comparison_sees_a_wrong_pixel() {
    let tile = vec![7; 256 * 256];
    assert_eq!(difference(&tile, &tile), (0, 0.0));
    let mut other = tile.clone();
    other[70] = 27;
    assert_eq!(difference(&tile, &other).0, 20);
}
