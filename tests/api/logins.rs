//! Guessing passwords is slow, and keeps nobody else out.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tm_tests::app::{OWNER, PASSWORD, READER, TestApp};

/// Log in from an address, as a trusted proxy says it; status, and seconds to wait if told so.
async fn log_in(app: &TestApp, address: &str, name: &str, password: &str) -> (u16, Option<u64>) {
    let request = app.anonymous().request(Method::POST, "/auth").header("X-Forwarded-For", address);
    let answer = request.json(&json!({"username": name, "password": password})).send().await.unwrap();
    let wait = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
    (answer.status().as_u16(), wait)
}

async fn start() -> TestApp {
    TestApp::start_with(|config| {
        config.login_attempts = 3;
        config.trust_forwarded = true;
    })
    .await
}

#[tokio::test]
async fn after_some_failures_an_address_waits_twice_as_long_each_time_even_with_the_right_password() {
    let app = start().await;
    let address = "192.0.2.1";
    for _ in 0..3 {
        assert_eq!(log_in(&app, address, OWNER, "wrong wrong").await, (401, None));
    }
    assert_eq!(log_in(&app, address, OWNER, PASSWORD).await, (429, Some(1)));
    // Another name makes no difference: it is the address that guesses.
    assert_eq!(log_in(&app, address, READER, PASSWORD).await, (429, Some(1)));
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(log_in(&app, address, OWNER, "wrong again").await, (401, None));
    assert_eq!(log_in(&app, address, OWNER, PASSWORD).await, (429, Some(2)));
    app.clock.advance(Duration::from_secs(2));
    assert_eq!(log_in(&app, address, OWNER, PASSWORD).await, (200, None));
}

#[tokio::test]
async fn guesses_from_everywhere_keep_no_user_out_from_elsewhere() {
    let app = start().await;
    for guess in 0..9 {
        let address = format!("203.0.113.{guess}");
        assert_eq!(log_in(&app, &address, OWNER, "wrong wrong").await, (401, None));
    }
    // A second guess from one of them has to wait, because the name is being guessed.
    assert_eq!(log_in(&app, "203.0.113.1", OWNER, "wrong wrong").await, (429, Some(8)));
    assert_eq!(log_in(&app, "192.0.2.7", OWNER, PASSWORD).await, (200, None));
}

#[tokio::test]
async fn what_a_client_claims_to_be_does_not_count_without_a_trusted_proxy() {
    let app = TestApp::start_with(|config| config.login_attempts = 2).await;
    for address in ["192.0.2.1", "192.0.2.2"] {
        assert_eq!(log_in(&app, address, OWNER, "wrong wrong").await, (401, None));
    }
    assert_eq!(log_in(&app, "192.0.2.3", OWNER, PASSWORD).await, (429, Some(1)));
}

#[tokio::test]
async fn a_refused_attempt_says_so_in_the_envelope_and_counts_for_nothing() {
    let app = TestApp::start_with(|config| config.login_attempts = 1).await;
    let body = json!({"username": "nobody", "password": "wrong wrong"});
    app.anonymous().post("/auth", &body).await.fails(401, "NotAuthorizedError");
    for _ in 0..5 {
        let message = app.anonymous().post("/auth", &body).await.fails(429, "TooManyRequestsError");
        assert!(message.contains("1 second"), "{message}");
    }
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(
        app.anonymous().logged_in(OWNER, PASSWORD).await.unwrap().get("/api/users/me").await.status,
        200
    );
}

#[tokio::test]
async fn wrong_present_passwords_count_like_failed_logins() {
    let app = TestApp::start_with(|config| config.login_attempts = 2).await;
    let owner = app.client(OWNER).await;
    let change = async |old: &str| {
        let body = json!({"old_password": old, "new_password": "another password"});
        owner.put("/api/users/me/password", &body).await
    };
    for _ in 0..2 {
        change("wrong wrong").await.fails(403, "ForbiddenError");
    }
    change(PASSWORD).await.fails(429, "TooManyRequestsError");
    let login = json!({"username": OWNER, "password": PASSWORD});
    app.anonymous().post("/auth", &login).await.fails(429, "TooManyRequestsError");
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(change(PASSWORD).await.status, 200);
}

#[tokio::test]
async fn switched_off_nobody_waits() {
    let app = TestApp::start_with(|config| config.login_attempts = 0).await;
    for _ in 0..12 {
        let body = json!({"username": OWNER, "password": "wrong wrong"});
        app.anonymous().post("/auth", &body).await.fails(401, "NotAuthorizedError");
    }
}
