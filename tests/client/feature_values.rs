//! Values of features and the running program: tables larger than its memory may grow, and kills on the way.

use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tempfile::TempDir;
use tm_server::failpoint;
use tm_tests::app::Client;
use tm_tests::objects::{SiteNames, table};
use tm_tests::program::{Program, Serving};

const USER: &str = "ann";
const PASSWORD: &str = "correct horse";
const TYPE: &str = "/api/experiments/1/mapobject_types/1";

/// Most that the memory of the server may grow while tables are sent, in bytes.
const GROWTH: u64 = 48 << 20;

/// A program whose experiment has so many sites in one well, with so many objects each.
async fn prepare(directory: &TempDir, sites: i64, objects: i64) -> Program {
    let program = Program::new(directory.path());
    program.run_with_input(&["user", "add", USER, "--password-stdin"], &format!("{PASSWORD}\n")).succeeds();
    let file = directory.path().join("data/tmserver.sqlite");
    let rows = SqlitePool::connect_with(SqliteConnectOptions::new().filename(file)).await.unwrap();
    let numbers = |last: i64| {
        format!(
            "with recursive numbers(n) as (select 0 union all select n + 1 from numbers where n < {last})"
        )
    };
    for statement in [
        "insert into experiments (user_id, name, description, microscope_type, workflow_type, plate_format,
             plate_acquisition_mode, vertical_site_displacement, horizontal_site_displacement, well_spacer_size,
             created_at, updated_at)
         values (1, 'e', '', 'cellvoyager', 'canonical', 384, 'basic', 0, 0, 0, 0, 0)"
            .to_owned(),
        "insert into plates (experiment_id, name, description, image_generation, created_at, updated_at)
         values (1, 'p', '', 0, 0, 0)"
            .to_owned(),
        "insert into wells (plate_id, name, description) values (1, 'A01', '{}')".to_owned(),
        format!(
            "{} insert into sites (well_id, y, x, height, width) select 1, 0, n, 100, 100 from numbers",
            numbers(sites - 1)
        ),
        "insert into mapobject_types (experiment_id, name, ref_type) values (1, 'Cells', 'Site')".to_owned(),
        "insert into segmentation_layers (mapobject_type_id, tpoint, zplane) values (1, 0, 0)".to_owned(),
        format!(
            "{} insert into mapobjects (mapobject_type_id, site_id, label)
             select 1, sites.id, n + 1 from sites cross join numbers order by sites.id, n",
            numbers(objects - 1)
        ),
        "insert into segmentations (segmentation_layer_id, site_id, mapobject_id, min_y, min_x, max_y, max_x,
             centroid_y, centroid_x, is_border)
         select 1, site_id, id, 0, 0, 1, 1, 0, 0, false from mapobjects"
            .to_owned(),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&rows).await.unwrap();
    }
    rows.close().await;
    program
}

async fn client(server: &Serving) -> Client {
    Client::of(&server.base).logged_in(USER, PASSWORD).await.unwrap()
}

fn site(x: i64) -> SiteNames<'static> {
    SiteNames { plate: "p", well: "A01", y: 0, x }
}

