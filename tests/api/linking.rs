//! Directories of the server that are linked instead of uploaded.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tm_tests::app::{Answer, Client, OWNER, TestApp};
use tm_tests::databases::Database;

tm_tests::on_each_database![
    a_linked_directory_brings_its_files_complete_and_again_what_is_new,
    an_acquisition_has_its_files_from_one_place,
    deleting_an_acquisition_leaves_the_linked_files_alone,
];

const IMAGE: &str = "my exp (2)_D03_T0001F001L01A01Z01C01.tif";

/// An import root with a directory `plate` of files in it, and a directory beside the root.
struct Disk {
    _directory: TempDir,
    root: PathBuf,
    plate: PathBuf,
    outside: PathBuf,
}

impl Disk {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let base = directory.path().canonicalize().unwrap();
        let (root, outside) = (base.join("root"), base.join("outside"));
        let plate = root.join("plate");
        for path in [&plate, &outside, &plate.join("deeper")] {
            fs::create_dir_all(path).unwrap();
        }
        for name in [IMAGE, "a.mlf", "notes.txt", ".hidden.mlf", "deeper/b.mlf"] {
            fs::write(plate.join(name), name).unwrap();
        }
        fs::write(outside.join("secret.mlf"), "secret").unwrap();
        Self { _directory: directory, root, plate, outside }
    }

    async fn app(&self, database: Database) -> TestApp {
        let root = self.root.clone();
        TestApp::start_on_with(database, |config| config.import_roots = vec![root]).await
    }
}

async fn link(client: &Client, acquisition: &str, path: &Path) -> Answer {
    client.post(&format!("{acquisition}/register"), &json!({"path": path})).await
}

async fn files(client: &Client, acquisition: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for list in ["images", "metadata"] {
        let listed: Value = client.get(&format!("{acquisition}/{list}")).await.data().clone();
        let text = |file: &Value, field: &str| file[field].as_str().unwrap().to_owned();
        found
            .extend(listed.as_array().unwrap().iter().map(|file| (text(file, "name"), text(file, "status"))));
    }
    found
}

fn complete(names: &[&str]) -> Vec<(String, String)> {
    names.iter().map(|name| ((*name).to_owned(), "COMPLETE".to_owned())).collect()
}

async fn a_linked_directory_brings_its_files_complete_and_again_what_is_new(database: Database) {
    let disk = Disk::new();
    let app = disk.app(database).await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    link(&owner, &acquisition, &disk.plate).await.says("ok");
    assert_eq!(files(&owner, &acquisition).await, complete(&[IMAGE, "a.mlf"]), "names stay as they are");
    assert_eq!(owner.get(&acquisition).await.data()["status"], json!("COMPLETE"));
    fs::write(disk.plate.join("c.mrf"), "new").unwrap();
    link(&owner, &acquisition, &disk.plate.join("deeper/..")).await.says("ok");
    assert_eq!(files(&owner, &acquisition).await, complete(&[IMAGE, "a.mlf", "c.mrf"]));
    assert_eq!(owner.get(&format!("{acquisition}/upload/count")).await.data(), &json!(3));
    assert_eq!(app.uploaded_files(), Vec::<String>::new(), "nothing is copied");
}

async fn an_acquisition_has_its_files_from_one_place(database: Database) {
    let disk = Disk::new();
    let app = disk.app(database).await;
    let (experiment, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    link(&owner, &acquisition, &disk.plate).await.says("ok");
    let message = link(&owner, &acquisition, &disk.plate.join("deeper")).await.fails(409, "IntegrityError");
    assert!(message.contains("linked to"), "{message}");
    owner.register(&acquisition, &["b.mlf"]).await.fails(409, "IntegrityError");
    owner.upload(&acquisition, "a.mlf", "other").await.says("Acquisition complete");
    assert_eq!(fs::read_to_string(disk.plate.join("a.mlf")).unwrap(), "a.mlf");

    let body = json!({"plate_name": "plate", "name": "uploaded"});
    let id = owner.post(&format!("{experiment}/acquisitions"), &body).await.id();
    let uploaded = format!("{experiment}/acquisitions/{id}");
    owner.register(&uploaded, &["b.mlf"]).await.data();
    link(&owner, &uploaded, &disk.plate).await.fails(409, "IntegrityError");
    assert_eq!(owner.get(&format!("{uploaded}/metadata")).await.all("name"), ["b.mlf"]);
}

async fn deleting_an_acquisition_leaves_the_linked_files_alone(database: Database) {
    let disk = Disk::new();
    let app = disk.app(database).await;
    let (experiment, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    link(&owner, &acquisition, &disk.plate).await.says("ok");
    owner.delete(&acquisition).await.says("ok");
    owner.delete(&experiment).await.says("ok");
    for name in [IMAGE, "a.mlf", "notes.txt", ".hidden.mlf", "deeper/b.mlf"] {
        assert_eq!(fs::read_to_string(disk.plate.join(name)).unwrap(), name);
    }
}

#[tokio::test]
async fn only_directories_below_an_import_root_are_linked_whatever_links_lead_elsewhere() {
    let disk = Disk::new();
    let app = disk.app(Database::Sqlite).await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&disk.outside, disk.root.join("way_out")).unwrap();
        std::os::unix::fs::symlink(disk.outside.join("secret.mlf"), disk.plate.join("secret.mlf")).unwrap();
        std::os::unix::fs::symlink(disk.plate.join("a.mlf"), disk.plate.join("inside.mlf")).unwrap();
        std::os::unix::fs::symlink("nowhere", disk.plate.join("dangling.mlf")).unwrap();
        link(&owner, &acquisition, &disk.root.join("way_out")).await.fails(403, "ForbiddenError");
    }
    let absent = disk.outside.join("absent");
    let outside = [disk.outside.clone(), disk.plate.join("../../outside"), "/".into(), absent];
    for path in outside {
        let message = link(&owner, &acquisition, &path).await.fails(403, "ForbiddenError");
        assert!(message.contains("is not below an import root"), "{message}");
    }
    fs::create_dir(disk.root.join("empty")).unwrap();
    for (path, words) in [
        ("relative/plate".into(), "absolute"),
        (disk.root.join("absent"), "cannot be read"),
        (disk.plate.join("a.mlf"), "cannot be read"),
        (disk.root.join("empty"), "microscope type cellvoyager"),
    ] {
        let message = link(&owner, &acquisition, &path).await.fails(400, "MalformedRequestError");
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(files(&owner, &acquisition).await, [], "nothing was linked");
    link(&owner, &acquisition, &disk.plate).await.says("ok");
    let mut wanted = complete(&[IMAGE, "a.mlf"]);
    wanted.extend(complete(if cfg!(unix) { &["inside.mlf"] } else { &[] }));
    assert_eq!(files(&owner, &acquisition).await, wanted);
}

#[tokio::test]
async fn without_import_roots_nothing_is_linked() {
    let disk = Disk::new();
    let app = TestApp::start().await;
    let (_, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    let message = link(&owner, &acquisition, &disk.plate).await.fails(403, "ForbiddenError");
    assert!(message.contains("import_roots"), "{message}");
}
