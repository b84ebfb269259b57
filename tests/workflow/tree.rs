//! What clients see of a workflow: its tree of tasks, its jobs and their logs.

use serde_json::{Value, json};
use tm_tests::app::{READER, TestApp};
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::databases::Database;
use tm_tests::plates::{ALL_STAGES, Experiment, nodes};

tm_tests::on_each_database![
    flavor = "multi_thread";
    the_tree_of_a_finished_workflow_has_every_stage_step_phase_and_job,
    exit_codes_and_percentages_tell_where_a_workflow_failed,
    jobs_are_listed_by_phase_name_and_window,
    every_job_logs_that_it_completed_and_only_to_those_who_may_read,
];

/// Types and names of a finished tree, indented.
fn outline(node: &Value, depth: usize) -> Vec<String> {
    if node.is_null() {
        return vec![format!("{}-", "  ".repeat(depth))];
    }
    let text = |field: &str| node[field].as_str().expect("text");
    let mut lines = vec![format!("{}{} {}", "  ".repeat(depth), text("type"), text("name"))];
    let below = node["subtasks"].as_array().expect("a list");
    assert_eq!(node["n_subtasks"], json!(below.len()), "{node:#}");
    lines.extend(below.iter().flat_map(|node| outline(node, depth + 1)));
    lines
}

/// Four sites in two channels, two files per job.
async fn processed(app: &TestApp) -> (Experiment<'_>, Value) {
    let experiment = Experiment::new(app).await;
    experiment.upload("plate", "a", &PlateFiles::new("tree").channels(2)).await;
    let batches = [("metaextract", "batch_size", json!(3)), ("imextract", "batch_size", json!(2))];
    let tree = experiment.run(ALL_STAGES, &batches).await;
    (experiment, tree)
}

/// The tree of [`processed`], from top to bottom.
const WHOLE: &str = "\
Workflow an experiment
  SequentialWorkflowStage image_conversion
    WorkflowStep metaextract
      InitPhase metaextract_init
        InitJob metaextract_init_0000001
      SingleRunPhase metaextract_run
        RunJob metaextract_run_0000001
        RunJob metaextract_run_0000002
        RunJob metaextract_run_0000003
    WorkflowStep metaconfig
      InitPhase metaconfig_init
        InitJob metaconfig_init_0000001
      SingleRunPhase metaconfig_run
        RunJob metaconfig_run_0000001
      CollectPhase metaconfig_collect
        CollectJob metaconfig_collect_0000001
    WorkflowStep imextract
      InitPhase imextract_init
        InitJob imextract_init_0000001
      SingleRunPhase imextract_run
        RunJob imextract_run_0000001
        RunJob imextract_run_0000002
        RunJob imextract_run_0000003
        RunJob imextract_run_0000004
      CollectPhase imextract_collect
        CollectJob imextract_collect_0000001
  SequentialWorkflowStage image_preprocessing
    WorkflowStep corilla
      InitPhase corilla_init
        InitJob corilla_init_0000001
      SingleRunPhase corilla_run
        RunJob corilla_run_0000001
        RunJob corilla_run_0000002
      CollectPhase corilla_collect
        CollectJob corilla_collect_0000001
  SequentialWorkflowStage pyramid_creation
    WorkflowStep illuminati
      InitPhase illuminati_init
        InitJob illuminati_init_0000001
      MultiRunPhase illuminati_run
        SingleRunPhase illuminati_run-00
          RunJob illuminati_run-00_0000001
          RunJob illuminati_run-00_0000002
      CollectPhase illuminati_collect
        CollectJob illuminati_collect_0000001";

/// The lines of [`WHOLE`] down to a depth, `-` for each node below it.
fn down_to(depth: usize) -> Vec<String> {
    let level = |line: &str| (line.len() - line.trim_start().len()) / 2;
    let shown = WHOLE.lines().filter(|line| level(line) <= depth + 1);
    let cut = |line: &str| match level(line) {
        below if below > depth => format!("{}-", "  ".repeat(below)),
        _ => line.to_owned(),
    };
    shown.map(cut).collect()
}

