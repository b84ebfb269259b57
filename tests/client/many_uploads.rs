//! Many clients that upload at once and are killed on the way: every file arrives exactly once, whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tempfile::TempDir;
use tm_tests::app::Client;
use tm_tests::program::Program;
use tokio::task::JoinSet;

const USER: &str = "ann";
const PASSWORD: &str = "correct horse";
const CLIENTS: usize = 8;
const FILES: usize = 500;
/// Every so many files one is large.
const LARGE_EVERY: usize = 125;
const LARGE_BYTES: usize = 8 << 20;
const SMALL_BYTES: usize = 24 << 10;
/// Most memory the server may take, in bytes: far less than what goes through it.
const MEMORY: u64 = 200 << 20;

fn name(file: usize) -> String {
    format!("exp_D{:02}_T0001F{file:03}L01A01Z01C01.tif", 1 + file % 24)
}

/// What a file holds: a pattern of its own, of a length of its own.
fn content(client: usize, file: usize) -> Vec<u8> {
    let length = if file % LARGE_EVERY == 7 { LARGE_BYTES } else { SMALL_BYTES } + 31 * file + client;
    // Lines of a length that divides no buffer, so that a part that is missing or doubled shows.
    let line = format!("client {client} file {file:03} {}\n", "0123456789".repeat(99));
    let mut content = line.repeat(length.div_ceil(line.len())).into_bytes();
    content.truncate(length);
    content
}

/// Upload whatever is missing until nothing is.
async fn upload(client: Client, acquisition: String, number: usize) {
    let names: Vec<_> = (0..FILES).map(name).collect();
    loop {
        let answer = client.post(&format!("{acquisition}/upload/register"), &json!({"files": names})).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let pending: BTreeSet<&str> =
            answer.body["data"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        if pending.is_empty() {
            return;
        }
        for (file, name) in names.iter().enumerate().filter(|(_, name)| pending.contains(name.as_str())) {
            let part = Part::bytes(content(number, file)).file_name(name.clone());
            let request = client.request(Method::POST, &format!("{acquisition}/microscope-file"));
            let answer = client.send(request.multipart(Form::new().part("file", part))).await;
            // What a killed client had begun may still be on its way out.
            let message = answer.body["message"].as_str().unwrap_or_default();
            assert!(["ok", "File upload already in progress"].contains(&message), "{:?}", answer.body);
        }
    }
}

async fn stored(client: &Client, acquisition: &str) -> usize {
    let count = client.get(&format!("{acquisition}/upload/count")).await.data().as_u64().unwrap();
    usize::try_from(count).unwrap()
}

/// One experiment with an acquisition for every client; the values are the acquisitions' paths.
async fn acquisitions(client: &Client) -> Vec<String> {
    let experiment = json!({
        "name": "many",
        "workflow_type": "canonical",
        "microscope_type": "cellvoyager",
        "plate_format": 384,
        "plate_acquisition_mode": "basic",
    });
    let experiment = format!("/api/experiments/{}", client.post("/api/experiments", &experiment).await.id());
    client.post(&format!("{experiment}/plates"), &json!({"name": "plate"})).await.id();
    let mut paths = Vec::new();
    for number in 0..CLIENTS {
        let body = json!({"plate_name": "plate", "name": format!("acquisition {number}")});
        let id = client.post(&format!("{experiment}/acquisitions"), &body).await.id();
        paths.push(format!("{experiment}/acquisitions/{id}"));
    }
    paths
}

fn files_in(directory: &Path) -> BTreeSet<String> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_clients_killed_and_restarted_twice_store_every_file_once_and_whole() {
    let directory = TempDir::new().unwrap();
    let program = Program::new(directory.path());
    program.run_with_input(&["user", "add", USER, "--password-stdin"], &format!("{PASSWORD}\n")).succeeds();
    let server = program.serve();
    let client = Client::of(&server.base).logged_in(USER, PASSWORD).await.unwrap();
    let paths = acquisitions(&client).await;
    for share in [1, 2, 3] {
        let mut clients = JoinSet::new();
        for (number, path) in paths.iter().enumerate() {
            let own = Client::of(&server.base).logged_in(USER, PASSWORD).await.unwrap();
            clients.spawn(upload(own, path.clone(), number));
        }
        if share < 3 {
            let wanted = share * CLIENTS * FILES / 3;
            loop {
                let mut total = 0;
                for path in &paths {
                    total += stored(&client, path).await;
                }
                if total >= wanted {
                    break;
                }
                assert_eq!(clients.len(), CLIENTS, "a client gave up");
                tokio::task::yield_now().await;
            }
            // Their connections break wherever they are: within a body, before an answer.
            clients.shutdown().await;
        } else {
            while let Some(ended) = clients.join_next().await {
                ended.unwrap();
            }
        }
    }

    let wanted: BTreeSet<String> = (0..FILES).map(name).collect();
    for (number, path) in paths.iter().enumerate() {
        assert_eq!(stored(&client, path).await, FILES);
        let listed: Value = client.get(&format!("{path}/images")).await.data().clone();
        let complete = listed.as_array().unwrap().iter().filter(|file| file["status"] == "COMPLETE");
        assert_eq!(complete.count(), FILES);
        assert_eq!(client.get(path).await.data()["status"], "COMPLETE");
        let id = path.rsplit('/').next().unwrap();
        let uploads = directory.path().join("data/experiments/1/uploads").join(id);
        assert_eq!(files_in(&uploads), wanted, "client {number}");
        for file in 0..FILES {
            let stored = fs::read(uploads.join(name(file))).unwrap();
            assert!(stored == content(number, file), "client {number}, {}", name(file));
        }
    }
    let bytes: usize = (0..CLIENTS * FILES).map(|file| content(file / FILES, file % FILES).len()).sum();
    match server.peak_memory() {
        Some(memory) => {
            println!(
                "{} MB in {} files; the server took at most {} MB",
                bytes >> 20,
                CLIENTS * FILES,
                memory >> 20
            );
            assert!(memory < MEMORY, "{memory} bytes");
            assert!(MEMORY < bytes as u64, "or the bound says nothing");
        }
        None => println!("SKIPPED: this system does not say how much memory a process took"),
    }
    assert!(server.stop().success());
}
