//! What a start tidies up after a server that stopped without warning.

use std::fs;

use tm_server::environment::LastStop;
use tm_server::resources::workflow::queries::{self, NewTask};
use tm_server::sweep;
use tm_server::workflow::task::TaskState;
use tm_tests::app::TestApp;
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::plates::Experiment;

/// A workflow that a stopped server left behind: the root in `state`, with a job that was running.
async fn abandoned_workflow(app: &TestApp, experiment: &Experiment<'_>, state: TaskState) -> i64 {
    let environment = app.environment();
    let mut tx = environment.db.write().await.unwrap();
    let submission = queries::insert_submission(&mut tx, experiment.id(), 1, "{}", 0).await.unwrap();
    let root = NewTask { submission, parent: None, name: "e", task_type: "Workflow", job: None };
    let root = queries::insert_task(&mut tx, &root, 0).await.unwrap();
    queries::set_task_state(&mut tx, root, state, 0).await.unwrap();
    let mut children = Vec::new();
    for (name, state) in [("ran_run_0000001", TaskState::Running), ("new_run_0000001", TaskState::New)] {
        let job =
            NewTask { submission, parent: Some(root), name, task_type: "RunJob", job: Some("{}".to_owned()) };
        let job = queries::insert_task(&mut tx, &job, 0).await.unwrap();
        queries::set_task_state(&mut tx, job, state, 0).await.unwrap();
        children.push(job);
    }
    tx.commit().await.unwrap();
    submission
}

#[tokio::test]
async fn interrupted_workflows_have_failed_after_a_restart() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    for state in [TaskState::New, TaskState::Running] {
        abandoned_workflow(&app, &experiment, state).await;
        sweep::at_start(app.environment(), LastStop::Unclean).await.unwrap();
        let tree = experiment.status(1).await;
        assert_eq!(
            (&tree["state"], &tree["exitcode"]),
            (&"TERMINATED".into(), &1.into()),
            "{state:?}: {tree}"
        );
        let jobs = tree["subtasks"].as_array().unwrap();
        assert_eq!((&jobs[0]["state"], &jobs[0]["exitcode"]), (&"TERMINATED".into(), &1.into()), "{tree}");
        assert_eq!(jobs[1]["state"], "NEW", "{tree}");
    }
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
