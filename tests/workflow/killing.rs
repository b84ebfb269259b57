//! Killing a workflow: everything ends, nothing is half-written, and it can go on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tm_server::resources::workflow::queries;
use tm_server::workflow::job::{self, Ended, Terms};
use tm_server::workflow::stop::Stop;
use tm_tests::app::{Answer, READER, TestApp};
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::databases::Database;
use tm_tests::plates::{ALL_STAGES, Experiment, description, nodes};
use tokio_util::sync::CancellationToken;

tm_tests::on_each_database![
    flavor = "multi_thread";
    a_killed_workflow_ends_within_seconds_and_goes_on_with_the_jobs_that_were_left,
    a_workflow_that_was_killed_while_the_server_stopped_ends_as_killed,
    a_workflow_that_was_killed_between_two_steps_goes_on_with_the_next,
    a_running_job_that_is_killed_or_out_of_time_stops_at_a_safe_point_and_says_so,
];

/// One file per job, so that a workflow of [`files`] has many.
fn one_by_one() -> Value {
    description(ALL_STAGES, &[("metaextract", "batch_size", json!(1)), ("imextract", "batch_size", json!(1))])
}

fn files() -> PlateFiles {
    PlateFiles::new("killed").wells(&["B03", "C04"]).grid(4, 4).channels(2)
}

async fn kill(experiment: &Experiment<'_>) -> Answer {
    experiment.client.post(&format!("{}/workflow/kill", experiment.path), &Value::Null).await
}

/// The nodes of a tree of this type, or of every type that ends so.
fn of_type<'a>(tree: &'a Value, kind: &str) -> Vec<&'a Value> {
    nodes(tree).into_iter().filter(|node| node["type"].as_str().unwrap().ends_with(kind)).collect()
}

