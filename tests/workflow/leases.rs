//! Who may work on a job, and who came too late.

use std::time::Duration;

use tm_server::resources::workflow::queries::{self, NewTask, Usage};
use tm_server::workflow::lease::Lease;
use tm_tests::app::TestApp;
use tm_tests::plates::Experiment;

/// A job that nobody works on.
async fn job(app: &TestApp, experiment: &Experiment<'_>) -> i64 {
    let mut tx = app.environment().db.write().await.unwrap();
    let submission = queries::insert_submission(&mut tx, experiment.id(), 1, "{}", 0).await.unwrap();
    let job = Some("{}".to_owned());
    let task = NewTask { submission, parent: None, name: "a_run_0000001", task_type: "RunJob", job };
    let task = queries::insert_task(&mut tx, &task, 0).await.unwrap();
    tx.commit().await.unwrap();
    task
}

async fn holds(app: &TestApp, lease: Lease) -> bool {
    let mut tx = app.environment().db.write().await.unwrap();
    let holds = lease.holds(&mut tx, app.environment().now()).await.unwrap();
    tx.commit().await.unwrap();
    holds
}

async fn ends(app: &TestApp, lease: Lease, exitcode: i64) -> bool {
    let mut tx = app.environment().db.write().await.unwrap();
    let ended = queries::end_job(&mut tx, lease, exitcode, None, Usage::default(), app.environment().now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    ended
}

#[tokio::test]
async fn a_job_has_one_worker_at_a_time() {
    let app = TestApp::start().await;
    let job = job(&app, &Experiment::new(&app).await).await;
    let first = Lease::claim(app.environment(), job).await.unwrap().expect("nobody has it").0;
    assert_eq!(first.epoch, 1);
    assert_eq!(Lease::claim(app.environment(), job).await.unwrap(), None);
    first.release(app.environment()).await.unwrap();
    let second = Lease::claim(app.environment(), job).await.unwrap().expect("it was given back").0;
    assert_eq!(second.epoch, 2);
    assert!(ends(&app, second, 0).await);
    assert_eq!(Lease::claim(app.environment(), job).await.unwrap(), None, "it is over");
}

#[tokio::test]
async fn of_many_claims_at_once_one_succeeds() {
    let app = TestApp::start().await;
    let job = job(&app, &Experiment::new(&app).await).await;
    let claims = (0..16).map(|_| {
        let environment = app.environment().clone();
        tokio::spawn(async move { Lease::claim(&environment, job).await.unwrap() })
    });
    let mut taken = 0;
    for claim in claims.collect::<Vec<_>>() {
        taken += usize::from(claim.await.unwrap().is_some());
    }
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn a_silent_worker_loses_the_job_and_changes_nothing_any_more() {
    let app = TestApp::start().await;
    let job = job(&app, &Experiment::new(&app).await).await;
    let late = Lease::claim(app.environment(), job).await.unwrap().expect("nobody has it").0;
    app.clock.advance(Duration::from_secs(50));
    assert!(holds(&app, late).await, "a sign of life renews the lease");
    app.clock.advance(Duration::from_secs(50));
    assert_eq!(Lease::claim(app.environment(), job).await.unwrap(), None, "it holds for a minute from then");
    app.clock.advance(Duration::from_secs(11));
    let new = Lease::claim(app.environment(), job).await.unwrap().expect("the lease ran out").0;
    assert!(!holds(&app, late).await);
    assert!(!ends(&app, late, 1).await);
    late.release(app.environment()).await.unwrap();
    assert!(holds(&app, new).await, "the late worker took nothing from the new one");
    assert!(ends(&app, new, 0).await);
    assert_eq!(app.texts("select state || exitcode || epoch from tasks").await, ["TERMINATED02"]);
}
