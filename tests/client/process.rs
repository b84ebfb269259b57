//! `tmserver process` and `tmserver serve`: a directory to a map on the command line, and what it says when it
//! cannot.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;
use tm_server::config::Settings;
use tm_server::environment::{DataLock, LastStop};
use tm_tests::cellvoyager::{PlaneId, PlateFiles};
use tm_tests::databases::Database;
use tm_tests::program::{Outcome, Program};

const USER: &str = "ann";
const PASSWORD: &str = "correct horse";

/// The worked example of the original's documentation, cut to what matters here.
const WORKFLOW: &str = r#"
type: canonical
stages:
- name: image_conversion
  mode: sequential
  active: true
  steps:
  - name: metaextract
    active: true
    batch_args: [{name: batch_size, value: 3}]
    submission_args:
    - {name: duration, value: "01:30:00"}
    - {name: memory, value: 2400}
    - {name: cores, value: 2}
  - name: metaconfig
    active: true
    batch_args:
    - {name: regex, value: null}
    - {name: mip, value: false}
    submission_args: [{name: duration, value: "00:20:00"}]
  - name: imextract
    active: true
    batch_args: [{name: batch_size, value: 2}, {name: delete, value: false}]
    submission_args: []
- name: image_preprocessing
  mode: sequential
  active: true
  steps:
  - {name: corilla, active: true, batch_args: [], submission_args: []}
- name: pyramid_creation
  mode: sequential
  active: true
  steps:
  - name: illuminati
    active: true
    batch_args:
    - {name: illumcorr, value: true}
    - {name: clip, value: true}
    - {name: clip_percent, value: 99.5}
    submission_args: []
- name: image_analysis
  mode: sequential
  active: false
  steps:
  - name: jterator
    active: true
    batch_args: [{name: batch_size, value: 25}, {name: plot, value: false}]
    submission_args: []
"#;

/// A program on a fresh data directory with one user, and a directory `plate` of six images.
fn prepare() -> (TempDir, Program, PlateFiles) {
    let directory = TempDir::new().unwrap();
    let program = Program::new(directory.path());
    let added = program.run_with_input(&["user", "add", USER, "--password-stdin"], &format!("{PASSWORD}\n"));
    assert!(added.succeeds().contains("added user ann"), "{added:?}");
    let plate = PlateFiles::new("made-up").grid(2, 3).size(40, 56).with_foreign_files();
    plate.write(&directory.path().join("plate")).unwrap();
    fs::write(directory.path().join("workflow.yaml"), WORKFLOW).unwrap();
    (directory, program, plate)
}

fn process(program: &Program, plate: &str, more: &[&str]) -> Outcome {
    let mut arguments = vec!["process", "--microscope", "cellvoyager", "--experiment", "e", "--plate", plate];
    arguments.extend(more);
    program.run(&arguments)
}

async fn log_in(base: &str) -> String {
    let body = json!({"username": USER, "password": PASSWORD});
    let answer = reqwest::Client::new().post(format!("{base}/auth")).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer: Value = answer.json().await.unwrap();
    format!("JWT {}", answer["access_token"].as_str().unwrap())
}

#[tokio::test]
async fn a_processed_directory_is_served_as_a_map() {
    let (_directory, program, plate) = prepare();
    let processed = process(&program, "p", &["--workflow", "workflow.yaml", "plate"]);
    let printed = processed.succeeds();
    assert!(
        printed.contains("experiment \"e\"") && printed.contains("plate \"p\" is processed"),
        "{printed}"
    );
    assert!(processed.stderr.contains("9 files, 5 of other kinds left out"), "{}", processed.stderr);

    let server = program.serve();
    let token = log_in(&server.base).await;
    let get = async |path: &str| {
        let request = reqwest::Client::new().get(format!("{}{path}", server.base));
        let answer = request.header("Authorization", &token).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.bytes().await.unwrap()
    };
    let data = async |path: &str| serde_json::from_slice::<Value>(&get(path).await).unwrap()["data"].clone();
    let experiments = data("/api/experiments").await;
    assert_eq!(experiments[0]["name"], "e");
    let root = format!("/api/experiments/{}", experiments[0]["id"].as_str().unwrap());
    assert_eq!(data(&format!("{root}/workflow/status")).await["exitcode"], 0);
    assert_eq!(data(&format!("{root}/sites")).await.as_array().unwrap().len(), 6);

    let first = &plate.planes()[0];
    let PlaneId { well, y, x, .. } = first;
    let channels = data(&format!("{root}/channels")).await;
    let channel = channels[0]["id"].as_str().unwrap();
    let place = format!(
        "plate_name=p&well_name={well}&well_pos_y={y}&well_pos_x={x}&cycle_index=0&tpoint=0&zplane=0&correct=False"
    );
    let image = get(&format!("{root}/channels/{channel}/image-file?{place}")).await;
    let mut image = png::Decoder::new(std::io::Cursor::new(image)).read_info().unwrap();
    assert_eq!((image.info().height, image.info().width), (40, 56));
    let row = image.next_row().unwrap().unwrap().data().to_vec();
    let values: Vec<u16> = row.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let wanted: Vec<u16> =
        (0..56).map(|column| tm_tests::cellvoyager::identity_code(first, 0, column)).collect();
    assert_eq!(values, wanted);

    let layer = &channels[0]["layers"][0];
    let (layer, zoom) = (layer["id"].as_str().unwrap(), layer["max_zoom"].as_u64().unwrap());
    let tile = get(&format!("{root}/channel_layers/{layer}/tiles?z={zoom}&y=0&x=0")).await;
    assert_eq!(tile[..2], [0xff, 0xd8], "a JPEG");
}

