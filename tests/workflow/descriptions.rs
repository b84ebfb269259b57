//! Workflow descriptions: what is taken, what is refused, and with which words.

use serde_json::{Value, json};
use tm_tests::app::TestApp;
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::databases::Database;
use tm_tests::plates::{ALL_STAGES, Experiment, description, description_of, nodes};

tm_tests::on_each_database![
    flavor = "multi_thread";
    a_description_may_leave_out_what_was_done_before,
    a_wrong_value_is_refused_at_upload_with_stage_step_and_argument,
    what_the_server_shows_can_be_sent_back_as_it_is,
    a_time_limit_has_many_forms,
    a_workflow_runs_the_steps_that_are_active_and_counts_the_others_as_done,
    a_description_of_nothing_is_kept_but_not_run,
    a_job_is_stored_as_text_that_a_later_version_can_read,
];

/// Keep a description; the value is the answer.
async fn upload(experiment: &Experiment<'_>, description: &Value) -> tm_tests::app::Answer {
    let path = format!("{}/workflow/description", experiment.path);
    experiment.client.post(&path, &json!({"description": description})).await
}

async fn stored(experiment: &Experiment<'_>) -> Value {
    experiment.client.get(&format!("{}/workflow/description", experiment.path)).await.data().clone()
}

/// The value of an argument in a description as shown.
fn value(description: &Value, at: (usize, usize), kind: &str, name: &str) -> Value {
    let arguments = description["stages"][at.0]["steps"][at.1][kind].as_array().unwrap();
    arguments.iter().find(|argument| argument["name"] == name).unwrap()["value"].clone()
}

async fn a_description_may_leave_out_what_was_done_before(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &PlateFiles::new("parts").grid(1, 1)).await;
    for stage in ALL_STAGES {
        let tree = experiment.run(&[*stage], &[]).await;
        assert_eq!(tree["subtasks"].as_array().unwrap().len(), 1);
    }
    assert_eq!(experiment.layers().await.len(), 1);
    // In the wrong order they are refused, and both are named.
    let mut reversed = description(ALL_STAGES, &[]);
    reversed["stages"].as_array_mut().unwrap().reverse();
    let message = upload(&experiment, &reversed).await.fails(400, "MalformedRequestError");
    assert!(message.contains("`pyramid_creation` must come after `image_conversion`"), "{message}");
}

async fn a_wrong_value_is_refused_at_upload_with_stage_step_and_argument(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    let before = stored(&experiment).await;
    for (step, name, value, wanted) in [
        ("metaextract", "batch_size", json!(0), "at least 1"),
        ("metaextract", "batch_size", json!([1]), "whole number"),
        ("metaconfig", "stitch_layout", json!("diagonal"), "zigzag_horizontal"),
        ("metaconfig", "mip", json!(2), "true or false"),
        ("metaconfig", "n_vertical", json!("two"), "whole number"),
        ("illuminati", "clip_percent", json!(100.5), "0 to 100"),
        ("illuminati", "illumcorr_exceptions", json!({}), "text"),
    ] {
        let wrong = description(ALL_STAGES, &[(step, name, value)]);
        let message = upload(&experiment, &wrong).await.fails(400, "MalformedRequestError");
        let stage = if step == "illuminati" { "pyramid_creation" } else { "image_conversion" };
        for part in [stage, step, name, wanted] {
            assert!(message.contains(&format!("`{part}`")) || message.contains(part), "{part}: {message}");
        }
    }
    assert_eq!(stored(&experiment).await, before);
}

async fn what_the_server_shows_can_be_sent_back_as_it_is(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    let mut shown = stored(&experiment).await;
    upload(&experiment, &shown).await.says("ok");
    assert_eq!(stored(&experiment).await, shown);

    // Web forms send an empty text for no value; other clients send keys and arguments of their own.
    let metaconfig = &mut shown["stages"][0]["steps"][1];
    metaconfig["extra_args"] = json!([]);
    metaconfig["batch_args"] = json!([
        {"name": "n_vertical", "value": "", "help": "of no use"},
        {"name": "n_horizontal", "value": "3"},
        {"name": "mip", "value": "true"},
        {"name": "of_another_version", "value": 1},
    ]);
    upload(&experiment, &shown).await.says("ok");
    let kept = stored(&experiment).await;
    let argument = |name| value(&kept, (0, 1), "batch_args", name);
    assert_eq!(argument("n_vertical"), Value::Null);
    assert_eq!((argument("n_horizontal"), argument("mip")), (json!(3), json!(true)));
    assert_eq!(argument("stitch_layout"), "horizontal", "what is not listed has its default");
    assert!(!kept.to_string().contains("of_another_version"));
    let mut extra = shown.clone();
    extra["stages"][0]["colour"] = json!("blue");
    let message = upload(&experiment, &extra).await.fails(400, "MalformedRequestError");
    assert!(message.contains("`colour`"), "{message}");
}

