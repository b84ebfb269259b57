//! Logging in, and tokens.

use std::time::Duration;

use serde_json::json;
use tm_server::auth::token::Tokens;
use tm_server::resources::user::{self, UserError};
use tm_tests::app::{Client, OWNER, PASSWORD, READER, SECRET, TestApp};
use tm_tests::databases::Database;

tm_tests::on_each_database![
    a_password_buys_a_token_that_opens_the_api,
    keys_beside_name_and_password_are_ignored,
    a_wrong_password_and_an_unknown_user_are_refused_alike,
    a_missing_or_empty_name_is_refused_with_401,
    a_login_that_is_no_json_is_refused_with_400,
    no_token_is_rejected_with_401,
    expired_token_is_rejected_with_401,
    a_token_signed_with_another_key_is_rejected_with_401,
    a_token_of_a_user_who_is_gone_is_rejected_with_401,
    a_revoked_token_is_rejected_with_401_and_the_next_login_counts,
    a_changed_password_ends_all_sessions,
    who_knows_the_password_changes_it_and_goes_on_with_a_new_token,
    a_password_is_not_changed_without_the_present_one_or_to_a_short_one,
    a_header_that_is_no_token_is_rejected_with_401,
];

async fn a_password_buys_a_token_that_opens_the_api(database: Database) {
    let app = TestApp::start_on(database).await;
    let answer = app.anonymous().post("/auth", &json!({"username": OWNER, "password": PASSWORD})).await;
    assert_eq!(answer.status, 200);
    let token = answer.body["access_token"].as_str().unwrap();
    let answer = app.anonymous().with_token(token).get("/api/experiments").await;
    assert_eq!(answer.data(), &json!([]));
}

async fn keys_beside_name_and_password_are_ignored(database: Database) {
    let app = TestApp::start_on(database).await;
    let body = json!({"username": OWNER, "password": PASSWORD, "remember": true});
    assert_eq!(app.anonymous().post("/auth", &body).await.status, 200);
}

async fn a_wrong_password_and_an_unknown_user_are_refused_alike(database: Database) {
    let app = TestApp::start_on(database).await;
    let wrong = app.anonymous().post("/auth", &json!({"username": OWNER, "password": "nope nope"})).await;
    let unknown = app.anonymous().post("/auth", &json!({"username": "nobody", "password": PASSWORD})).await;
    wrong.fails(401, "NotAuthorizedError");
    assert_eq!(wrong, unknown);
}

async fn a_missing_or_empty_name_is_refused_with_401(database: Database) {
    let app = TestApp::start_on(database).await;
    for body in [
        json!({}),
        json!({"username": null, "password": null}),
        json!({"username": OWNER}),
        json!({"username": "", "password": PASSWORD}),
    ] {
        app.anonymous().post("/auth", &body).await.fails(401, "NotAuthorizedError");
    }
}

async fn a_login_that_is_no_json_is_refused_with_400(database: Database) {
    let app = TestApp::start_on(database).await;
    let client = app.anonymous();
    let request = client.request(reqwest::Method::POST, "/auth").body("username=owner");
    client.send(request).await.fails(400, "MalformedRequestError");
}

async fn no_token_is_rejected_with_401(database: Database) {
    let app = TestApp::start_on(database).await;
    let answer = app.anonymous().get("/api/experiments").await;
    let message = answer.fails(401, "NotAuthorizedError");
    // Old clients read these beside the envelope.
    assert_eq!(answer.body["status_code"], json!(401));
    assert_eq!(answer.body["description"], json!(message));
}

async fn expired_token_is_rejected_with_401(database: Database) {
    let app = TestApp::start_on(database).await;
    let client = app.client(OWNER).await;
    assert_eq!(client.get("/api/experiments").await.status, 200);
    app.clock.advance(Duration::from_secs(72 * 3600 + 5));
    // Ten seconds of leeway for clocks that differ.
    assert_eq!(client.get("/api/experiments").await.status, 200);
    app.clock.advance(Duration::from_secs(10));
    let message = client.get("/api/experiments").await.fails(401, "NotAuthorizedError");
    assert!(message.contains("expired"), "{message}");
}

async fn a_token_signed_with_another_key_is_rejected_with_401(database: Database) {
    let app = TestApp::start_on(database).await;
    let issue = |key: &str| {
        let tokens = Tokens::new(key.as_bytes(), Duration::from_secs(3600));
        tokens.issue(1, OWNER, 0, app.clock_us()).unwrap()
    };
    let client = app.anonymous();
    assert_eq!(client.with_token(&issue(SECRET)).get("/api/experiments").await.status, 200);
    client
        .with_token(&issue("another secret key"))
        .get("/api/experiments")
        .await
        .fails(401, "NotAuthorizedError");
}

async fn a_token_of_a_user_who_is_gone_is_rejected_with_401(database: Database) {
    let app = TestApp::start_on(database).await;
    let token = app.app.tokens.issue(4711, "ghost", 0, app.clock_us()).unwrap();
    app.anonymous().with_token(&token).get("/api/experiments").await.fails(401, "NotAuthorizedError");
}

