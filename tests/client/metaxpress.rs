//! `tmserver process` on a directory as MetaXpress leaves it: time points and focal planes as folders.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tm_engine::image::{BitDepth, GreyPlane, Size};
use tm_tests::app::Client;
use tm_tests::cellvoyager::{plane, write_image};
use tm_tests::plates::decode_png;
use tm_tests::program::Program;

const GUID: &str = "E94C24BD-45E4-450A-9919-257C714278F7";

/// Pixels that say which time point and focal plane they are of.
fn pixels(t: u16, z: u16) -> GreyPlane {
    let value = |row: usize, column: usize| 1000 * t + 100 * z + u16::try_from(10 * row + column).unwrap();
    plane(Size::new(6, 8), BitDepth::Sixteen, value)
}

fn write(directory: &Path, name: &str, image: &GreyPlane) {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    write_image(&path, image).unwrap();
}

#[tokio::test]
async fn folders_of_time_points_and_focal_planes_are_processed_and_others_left_alone() {
    let directory = TempDir::new().unwrap();
    let plate = directory.path().join("plate");
    for (t, z) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
        let folder = format!("TimePoint_{t}/ZStep_{z}");
        write(&plate, &format!("{folder}/set_C07_s1_w1{GUID}.tif"), &pixels(t, z));
        write(&plate, &format!("{folder}/set_C07_s1_w1_thumb{GUID}.tif"), &pixels(9, 9));
    }
    write(&plate, "elsewhere/set_C08_s1_w1.tif", &pixels(9, 9));
    let program = Program::new(directory.path());
    program.run_with_input(&["user", "add", "ann", "--password-stdin"], "correct horse\n").succeeds();
    let processed =
        program.run(&["process", "--microscope", "metamorph", "--experiment", "e", "--plate", "p", "plate"]);
    processed.succeeds();
    assert!(processed.stderr.contains("4 files, 4 of other kinds left out"), "{}", processed.stderr);

    let server = program.serve();
    let client = Client::of(&server.base).logged_in("ann", "correct horse").await.unwrap();
    let id = client.get("/api/experiments").await.all("id").remove(0);
    let experiment = format!("/api/experiments/{id}");
    assert_eq!(client.get(&format!("{experiment}/wells")).await.all("name"), ["C07"]);
    let channels = client.get(&format!("{experiment}/channels")).await;
    let channel = channels.data()[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(channels.data()[0]["layers"].as_array().unwrap().len(), 4, "{:?}", channels.data());
    for (t, z) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
        let query = format!(
            "plate_name=p&cycle_index=0&well_name=C07&well_pos_y=0&well_pos_x=0&tpoint={}&zplane={}",
            t - 1,
            z - 1
        );
        let path = format!("{experiment}/channels/{channel}/image-file?{query}");
        let answer = client.request(reqwest::Method::GET, &path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert!(decode_png(&answer.bytes().await.unwrap()) == pixels(t, z), "time point {t}, plane {z}");
    }
    assert_eq!(client.get(&format!("{experiment}/acquisitions")).await.all("status"), ["COMPLETE"]);
}
