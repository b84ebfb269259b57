//! Running again, and everything that an acquisition can be besides one plane per site.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::json;
use tm_engine::image::{GreyPlane, Size};
use tm_tests::app::TestApp;
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::databases::Database;
use tm_tests::plates::{ALL_STAGES, Experiment};

use super::naive::{Level, Site, rescaled, sites, values};

tm_tests::on_each_database![
    flavor = "multi_thread";
    a_second_run_makes_the_same_maps_and_leaves_nothing_behind,
    new_limits_replace_the_layers_and_keep_the_channel_images,
    focal_planes_become_layers_and_their_projection_replaces_them,
    time_points_and_later_acquisitions_of_a_plate_are_counted_through,
    maps_live_on_after_the_uploads_were_deleted,
    objects_survive_every_step_and_plates_wells_and_sites_keep_their_ids,
];

const HEIGHT: usize = 60;
const WIDTH: usize = 75;

/// 2×2 sites in two wells.
fn files() -> PlateFiles {
    PlateFiles::new("again").size(HEIGHT, WIDTH).wells(&["B03", "C05"])
}

/// Names in one of the experiment's directories.
fn stored(experiment: &Experiment<'_>, directory: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(experiment.directory().join(directory)).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Every file of the experiment belongs to a row, and every row has its files.
async fn has_no_orphans(app: &TestApp, experiment: &Experiment<'_>) {
    let id = experiment.id();
    let channels = format!("(select id from channels where experiment_id = {id})");
    for (directory, query) in [
        (
            "plates",
            format!(
                "select id || '-' || image_generation || '.ome.zarr' from plates
                 where experiment_id = {id} and image_generation > 0"
            ),
        ),
        ("layers", format!("select id || '.ome.zarr' from channel_layers where channel_id in {channels}")),
        (
            "statistics",
            format!("select file || '.zarr' from illumination_statistics where channel_id in {channels}"),
        ),
    ] {
        let wanted: BTreeSet<String> = app.texts(&query).await.into_iter().collect();
        assert_eq!(stored(experiment, directory), wanted, "{directory}");
    }
    let listed: BTreeSet<String> =
        experiment.layers().await.iter().map(|layer| format!("{}.ome.zarr", layer.id)).collect();
    assert_eq!(stored(experiment, "layers"), listed);
    let acquisitions = format!(
        "select cast(acquisitions.id as text) from acquisitions
         join plates on plates.id = plate_id where experiment_id = {id}"
    );
    for acquisition in stored(experiment, "uploads") {
        assert!(app.texts(&acquisitions).await.contains(&acquisition), "uploads of {acquisition}");
    }
}

pub type Tiles = BTreeMap<(usize, usize, usize), Vec<u8>>;

/// All tiles of all layers, by what the layers show.
pub async fn maps(experiment: &Experiment<'_>) -> BTreeMap<(String, i64, i64), Tiles> {
    let mut maps = BTreeMap::new();
    for layer in experiment.layers().await {
        let tiles = experiment.all_tiles(&layer).await;
        assert!(tiles.values().flatten().any(|value| *value > 0), "not all black");
        maps.insert(layer.key(), tiles);
    }
    maps
}

/// The tiles of a map of these sites in 16 bits.
pub fn map_of(sites: &[Site], limits: (u16, u16)) -> Tiles {
    let mut tiles = Tiles::new();
    for (z, level) in Level::full(sites, HEIGHT, WIDTH).pyramid().iter().enumerate() {
        for y in 0..level.height.div_ceil(256) {
            for x in 0..level.width.div_ceil(256) {
                let tile = level.tile(y, x).into_iter().map(|value| rescaled(value, limits));
                tiles.insert((z, y, x), tile.collect());
            }
        }
    }
    tiles
}

pub const FULL: (u16, u16) = (0, 65535);

async fn a_second_run_makes_the_same_maps_and_leaves_nothing_behind(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &files().channels(2)).await;
    let corrected = [("illuminati", "illumcorr", json!(true)), ("illuminati", "clip", json!(true))];
    experiment.run(ALL_STAGES, &corrected).await;
    let (layers, first) = (experiment.layers().await, maps(&experiment).await);
    assert_eq!(layers.len(), 2);
    has_no_orphans(&app, &experiment).await;

    experiment.run(ALL_STAGES, &corrected).await;
    has_no_orphans(&app, &experiment).await;
    let again = experiment.layers().await;
    assert!(again.iter().all(|layer| layers.iter().all(|old| old.id != layer.id)), "ids are not used twice");
    assert!(maps(&experiment).await == first, "the same tiles");
    for (old, new) in layers.iter().zip(&again) {
        assert_eq!((old.limits, old.size, old.max_zoom), (new.limits, new.size, new.max_zoom));
        let gone = format!("{}/channel_layers/{}/tiles?x=0&y=0&z=0", experiment.path, old.id);
        experiment.client.get(&gone).await.fails(404, "ResourceNotFoundError");
    }
}