async fn a_revoked_token_is_rejected_with_401_and_the_next_login_counts(database: Database) {
    let app = TestApp::start_on(database).await;
    let (old, other) = (app.client(OWNER).await, app.client(READER).await);
    assert_eq!(old.get("/api/experiments").await.status, 200);
    user::revoke_tokens(&app.app.environment, OWNER).await.unwrap();
    let message = old.get("/api/experiments").await.fails(401, "NotAuthorizedError");
    assert_eq!(message, "Token has been revoked");
    assert_eq!(other.get("/api/experiments").await.status, 200);
    assert_eq!(logged_in(&app, PASSWORD).await.get("/api/experiments").await.status, 200);
    let unknown = user::revoke_tokens(&app.app.environment, "nobody").await.unwrap_err();
    assert!(matches!(unknown, UserError::Unknown(_)), "{unknown}");
}

async fn a_changed_password_ends_all_sessions(database: Database) {
    let app = TestApp::start_on(database).await;
    let old = logged_in(&app, PASSWORD).await;
    assert_eq!(old.get("/api/experiments").await.status, 200);
    user::set_password(&app.app.environment, OWNER, "another password").await.unwrap();
    old.get("/api/experiments").await.fails(401, "NotAuthorizedError");
    assert_eq!(logged_in(&app, "another password").await.get("/api/experiments").await.status, 200);
}

const PASSWORD_PATH: &str = "/api/users/me/password";

async fn who_knows_the_password_changes_it_and_goes_on_with_a_new_token(database: Database) {
    let app = TestApp::start_on(database).await;
    let (old, other) = (logged_in(&app, PASSWORD).await, logged_in(&app, PASSWORD).await);
    let of_reader = app.client(READER).await;
    let body = json!({"old_password": PASSWORD, "new_password": "another password"});
    let request = old.request(reqwest::Method::PUT, PASSWORD_PATH).json(&body);
    let response = request.send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    let answer: serde_json::Value = response.json().await.unwrap();
    let token = answer["access_token"].as_str().unwrap();
    assert!(cookie.contains(token) && cookie.contains("HttpOnly"), "{cookie}");
    for ended in [&old, &other] {
        ended.get("/api/experiments").await.fails(401, "NotAuthorizedError");
    }
    let me = app.anonymous().with_token(token).get("/api/users/me").await;
    assert_eq!(me.data()["name"], json!(OWNER));
    assert_eq!(of_reader.get("/api/experiments").await.status, 200);
    let before = json!({"username": OWNER, "password": PASSWORD});
    app.anonymous().post("/auth", &before).await.fails(401, "NotAuthorizedError");
    assert_eq!(logged_in(&app, "another password").await.get("/api/experiments").await.status, 200);
    assert_eq!(
        app.anonymous().logged_in(READER, PASSWORD).await.unwrap().get("/api/tools").await.status,
        200
    );
}

async fn a_password_is_not_changed_without_the_present_one_or_to_a_short_one(database: Database) {
    let app = TestApp::start_on(database).await;
    let client = logged_in(&app, PASSWORD).await;
    let change = async |old: &str, new: &str| {
        client.put(PASSWORD_PATH, &json!({"old_password": old, "new_password": new})).await
    };
    let message = change("wrong wrong", "another password").await.fails(403, "ForbiddenError");
    assert!(message.contains("`old_password`"), "{message}");
    // What cannot be is said before the present password is looked at.
    for old in [PASSWORD, "wrong wrong"] {
        let message = change(old, "seven77").await.fails(400, "MalformedRequestError");
        assert!(message.contains("`new_password`") && message.contains("8 characters"), "{message}");
    }
    let message = client.put(PASSWORD_PATH, &json!({"old_password": PASSWORD})).await;
    assert!(message.fails(400, "MissingPUTParameterError").contains("new_password"));
    assert_eq!(client.get("/api/experiments").await.status, 200, "no token is revoked");
    assert_eq!(logged_in(&app, PASSWORD).await.get("/api/experiments").await.status, 200);
}

/// A client of [`OWNER`] with the token of a login.
async fn logged_in(app: &TestApp, password: &str) -> Client {
    let answer = app.anonymous().post("/auth", &json!({"username": OWNER, "password": password})).await;
    app.anonymous().with_token(answer.body["access_token"].as_str().expect("a token"))
}

async fn a_header_that_is_no_token_is_rejected_with_401(database: Database) {
    let app = TestApp::start_on(database).await;
    let token = app.token(OWNER).await;
    let client = app.anonymous();
    for header in ["Basic b3duZXI6eA==".to_owned(), "JWT".to_owned(), "JWT a b".to_owned(), token.clone()] {
        let request =
            client.request(reqwest::Method::GET, "/api/experiments").header("Authorization", header);
        client.send(request).await.fails(401, "NotAuthorizedError");
    }
    for header in [format!("jwt {token}"), format!("Bearer {token}")] {
        let request =
            client.request(reqwest::Method::GET, "/api/experiments").header("Authorization", header);
        assert_eq!(client.send(request).await.status, 200);
    }
}
