//! A disk that fills up under the program: nothing half-written, nothing stuck, and it goes on once there is room.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tm_tests::app::{Answer, Client};
use tm_tests::cellvoyager::{PlaneId, PlateFiles};
use tm_tests::databases::Database;
use tm_tests::plates::{decode_png, description, nodes};
use tm_tests::program::{Program, Serving};
use tm_tests::small_disk::SmallDisk;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

tm_tests::on_each_database![
    flavor = "multi_thread";
    uploads_to_a_full_disk_leave_whole_files_only_and_go_on_once_there_is_room,
    an_upload_that_meets_the_full_disk_half_way_is_given_back,
    below_the_reserve_nothing_new_is_stored_and_reading_and_deleting_go_on,
    a_workflow_that_fills_the_disk_fails_and_can_be_submitted_again,
    a_workflow_that_reaches_the_reserve_fails_and_can_be_submitted_again,
];

const USER: &str = "ann";
const PASSWORD: &str = "correct horse";
const FULL: &str = "InsufficientStorageError";
const MB: u64 = 1 << 20;
/// How long a workflow of these tests may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program whose data directory lies on `disk`, with one user.
fn prepare(disk: &SmallDisk, database: &Database, reserve_mb: u64) -> Program {
    // One image after the other, so that it is known how many fit.
    let mut program =
        Program::on(disk).with("TMSERVER_RESERVE_MB", &reserve_mb.to_string()).with("TMSERVER_CORES", "1");
    if let Some(url) = database.url() {
        program = program.with("TMSERVER_DATABASE_URL", url);
    }
    program.run_with_input(&["user", "add", USER, "--password-stdin"], &format!("{PASSWORD}\n")).succeeds();
    program
}

/// An experiment with a plate and an acquisition; the values are the paths of experiment and acquisition.
async fn acquisition(client: &Client) -> (String, String) {
    let body = json!({
        "name": "e",
        "workflow_type": "canonical",
        "microscope_type": "cellvoyager",
        "plate_format": 384,
        "plate_acquisition_mode": "basic",
    });
    let experiment = format!("/api/experiments/{}", client.post("/api/experiments", &body).await.id());
    client.post(&format!("{experiment}/plates"), &json!({"name": "p"})).await.id();
    let body = json!({"plate_name": "p", "name": "a"});
    let id = client.post(&format!("{experiment}/acquisitions"), &body).await.id();
    (experiment.clone(), format!("{experiment}/acquisitions/{id}"))
}

async fn log_in(server: &Serving) -> Client {
    Client::of(&server.base).logged_in(USER, PASSWORD).await.unwrap()
}