/// Read a table to its end; the values are its lines and bytes.
async fn count(client: &Client, path: &str) -> (usize, usize) {
    let mut response = client.request(Method::GET, path).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let (mut lines, mut bytes) = (0, 0);
    while let Some(chunk) = response.chunk().await.unwrap() {
        lines += chunk.iter().filter(|byte| **byte == b'\n').count();
        bytes += chunk.len();
    }
    (lines, bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_many_values_is_sent_in_the_memory_of_a_small_one() {
    // Ten million values for the asking: `TM_FEATURE_SITES=1000`.
    let sites = std::env::var("TM_FEATURE_SITES").ok().and_then(|sites| sites.parse().ok()).unwrap_or(400);
    let (objects, features) = (100, 100);
    let directory = TempDir::new().unwrap();
    let server = prepare(&directory, sites, objects).await.serve();
    let client = client(&server).await;
    let names: Vec<String> = (0..features).map(|feature| format!("feature {feature}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let labels: Vec<i64> = (1..=objects).collect();
    let begun = Instant::now();
    for x in 0..sites {
        // Numbers of the usual length.
        let value = |label: i64, feature: i64| (x * 1_000_003 + label * 1009 + feature) as f64 / 7.0;
        let row = |label: &i64| (0..features).map(|feature| value(*label, feature)).collect::<Vec<_>>();
        let values = json!(labels.iter().map(row).collect::<Vec<_>>());
        client
            .post(&format!("{TYPE}/feature-values"), &site(x).upload(0, &names, &labels, &values))
            .await
            .says("ok");
    }
    let uploaded = begun.elapsed();
    let files = directory.path().join("data/experiments/1/features").read_dir().unwrap().count();
    // The merge that the last uploads began is over when there is nothing more to merge.
    let before = server.peak_memory();
    let begun = Instant::now();
    let (lines, bytes) = count(&client, &format!("{TYPE}/feature-values")).await;
    let sent = begun.elapsed();
    assert_eq!(lines, usize::try_from(sites * objects + 1).unwrap());
    let (lines, _) = count(&client, &format!("{TYPE}/metadata")).await;
    assert_eq!(lines, usize::try_from(sites * objects + 1).unwrap());
    let Some((before, after)) = before.zip(server.peak_memory()) else {
        println!("SKIPPED: this system does not say how much memory a process took");
        return;
    };
    println!(
        "{} values in {sites} uploads in {uploaded:?}, {files} files; {} MB sent in {sent:?}; at most {} MB of \
         memory before, {} MB after",
        sites * objects * features,
        bytes >> 20,
        before >> 20,
        after >> 20
    );
    assert!(after - before < GROWTH, "{before} bytes before, {after} after");
    assert!(GROWTH < bytes as u64, "or the bound says nothing: {bytes}");
    assert!(server.stop().success());
}

/// What site x has: the value x of `a`, and 10·x of `b`.
async fn upload(client: &Client, x: i64) -> reqwest::Result<u16> {
    let body = site(x).upload(0, &["a", "b"], &[1], &json!([[x, 10 * x]]));
    let request = client.request(Method::POST, &format!("{TYPE}/feature-values"));
    Ok(client.try_send(request.json(&body)).await?.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_of_an_upload_or_a_merge_loses_nothing_that_was_stored() {
    const SITES: i64 = 20;
    for point in
        ["1:table synced", "1:table renamed", "9:table renamed", "1:merge written", "18:table renamed"]
    {
        let directory = TempDir::new().unwrap();
        let program = prepare(&directory, SITES, 1).await;
        let mut server = program.with(failpoint::VARIABLE, &format!("kill:{point}")).serve();
        let mut speaks = client(&server).await;
        let mut answered = Vec::new();
        for x in 0..SITES {
            match upload(&speaks, x).await {
                Ok(status) => {
                    assert_eq!(status, 200);
                    answered.push(x);
                }
                Err(_) => break,
            }
        }
        // A merge goes on after the last answer.
        assert!(answered.len() < 20 || point.contains("merge"), "{point}: {answered:?}");
        while server.ended().is_none() && point.contains("merge") {
            tokio::task::yield_now().await;
        }
        drop(server);

        server = program.serve();
        speaks = client(&server).await;
        let checked = program.run(&["check", "--deep"]);
        assert_eq!(checked.status, Some(0), "{point}: {}{}", checked.stdout, checked.stderr);
        let (lines, _) = table(&speaks, &format!("{TYPE}/feature-values")).await;
        for x in &answered {
            let line = &lines[usize::try_from(*x).unwrap() + 1];
            assert_eq!(*line, [(x + 1).to_string(), format!("{x}.0"), format!("{}.0", 10 * x)], "{point}");
        }
        for x in 0..SITES {
            assert_eq!(upload(&speaks, x).await.unwrap(), 200, "{point}");
        }
        let (lines, _) = table(&speaks, &format!("{TYPE}/feature-values")).await;
        let wanted = |x: i64| vec![(x + 1).to_string(), format!("{x}.0"), format!("{}.0", 10 * x)];
        assert_eq!(lines[1..], (0..SITES).map(wanted).collect::<Vec<_>>(), "{point}");
        assert!(server.stop().success());
        // Stopped, nothing without a row counts as sound.
        let features: Value = json!(program.run(&["check"]).succeeds());
        assert!(features.as_str().unwrap().contains("no problems"), "{point}");
    }
}
