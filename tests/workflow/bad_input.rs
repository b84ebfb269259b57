//! What is wrong with the files or the request is said as early as possible, and nothing is lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tm_engine::image::{BitDepth, GreyPlane, Size};
use tm_tests::app::TestApp;
use tm_tests::cellvoyager::{PlateFiles, write_image};
use tm_tests::plates::{ALL_STAGES, Experiment, Override, description, nodes};

/// The second field of [`good`].
const SECOND: &str = "good_B03_T0001F002L01A01Z01C01.tif";

/// Four sites of 24×32 pixels.
fn good() -> PlateFiles {
    PlateFiles::new("good")
}

/// [`good`], written and then spoilt.
fn spoilt(spoil: impl FnOnce(&Path)) -> TempDir {
    let directory = TempDir::new().unwrap();
    good().write(directory.path()).unwrap();
    spoil(directory.path());
    directory
}

/// States of the steps by name.
fn states(tree: &Value) -> BTreeMap<String, String> {
    let text = |node: &Value, field: &str| node[field].as_str().unwrap().to_owned();
    let steps = nodes(tree).into_iter().filter(|node| node["type"] == "WorkflowStep");
    steps.map(|step| (text(step, "name"), text(step, "state"))).collect()
}

/// Run everything and check that exactly `job` fails, saying all of `words`, that nothing after it
/// started, and that the uploads are as they were.
async fn fails(experiment: &Experiment<'_>, arguments: &[Override<'_>], job: &str, words: &[&str]) {
    let before = experiment.uploads();
    let outcome = experiment.run_to_end(ALL_STAGES, arguments).await;
    let [(name, stderr)] = outcome.failures.as_slice() else { panic!("{:#?}", outcome.failures) };
    assert_eq!(name, job, "{stderr}");
    assert!(stderr.contains("JOB FAILED: "), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "`{word}` is not in: {stderr}");
    }
    let tree = &outcome.tree;
    assert_eq!((&tree["state"], &tree["failed"]), (&json!("TERMINATED"), &json!(true)));
    assert!(tree["exitcode"].as_i64().unwrap() > 0);
    let failed_step = job.split('_').next().unwrap();
    let mut reached = true;
    for step in ["metaextract", "metaconfig", "imextract", "corilla", "illuminati"] {
        let wanted = if reached { "TERMINATED" } else { "NEW" };
        assert_eq!(states(tree)[step], wanted, "{step}");
        reached &= step != failed_step;
    }
    assert!(experiment.layers().await.is_empty());
    assert_eq!(experiment.uploads(), before, "uploads are untouched");
}

/// Replace the acquisition by a good one, and the workflow succeeds.
async fn is_repaired(experiment: &Experiment<'_>, acquisition: &str) {
    experiment.client.delete(acquisition).await.says("ok");
    experiment.upload("plate", "repaired", &good()).await;
    experiment.run(ALL_STAGES, &[]).await;
    assert_eq!(experiment.only_layer().await.size, Size::new(48, 64));
}

