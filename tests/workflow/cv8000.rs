//! Real acquisitions with all their files, as they lie in the instrument's directory.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tm_tests::app::TestApp;
use tm_tests::plates::{ALL_STAGES, Experiment};

use super::naive::values;

const TITLE: &str = "CV8000-Minimal-DataSet-2C-3W-4S-FP2-stack";

/// A data set beside the project, or `None` (with a note) if there is none.
#[allow(clippy::print_stdout)]
pub fn data(set: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(set);
    if root.is_dir() {
        return Some(root);
    }
    println!("SKIPPED: no shared data");
    None
}

/// Fields of everything in a list of the experiment.
async fn list(experiment: &Experiment<'_>, what: &str, fields: &[&str]) -> Vec<Value> {
    let answer = experiment.client.get(&format!("{}/{what}", experiment.path)).await;
    let things = answer.data().as_array().expect("a list").clone();
    things.iter().map(|thing| fields.iter().map(|field| thing[field].clone()).collect()).collect()
}

async fn has_3_wells_of_2_by_2_sites(experiment: &Experiment<'_>) {
    assert_eq!(
        list(experiment, "wells", &["name", "dimensions"]).await,
        [json!(["D08", [2, 2]]), json!(["E03", [2, 2]]), json!(["F08", [2, 2]])]
    );
    let sites: BTreeSet<String> = list(experiment, "sites", &["well_name", "y", "x", "height", "width"])
        .await
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(sites.len(), 12, "all different");
    for well in ["D08", "E03", "F08"] {
        for (y, x) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            assert!(sites.contains(&json!([well, y, x, 2000, 2000]).to_string()), "{sites:?}");
        }
    }
    assert_eq!(
        list(experiment, "channels", &["name", "bit_depth"]).await,
        [json!(["1", 16]), json!(["2", 16])]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cv8000_acquisition_with_all_its_files_becomes_maps_with_and_without_projection() {
    let Some(directory) = data("cellvoyager-cv8000") else { return };
    let app = TestApp::start().await;
    let experiment = Experiment::named(&app, "cv8000", 96).await;
    let acquisition = experiment.upload_directory("plate", "a", &directory).await;
    let status = experiment.client.get(&acquisition).await;
    assert_eq!(status.data()["status"], "COMPLETE", "foreign files are not waited for");
    let names = experiment.client.get(&format!("{acquisition}/images")).await.all("name");
    assert_eq!(names.len(), 96);
    assert!(names.iter().all(|name| name.starts_with(TITLE)), "no correction image among them");
    assert_eq!(
        experiment.client.get(&format!("{acquisition}/metadata")).await.all("name"),
        ["MeasurementData.mlf", "MeasurementDetail.mrf", "Minimal-3C3W2S-FP2-stack.mes"]
    );

    experiment.run(&["image_conversion", "pyramid_creation"], &[]).await;
    has_3_wells_of_2_by_2_sites(&experiment).await;
    let layers = experiment.layers().await;
    let keys: Vec<_> = layers.iter().map(|layer| layer.key()).collect();
    let wanted = ["1", "2"].iter().flat_map(|name| (0..4).map(move |z| (name.to_string(), 0, z)));
    assert_eq!(keys, wanted.collect::<Vec<_>>(), "a layer per channel and focal plane");
    // Rows D, E and F, columns 3 and 8.
    let size = layers[0].size;
    assert_eq!((size.height, size.width), (3 * 4000 + 2 * 500, 2 * 4000 + 500));

    // Names for pipelines, stains and colours for people.
    let field = tm_tests::contents::files_below(&experiment.directory())
        .into_iter()
        .find(|(path, _)| path.ends_with("D/08/0/zarr.json"));
    let image: Value = serde_json::from_slice(&field.expect("an image").1).unwrap();
    let omero = &image["attributes"]["ome"]["omero"]["channels"];
    let shown = |index: usize| (omero[index]["label"].clone(), omero[index]["color"].clone());
    assert_eq!(shown(0), (json!("405"), json!("002FFF")));
    assert_eq!(shown(1), (json!("488"), json!("00FFA1")));

    let projected = &[("metaconfig", "mip", true.into())];
    experiment.run(&["image_conversion", "pyramid_creation"], projected).await;
    has_3_wells_of_2_by_2_sites(&experiment).await;
    let keys: Vec<_> = experiment.layers().await.iter().map(|layer| layer.key()).collect();
    assert_eq!(keys, [("1".into(), 0, 0), ("2".into(), 0, 0)], "a layer per channel");
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_have_the_same_names_without_metadata_files() {
    let Some(directory) = data("cellvoyager-cv8000") else { return };
    let images = TempDir::new().unwrap();
    for entry in fs::read_dir(&directory).unwrap() {
        let name = entry.unwrap().file_name();
        if !name.to_string_lossy().starts_with("Measurement") {
            fs::copy(directory.join(&name), images.path().join(&name)).unwrap();
        }
    }
    let app = TestApp::start().await;
    let experiment = Experiment::named(&app, "names only", 96).await;
    experiment.upload_directory("plate", "a", images.path()).await;
    let layout = [
        ("metaconfig", "n_vertical", json!(2)),
        ("metaconfig", "n_horizontal", json!(2)),
        ("metaconfig", "mip", json!(true)),
    ];
    experiment.run(&["image_conversion"], &layout).await;
    has_3_wells_of_2_by_2_sites(&experiment).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_8_bit_acquisition_of_6_wells_shows_every_file_in_its_place() {
    let Some(directory) = data("cellvoyager-8bit") else { return };
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    experiment.upload_directory("plate", "a", &directory).await;
    experiment.run(ALL_STAGES, &[]).await;
    assert_eq!(list(&experiment, "channels", &["name", "bit_depth"]).await, [json!(["1", 8])]);
    let wells = list(&experiment, "wells", &["name", "dimensions"]).await;
    let wanted = ["B02", "B03", "B05", "C02", "C03", "C05"].map(|name| json!([name, [3, 4]]));
    assert_eq!(wells, wanted);
    let layer = experiment.only_layer().await;
    assert_eq!((layer.size.height, layer.size.width), (2 * 3 * 512 + 500, 3 * 4 * 512 + 2 * 500));
    assert_eq!(layer.limits, (0, 255));

    // Fields lie in a snake: every second row from the right.
    for (field, y, x) in [(1, 0, 0), (4, 0, 3), (5, 1, 3), (8, 1, 0), (12, 2, 3)] {
        let mut files = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
        let part = format!("_C03_T0001F{field:03}L");
        let file = files.find(|path| path.to_string_lossy().contains(&part)).unwrap();
        let mut decoder = tiff::decoder::Decoder::new(fs::File::open(file).unwrap()).unwrap();
        let tiff::decoder::DecodingResult::U8(pixels) = decoder.read_image().unwrap() else {
            panic!("8 bit")
        };
        let pixels: Vec<u16> = pixels.into_iter().map(u16::from).collect();
        let query = format!("plate_name=plate&well_name=C03&well_pos_y={y}&well_pos_x={x}&tpoint=0&zplane=0");
        let stored = experiment.image("1", &query).await.expect("an image");
        assert!(values(&stored) == pixels, "field {field} at row {y}, column {x}");
        // The same pixels on the map: row C is the second, column 3 the second.
        let (top, left) = (3 * 512 + 500 + y * 512, 4 * 512 + 500 + x * 512);
        let (tile_y, tile_x) = (top / 256 + 1, left / 256 + 1);
        let tile = experiment.png_tile(&layer, (layer.max_zoom, tile_y, tile_x)).await;
        let first = (tile_y * 256 - top) * 512 + tile_x * 256 - left;
        for (row, line) in tile.chunks(256).enumerate() {
            let line: Vec<u16> = line.iter().map(|value| u16::from(*value)).collect();
            let start = first + row * 512;
            let width = 256.min(left + 512 - tile_x * 256);
            assert!(pixels[start..start + width] == line[..width], "field {field}, row {row} of its tile");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_human_cells_in_three_channels_is_stored_value_by_value() {
    let Some(directory) = data("human-3-channels") else { return };
    let app = TestApp::start().await;
    // No microscope type knows these names; VisiView takes any image, and a pattern says what they mean.
    let experiment = Experiment::of_microscope(&app, "human", "visiview", 96).await;
    experiment.upload_directory("plate", "a", &directory).await;
    let pattern = json!(r"_(?P<w>[A-P]\d{2})f(?P<s>\d{2})(?P<c>d\d)\.");
    experiment.run(ALL_STAGES, &[("metaconfig", "regex", pattern)]).await;
    let known = list(&experiment, "channels", &["name", "bit_depth"]).await;
    assert_eq!(known, [json!(["d0", 8]), json!(["d1", 8]), json!(["d2", 8])]);
    assert_eq!(list(&experiment, "wells", &["name", "dimensions"]).await, [json!(["D03", [1, 1]])]);
    let mut different = BTreeSet::new();
    for channel in ["d0", "d1", "d2"] {
        let file = directory.join(format!("AS_09125_050116030001_D03f00{channel}.tif"));
        let mut decoder = tiff::decoder::Decoder::new(fs::File::open(file).unwrap()).unwrap();
        let (width, height) = decoder.dimensions().unwrap();
        let tiff::decoder::DecodingResult::U8(pixels) = decoder.read_image().unwrap() else {
            panic!("8 bit")
        };
        let sites = list(&experiment, "sites", &["y", "x", "height", "width"]).await;
        assert_eq!(sites, [json!([0, 0, height, width])]);
        let pixels: Vec<u16> = pixels.into_iter().map(u16::from).collect();
        let query = "plate_name=plate&well_name=D03&well_pos_y=0&well_pos_x=0&tpoint=0&zplane=0";
        let stored = experiment.image(channel, query).await.expect("an image");
        assert!(values(&stored) == pixels, "{channel}");
        different.insert(pixels);
    }
    assert_eq!(different.len(), 3, "every channel shows something else");
    let layers = experiment.layers().await;
    assert_eq!(layers.iter().map(|layer| layer.channel.as_str()).collect::<Vec<_>>(), ["d0", "d1", "d2"]);
}