async fn new_limits_replace_the_layers_and_keep_the_channel_images(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    let plate = files();
    experiment.upload("plate", "a", &plate).await;
    experiment.run(ALL_STAGES, &[]).await;
    let (plates, statistics) = (stored(&experiment, "plates"), stored(&experiment, "statistics"));
    let old = experiment.only_layer().await;
    assert_eq!(old.limits, FULL);
    let key = old.key();
    assert!(maps(&experiment).await[&key] == map_of(&sites(&[&plate], 1, 1, 1), FULL));

    // The lower limit is the 0.001th percentile: of an image of 4500 pixels, its smallest value.
    let clip = [("illuminati", "clip", json!(true)), ("illuminati", "clip_value", json!(30_000))];
    experiment.run(&["pyramid_creation"], &clip).await;
    let new = experiment.only_layer().await;
    assert_ne!(new.id, old.id);
    let smallest = |site: &Site| u32::from(*site.values.iter().min().unwrap());
    let raw = sites(&[&plate], 1, 1, 1);
    let mean = raw.iter().map(smallest).sum::<u32>() / raw.len() as u32;
    assert!(u32::from(new.limits.0).abs_diff(mean) <= 1, "{:?}, about {mean} is expected", new.limits);
    assert_eq!(new.limits.1, 30_000);
    assert!(maps(&experiment).await[&key] == map_of(&raw, new.limits));
    assert_eq!((stored(&experiment, "plates"), stored(&experiment, "statistics")), (plates, statistics));
    has_no_orphans(&app, &experiment).await;
}

async fn focal_planes_become_layers_and_their_projection_replaces_them(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    let plate = files().z_planes(3).channels(2);
    experiment.upload("plate", "a", &plate).await;
    experiment.run(ALL_STAGES, &[]).await;
    let mut wanted = BTreeMap::new();
    for channel in 1..=2 {
        for z in 1..=3 {
            let key = (channel.to_string(), 0, i64::from(z) - 1);
            wanted.insert(key, map_of(&sites(&[&plate], channel, z, 1), FULL));
        }
    }
    assert!(maps(&experiment).await == wanted);

    experiment.run(ALL_STAGES, &[("metaconfig", "mip", json!(true))]).await;
    let mut wanted = BTreeMap::new();
    for channel in 1..=2 {
        let mut projected = sites(&[&plate], channel, 1, 1);
        for z in 2..=3 {
            for (site, other) in projected.iter_mut().zip(sites(&[&plate], channel, z, 1)) {
                for (value, other) in site.values.iter_mut().zip(other.values) {
                    *value = other.max(*value);
                }
            }
        }
        wanted.insert((channel.to_string(), 0, 0), map_of(&projected, FULL));
    }
    assert!(maps(&experiment).await == wanted);
    has_no_orphans(&app, &experiment).await;
}

async fn time_points_and_later_acquisitions_of_a_plate_are_counted_through(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    let (first, second) = (files(), files().time_points(2).plate_number(2));
    experiment.upload("plate", "first", &first).await;
    experiment.upload("plate", "second", &second).await;
    experiment.run(ALL_STAGES, &[]).await;
    let wanted = BTreeMap::from([
        (("1".to_owned(), 0, 0), map_of(&sites(&[&first], 1, 1, 1), FULL)),
        (("1".to_owned(), 1, 0), map_of(&sites(&[&second], 1, 1, 1), FULL)),
        (("1".to_owned(), 2, 0), map_of(&sites(&[&second], 1, 1, 2), FULL)),
    ]);
    assert!(maps(&experiment).await == wanted);
    assert_eq!(experiment.client.get(&format!("{}/sites", experiment.path)).await.all("id").len(), 8);
    has_no_orphans(&app, &experiment).await;
}

