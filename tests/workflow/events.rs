//! The status of a workflow as server-sent events.

use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use serde_json::Value;
use tm_server::resources::experiment::sharing;
use tm_tests::app::{READER, STRANGER, TestApp};
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::plates::{ALL_STAGES, Experiment, description};

/// How long to wait for an event before the stream counts as stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// A stream of events, read event by event.
struct Events {
    response: Response,
    read: String,
}

impl Events {
    async fn open(client: &tm_tests::app::Client, path: &str) -> Self {
        let response = client.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, read: String::new() }
    }

    /// The data of the next event; `None` at the end.
    async fn next(&mut self) -> Option<Value> {
        // Heartbeats are no progress.
        tokio::time::timeout(PATIENCE, self.read_on()).await.expect("the stream is stuck")
    }

    async fn read_on(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.read = rest;
                // A heartbeat is a comment.
                if event.starts_with(':') {
                    continue;
                }
                let data = event.strip_prefix("event: status\ndata: ").unwrap_or_else(|| panic!("{event}"));
                return Some(serde_json::from_str(data).unwrap());
            }
            match self.response.chunk().await.unwrap() {
                Some(bytes) => self.read += std::str::from_utf8(&bytes).unwrap(),
                None => return None,
            }
        }
    }
}

/// A workflow that is not over, and that nobody runs.
async fn unfinished(app: &TestApp, experiment: &Experiment<'_>) {
    let submission = app
        .insert(&format!(
            "insert into submissions (experiment_id, user_id, program, description, created_at)
             values ({}, 1, 'workflow', '{{}}', 0)",
            experiment.id()
        ))
        .await;
    app.insert(&format!(
        "insert into tasks (submission_id, name, type, state, created_at, updated_at)
         values ({submission}, 'w', 'Workflow', 'RUNNING', 0, 0)"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_show_a_workflow_until_it_is_over_and_percent_never_goes_down() {
    let app = TestApp::start_with(|config| config.cores = 1).await;
    let experiment = Experiment::new(&app).await;
    let path = format!("{}/workflow/events", experiment.path);
    let mut events = Events::open(&experiment.client, &path).await;
    assert_eq!(
        (events.next().await, events.next().await),
        (Some(Value::Null), None),
        "nothing was submitted"
    );

    experiment.upload("plate", "a", &PlateFiles::new("events").grid(4, 4)).await;
    let arguments = [("imextract", "batch_size", 1.into()), ("metaextract", "batch_size", 1.into())];
    assert_eq!(experiment.submit(&description(ALL_STAGES, &arguments)).await.status, 200);
    let start = Instant::now();
    let mut events = Events::open(&experiment.client, &format!("{path}?depth=4")).await;
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        all.push(event);
    }
    let most = start.elapsed().as_millis() / 500 + 2;
    assert!(all.len() > 1 && (all.len() as u128) <= most, "{} events of at most {most}", all.len());
    let percents: Vec<f64> = all.iter().map(|event| event["percent_done"].as_f64().unwrap()).collect();
    assert!(percents.is_sorted() && percents[percents.len() - 2] < 100.0, "{percents:?}");
    assert_eq!(percents.last(), Some(&100.0));
    let last = all.last().unwrap();
    assert_eq!(*last, experiment.status(4).await, "the same node as the status");
    assert_eq!(last["done"], true);
    // What is over is told once.
    let mut events = Events::open(&experiment.client, &path).await;
    assert_eq!((events.next().await, events.next().await), (Some(experiment.status(2).await), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_for_those_who_may_read_for_as_long_as_they_may() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    unfinished(&app, &experiment).await;
    let path = format!("{}/workflow/events", experiment.path);
    app.anonymous().get(&path).await.fails(401, "NotAuthorizedError");
    app.client(STRANGER).await.get(&path).await.fails(403, "ForbiddenError");
    let reader = app.client(READER).await;
    let mut events = Events::open(&reader, &path).await;
    assert_eq!(events.next().await.unwrap()["state"], "RUNNING");
    sharing::unshare(app.environment(), &experiment.id().to_string(), READER).await.unwrap();
    assert_eq!(events.next().await, None);

    let mut events = Events::open(&experiment.client, &path).await;
    assert!(events.next().await.is_some());
    app.app.workflows.stop(Duration::from_millis(1)).await;
    assert_eq!(events.next().await, None, "a server that stops waits for nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_64_clients_watch_and_a_place_is_free_when_one_goes() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    unfinished(&app, &experiment).await;
    let path = format!("{}/workflow/events", experiment.path);
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(Events::open(&experiment.client, &path).await);
    }
    experiment.client.get(&path).await.fails(503, "ServiceUnavailableError");
    drop(open.pop());
    let start = Instant::now();
    // The server notices when it does; there is nothing to wait for.
    loop {
        let response = experiment.client.request(Method::GET, &path).send().await.unwrap();
        if response.status() == 200 {
            break;
        }
        assert!(start.elapsed() < PATIENCE);
    }
}