async fn a_workflow_runs_the_steps_that_are_active_and_counts_the_others_as_done(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &PlateFiles::new("steps").grid(1, 1)).await;
    for step in ["metaextract", "metaconfig", "imextract"] {
        let mut wanted = description(&ALL_STAGES[..1], &[]);
        for described in wanted["stages"][0]["steps"].as_array_mut().unwrap() {
            described["active"] = json!(described["name"] == step);
        }
        assert_eq!(experiment.submit(&wanted).await.status, 200);
        let outcome = experiment.wait().await;
        assert_eq!(outcome.tree["exitcode"], 0, "{step}: {:#?}", outcome.failures);
        let steps: Vec<_> =
            nodes(&outcome.tree).into_iter().filter(|node| node["type"] == "WorkflowStep").collect();
        assert!(steps.len() == 1 && steps[0]["name"] == step, "{steps:#?}");
    }
    experiment.run(&ALL_STAGES[1..], &[]).await;

    // What a step needs must be there, if only inactive; where steps need nothing of each other, it need not.
    let mut lacking = description(&ALL_STAGES[..1], &[]);
    lacking["stages"][0]["steps"].as_array_mut().unwrap().remove(0);
    let message = upload(&experiment, &lacking).await.fails(400, "MalformedRequestError");
    assert!(message.contains("`metaconfig` needs `metaextract` before it"), "{message}");
    let align = [("align", "ref_cycle", json!(0)), ("align", "ref_wavelength", json!("1"))];
    let mut free = description_of("multiplexing", &["image_preprocessing"], &align);
    free["stages"][0]["steps"].as_array_mut().unwrap().reverse();
    upload(&experiment, &free).await.says("ok");
    free["stages"][0]["steps"].as_array_mut().unwrap().truncate(1);
    upload(&experiment, &free).await.says("ok");
}

async fn a_time_limit_has_many_forms(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    let with = |duration: Value| {
        let mut wanted = description(ALL_STAGES, &[]);
        wanted["stages"][1]["steps"][0]["submission_args"] = json!([{"name": "duration", "value": duration}]);
        wanted
    };
    for (given, kept) in [
        (json!("06:30:00"), "06:30:00"),
        (json!("02:06:30:00"), "02:06:30:00"),
        (json!("1d 2h 4m"), "01:02:04:00"),
        (json!(43_200), "12:00:00"),
    ] {
        upload(&experiment, &with(given)).await.says("ok");
        assert_eq!(value(&stored(&experiment).await, (1, 0), "submission_args", "duration"), kept);
    }
    for wrong in [json!("06:30"), json!("soon"), json!(-1), json!("00:00:00"), json!("99999999999999999999d")]
    {
        let message = upload(&experiment, &with(wrong.clone())).await.fails(400, "MalformedRequestError");
        for part in ["image_preprocessing", "corilla", "duration", "06:00:00"] {
            assert!(message.contains(part), "{wrong}: {part} is not in: {message}");
        }
    }
}

async fn a_description_of_nothing_is_kept_but_not_run(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    let mut inactive = description(ALL_STAGES, &[]);
    for stage in inactive["stages"].as_array_mut().unwrap() {
        stage["active"] = json!(false);
    }
    let mut hollow = description(ALL_STAGES, &[]);
    hollow["stages"][1]["steps"][0]["active"] = json!(false);
    let submit = format!("{}/workflow/submit", experiment.path);
    for (nothing, part) in [
        (inactive, "no stage is active"),
        (hollow, "stage `image_preprocessing` is active but none of its steps is"),
        (json!({"type": "canonical", "stages": []}), "no stage is active"),
    ] {
        upload(&experiment, &nothing).await.says("ok");
        let message = experiment.client.post(&submit, &json!({})).await.fails(400, "MalformedRequestError");
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(experiment.status(2).await, Value::Null);
}

async fn a_job_is_stored_as_text_that_a_later_version_can_read(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &PlateFiles::new("text").grid(1, 1)).await;
    let tree = experiment.run(ALL_STAGES, &[]).await;
    let jobs = app.texts("select job from tasks where job is not null").await;
    let count = nodes(&tree).iter().filter(|node| node["type"].as_str().unwrap().ends_with("Job")).count();
    assert_eq!(jobs.len(), count);
    for text in jobs {
        let job: Value = serde_json::from_str(&text).unwrap();
        assert!(
            job["step"].is_string() && job["phase"].is_string() && job["arguments"].is_object(),
            "{text}"
        );
    }
    // As a version before this one stored it, without what this one added.
    app.sql(
        "update tasks set state = 'NEW', exitcode = null, job = replace(job, ',\"time_limit_s\":21600', '')
         where name = 'metaextract_run_0000001'",
    )
    .await;
    app.sql("update tasks set state = 'RUNNING', exitcode = null where type not like '%Job' and parent_id is null")
        .await;
    app.sql("update tasks set state = 'RUNNING', exitcode = null where name in ('metaextract_run', 'metaextract', 'image_conversion')").await;
    let left = app.texts("select job from tasks where name = 'metaextract_run_0000001'").await;
    assert!(!left[0].contains("time_limit_s"), "{left:?}");
    assert_eq!(app.app.workflows.resume().await.unwrap(), 1);
    let outcome = experiment.wait().await;
    assert_eq!(outcome.tree["exitcode"], 0, "{:#?}", outcome.failures);
}
