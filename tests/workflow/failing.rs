//! Jobs that fail: what is tried again, what is kept of it, and running again only what failed.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tm_server::failpoint;
use tm_tests::app::{Client, TestApp};
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::databases::Database;
use tm_tests::plates::{ALL_STAGES, Experiment, description, nodes};
use tm_tests::program::{Program, Serving};

tm_tests::on_each_database![
    flavor = "multi_thread";
    a_failure_that_may_pass_is_tried_again_and_its_reason_is_kept,
    a_job_that_keeps_failing_is_given_up_and_then_only_it_runs_again,
    wrong_input_is_not_tried_again,
    what_a_job_asks_for_beyond_the_machine_is_lowered_with_a_warning,
];

/// A running program with one experiment whose files are uploaded.
struct Served {
    client: Client,
    path: String,
    _server: Serving,
    _directory: TempDir,
}

impl Served {
    /// Start a server that panics at a failpoint, on a database.
    async fn start(database: &Database, failpoint: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let mut program = Program::new(directory.path()).with(failpoint::VARIABLE, failpoint);
        if let Some(url) = database.url() {
            program = program.with("TMSERVER_DATABASE_URL", url);
        }
        program.run_with_input(&["user", "add", "ann", "--password-stdin"], "correct horse\n").succeeds();
        let server = program.serve();
        let client = Client::of(&server.base).logged_in("ann", "correct horse").await.unwrap();
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
        let names = PlateFiles::new("failing").grid(1, 2).write(&files).unwrap();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        client.register(&acquisition, &names).await.data();
        for name in names {
            client.upload(&acquisition, name, fs::read(files.join(name)).unwrap()).await.says("ok");
        }
        Self { client, path, _server: server, _directory: directory }
    }

    /// Post to the workflow and wait for its end; the value is the whole tree.
    async fn run(&self, what: &str, body: &Value) -> Value {
        let answer = self.client.post(&format!("{}/workflow/{what}", self.path), body).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let start = Instant::now();
        loop {
            let tree =
                self.client.get(&format!("{}/workflow/status?depth=9", self.path)).await.data().clone();
            if tree["done"] == true {
                return tree;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "{tree:#}");
            // There is no notification to wait for.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn stderr(&self, job: &Value) -> String {
        let path = format!("{}/workflow/jobs/{}/log", self.path, job["id"].as_str().unwrap());
        self.client.get(&path).await.data()["stderr"].as_str().unwrap().to_owned()
    }
}

fn named<'a>(tree: &'a Value, name: &str) -> &'a Value {
    nodes(tree)
        .into_iter()
        .find(|node| node["name"] == name)
        .unwrap_or_else(|| panic!("no {name} in {tree:#}"))
}

async fn a_failure_that_may_pass_is_tried_again_and_its_reason_is_kept(database: Database) {
    let served = Served::start(&database, "panic:1:imextract written").await;
    let tree = served.run("submit", &json!({"description": description(ALL_STAGES, &[])})).await;
    assert_eq!(tree["exitcode"], 0, "{tree:#}");
    let job = named(&tree, "imextract_run_0000001");
    assert_eq!((&job["attempts"], &job["exitcode"]), (&json!(2), &json!(0)));
    assert_eq!(job["reason"], "the job panicked: planned at `imextract written`");
    let stderr = served.stderr(job).await;
    assert!(stderr.contains("JOB FAILED: the job panicked: planned"), "{stderr}");
    assert!(stderr.contains("attempt 2 of 3, because the last one failed: the job panicked"), "{stderr}");
    let untroubled = named(&tree, "imextract_init_0000001");
    assert_eq!((&untroubled["attempts"], &untroubled["reason"]), (&json!(1), &Value::Null));
    assert!(tree.get("attempts").is_none() && tree.get("reason").is_none(), "those are for jobs");
}