async fn the_tree_of_a_finished_workflow_has_every_stage_step_phase_and_job(database: Database) {
    let app = TestApp::start_on(database).await;
    let (experiment, tree) = processed(&app).await;
    assert_eq!(outline(&tree, 0), WHOLE.lines().collect::<Vec<_>>());
    for node in nodes(&tree) {
        let state = ["state", "done", "failed", "live", "exitcode"].map(|field| node[field].clone());
        let wanted = [json!("TERMINATED"), json!(true), json!(false), json!(false), json!(0)];
        assert_eq!(state, wanted, "{node:#}");
        assert!((node["percent_done"].as_f64().unwrap() - 100.0).abs() < 1e-6, "{node:#}");
        assert!(node["id"].as_str().unwrap().parse::<u64>().is_ok());
        assert!(node["time"].as_str().unwrap().starts_with("0:00:0"), "{node:#}");
        for time in ["created_at", "updated_at"] {
            let text = node[time].as_str().unwrap();
            let shape = text.replace(|c: char| c.is_ascii_digit(), "0");
            assert_eq!(shape, "0000-00-00 00:00:00", "{text}");
        }
    }
    for depth in [0, 2, 4, 5] {
        let shown = experiment.status(depth).await;
        assert_eq!(outline(&shown, 0), down_to(depth as usize), "depth {depth}");
    }
    assert_eq!(experiment.status(-1).await, Value::Null);
    let default = experiment.client.get(&format!("{}/workflow/status", experiment.path)).await;
    assert_eq!(*default.data(), experiment.status(2).await, "two levels unless asked otherwise");
}

async fn exit_codes_and_percentages_tell_where_a_workflow_failed(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &PlateFiles::new("tree").without_metadata()).await;
    let tree = experiment.run_to_end(ALL_STAGES, &[]).await.tree;
    let all = nodes(&tree);
    let find = |name: &str| all.iter().find(|node| node["name"] == name).unwrap();
    let end = |name: &str| (find(name)["state"].as_str().unwrap(), find(name)["exitcode"].as_i64());
    assert_eq!(end("metaextract"), ("TERMINATED", Some(0)));
    assert_eq!(end("metaconfig_init"), ("TERMINATED", Some(0)));
    assert_eq!(end("metaconfig_run_0000001"), ("TERMINATED", Some(1)));
    // A phase with a failed job, and everything that it is the last part of.
    for name in ["metaconfig_run", "metaconfig", "image_conversion", "an experiment"] {
        assert_eq!(end(name), ("TERMINATED", Some(70)), "{name}");
        assert_eq!(find(name)["failed"], json!(true));
    }
    for name in ["metaconfig_collect", "imextract", "image_preprocessing", "pyramid_creation", "illuminati"] {
        assert_eq!(end(name), ("NEW", None), "{name}");
        assert_eq!(find(name)["failed"], json!(false));
        assert_eq!(find(name)["percent_done"], json!(0.0), "{name}");
    }
    for name in ["imextract", "corilla", "illuminati"] {
        assert_eq!(find(name)["n_subtasks"], json!(0), "{name} has no phases yet");
    }
    // Of five steps one is done and one has done two of three jobs.
    let percent = |name: &str| find(name)["percent_done"].as_f64().unwrap();
    for (name, wanted) in [
        ("metaextract", 100.0),
        ("metaconfig", 200.0 / 3.0),
        ("image_conversion", 500.0 / 9.0),
        ("an experiment", 100.0 / 3.0),
    ] {
        assert!((percent(name) - wanted).abs() < 1e-6, "{name}: {}", percent(name));
    }
}