/// The whole life of one spoilt acquisition.
async fn spoilt_files_fail(spoil: impl FnOnce(&Path), job: &str, words: &[&str]) {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    let acquisition = experiment.upload_directory("plate", "bad", spoilt(spoil).path()).await;
    fails(&experiment, &[], job, words).await;
    is_repaired(&experiment, &acquisition).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_tiff_fails_in_metaextract() {
    let truncate = |directory: &Path| {
        let bytes = fs::read(directory.join(SECOND)).unwrap();
        fs::write(directory.join(SECOND), &bytes[..bytes.len() / 2]).unwrap();
    };
    spoilt_files_fail(truncate, "metaextract_run_0000001", &["1 file(s)", SECOND, "damaged"]).await;
}

/// An uncompressed 16-bit TIFF that claims to be 60 000 × 60 000 pixels and holds 64 bytes.
fn huge_header() -> Vec<u8> {
    let entries: [(u16, u16, u32); 9] = [
        (256, 4, 60_000),
        (257, 4, 60_000),
        (258, 3, 16),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 4, 60_000),
        (279, 4, 64),
    ];
    let mut bytes = b"II\x2a\0".to_vec();
    bytes.extend(72_u32.to_le_bytes());
    bytes.extend([0; 64]);
    bytes.extend(9_u16.to_le_bytes());
    for (tag, kind, value) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend(0_u32.to_le_bytes());
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_of_60_000_pixels_a_side_fails_in_metaextract() {
    let enlarge = |directory: &Path| fs::write(directory.join(SECOND), huge_header()).unwrap();
    let words = [SECOND, "too large", "60000"];
    spoilt_files_fail(enlarge, "metaextract_run_0000001", &words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_another_size_fails_in_metaconfig() {
    let resize = |directory: &Path| {
        let other = GreyPlane::zeros(BitDepth::Sixteen, Size::new(25, 32));
        write_image(&directory.join(SECOND), &other).unwrap();
    };
    let words = ["acquisition \"bad\"", SECOND, "24", "25", "wanted"];
    spoilt_files_fail(resize, "metaconfig_run_0000001", &words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_only_the_metadata_name_fails_in_metaextract() {
    let remove = |directory: &Path| fs::remove_file(directory.join(SECOND)).unwrap();
    let words = ["acquisition \"bad\"", "MeasurementData.mlf", SECOND, "not uploaded"];
    spoilt_files_fail(remove, "metaextract_init_0000001", &words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_without_any_image_fail_in_metaextract() {
    let remove = |directory: &Path| {
        for name in good().image_names() {
            fs::remove_file(directory.join(name)).unwrap();
        }
    };
    let words = ["acquisition \"bad\"", "no image files"];
    spoilt_files_fail(remove, "metaextract_init_0000001", &words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_registered_but_not_uploaded_fails_in_metaextract() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    let acquisition = experiment.upload("plate", "bad", &good()).await;
    let missing = "good_C03_T0001F001L01A01Z01C01.tif";
    assert_eq!(experiment.client.register(&acquisition, &[missing]).await.status, 200);
    let words = ["acquisition \"bad\"", missing, "not uploaded yet"];
    fails(&experiment, &[], "metaextract_init_0000001", &words).await;
    is_repaired(&experiment, &acquisition).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sites_without_positions_and_without_layout_fail_in_metaconfig() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "bad", &good().without_metadata()).await;
    let words = ["acquisition \"bad\"", "n_vertical", "n_horizontal"];
    fails(&experiment, &[], "metaconfig_run_0000001", &words).await;
    let layout = [("metaconfig", "n_vertical", json!(2)), ("metaconfig", "n_horizontal", json!(2))];
    let too_few = [layout[0].clone(), ("metaconfig", "n_horizontal", json!(1))];
    fails(&experiment, &too_few, "metaconfig_run_0000001", &["2 x 1 = 2 sites", "got 4"]).await;
    experiment.run(ALL_STAGES, &layout).await;
    assert_eq!(experiment.only_layer().await.size, Size::new(48, 64));
}

#[tokio::test(flavor = "multi_thread")]
async fn pixels_that_cannot_be_read_fail_in_imextract_and_the_others_are_stored() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    let corrupt = |directory: &Path| {
        let pixels = vec![7_u16; 24 * 32];
        let file = fs::File::create(directory.join(SECOND)).unwrap();
        let deflate = tiff::encoder::Compression::Deflate(tiff::encoder::DeflateLevel::Fast);
        let mut encoder = tiff::encoder::TiffEncoder::new(file).unwrap().with_compression(deflate);
        encoder.write_image::<tiff::encoder::colortype::Gray16>(32, 24, &pixels).unwrap();
        // The header stays as it is, the first bytes of the strip do not.
        let mut bytes = fs::read(directory.join(SECOND)).unwrap();
        let mut decoder = tiff::decoder::Decoder::new(std::io::Cursor::new(&bytes)).unwrap();
        let strip = decoder.get_tag_u32_vec(tiff::tags::Tag::StripOffsets).unwrap()[0] as usize;
        assert_eq!(bytes[strip], 0x78, "the start of a zlib stream");
        bytes[strip..strip + 4].fill(0xff);
        fs::write(directory.join(SECOND), bytes).unwrap();
    };
    let acquisition = experiment.upload_directory("plate", "bad", spoilt(corrupt).path()).await;
    fails(&experiment, &[], "imextract_run_0000001", &[SECOND, "damaged"]).await;
    // Fields lie in a snake: the second is right of the first.
    for (index, y, x) in [(0, 0, 0), (1, 0, 1), (2, 1, 1), (3, 1, 0)] {
        let query = format!("plate_name=plate&well_name=B03&well_pos_y={y}&well_pos_x={x}&tpoint=0&zplane=0");
        let wanted = (index != 1).then(|| good().pixels_of(&good().planes()[index]));
        assert_eq!(experiment.image("1", &query).await, wanted, "field {}", index + 1);
    }
    // A later step must not count on the one that is missing.
    let missing = app.texts("select sources from channel_images where not stored").await;
    assert!(missing.len() == 1 && missing[0].contains(SECOND), "{missing:?}");
    is_repaired(&experiment, &acquisition).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn descriptions_with_unknown_names_or_values_start_nothing() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &good()).await;
    let one_stage = |name: &str, step: &str| {
        let steps = json!([{"name": step, "batch_args": [], "submission_args": []}]);
        json!({"type": "canonical", "stages": [{"name": name, "steps": steps}]})
    };
    let mut no_arguments = one_stage("image_conversion", "metaextract");
    no_arguments["stages"][0]["steps"][0].as_object_mut().unwrap().remove("batch_args");
    let mut nothing_active = description(&["image_conversion"], &[]);
    nothing_active["stages"][0]["active"] = json!(false);
    let mut extra_key = description(ALL_STAGES, &[]);
    extra_key["stages"][0]["order"] = json!(1);
    let mut twice = description(&["image_conversion"], &[]);
    twice["stages"] = json!([twice["stages"][0], twice["stages"][0]]);
    let argument = |step: &str, name: &str, value: Value| description(ALL_STAGES, &[(step, name, value)]);
    for (wrong, words) in [
        (one_stage("image_conversion", "metaextrakt"), vec!["metaextrakt", "image_conversion"]),
        (one_stage("image_conversation", "metaextract"), vec!["image_conversation"]),
        (one_stage("image_conversion", "metaconfig"), vec!["metaconfig", "metaextract"]),
        (json!({"type": "cannonical", "stages": []}), vec!["cannonical", "canonical"]),
        (json!({"stages": []}), vec!["type"]),
        (json!([]), vec!["type", "stages"]),
        (no_arguments, vec!["metaextract", "batch_args"]),
        (nothing_active, vec!["active"]),
        (extra_key, vec!["order"]),
        (twice, vec!["image_conversion", "twice"]),
        (argument("metaextract", "batch_size", json!(0)), vec!["metaextract", "batch_size", "at least 1"]),
        (argument("metaconfig", "stitch_layout", json!("diagonal")), vec!["stitch_layout", "diagonal"]),
        (argument("metaconfig", "mip", json!("maybe")), vec!["mip", "true or false"]),
        (argument("illuminati", "clip_percent", json!(101)), vec!["clip_percent", "0 to 100"]),
    ] {
        let answer = experiment.submit(&wrong).await;
        let message = answer.fails(400, "MalformedRequestError");
        for word in words {
            assert!(message.contains(word), "`{word}` is not in: {message}");
        }
    }
    assert_eq!(experiment.status(2).await, Value::Null, "nothing was submitted");
    let jobs = format!("{}/workflow/jobs?step_name=metaextract", experiment.path);
    assert_eq!(*experiment.client.get(&jobs).await.data(), json!([]));
    experiment.run(ALL_STAGES, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_workflow_is_refused_while_one_runs() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &good()).await;
    let everything = description(ALL_STAGES, &[]);
    let first = experiment.submit(&everything).await;
    // Every step of a workflow writes, so none ends as long as somebody else is writing.
    let writing = app.environment().db.write().await.unwrap();
    assert_eq!(experiment.status(0).await["done"], json!(false));
    experiment.submit(&everything).await.fails(409, "IntegrityError");
    drop(writing);
    assert_eq!(experiment.wait().await.tree["exitcode"], json!(0));
    let second = experiment.submit(&everything).await;
    assert_ne!(first.body["submission_id"], second.body["submission_id"], "the refused one left nothing");
    assert_eq!(experiment.wait().await.tree["exitcode"], json!(0));
}
