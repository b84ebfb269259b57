//! What stays when metaconfig runs again: whatever the new plan still has keeps its id, and what users said about it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tm_tests::app::TestApp;
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::databases::Database;
use tm_tests::plates::{ALL_STAGES, Experiment, nodes};

use super::rerun::maps;

tm_tests::on_each_database![
    flavor = "multi_thread";
    a_second_run_keeps_the_ids_of_everything_and_what_users_said_about_it,
    sites_that_another_layout_has_too_keep_their_ids_and_the_others_go,
    wells_and_channels_that_another_pattern_does_not_find_go,
    a_channel_gives_up_its_name_when_the_files_have_another_one_of_that_name,
    cycles_and_renamed_channels_of_a_multiplexing_experiment_keep_their_ids,
];

const CONVERSION: &[&str] = &["image_conversion"];

/// Ids of all things of a resource by what tells them apart.
async fn ids(experiment: &Experiment<'_>, resource: &str, by: &[&str]) -> BTreeMap<String, String> {
    let answer = experiment.client.get(&format!("{}/{resource}", experiment.path)).await;
    let key = |thing: &Value| by.iter().map(|field| thing[*field].to_string()).collect::<Vec<_>>().join(" ");
    let things = answer.data().as_array().unwrap().iter();
    let ids: BTreeMap<_, _> =
        things.map(|thing| (key(thing), thing["id"].as_str().unwrap().to_owned())).collect();
    assert!(!ids.is_empty(), "{resource}");
    ids
}

async fn sites(experiment: &Experiment<'_>) -> BTreeMap<String, String> {
    ids(experiment, "sites", &["plate_name", "well_name", "y", "x"]).await
}

async fn wells(experiment: &Experiment<'_>) -> BTreeMap<String, String> {
    ids(experiment, "wells", &["plate_name", "name"]).await
}

async fn channels(experiment: &Experiment<'_>) -> BTreeMap<String, String> {
    ids(experiment, "channels", &["name"]).await
}

async fn rename(experiment: &Experiment<'_>, channel: &str, name: &str) {
    let path = format!("{}/channels/{channel}", experiment.path);
    experiment.client.put(&path, &json!({"name": name})).await.says("ok");
}

async fn a_second_run_keeps_the_ids_of_everything_and_what_users_said_about_it(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    let files = PlateFiles::new("kept").wells(&["B03", "C05"]).channels(2);
    experiment.upload("one", "a", &files).await;
    experiment.upload("two", "a", &files).await;
    let corrected = [("illuminati", "illumcorr", json!(true))];
    experiment.run(ALL_STAGES, &corrected).await;
    let well = wells(&experiment).await["\"two\" \"C05\""].clone();
    let described = format!("{}/wells/{well}", experiment.path);
    let body = json!({"description": {"drug": "none", "dose_um": 0.5}});
    experiment.client.put(&described, &body).await.says("ok");
    rename(&experiment, &channels(&experiment).await["\"1\""], "DAPI").await;
    let list = async || {
        let of = async |resource| experiment.client.get(&format!("{}/{resource}", experiment.path)).await;
        [of("wells").await, of("sites").await, of("cycles").await].map(|answer| answer.data().clone())
    };
    let (before, known, tiles) = (list().await, channels(&experiment).await, maps(&experiment).await);
    app.sql("update sites set height = 3, width = 4").await;

    experiment.run(ALL_STAGES, &corrected).await;
    assert_eq!(list().await, before, "ids, descriptions and sizes");
    assert_eq!(channels(&experiment).await, known);
    assert_eq!(known.keys().collect::<Vec<_>>(), ["\"2\"", "\"DAPI\""]);
    assert_eq!(experiment.client.get(&described).await.data()["description"], body["description"]);
    assert!(maps(&experiment).await == tiles, "the same tiles");
}

