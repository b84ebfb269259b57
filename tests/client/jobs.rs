//! `tmserver job run`: one job in a process of its own.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;
use tm_server::failpoint;
use tm_server::resources::workflow::queries;
use tm_server::store::Db;
use tm_tests::app::Client;
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::databases::Database;
use tm_tests::plates::{ALL_STAGES, description, nodes};
use tm_tests::program::{Program, Serving};

const PASSWORD: &str = "correct horse";

tm_tests::on_each_database![
    flavor = "multi_thread";
    a_job_runs_in_a_process_of_its_own_and_the_server_goes_on_from_there,
];

/// An experiment with uploaded files; the value is its path.
async fn prepare(server: &Serving, directory: &TempDir) -> (Client, String) {
    let client = Client::of(&server.base).logged_in("ann", PASSWORD).await.unwrap();
    let experiment = json!({
        "name": "e",
        "workflow_type": "canonical",
        "microscope_type": "cellvoyager",
        "plate_format": 96,
        "plate_acquisition_mode": "basic",
    });
    let path = format!("/api/experiments/{}", client.post("/api/experiments", &experiment).await.id());
    client.post(&format!("{path}/plates"), &json!({"name": "p"})).await.id();
    let acquisition = json!({"plate_name": "p", "name": "a"});
    let id = client.post(&format!("{path}/acquisitions"), &acquisition).await.id();
    let acquisition = format!("{path}/acquisitions/{id}");
    let files = directory.path().join("files");
    let names = PlateFiles::new("job").grid(1, 2).write(&files).unwrap();
    client.register(&acquisition, &names.iter().map(String::as_str).collect::<Vec<_>>()).await.data();
    for name in &names {
        client.upload(&acquisition, name, fs::read(files.join(name)).unwrap()).await.says("ok");
    }
    (client, path)
}

/// The newest task of this name.
async fn task(database: &Database, directory: &TempDir, name: &str) -> String {
    let db = match database.url() {
        Some(url) => Db::open_postgres(url).await.unwrap(),
        None => Db::open_sqlite(&directory.path().join("data/tmserver.sqlite")).await.unwrap(),
    };
    let mut tx = db.read().await.unwrap();
    let submission = queries::unfinished_submissions(&mut tx).await.unwrap()[0];
    let tasks = queries::tasks_of(&mut tx, submission).await.unwrap();
    drop(tx);
    db.close().await;
    tasks.into_iter().find(|task| task.name == name).unwrap().id.to_string()
}

async fn a_job_runs_in_a_process_of_its_own_and_the_server_goes_on_from_there(database: Database) {
    let directory = TempDir::new().unwrap();
    let mut program = Program::new(directory.path());
    if let Some(url) = database.url() {
        program = program.with("TMSERVER_DATABASE_URL", url);
    }
    program.run_with_input(&["user", "add", "ann", "--password-stdin"], &format!("{PASSWORD}\n")).succeeds();
    let mut server = program.with(failpoint::VARIABLE, "kill:1:metaextract_init_0000001 ended").serve();
    let (client, path) = prepare(&server, &directory).await;
    let submit = client.request(reqwest::Method::POST, &format!("{path}/workflow/submit"));
    // It may be killed before it has answered.
    let _ = client.try_send(submit.json(&json!({"description": description(ALL_STAGES, &[])}))).await;
    while server.ended().is_none() {
        tokio::task::yield_now().await;
    }

    let id = task(&database, &directory, "metaextract_run_0000001").await;
    let printed = program.run(&["job", "run", &id]);
    assert!(printed.succeeds().contains("job metaextract_run_0000001"), "{printed:?}");
    program.run(&["job", "run", &id]).fails_saying(&["metaextract_run_0000001", "is over already"]);
    program.run(&["job", "run", "999999"]).fails_saying(&["there is no job with id 999999"]);

    let server = program.serve();
    match database {
        Database::Sqlite => program.run(&["job", "run", &id]).fails_saying(&["embedded", "need PostgreSQL"]),
        Database::Postgres(_) => program.run(&["job", "run", &id]).fails_saying(&["is over already"]),
    }
    let client = Client::of(&server.base).logged_in("ann", PASSWORD).await.unwrap();
    let tree = loop {
        let tree = client.get(&format!("{path}/workflow/status?depth=9")).await.data().clone();
        if tree["done"] == true {
            break tree;
        }
    };
    assert_eq!(tree["exitcode"], 0, "{tree:#}");
    let job = |name: &str| nodes(&tree).into_iter().find(|node| node["name"] == name).unwrap().clone();
    let alone = job("metaextract_run_0000001");
    assert_eq!(alone["attempts"], 1, "the server did not run it again");
    assert!(alone["memory"].as_i64().unwrap() > 0 && alone["cpu_time"].is_string(), "{alone:#}");
    let shared = job("metaextract_init_0000001");
    assert_eq!((&shared["memory"], &shared["cpu_time"]), (&Value::Null, &Value::Null), "nobody can tell");
}
