//! Kills by the API at chosen moments, and kills of the server in the middle of them: nothing is half-written, and what
//! is submitted again comes out as an undisturbed run. And a job that ends whatever process runs it.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tm_tests::app::Client;
use tm_tests::databases::Database;
use tm_tests::plates::nodes;
use tm_tests::program::Serving;

use super::crash::{Fresh, Seeded, Work, get, held, undisturbed, until_over};

tm_tests::on_each_database![
    flavor = "multi_thread";
    a_workflow_that_was_killed_anywhere_and_submitted_again_makes_what_an_undisturbed_one_makes,
    a_server_that_dies_while_it_kills_or_submits_again_goes_on_from_there,
    a_job_that_ends_its_process_again_and_again_is_given_up_and_no_other,
];

/// Moments at which a workflow is killed.
const MOMENTS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a kill may take: jobs end at their next safe point.
const KILLING: Duration = Duration::from_secs(10);

/// Wait until this many jobs of the workflow have ended, or all that there are.
async fn until_ended(client: &Client, experiment: &str, wanted: usize) {
    let start = Instant::now();
    loop {
        let tree = get(client, &format!("{experiment}/workflow/status?depth=9")).await.unwrap();
        let is_ended_job =
            |node: &&&Value| node["type"].as_str().unwrap().ends_with("Job") && node["done"] == true;
        if tree["done"] == true || nodes(&tree).iter().filter(is_ended_job).count() >= wanted {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{tree:#}");
        // There is no notification to wait for.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn post(client: &Client, path: &str, body: &Value) -> reqwest::Result<u16> {
    Ok(client.try_send(client.request(Method::POST, path).json(body)).await?.status)
}

/// What is submitted again: all of it, or only what failed or was killed.
fn again(failed_only: bool, work: &Work) -> Value {
    match failed_only {
        true => json!({"failed_only": true}),
        false => json!({"index": 0, "description": work.description}),
    }
}

async fn until_dead(server: &mut Serving) {
    let start = Instant::now();
    while server.ended().is_none() {
        assert!(start.elapsed() < PATIENCE, "the server lives");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn a_workflow_that_was_killed_anywhere_and_submitted_again_makes_what_an_undisturbed_one_makes(
    database: Database,
) {
    let work = Work::new(false);
    let (whole, trace) = undisturbed(&work, &database).await;
    let jobs = trace.iter().filter(|point| point.ends_with(" ended")).count();
    assert!(jobs > 20, "{trace:?}");
    let mut random = Seeded(8_051);
    let mut killed = 0;
    for moment in 0..MOMENTS {
        // Spread over the run, and anywhere within its share of it.
        let share = jobs / MOMENTS;
        let ended = moment * share + random.below(share);
        let fresh = Fresh::like(&database).await;
        let server = fresh.program.serve();
        let (client, experiment) = work.begin(&server.base).await.unwrap();
        until_ended(&client, &experiment, ended).await;
        let start = Instant::now();
        assert_eq!(post(&client, &format!("{experiment}/workflow/kill"), &json!({})).await.unwrap(), 200);
        let tree = until_over(&client, &experiment).await.unwrap();
        assert!(start.elapsed() < KILLING, "after {ended} jobs: {:?}", start.elapsed());
        if tree["exitcode"] == 255 {
            killed += 1;
            let body = again(moment % 2 == 0, &work);
            let resubmit = format!("{experiment}/workflow/resubmit");
            assert_eq!(post(&client, &resubmit, &body).await.unwrap(), 200, "after {ended} jobs");
        }
        let client = work.finish(&server.base).await.unwrap();
        let differences = whole.differences(&held(server, &client, &fresh.program).await);
        assert!(differences.is_empty(), "killed after {ended} jobs:\n{}", differences.join("\n"));
    }
    assert!(killed >= MOMENTS - 1, "only {killed} were killed before their end");
}

async fn a_server_that_dies_while_it_kills_or_submits_again_goes_on_from_there(database: Database) {
    let work = Work::new(false);
    let (whole, trace) = undisturbed(&work, &database).await;
    let jobs = trace.iter().filter(|point| point.ends_with(" ended")).count();
    let mut random = Seeded(1_312);
    for (failed_only, point) in [
        (true, "kill:1:workflow kill begun"),
        (false, "kill:1:workflow kill begun"),
        (true, "kill:1:workflow resubmitted"),
        (false, "kill:1:workflow resubmitted"),
    ] {
        let ended = random.below(jobs / 2);
        let fresh = Fresh::like(&database).await;
        let mut server = fresh.serve_with(point);
        let (client, experiment) = work.begin(&server.base).await.unwrap();
        let (kill, resubmit) =
            (format!("{experiment}/workflow/kill"), format!("{experiment}/workflow/resubmit"));
        until_ended(&client, &experiment, ended).await;
        let body = again(failed_only, &work);
        if point.ends_with("begun") {
            post(&client, &kill, &json!({})).await.unwrap_err();
            until_dead(&mut server).await;
            server = fresh.program.serve();
            let (client, _) = work.begin(&server.base).await.unwrap();
            let tree = until_over(&client, &experiment).await.unwrap();
            assert_eq!(tree["exitcode"], 255, "the kill goes on: {tree:#}");
            assert_eq!(post(&client, &resubmit, &body).await.unwrap(), 200);
        } else {
            assert_eq!(post(&client, &kill, &json!({})).await.unwrap(), 200);
            until_over(&client, &experiment).await.unwrap();
            post(&client, &resubmit, &body).await.unwrap_err();
            until_dead(&mut server).await;
            server = fresh.program.serve();
        }
        let client = work.finish(&server.base).await.unwrap();
        let differences = whole.differences(&held(server, &client, &fresh.program).await);
        assert!(differences.is_empty(), "{point} after {ended} jobs:\n{}", differences.join("\n"));
    }
}

async fn a_job_that_ends_its_process_again_and_again_is_given_up_and_no_other(database: Database) {
    let work = Work::new(false);
    let (whole, _) = undisturbed(&work, &database).await;
    let fresh = Fresh::like(&database).await;
    let culprit = "imextract_run_0000002";
    for _ in 0..3 {
        let mut server = fresh.serve_with(&format!("kill:1:{culprit} worked"));
        let base = server.base.clone();
        // It dies while the client waits, or before the client came.
        let _ = tokio::time::timeout(PATIENCE, work.begin(&base)).await.expect("an answer or none");
        until_dead(&mut server).await;
    }
    let server = fresh.program.serve();
    let (client, experiment) = work.begin(&server.base).await.unwrap();
    let tree = until_over(&client, &experiment).await.unwrap();
    let run = |node: &&&Value| node["name"].as_str().unwrap().starts_with("imextract_run_");
    let jobs: Vec<_> = nodes(&tree).into_iter().collect();
    for job in jobs.iter().filter(run) {
        let is_culprit = job["name"] == culprit;
        assert_eq!(job["exitcode"], i32::from(is_culprit), "{job:#}");
        if is_culprit {
            let reason = job["reason"].as_str().unwrap();
            assert!(reason.contains("the process died while it ran this job, 3 times"), "{reason}");
            let log = format!("{experiment}/workflow/jobs/{}/log", job["id"].as_str().unwrap());
            let log = get(&client, &log).await.unwrap();
            assert!(log["stderr"].as_str().unwrap().contains(reason), "{log}");
        }
    }
    assert_eq!(tree["exitcode"], 70, "{tree:#}");

    // The cause mended, the job is run when somebody asks for it.
    let resubmit = format!("{experiment}/workflow/resubmit");
    assert_eq!(post(&client, &resubmit, &again(true, &work)).await.unwrap(), 200);
    let client = work.finish(&server.base).await.unwrap();
    let differences = whole.differences(&held(server, &client, &fresh.program).await);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