async fn sites_that_another_layout_has_too_keep_their_ids_and_the_others_go(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &PlateFiles::new("laid").wells(&["B03"]).without_metadata()).await;
    let layout = |rows: u32, columns: u32| {
        [("metaconfig", "n_vertical", json!(rows)), ("metaconfig", "n_horizontal", json!(columns))]
    };
    experiment.run(CONVERSION, &layout(2, 2)).await;
    let (square, well) = (sites(&experiment).await, wells(&experiment).await);
    experiment.run(CONVERSION, &layout(1, 4)).await;
    let row = sites(&experiment).await;
    assert_eq!(wells(&experiment).await, well);
    let place = |y: u32, x: u32| format!("\"plate\" \"B03\" {y} {x}");
    assert_eq!(row.len(), 4);
    for x in 0..2 {
        assert_eq!(row[&place(0, x)], square[&place(0, x)], "column {x}");
        let new = &row[&place(0, x + 2)];
        assert!(square.values().all(|old| old != new), "no id is used twice");
        let gone = format!("{}/sites/{}", experiment.path, square[&place(1, x)]);
        experiment.client.get(&gone).await.fails(404, "ResourceNotFoundError");
    }
}

async fn wells_and_channels_that_another_pattern_does_not_find_go(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &PlateFiles::new("of_C07").grid(1, 1).without_metadata()).await;
    experiment.run(CONVERSION, &[]).await;
    let (well, channel) = (wells(&experiment).await, channels(&experiment).await);
    assert!(well.contains_key("\"plate\" \"B03\""), "{well:?}");

    let of_title = json!(r"_(?P<w>[A-Z]\d{2})_[A-Z]\d{2}_T(?P<t>\d+)F(?P<s>\d+)(?P<c>L\d+)");
    experiment.run(CONVERSION, &[("metaconfig", "regex", of_title)]).await;
    assert_eq!(wells(&experiment).await.keys().collect::<Vec<_>>(), ["\"plate\" \"C07\""]);
    assert_eq!(channels(&experiment).await.len(), 1);
    for (resource, old) in [("wells", well), ("channels", channel)] {
        for id in old.values() {
            let gone = format!("{}/{resource}/{id}", experiment.path);
            experiment.client.get(&gone).await.fails(404, "ResourceNotFoundError");
        }
    }
}

async fn a_channel_gives_up_its_name_when_the_files_have_another_one_of_that_name(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    let files = PlateFiles::new("named").grid(1, 1);
    experiment.upload("plate", "first", &files).await;
    experiment.run(CONVERSION, &[]).await;
    let first = channels(&experiment).await["\"1\""].clone();
    rename(&experiment, &first, "2").await;

    experiment.upload("plate", "second", &PlateFiles::new("named").grid(1, 1).channels(2)).await;
    let tree = experiment.run(CONVERSION, &[]).await;
    let now = channels(&experiment).await;
    assert_eq!((now.len(), &now["\"1\""]), (2, &first));
    let collect = nodes(&tree).into_iter().find(|node| node["name"] == "metaconfig_collect_0000001").unwrap();
    let (_, stderr) = experiment.log(collect["id"].as_str().unwrap()).await;
    assert!(stderr.contains("channel \"2\" is called \"1\" again"), "{stderr}");
}

async fn cycles_and_renamed_channels_of_a_multiplexing_experiment_keep_their_ids(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::multiplexing(&app, "cycles").await;
    for cycle in 1..=2 {
        let files = PlateFiles::new("cycle").grid(1, 1).plate_number(cycle);
        experiment.upload("plate", &format!("cycle{cycle}"), &files).await;
    }
    experiment.run(CONVERSION, &[]).await;
    let cycles = ids(&experiment, "cycles", &["index"]).await;
    let known = channels(&experiment).await;
    assert_eq!(known.keys().collect::<Vec<_>>(), ["\"0_1\"", "\"1_1\""]);
    rename(&experiment, &known["\"1_1\""], "stain").await;

    experiment.upload("plate", "cycle3", &PlateFiles::new("cycle").grid(1, 1).plate_number(3)).await;
    experiment.run(CONVERSION, &[]).await;
    let (now, grown) = (channels(&experiment).await, ids(&experiment, "cycles", &["index"]).await);
    assert_eq!(now.keys().collect::<Vec<_>>(), ["\"0_1\"", "\"2_1\"", "\"stain\""]);
    assert_eq!((&now["\"0_1\""], &now["\"stain\""]), (&known["\"0_1\""], &known["\"1_1\""]));
    assert_eq!((grown.len(), &grown["0"], &grown["1"]), (3, &cycles["0"], &cycles["1"]));
}
