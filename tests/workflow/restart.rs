//! What a start tidies up after a server that stopped without warning.

use std::fs;

use tm_server::environment::LastStop;
use tm_server::resources::workflow::queries::{self, NewTask};
use tm_server::sweep;
use tm_tests::app::TestApp;
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::plates::{ALL_STAGES, Experiment, description, nodes};

/// Names and states of all tasks of an experiment's latest submission.
fn states(tree: &serde_json::Value) -> Vec<(String, String, Option<i64>)> {
    let text = |node: &serde_json::Value, field: &str| node[field].as_str().unwrap().to_owned();
    nodes(tree)
        .into_iter()
        .map(|node| (text(node, "name"), text(node, "state"), node["exitcode"].as_i64()))
        .collect()
}

/// Put the rows of a finished workflow into the state in which a crash in a phase of a step leaves them: one
/// job claimed, nothing after it.
async fn interrupt(app: &TestApp, experiment: &Experiment<'_>, step: &str, phase: &str) {
    let step_task = format!("(select id from tasks where type = 'WorkflowStep' and name = '{step}')");
    app.sql(&format!(
        "delete from tasks where parent_id in (select id from tasks where type = 'WorkflowStep' and id > {step_task})"
    ))
    .await;
    let jobs_of = |type_: &str| format!("type = '{type_}' and name like '{step}\\_%' escape '\\'");
    let reset = "update tasks set state = 'NEW', exitcode = null where";
    if phase == "init" {
        // The jobs of the run phase come with the end of the init job.
        app.sql(&format!("delete from tasks where {}", jobs_of("RunJob"))).await;
        app.sql(&format!("{reset} {}", jobs_of("InitJob"))).await;
    }
    if phase != "collect" {
        app.sql(&format!("{reset} {}", jobs_of("RunJob"))).await;
    }
    app.sql(&format!("{reset} {}", jobs_of("CollectJob"))).await;
    app.sql(
        "update tasks set state = 'RUNNING', exitcode = null where type not like '%Job' and exitcode = 0",
    )
    .await;
    app.sql(&format!(
        "update tasks set state = 'RUNNING', lease_until = 9000000000000000, epoch = 7
         where name like '{step}\\_{phase}%\\_0000001' escape '\\'"
    ))
    .await;
    assert_eq!(experiment.status(0).await["state"], "RUNNING");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_workflow_goes_on_where_it_was() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "acquisition", &PlateFiles::new("resumed").grid(1, 2).size(40, 50)).await;
    let whole = states(&experiment.run(ALL_STAGES, &[]).await);
    let layer = experiment.only_layer().await;
    let before = experiment.all_tiles(&layer).await;
    for (step, phase) in [
        ("metaextract", "init"),
        ("metaconfig", "collect"),
        ("imextract", "run"),
        ("corilla", "run"),
        ("illuminati", "init"),
        ("illuminati", "run"),
        ("illuminati", "collect"),
    ] {
        interrupt(&app, &experiment, step, phase).await;
        assert_eq!(app.app.workflows.resume().await.unwrap(), 1);
        let outcome = experiment.wait().await;
        assert_eq!(states(&outcome.tree), whole, "{step} {phase}: {:?}", outcome.failures);
        let layer = experiment.only_layer().await;
        assert_eq!(experiment.all_tiles(&layer).await, before);
    }
    assert_eq!(app.app.workflows.resume().await.unwrap(), 0, "nothing is left to go on with");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_cannot_be_submitted_beside_one_that_was_interrupted() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "acquisition", &PlateFiles::new("twice").grid(1, 1).size(40, 50)).await;
    experiment.run(ALL_STAGES, &[]).await;
    interrupt(&app, &experiment, "metaextract", "init").await;
    experiment.submit(&description(ALL_STAGES, &[])).await.fails(409, "IntegrityError");
    app.app.workflows.resume().await.unwrap();
    assert_eq!(experiment.wait().await.tree["exitcode"], 0);
    assert_eq!(experiment.submit(&description(ALL_STAGES, &[])).await.status, 200);
    experiment.wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_whose_plan_makes_no_sense_ends_as_failed() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    let mut tx = app.environment().db.write().await.unwrap();
    let submission = queries::insert_submission(&mut tx, experiment.id(), 1, "{}", 0).await.unwrap();
    let root = NewTask { submission, parent: None, name: "e", task_type: "Workflow", job: None };
    queries::insert_task(&mut tx, &root, 0).await.unwrap();
    tx.commit().await.unwrap();
    app.app.workflows.resume().await.unwrap();
    let tree = experiment.wait().await.tree;
    assert_eq!((&tree["state"], &tree["exitcode"]), (&"TERMINATED".into(), &1.into()), "{tree}");
}

#[tokio::test]
async fn files_that_no_row_names_are_gone_after_a_restart_and_all_others_stay() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    let files = PlateFiles::new("kept").wells(&["B03"]).grid(1, 2).size(40, 50);
    experiment.upload("plate", "acquisition", &files).await;
    experiment.run(&["image_conversion", "image_preprocessing", "pyramid_creation"], &[]).await;
    let layer = experiment.only_layer().await;
    let before = experiment.all_tiles(&layer).await;

    let directory = experiment.directory();
    let strays = [
        directory.join("plates/77-1.ome.zarr"),
        directory.join("layers/9999.ome.zarr"),
        directory.join("statistics/9-9.zarr"),
        directory.join("uploads/9999"),
        directory.parent().unwrap().join("9999"),
    ];
    for stray in &strays {
        fs::create_dir_all(stray.join("deep")).unwrap();
        fs::write(stray.join("deep/file"), b"left behind").unwrap();
    }
    sweep::at_start(app.environment(), LastStop::Unclean).await.unwrap();
    for stray in &strays {
        assert!(!stray.exists(), "{}", stray.display());
    }
    assert_eq!(experiment.all_tiles(&layer).await, before);
    assert!(!experiment.uploads().is_empty());
}
