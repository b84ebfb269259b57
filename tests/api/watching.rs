//! What those who watch the server see: its health, and its figures.

use std::fs;

use reqwest::Method;
use serde_json::json;
use tm_server::config::MetricsAccess;
use tm_tests::app::{OWNER, TestApp};
use tm_tests::databases::Database;

tm_tests::on_each_database![a_server_is_well, figures_tell_what_was_asked_and_done];

async fn a_server_is_well(database: Database) {
    let app = TestApp::start_on(database).await;
    let answer = app.anonymous().get("/healthz").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, json!({"status": "ok", "database": "ok", "data_directory": "ok"}));
}

#[tokio::test]
async fn a_server_without_its_files_or_its_database_says_which_is_failing() {
    let app = TestApp::start().await;
    let experiments = app.app.environment.data.experiments();
    let away = experiments.with_file_name("away");
    fs::rename(&experiments, &away).unwrap();
    let answer = app.anonymous().get("/healthz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.body, json!({"status": "failing", "database": "ok", "data_directory": "failing"}));
    fs::rename(&away, &experiments).unwrap();
    assert_eq!(app.anonymous().get("/healthz").await.status, 200);
    app.app.environment.db.close().await;
    let answer = app.anonymous().get("/healthz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.body, json!({"status": "failing", "database": "failing", "data_directory": "ok"}));
}

async fn figures(app: &TestApp) -> String {
    let answer = app.anonymous().request(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    answer.text().await.unwrap()
}

/// The figure on the line that begins with `name`.
fn figure(figures: &str, name: &str) -> f64 {
    let line = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{figures}")).parse().unwrap()
}

async fn figures_tell_what_was_asked_and_done(database: Database) {
    let app = TestApp::start_on(database).await;
    let (experiment, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    owner.register(&acquisition, &["a.mlf"]).await.data();
    owner.upload(&acquisition, "other.mlf", "12345678").await.says("non-registered file: skipped");
    owner.upload(&acquisition, "a.mlf", "12345").await.says("ok");
    for _ in 0..3 {
        owner.get(&format!("{experiment}/plates/99")).await.fails(404, "ResourceNotFoundError");
    }
    owner.get("/nowhere/secret").await.fails(404, "ResourceNotFoundError");
    let insert = async |statement: &str| app.insert(statement).await;
    let submission = insert(
        "insert into submissions (experiment_id, user_id, program, description, created_at)
         values (1, 1, 'workflow', '{}', 0)",
    )
    .await;
    let root = insert(&format!(
        "insert into tasks (submission_id, name, type, state, created_at, updated_at)
         values ({submission}, 'x', 'Workflow', 'RUNNING', 0, 0)"
    ))
    .await;
    for state in ["NEW", "NEW", "RUNNING"] {
        insert(&format!(
            "insert into tasks (submission_id, parent_id, name, type, state, job, created_at, updated_at)
             values ({submission}, {root}, 'x', 'RunJob', '{state}', '{{}}', 0, 0)"
        ))
        .await;
    }
    let figures = figures(&app).await;
    let requests = "tmserver_http_request_duration_seconds_count";
    let plate = "{method=\"GET\",route=\"/api/experiments/{e}/plates/{p}\",status=\"404\"}";
    assert_eq!(figure(&figures, &format!("{requests}{plate}")), 3.0);
    assert_eq!(figure(&figures, &format!("{requests}{{method=\"GET\",route=\"none\",status=\"404\"}}")), 1.0);
    assert_eq!(figure(&figures, "tmserver_uploads_total{outcome=\"stored\"}"), 1.0);
    assert_eq!(figure(&figures, "tmserver_uploads_total{outcome=\"skipped\"}"), 1.0);
    assert_eq!(figure(&figures, "tmserver_upload_bytes_total{outcome=\"stored\"}"), 5.0);
    assert_eq!(figure(&figures, "tmserver_upload_bytes_total{outcome=\"skipped\"}"), 8.0);
    assert_eq!(figure(&figures, "tmserver_jobs{state=\"NEW\"}"), 2.0);
    assert_eq!(figure(&figures, "tmserver_jobs{state=\"RUNNING\"}"), 1.0);
    assert_eq!(figure(&figures, "tmserver_tiles_total{source=\"rendered\"}"), 0.0);
    assert_eq!(figure(&figures, "tmserver_tile_cache_bytes"), 0.0);
    assert_eq!(figure(&figures, "tmserver_kernel_fallbacks_total"), 0.0);
    assert_eq!(figure(&figures, "tmserver_kernel_info{kernel=\"rescale\",backend=\"cpu\"}"), 1.0);
    assert!(figure(&figures, "process_resident_memory_bytes") > 1e6);
    // Nothing in it says what things are called.
    assert!(!figures.contains("secret") && !figures.contains("an experiment"), "{figures}");
    // Every figure belongs to a family that was described.
    for line in figures.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(figures.contains(&format!("# TYPE {family} ")), "{line}");
    }
}

#[tokio::test]
async fn figures_are_for_this_machine_alone_unless_the_setting_says_otherwise() {
    for (access, direct, through_a_proxy) in
        [(MetricsAccess::Off, 404, 404), (MetricsAccess::Loopback, 200, 403), (MetricsAccess::All, 200, 200)]
    {
        let app = TestApp::start_with(|config| config.metrics = access).await;
        assert_eq!(app.anonymous().get("/metrics").await.status, direct, "{access:?}");
        for header in ["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Via", "X-Real-IP"] {
            let request = app.anonymous().request(Method::GET, "/metrics").header(header, "127.0.0.1");
            assert_eq!(app.anonymous().send(request).await.status, through_a_proxy, "{access:?} {header}");
        }
    }
}