#[test]
fn a_second_plate_goes_to_the_same_experiment_and_a_taken_name_is_refused() {
    let (_directory, program, _) = prepare();
    process(&program, "p", &["plate"]).succeeds();
    process(&program, "q", &["plate"]).succeeds();
    process(&program, "q", &["plate"]).fails_saying(&["experiment \"e\"", "has a plate named \"q\" already"]);
}

#[test]
fn several_acquisitions_and_plates_go_in_by_one_command() {
    let (directory, program, _) = prepare();
    for name in ["first", "second"] {
        let files = PlateFiles::new(name).grid(1, 2).size(40, 56);
        files.write(&directory.path().join(name)).unwrap();
    }
    let sources =
        ["--acquisition", "t0=first", "--acquisition", "t1=second", "--acquisition", "q/only=first"];
    let processed = process(&program, "p", &sources);
    let printed = processed.succeeds();
    for plate in ["p", "q"] {
        assert!(printed.contains(&format!("plate \"{plate}\" is processed")), "{printed}");
    }
    for (wrong, part) in [
        (vec!["--acquisition", "t0=first", "--acquisition", "t0=second"], "two acquisitions named \"t0\""),
        (vec!["--acquisition", "first"], "[PLATE/]NAME=DIR"),
        (vec!["--acquisition", "t0=nowhere"], "nowhere"),
        (vec![], "SOURCE_DIR"),
    ] {
        process(&program, "r", &wrong).fails_saying(&[part]);
    }
    let mode = ["--acquisition-mode", "sideways", "plate"];
    program
        .run(
            &[&["process", "--microscope", "cellvoyager", "--experiment", "new", "--plate", "p"][..], &mode]
                .concat(),
        )
        .fails_saying(&["sideways"]);
    program
        .run(&["process", "--microscope", "cellvoyager", "--experiment", "e", "plate"])
        .fails_saying(&["--plate NAME"]);
}

#[test]
fn a_data_directory_in_use_is_refused() {
    let (_directory, program, _) = prepare();
    let server = program.serve();
    process(&program, "p", &["plate"]).fails_saying(&["data directory", "in use by another tmserver"]);
    program.run(&["serve", "--listen", "127.0.0.1:0"]).fails_saying(&["in use by another tmserver"]);
    program.run(&["user", "list"]).succeeds();
    drop(server);
    process(&program, "p", &["plate"]).succeeds();
}

#[tokio::test]
async fn a_postgres_database_in_use_by_another_server_is_refused() {
    let Some(database) = Database::postgres().await else { return };
    let directories = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let [first, second] = &directories.each_ref().map(|directory| {
        Program::new(directory.path()).with("TMSERVER_DATABASE_URL", database.url().unwrap())
    });
    let server = first.serve();
    second
        .run(&["serve", "--listen", "127.0.0.1:0"])
        .fails_saying(&["database is in use by another tmserver"]);
    second.run(&["user", "list"]).succeeds();
    // Killed, the first gives the database up within a moment.
    drop(server);
    second.serve();
}

#[test]
fn two_files_that_would_be_stored_under_one_name_are_named_and_nothing_is_kept() {
    let (directory, program, _) = prepare();
    for name in ["more data.mlf", "more_data.mlf"] {
        fs::write(directory.path().join("plate").join(name), "").unwrap();
    }
    process(&program, "p", &["plate"])
        .fails_saying(&["would be stored as \"more_data.mlf\"", "more data.mlf"]);
    fs::remove_file(directory.path().join("plate/more data.mlf")).unwrap();
    fs::remove_file(directory.path().join("plate/more_data.mlf")).unwrap();
    process(&program, "p", &["plate"]).succeeds();
}

#[test]
fn a_truncated_image_is_named_with_its_job_and_can_be_mended() {
    let (directory, program, plate) = prepare();
    let name = plate.image_names().swap_remove(3);
    let path = directory.path().join("plate").join(&name);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let failed = process(&program, "p", &["plate"]);
    let place = "the workflow failed in stage image_conversion, step metaextract";
    failed.fails_saying(&[place, &name, "metaextract_run_0000001", "taken back"]);
    assert!(!failed.stdout.contains("is processed"), "{failed:?}");

    // Nothing of the failed attempt is in the way of the next one.
    fs::write(&path, whole).unwrap();
    process(&program, "p", &["plate"]).succeeds();
}

#[test]
fn an_orderly_end_is_noted_in_the_data_directory_and_a_killed_server_notes_nothing() {
    let (directory, program, _) = prepare();
    let data_dir = Some(directory.path().join("data"));
    let config = Settings { data_dir, ..Settings::default() }.finish().unwrap();
    let last_stop = || {
        let lock = DataLock::take(&config).unwrap();
        let last_stop = lock.last_stop();
        lock.release();
        last_stop
    };
    assert_eq!(last_stop(), LastStop::Unclean, "nobody had it yet");
    process(&program, "p", &["plate"]).succeeds();
    assert_eq!(last_stop(), LastStop::Clean);
    drop(program.serve());
    assert_eq!(last_stop(), LastStop::Unclean);
}