/// Wait until this many jobs of a step have ended, and no longer than all of them.
async fn until_jobs_ended(experiment: &Experiment<'_>, step: &str, wanted: usize) {
    let start = Instant::now();
    loop {
        let path = format!("{}/workflow/jobs?step_name={step}&phase=run", experiment.path);
        let jobs = experiment.client.get(&path).await.data().clone();
        let ended = jobs.as_array().unwrap().iter().filter(|job| job["done"] == true).count();
        if ended >= wanted {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{jobs:#}");
        // There is no notification to wait for.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn a_killed_workflow_ends_within_seconds_and_goes_on_with_the_jobs_that_were_left(database: Database) {
    let app = TestApp::start_on_with(database, |config| config.cores = 1).await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &files()).await;
    kill(&experiment).await.fails(404, "ResourceNotFoundError");
    experiment.run(ALL_STAGES, &[]).await;
    kill(&experiment).await.says("ok");
    assert_eq!(experiment.status(0).await["exitcode"], 0, "what is over stays as it is");
    let tiles = async || {
        let mut all = Vec::new();
        for layer in experiment.layers().await {
            all.push((layer.key(), experiment.all_tiles(&layer).await));
        }
        all
    };
    let before = tiles().await;
    assert_eq!(before.len(), 2);

    assert_eq!(experiment.submit(&one_by_one()).await.status, 200);
    until_jobs_ended(&experiment, "imextract", 2).await;
    let start = Instant::now();
    kill(&experiment).await.says("ok");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let killed = experiment.status(9).await;
    assert!(nodes(&killed).iter().all(|node| node["state"] == "TERMINATED"), "{killed:#}");
    assert!((killed["exitcode"] == 255) && (killed["failed"] == true), "{killed:#}");
    let jobs = of_type(&killed, "Job");
    let without_code = jobs.iter().filter(|job| job["exitcode"].is_null()).count();
    assert!(without_code > 0 && without_code < jobs.len(), "{without_code} of {}", jobs.len());
    let stages: Vec<_> = of_type(&killed, "WorkflowStage").iter().map(|stage| &stage["exitcode"]).collect();
    assert_eq!(stages, [255, 255, 255]);
    assert_eq!(nodes(&killed).iter().filter(|node| node["name"] == "metaextract").count(), 1);
    let percent = killed["percent_done"].as_f64().unwrap();
    assert!(percent > 30.0 && percent < 60.0, "two of five steps are done, and not all: {percent}");
    kill(&experiment).await.says("ok");
    assert_eq!(experiment.status(9).await, killed, "to kill what is killed changes nothing");
    let as_reader = app.client(READER).await;
    as_reader
        .post(&format!("{}/workflow/kill", experiment.path), &Value::Null)
        .await
        .fails(403, "ForbiddenError");

    // What is left runs now; what was done is not done again.
    let again = format!("{}/workflow/resubmit", experiment.path);
    let answer = experiment.client.post(&again, &json!({"failed_only": true})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let whole = experiment.wait().await;
    assert_eq!(whole.tree["exitcode"], 0, "{:#?}", whole.failures);
    for job in of_type(&whole.tree, "Job") {
        let known = jobs.iter().find(|known| known["id"] == job["id"]);
        if known.is_some_and(|known| known["exitcode"] == 0) {
            assert_eq!(known, Some(&job), "it was done before");
        }
    }
    assert_eq!(tiles().await, before);

    // And the whole of it can be killed and submitted anew.
    assert_eq!(experiment.submit(&one_by_one()).await.status, 200);
    kill(&experiment).await.says("ok");
    assert_eq!(experiment.status(0).await["exitcode"], 255);
    experiment.run(ALL_STAGES, &[]).await;
    assert_eq!(tiles().await, before);
}

async fn a_workflow_that_was_killed_while_the_server_stopped_ends_as_killed(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &PlateFiles::new("killed").grid(1, 1)).await;
    experiment.run(ALL_STAGES, &[]).await;
    // As a server leaves it that stops between the two halves of a kill.
    app.sql("update tasks set state = 'RUNNING', exitcode = null where parent_id is null").await;
    app.sql(
        "update tasks set state = 'RUNNING', exitcode = null, epoch = 7 where name = 'imextract_run_0000001'",
    )
    .await;
    app.sql("update tasks set state = 'NEW', exitcode = null where name = 'imextract_collect_0000001'").await;
    let mut tx = app.environment().db.write().await.unwrap();
    let submission = queries::latest_submission(&mut tx, experiment.id()).await.unwrap().unwrap();
    assert!(queries::begin_kill(&mut tx, submission, app.clock_us()).await.unwrap());
    tx.commit().await.unwrap();
    let state = async |name: &str| {
        let tree = experiment.status(9).await;
        nodes(&tree).into_iter().find(|node| node["name"] == name).unwrap()["state"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(state("imextract_run_0000001").await, "TERMINATING");
    assert_eq!(state("imextract_collect_0000001").await, "TERMINATED", "what waits ends at once");
    let root = experiment.status(0).await;
    assert_eq!(
        (&root["state"], &root["live"], &root["done"]),
        (&json!("TERMINATING"), &json!(true), &json!(false))
    );
    experiment.submit(&one_by_one()).await.fails(409, "IntegrityError");

    assert_eq!(app.app.workflows.resume().await.unwrap(), 1);
    let ended = experiment.wait().await.tree;
    assert_eq!(ended["exitcode"], 255);
    assert!(nodes(&ended).iter().all(|node| node["state"] == "TERMINATED"), "{ended:#}");
}

async fn a_workflow_that_was_killed_between_two_steps_goes_on_with_the_next(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &PlateFiles::new("between").grid(1, 1)).await;
    experiment.run(ALL_STAGES, &[]).await;
    let again = format!("{}/workflow/resubmit", experiment.path);
    let only = json!({"failed_only": true});
    let message = experiment.client.post(&again, &only).await.fails(400, "MalformedRequestError");
    assert!(message.contains("nothing to run"), "{message}");
    // As a kill leaves it that comes when corilla has ended and illuminati has no job yet.
    app.sql("delete from tasks where name like 'illuminati!_%' escape '!'").await;
    app.sql("update tasks set exitcode = 255 where name in ('illuminati', 'pyramid_creation') or parent_id is null")
        .await;
    assert_eq!(experiment.status(0).await["failed"], true);
    assert_eq!(experiment.client.post(&again, &only).await.status, 200);
    let tree = experiment.wait().await.tree;
    assert_eq!(tree["exitcode"], 0);
    assert!(of_type(&tree, "Job").iter().any(|job| job["name"] == "illuminati_init_0000001"), "{tree:#}");
}

async fn a_running_job_that_is_killed_or_out_of_time_stops_at_a_safe_point_and_says_so(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &PlateFiles::new("stopped").grid(6, 6).size(100, 200)).await;
    let mut wanted = description(ALL_STAGES, &[]);
    wanted["stages"][1]["steps"][0]["submission_args"] = json!([{"name": "duration", "value": "0:30:01"}]);
    assert_eq!(experiment.submit(&wanted).await.status, 200);
    assert_eq!(experiment.wait().await.tree["exitcode"], 0);
    let limit =
        "select id from tasks where name = 'corilla_run_0000001' and job like '%\"time_limit_s\":1801%'";
    assert_eq!(app.texts(&format!("select 'found' from ({limit}) as jobs")).await, ["found"]);
    let layer = experiment.only_layer().await;
    let before = experiment.all_tiles(&layer).await;

    let killed = "the workflow was killed";
    let late = "the job took longer than 0 s";
    for (name, reason) in [
        ("metaextract_run_0000001", killed),
        ("imextract_run_0000001", killed),
        ("imextract_run_0000001", late),
        ("corilla_run_0000001", killed),
        ("corilla_run_0000001", late),
    ] {
        let id =
            app.texts(&format!("select cast(id as text) from tasks where name = '{name}'")).await.remove(0);
        app.sql(&format!("update tasks set state = 'NEW', exitcode = null, reason = null where id = {id}"))
            .await;
        let (stop, kill) = (Stop::default(), CancellationToken::new());
        if reason == killed {
            // Seen when the job first waits for something; then the next safe point is its last.
            kill.cancel();
        } else {
            for limit in ["21600", "1801"] {
                let (from, to) = (format!("\"time_limit_s\":{limit}"), "\"time_limit_s\":0");
                app.sql(&format!("update tasks set job = replace(job, '{from}', '{to}') where id = {id}"))
                    .await;
            }
        }
        let terms = Terms { stop: &stop, kill: &kill, remark: None, own_process: false };
        let ended = job::run(app.environment(), id.parse().unwrap(), terms).await.unwrap();
        assert_eq!(ended, Ended::With(1), "{name}: {reason}");
        let (stdout, stderr) = experiment.log(&id).await;
        assert!(stderr.contains(&format!("JOB FAILED: {reason}")), "{name}: {stderr}");
        assert!(!stdout.contains("JOB COMPLETED"), "{name}: {stdout}");
        assert!(app.texts(&format!("select reason from tasks where id = {id}")).await[0].starts_with(reason));
    }
    assert_eq!(experiment.all_tiles(&layer).await, before);
}