/// A megabyte that no other file has.
fn content(name: &str) -> Vec<u8> {
    let seed = name.bytes().fold(0_u32, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    (0..MB as u32)
        .map(|index| index.wrapping_add(seed).wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect()
}

/// Upload status by name.
async fn statuses(client: &Client, acquisition: &str) -> BTreeMap<String, String> {
    let files = client.get(&format!("{acquisition}/metadata")).await;
    files.all("name").into_iter().zip(files.all("status")).collect()
}

/// All uploaded files, hidden ones too, by name.
fn uploaded(disk: &SmallDisk) -> BTreeMap<String, Vec<u8>> {
    fn walk(directory: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    for experiment in fs::read_dir(disk.outside().join("data/experiments")).unwrap() {
        walk(&experiment.unwrap().path().join("uploads"), &mut found);
    }
    found
}

/// Exactly the files said to be complete are there, byte for byte, and none is said to be on its way.
async fn only_whole_files_are_there(disk: &SmallDisk, client: &Client, acquisition: &str) -> usize {
    let mut wanted = BTreeMap::new();
    for (name, status) in statuses(client, acquisition).await {
        assert_ne!(status, "UPLOADING", "{name}");
        if status == "COMPLETE" {
            wanted.insert(name.clone(), content(&name));
        }
    }
    assert!(uploaded(disk) == wanted, "{:?} instead of {:?}", uploaded(disk).keys(), wanted.keys());
    wanted.len()
}

async fn upload_all(client: &Client, acquisition: &str, names: &[&str]) -> Vec<Answer> {
    let mut answers = Vec::new();
    for name in names {
        answers.push(client.upload(acquisition, name, content(name)).await);
    }
    answers
}

const NAMES: [&str; 6] = ["a.mlf", "b.mlf", "c.mlf", "d.mlf", "e.mlf", "f.mlf"];

async fn uploads_to_a_full_disk_leave_whole_files_only_and_go_on_once_there_is_room(database: Database) {
    let Some(disk) = SmallDisk::mount(32) else { return };
    let server = prepare(&disk, &database, 0).serve();
    let client = log_in(&server).await;
    let (_, acquisition) = acquisition(&client).await;
    client.register(&acquisition, &NAMES).await.data();

    // Room for three files, half of one, and a little database.
    disk.fill_leaving(3 * MB + MB / 2);
    let answers = upload_all(&client, &acquisition, &NAMES).await;
    for answer in &answers[..3] {
        answer.says("ok");
    }
    for answer in &answers[3..] {
        answer.fails(507, FULL);
    }
    assert_eq!(only_whole_files_are_there(&disk, &client, &acquisition).await, 3);

    // Not a byte, not for the database either.
    disk.fill_leaving(0);
    client.upload(&acquisition, "d.mlf", content("d.mlf")).await.fails(507, FULL);
    assert_eq!(only_whole_files_are_there(&disk, &client, &acquisition).await, 3);

    disk.make_room();
    for answer in &upload_all(&client, &acquisition, &NAMES[3..]).await {
        answer.says("ok");
    }
    assert_eq!(only_whole_files_are_there(&disk, &client, &acquisition).await, 6);
    assert_eq!(client.get(&acquisition).await.data()["status"], json!("COMPLETE"));
}

/// Begin an upload, and let the disk fill up after the file is claimed and before a byte of it is written: on
/// SQLite not even the database can be told that it failed.
async fn meet_the_full_disk(disk: &SmallDisk, server: &Serving, acquisition: &str) {
    let client = log_in(server).await;
    let request = client.upload_bytes(acquisition, "a.mlf", &content("a.mlf"));
    let mut connection = TcpStream::connect(server.base.strip_prefix("http://").unwrap()).await.unwrap();
    connection.write_all(&request[..1000]).await.unwrap();
    reaches(&client, acquisition, |status| status == "UPLOADING").await;
    disk.fill_leaving(0);
    connection.write_all(&request[1000..]).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 507") && answer.contains(FULL), "{answer}");
    assert!(uploaded(disk).is_empty(), "{:?}", uploaded(disk).keys());
}

/// Wait for the status of the one file.
async fn reaches(client: &Client, acquisition: &str, wanted: impl Fn(&str) -> bool) {
    let reached = async {
        while !wanted(&statuses(client, acquisition).await["a.mlf"]) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap();
}

async fn an_upload_that_meets_the_full_disk_half_way_is_given_back(database: Database) {
    let Some(disk) = SmallDisk::mount(32) else { return };
    let program = prepare(&disk, &database, 0);
    let server = program.serve();
    let client = log_in(&server).await;
    let (_, acquisition) = acquisition(&client).await;
    client.register(&acquisition, &["a.mlf"]).await.data();

    meet_the_full_disk(&disk, &server, &acquisition).await;
    disk.make_room();
    reaches(&client, &acquisition, |status| status == "FAILED").await;

    // The same for a server that is killed before there is room.
    meet_the_full_disk(&disk, &server, &acquisition).await;
    drop(server);
    disk.make_room();
    let server = program.serve();
    let client = log_in(&server).await;
    assert_eq!(statuses(&client, &acquisition).await["a.mlf"], "FAILED");
    client.upload(&acquisition, "a.mlf", content("a.mlf")).await.says("ok");
    assert_eq!(only_whole_files_are_there(&disk, &client, &acquisition).await, 1);
}

async fn below_the_reserve_nothing_new_is_stored_and_reading_and_deleting_go_on(database: Database) {
    let Some(disk) = SmallDisk::mount(48) else { return };
    let server = prepare(&disk, &database, 20).serve();
    let client = log_in(&server).await;
    let (experiment, acquisition) = acquisition(&client).await;
    client.register(&acquisition, &NAMES).await.data();
    disk.fill_leaving(22 * MB + MB / 2);
    let answers = upload_all(&client, &acquisition, &NAMES).await;
    let stored = answers.iter().take_while(|answer| answer.status == 200).count();
    // 20 MB of the setting are 19.07 of these.
    assert!((3..=4).contains(&stored), "{answers:?}");
    for answer in &answers[stored..] {
        answer.fails(507, FULL);
    }
    assert_eq!(only_whole_files_are_there(&disk, &client, &acquisition).await, stored);
    client.register(&acquisition, &["g.mlf"]).await.fails(507, FULL);
    let submit = format!("{experiment}/workflow/submit");
    client.post(&submit, &json!({})).await.fails(507, FULL);
    assert_eq!(client.get(&format!("{experiment}/workflow/status")).await.data(), &Value::Null);
    // What is there already needs no room.
    client.upload(&acquisition, "a.mlf", "").await.says("File already uploaded");

    client.delete(&acquisition).await.says("ok");
    assert!(uploaded(&disk).is_empty());
    let body = json!({"plate_name": "p", "name": "again"});
    let id = client.post(&format!("{experiment}/acquisitions"), &body).await.id();
    let again = format!("{experiment}/acquisitions/{id}");
    client.register(&again, &["a.mlf"]).await.data();
    client.upload(&again, "a.mlf", content("a.mlf")).await.says("ok");
}

/// Four images of 4.3 MB that do not get smaller.
fn plate() -> PlateFiles {
    let noise = |id: &PlaneId, row: usize, column: usize| {
        let place = (id.field * 1_000_003) ^ (row as u32 * 2048 + column as u32);
        (place.wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(2_246_822_519) >> 16) as u16
    };
    PlateFiles::new("noise").wells(&["B03"]).grid(2, 2).size(1500, 1500).values(noise)
}

/// How a workflow ended: its exit code, and what its failed jobs wrote.
async fn run(client: &Client, experiment: &str) -> (Value, String) {
    let body = json!({"description": description(&["image_conversion"], &[])});
    let submitted = client.post(&format!("{experiment}/workflow/submit"), &body).await;
    assert_eq!(submitted.status, 200, "{:?}", submitted.body);
    let ended = async {
        loop {
            let tree = client.get(&format!("{experiment}/workflow/status?depth=9")).await.data().clone();
            if tree["done"] == json!(true) {
                return tree;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let tree = tokio::time::timeout(PATIENCE, ended).await.unwrap();
    let mut failures = String::new();
    for job in nodes(&tree).into_iter().filter(|node| node["type"] == "RunJob" && node["failed"] == true) {
        let log = format!("{experiment}/workflow/jobs/{}/log", job["id"].as_str().unwrap());
        failures += client.get(&log).await.data()["stderr"].as_str().unwrap();
    }
    (tree["exitcode"].clone(), failures)
}

/// Run the conversion with `free` bytes left, see it fail, make room, and see that it succeeds and is right.
async fn fails_and_succeeds(disk: &SmallDisk, server: &Serving, free: u64, reason: &str) {
    let client = log_in(server).await;
    let (experiment, acquisition) = acquisition(&client).await;
    let (plate, directory) = (plate(), TempDir::new().unwrap());
    let names = plate.write(directory.path()).unwrap();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    client.register(&acquisition, &names).await.data();
    for name in &names {
        let content = fs::read(directory.path().join(name)).unwrap();
        assert_eq!(client.upload(&acquisition, name, content).await.status, 200, "{name}");
    }
    disk.fill_leaving(free);
    let (exitcode, failures) = run(&client, &experiment).await;
    assert_ne!(exitcode, json!(0));
    assert!(failures.contains("no space left on the server; make room and submit again"), "{failures}");
    assert!(failures.contains(reason), "{failures}");

    disk.make_room();
    assert_eq!(run(&client, &experiment).await, (json!(0), String::new()));
    let channel = client.get(&format!("{experiment}/channels")).await.data()[0]["id"].clone();
    let channel = channel.as_str().unwrap();
    for id in plate.planes() {
        let query = format!(
            "plate_name=p&well_name={}&well_pos_y={}&well_pos_x={}&cycle_index=0&tpoint=0&zplane=0",
            id.well, id.y, id.x
        );
        let path = format!("{experiment}/channels/{channel}/image-file?{query}");
        let image = client.request(Method::GET, &path).send().await.unwrap();
        assert!(decode_png(&image.bytes().await.unwrap()) == plate.pixels_of(&id), "{id:?}");
    }
}

async fn a_workflow_that_fills_the_disk_fails_and_can_be_submitted_again(database: Database) {
    let Some(disk) = SmallDisk::mount(80) else { return };
    let server = prepare(&disk, &database, 0).serve();
    // Room for two images, and for the database and the logs, which is less than a third one.
    fails_and_succeeds(&disk, &server, 12 * MB, "No space left on device").await;
}

async fn a_workflow_that_reaches_the_reserve_fails_and_can_be_submitted_again(database: Database) {
    let Some(disk) = SmallDisk::mount(80) else { return };
    let server = prepare(&disk, &database, 20).serve();
    // Two images go below the reserve, which the next one does not touch.
    fails_and_succeeds(&disk, &server, 26 * MB, "20 MB are kept in reserve").await;
}
