//! Running a part of a workflow again.

use serde_json::{Value, json};
use tm_tests::app::{Answer, TestApp};
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::databases::Database;
use tm_tests::plates::{ALL_STAGES, Experiment, description, nodes};

tm_tests::on_each_database![
    flavor = "multi_thread";
    a_resubmitted_workflow_replaces_the_tasks_from_the_stage_on_and_never_shows_two_generations,
    a_further_stage_is_appended_to_what_ran_before,
    a_stage_is_counted_among_the_active_ones,
    what_cannot_be_resubmitted_is_refused_and_nothing_changes,
];

async fn resubmit(experiment: &Experiment<'_>, body: &Value) -> Answer {
    experiment.client.post(&format!("{}/workflow/resubmit", experiment.path), body).await
}

/// One site, a job a file.
async fn prepared(app: &TestApp) -> Experiment<'_> {
    let experiment = Experiment::new(app).await;
    experiment.upload("plate", "a", &PlateFiles::new("again").grid(1, 2).channels(2)).await;
    experiment
}

/// Ids of the tasks of this name, anywhere in the tree.
fn ids(tree: &Value, name: &str) -> Vec<String> {
    let named = nodes(tree).into_iter().filter(|node| node["name"] == name);
    named.map(|node| node["id"].as_str().unwrap().to_owned()).collect()
}

fn stages(tree: &Value) -> Vec<&str> {
    tree["subtasks"].as_array().unwrap().iter().map(|stage| stage["name"].as_str().unwrap()).collect()
}

async fn a_resubmitted_workflow_replaces_the_tasks_from_the_stage_on_and_never_shows_two_generations(
    database: Database,
) {
    let app = TestApp::start_on(database).await;
    let experiment = prepared(&app).await;
    let first = experiment.run(ALL_STAGES, &[]).await;
    let submission = experiment.submit(&description(ALL_STAGES, &[])).await.body["submission_id"].clone();
    experiment.wait().await;
    let first = {
        let _ = first;
        experiment.status(9).await
    };
    let logs = |tree: &Value, name: &str| {
        let id = ids(tree, name)[0].parse().unwrap();
        app.environment().data.log(experiment.id(), id, "out")
    };
    assert!(logs(&first, "corilla_run_0000001").exists());

    let new = description(ALL_STAGES, &[("illuminati", "clip_percent", json!(99.0))]);
    let answer =
        resubmit(&experiment, &json!({"stage_name": "image_preprocessing", "description": new})).await;
    assert_eq!((answer.status, &answer.body), (200, &json!({"message": "ok", "submission_id": submission})));
    let outcome = experiment.wait().await;
    let second = outcome.tree;
    assert_eq!(second["exitcode"], 0, "{:#?}", outcome.failures);
    assert_eq!(second["id"], first["id"]);
    assert_eq!(stages(&second), ALL_STAGES);
    // The stage before is as it was; the others are new, each once.
    assert_eq!(second["subtasks"][0], first["subtasks"][0]);
    for name in
        ["image_preprocessing", "corilla", "corilla_run_0000001", "illuminati", "illuminati_run-00_0000001"]
    {
        let (old, new) = (ids(&first, name), ids(&second, name));
        assert_eq!(new.len(), 1, "{name}");
        assert_ne!(old, new, "{name}");
    }
    let jobs = experiment.client.get(&format!("{}/workflow/jobs?step_name=corilla", experiment.path)).await;
    assert_eq!(
        jobs.all("name"),
        ["corilla_collect_0000001", "corilla_init_0000001", "corilla_run_0000001", "corilla_run_0000002"]
    );
    assert_eq!(jobs.all("id")[2..3], ids(&second, "corilla_run_0000001"));
    // A log of an old run is not shown for a new one, and does not stay behind.
    assert!(!logs(&first, "corilla_run_0000001").exists());
    assert!(logs(&second, "corilla_run_0000001").exists());
    let stored =
        experiment.client.get(&format!("{}/workflow/description", experiment.path)).await.data().clone();
    let arguments = stored["stages"][2]["steps"][0]["batch_args"].as_array().unwrap().clone();
    let percent = arguments.iter().find(|argument| argument["name"] == "clip_percent").unwrap();
    assert_eq!(percent["value"], 99.0);

    // Without anything it is all of it, with the stored description.
    assert_eq!(resubmit(&experiment, &json!({})).await.status, 200);
    let third = experiment.wait().await.tree;
    assert_eq!(third["exitcode"], 0);
    assert_ne!(ids(&third, "metaextract"), ids(&second, "metaextract"));
    assert_eq!(ids(&third, "metaextract").len(), 1);
}