async fn jobs_are_listed_by_phase_name_and_window(database: Database) {
    let app = TestApp::start_on(database).await;
    let (experiment, _) = processed(&app).await;
    let path = format!("{}/workflow/jobs", experiment.path);
    let names = async |query: &str| experiment.client.get(&format!("{path}?{query}")).await.all("name");
    let run = |number: usize| format!("imextract_run_{number:07}");
    let collect = "imextract_collect_0000001".to_owned();
    let init = "imextract_init_0000001".to_owned();
    let all = vec![collect.clone(), init.clone(), run(1), run(2), run(3), run(4)];
    assert_eq!(names("step_name=imextract").await, all);
    for phase in ["phase", "step_phase"] {
        assert_eq!(names(&format!("step_name=imextract&{phase}=run")).await, all[2..]);
    }
    assert_eq!(names("step_name=imextract&phase=init").await, [init.as_str()]);
    assert_eq!(names("step_name=imextract&phase=collect").await, [collect.as_str()]);
    assert_eq!(names(&format!("step_name=imextract&name={}", run(3))).await, [run(3)]);
    assert_eq!(names("step_name=imextract&index=1&batch_size=3").await, all[1..4]);
    assert_eq!(names("step_name=imextract&phase=run&index=3&batch_size=9").await, [run(4)]);
    assert_eq!(names("step_name=imextract&index=-3&batch_size=5").await, all[..2]);
    for nothing in ["imextract&index=-5&batch_size=5", "imextract&index=6&batch_size=5", "jterator", "im"] {
        assert!(names(&format!("step_name={nothing}")).await.is_empty(), "{nothing}");
    }
    assert_eq!(
        names("step_name=illuminati").await,
        ["illuminati_collect_0000001", "illuminati_init_0000001"]
            .iter()
            .map(ToString::to_string)
            .chain((1..=2).map(|number| format!("illuminati_run-00_{number:07}")))
            .collect::<Vec<_>>()
    );
    let runs = names("step_name=illuminati&phase=run").await;
    assert_eq!(runs.len(), 2, "{runs:?}");
    for wrong in
        ["imextract&index=1", "imextract&batch_size=1", "imextract&name=a&phase=run", "imextract&phase=walk"]
    {
        experiment.client.get(&format!("{path}?step_name={wrong}")).await.fails(400, "MalformedRequestError");
    }
    experiment.client.get(&path).await.fails(400, "MissingGETParameterError");

    let jobs = experiment.client.get(&format!("{path}?step_name=corilla&phase=run")).await.data().clone();
    let mut fields: Vec<_> = jobs[0].as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    let wanted =
        "attempts cpu_time created_at done exitcode failed id live memory name state time type updated_at";
    assert_eq!(fields.join(" "), wanted);
    assert_eq!(jobs[0]["type"], "RunJob");
}

async fn every_job_logs_that_it_completed_and_only_to_those_who_may_read(database: Database) {
    let app = TestApp::start_on(database).await;
    let (experiment, tree) = processed(&app).await;
    let jobs: Vec<&Value> =
        nodes(&tree).into_iter().filter(|node| node["type"].as_str().unwrap().ends_with("Job")).collect();
    assert_eq!(jobs.len(), 21);
    for job in &jobs {
        let (stdout, stderr) = experiment.log(job["id"].as_str().unwrap()).await;
        assert!(stdout.trim_end().ends_with("JOB COMPLETED"), "{}: {stdout}", job["name"]);
        let warns = job["name"].as_str().unwrap().starts_with("corilla_run");
        assert_eq!(stderr.contains("has 4 images; from 100 on"), warns, "{}: {stderr}", job["name"]);
    }
    let id = jobs[0]["id"].as_str().unwrap();
    let log = format!("{}/workflow/jobs/{id}/log", experiment.path);
    assert_eq!(app.client(READER).await.get(&log).await.status, 200);
    app.client("stranger").await.get(&log).await.fails(403, "ForbiddenError");

    let other = Experiment::named(&app, "another", 384).await;
    for job in [id, "999999", "abc", tree["id"].as_str().unwrap()] {
        let path = format!("{}/workflow/jobs/{job}/log", other.path);
        other.client.get(&path).await.fails(404, "ResourceNotFoundError");
    }
    let collection = format!("{}/workflow/jobs/{}/log", experiment.path, tree["id"].as_str().unwrap());
    experiment.client.get(&collection).await.fails(404, "ResourceNotFoundError");
    assert_eq!(other.status(2).await, Value::Null);
}