async fn a_job_that_keeps_failing_is_given_up_and_then_only_it_runs_again(database: Database) {
    let served = Served::start(&database, "panic:3:imextract written").await;
    let before = served.run("submit", &json!({"description": description(ALL_STAGES, &[])})).await;
    let name = "imextract_run_0000001";
    let job = named(&before, name);
    assert_eq!((&job["attempts"], &job["exitcode"]), (&json!(3), &json!(1)));
    assert_eq!((&named(&before, "imextract")["exitcode"], &before["exitcode"]), (&json!(70), &json!(70)));
    assert_eq!(served.stderr(job).await.matches("JOB FAILED").count(), 3);

    let tree = served.run("resubmit", &json!({"failed_only": true})).await;
    assert_eq!(tree["exitcode"], 0, "{tree:#}");
    assert_eq!((&named(&tree, name)["attempts"], &named(&tree, name)["id"]), (&json!(4), &job["id"]));
    assert_eq!(served.stderr(named(&tree, name)).await.matches("JOB FAILED").count(), 0, "a log of its own");
    for name in ["metaextract", "metaconfig", "imextract_init"] {
        assert_eq!(named(&tree, name), named(&before, name), "{name} did not run again");
    }
    assert_eq!(named(&tree, "imextract")["exitcode"], 0);
}

async fn wrong_input_is_not_tried_again(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &PlateFiles::new("wrong").without_metadata()).await;
    let outcome = experiment.run_to_end(ALL_STAGES, &[]).await;
    let job = named(&outcome.tree, "metaconfig_run_0000001");
    assert_eq!((&job["attempts"], &job["exitcode"]), (&json!(1), &json!(1)));
    let reason = job["reason"].as_str().unwrap();
    assert!(!reason.is_empty() && outcome.failures[0].1.contains(reason), "{reason}: {:?}", outcome.failures);
}

async fn what_a_job_asks_for_beyond_the_machine_is_lowered_with_a_warning(database: Database) {
    let app = TestApp::start_on_with(database, |config| (config.cores, config.memory_mb) = (2, 100)).await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &PlateFiles::new("greedy").grid(1, 1)).await;
    let mut greedy = description(&ALL_STAGES[..1], &[]);
    let steps = greedy["stages"][0]["steps"].as_array_mut().unwrap();
    let ask = |cores: u32, memory: u32| json!([{"name": "cores", "value": cores}, {"name": "memory", "value": memory}]);
    (steps[0]["submission_args"], steps[1]["submission_args"]) = (ask(999, 100), ask(2, 99));
    assert_eq!(experiment.submit(&greedy).await.status, 200);
    let tree = experiment.wait().await.tree;
    assert_eq!(tree["exitcode"], 0);
    let stderr = async |name: &str| experiment.log(named(&tree, name)["id"].as_str().unwrap()).await.1;
    let lowered = stderr("metaextract_run_0000001").await;
    assert!(lowered.contains("asked for 999 cores and 100 MB"), "{lowered}");
    assert!(lowered.contains("allow 2 cores and 100 MB"), "{lowered}");
    let modest = stderr("metaconfig_run_0000001").await;
    assert!(!modest.contains("asked for"), "{modest}");
    // Init and collect jobs ask for no fixed amount of memory.
    for name in ["metaextract_init_0000001", "metaconfig_collect_0000001"] {
        assert_eq!(stderr(name).await, "", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_of_many_jobs_does_not_keep_a_small_one_waiting() {
    let app = TestApp::start_with(|config| config.cores = 1).await;
    let large = Experiment::new(&app).await;
    large.upload("plate", "a", &PlateFiles::new("large").wells(&["B03", "B04"]).grid(6, 6)).await;
    let small = Experiment::named(&app, "small", 96).await;
    small.upload("plate", "a", &PlateFiles::new("small").grid(1, 1)).await;
    let one_by_one = [("metaextract", "batch_size", json!(1)), ("imextract", "batch_size", json!(1))];
    assert_eq!(large.submit(&description(ALL_STAGES, &one_by_one)).await.status, 200);
    assert_eq!(small.run(ALL_STAGES, &[]).await["exitcode"], 0);
    let tree = large.status(9).await;
    assert_eq!(tree["done"], false, "the small one had 14 jobs, the large one has 160");
    assert_eq!(large.wait().await.tree["exitcode"], 0);
}