pub async fn maps_live_on_after_the_uploads_were_deleted(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    let plate = files();
    let acquisition = experiment.upload("plate", "a", &plate).await;
    experiment.run(ALL_STAGES, &[("imextract", "delete", json!(true))]).await;
    let left: Vec<String> = experiment.uploads().into_keys().collect();
    assert!(left.iter().all(|name| name.ends_with(".mlf") || name.ends_with(".mrf")), "{left:?}");
    assert!(experiment.client.get(&format!("{acquisition}/images")).await.all("name").is_empty());
    let wanted = map_of(&sites(&[&plate], 1, 1, 1), FULL);
    assert!(maps(&experiment).await.into_values().eq([wanted.clone()]));
    has_no_orphans(&app, &experiment).await;

    // Later steps need no upload; the first says that there is none, and what there is stays.
    experiment.run(&["image_preprocessing", "pyramid_creation"], &[]).await;
    let outcome = experiment.run_to_end(ALL_STAGES, &[]).await;
    assert_eq!(outcome.failures[0].0, "metaextract_init_0000001");
    assert!(outcome.failures[0].1.contains("no image files"), "{:?}", outcome.failures);
    assert!(maps(&experiment).await.into_values().eq([wanted]));
    has_no_orphans(&app, &experiment).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn png_files_give_the_same_map_as_tiff_files() {
    for bits in [8, 16] {
        let app = TestApp::start().await;
        let experiment = Experiment::new(&app).await;
        let plate = files().depth(bits).png();
        experiment.upload("plate", "a", &plate).await;
        experiment.run(ALL_STAGES, &[]).await;
        for id in plate.planes() {
            let query = format!(
                "plate_name=plate&well_name={}&well_pos_y={}&well_pos_x={}&tpoint=0&zplane=0",
                id.well, id.y, id.x
            );
            let stored = experiment.image("1", &query).await.expect("an image");
            assert_eq!(stored.size(), Size::new(HEIGHT, WIDTH));
            assert_eq!(matches!(stored, GreyPlane::U8(_)), bits == 8);
            assert!(values(&stored) == values(&plate.pixels_of(&id)), "{id:?}");
        }
        let layer = experiment.only_layer().await;
        let tiles = experiment.all_tiles(&layer).await;
        let expected = sites(&[&plate], 1, 1, 1);
        if bits == 16 {
            assert!(tiles == map_of(&expected, FULL));
        } else {
            let levels = Level::full(&expected, HEIGHT, WIDTH).pyramid();
            for ((z, y, x), tile) in tiles {
                let wanted: Vec<u8> = levels[z].tile(y, x).into_iter().map(|value| value as u8).collect();
                assert!(tile == wanted, "{z}/{y}/{x}");
            }
        }
    }
}

async fn objects_survive_every_step_and_plates_wells_and_sites_keep_their_ids(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &files()).await;
    let types = format!("{}/mapobject_types", experiment.path);
    assert_eq!(experiment.client.get(&types).await.data(), &json!([]));
    experiment.run(ALL_STAGES, &[]).await;
    let cells = experiment.client.post(&types, &json!({"name": "Cells"})).await.id();
    let place = "plate_name=plate&well_name=C05&well_pos_y=1&well_pos_x=0&tpoint=0&zplane=0";
    let labels = vec![vec![7; WIDTH]; HEIGHT];
    let body = json!({
        "plate_name": "plate", "well_name": "C05", "well_pos_y": 1, "well_pos_x": 0, "tpoint": 0, "zplane": 0,
        "image": labels,
    });
    experiment.client.post(&format!("{types}/{cells}/segmentations"), &body).await.says("ok");
    let before = experiment.client.get(&types).await;
    assert_eq!(before.all("name"), ["Cells", "Plates", "Sites", "Wells"]);
    let objects = "select mapobjects.id || ' ' || name from mapobjects
        join mapobject_types on mapobject_types.id = mapobject_type_id order by mapobjects.id";
    let objects_before = app.texts(objects).await;
    let names: Vec<_> = objects_before.iter().map(|object| object.split_once(' ').unwrap().1).collect();
    // One plate, two wells of 2×2 sites.
    assert_eq!(names, [&["Plates"][..], &["Wells"; 2], &["Sites"; 8], &["Cells"]].concat());

    experiment.run(&["pyramid_creation"], &[]).await;
    assert_eq!(experiment.client.get(&types).await, before);
    assert_eq!(app.texts(objects).await, objects_before);
    let down = experiment.client.get(&format!("{types}/{cells}/segmentations?{place}")).await;
    assert_eq!(down.data(), &json!(labels));

    // The plan has the same sites, so what lies in them stays.
    experiment.run(ALL_STAGES, &[]).await;
    assert_eq!(experiment.client.get(&types).await, before);
    assert_eq!(app.texts(objects).await, objects_before);
    let down = experiment.client.get(&format!("{types}/{cells}/segmentations?{place}")).await;
    assert_eq!(down.data(), &json!(labels));
}