async fn a_further_stage_is_appended_to_what_ran_before(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = prepared(&app).await;
    let first = experiment.run(&ALL_STAGES[..1], &[]).await;
    assert_eq!(stages(&first), ALL_STAGES[..1]);
    for (count, stage) in [(2, json!({"index": 1})), (3, json!({"stage_name": "pyramid_creation"}))] {
        let mut body = stage;
        body["description"] = description(&ALL_STAGES[..count], &[]);
        assert_eq!(resubmit(&experiment, &body).await.status, 200, "{body}");
        let outcome = experiment.wait().await;
        assert_eq!(outcome.tree["exitcode"], 0, "{:#?}", outcome.failures);
        assert_eq!(stages(&outcome.tree), ALL_STAGES[..count]);
        assert_eq!(outcome.tree["subtasks"][0], first["subtasks"][0], "what ran before did not run again");
    }
    assert_eq!(experiment.layers().await.len(), 2);
}

async fn a_stage_is_counted_among_the_active_ones(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = prepared(&app).await;
    let mut without_statistics = description(ALL_STAGES, &[]);
    without_statistics["stages"][1]["active"] = json!(false);
    assert_eq!(experiment.submit(&without_statistics).await.status, 200);
    let first = experiment.wait().await.tree;
    assert_eq!(stages(&first), ["image_conversion", "pyramid_creation"]);
    // The third stage of the description is the second active one.
    for part in [json!({"stage_name": "pyramid_creation"}), json!({"index": 1})] {
        assert_eq!(resubmit(&experiment, &part).await.status, 200, "{part}");
        let again = experiment.wait().await.tree;
        assert_eq!(again["exitcode"], 0);
        assert_eq!(stages(&again), ["image_conversion", "pyramid_creation"]);
        assert_eq!(again["subtasks"][0], first["subtasks"][0]);
        assert_ne!(ids(&again, "illuminati"), ids(&first, "illuminati"));
    }
    let message = resubmit(&experiment, &json!({"stage_name": "image_preprocessing"})).await;
    let message = message.fails(400, "MalformedRequestError");
    assert!(message.contains("image_preprocessing") && message.contains("active"), "{message}");
}

async fn what_cannot_be_resubmitted_is_refused_and_nothing_changes(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = prepared(&app).await;
    resubmit(&experiment, &json!({})).await.fails(404, "ResourceNotFoundError");
    let tree = experiment.run(&ALL_STAGES[..2], &[]).await;
    for (body, part) in [
        (json!({"index": 1, "stage_name": "image_preprocessing"}), "not both"),
        (json!({"index": 3}), "at most 2"),
        (json!({"index": 2}), "none with index 2"),
        (json!({"index": -1}), "0 or more"),
        (json!({"stage_name": "image_conversation"}), "image_conversation"),
        (json!({"failed_only": true}), "nothing to run"),
        (json!({"failed_only": true, "index": 0}), "failed_only"),
        (json!({"failed_only": true, "description": description(ALL_STAGES, &[])}), "failed_only"),
        (json!({"index": 1, "description": description(&ALL_STAGES[1..], &[])}), "those submitted"),
        (json!({"description": {"type": "canonical", "stages": []}}), "no stage is active"),
    ] {
        let message = resubmit(&experiment, &body).await.fails(400, "MalformedRequestError");
        assert!(message.contains(part), "{body}: {message}");
    }
    assert_eq!(experiment.status(9).await, tree);

    // Nothing is built on a stage that failed.
    app.sql("update tasks set exitcode = 70 where name = 'image_conversion'").await;
    let message = resubmit(&experiment, &json!({"index": 1})).await.fails(400, "MalformedRequestError");
    assert!(message.contains("`image_conversion` did not succeed"), "{message}");
    // Nor beside one that runs.
    app.sql("update tasks set state = 'RUNNING', exitcode = null where parent_id is null").await;
    for body in [json!({}), json!({"failed_only": true})] {
        resubmit(&experiment, &body).await.fails(409, "IntegrityError");
    }
}
