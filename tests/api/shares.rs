//! Sharing experiments, who one is, and ending one's sessions, over the API.

use serde_json::json;
use tm_server::resources::user;
use tm_tests::app::{OWNER, PASSWORD, READER, STRANGER, TestApp};
use tm_tests::databases::Database;

tm_tests::on_each_database![
    an_experiment_is_shared_and_no_more_at_once,
    sharing_again_changes_the_right_and_nothing_else,
    what_cannot_be_shared_is_refused,
    a_name_with_any_character_can_be_shared_with,
    a_user_sees_who_the_token_belongs_to,
    ended_sessions_are_over_at_once_and_those_of_others_go_on,
];

async fn an_experiment_is_shared_and_no_more_at_once(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = app.experiment().await;
    let (owner, stranger) = (app.client(OWNER).await, app.client(STRANGER).await);
    let share = format!("{experiment}/shares/{STRANGER}");
    stranger.get(&experiment).await.fails(403, "ForbiddenError");
    owner.put(&share, &json!({})).await.says("ok");
    assert_eq!(stranger.get(&experiment).await.status, 200);
    stranger.put(&experiment, &json!({"name": "mine"})).await.fails(403, "ForbiddenError");
    assert_eq!(owner.get(&share).await.data(), &json!({"user": STRANGER, "write_access": false}));
    // Whom it is shared with is the owner's business alone.
    stranger.get(&format!("{experiment}/shares")).await.fails(403, "ForbiddenError");
    owner.delete(&share).await.says("ok");
    stranger.get(&experiment).await.fails(403, "ForbiddenError");
    owner.get(&share).await.fails(404, "ResourceNotFoundError");
    owner.delete(&share).await.fails(404, "ResourceNotFoundError");
}

async fn sharing_again_changes_the_right_and_nothing_else(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = app.experiment().await;
    let (owner, stranger) = (app.client(OWNER).await, app.client(STRANGER).await);
    let share = format!("{experiment}/shares/{STRANGER}");
    for _ in 0..2 {
        owner.put(&share, &json!({"write_access": true})).await.says("ok");
        let expected = json!([
            {"user": READER, "write_access": false},
            {"user": STRANGER, "write_access": true},
        ]);
        assert_eq!(owner.get(&format!("{experiment}/shares")).await.data(), &expected);
    }
    stranger.put(&experiment, &json!({"name": "ours"})).await.says("ok");
    // A right to change is taken back by sharing without it.
    owner.put(&share, &json!({"write_access": null})).await.says("ok");
    stranger.put(&experiment, &json!({"name": "mine"})).await.fails(403, "ForbiddenError");
    assert_eq!(stranger.get(&experiment).await.data()["name"], json!("ours"));
}

async fn what_cannot_be_shared_is_refused(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = app.experiment().await;
    let owner = app.client(OWNER).await;
    let message = owner.put(&format!("{experiment}/shares/nobody"), &json!({})).await;
    assert!(message.fails(404, "ResourceNotFoundError").contains("nobody"));
    owner
        .put(&format!("{experiment}/shares/{OWNER}"), &json!({"write_access": true}))
        .await
        .fails(400, "MalformedRequestError");
    owner
        .put(&format!("{experiment}/shares/{STRANGER}"), &json!({"write_access": "yes"}))
        .await
        .fails(400, "MalformedRequestError");
    let listed = owner.get(&format!("{experiment}/shares")).await;
    assert_eq!(listed.all("user"), [READER]);
}

async fn a_name_with_any_character_can_be_shared_with(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = app.experiment().await;
    let owner = app.client(OWNER).await;
    for (number, (name, encoded)) in
        [("Ann B.", "Ann%20B."), ("a/b?c", "a%2Fb%3Fc"), ("Jürgen %41", "J%C3%BCrgen%20%2541")]
            .into_iter()
            .enumerate()
    {
        user::add(&app.app.environment, name, &format!("{number}@example.net"), PASSWORD).await.unwrap();
        let share = format!("{experiment}/shares/{encoded}");
        owner.put(&share, &json!({})).await.says("ok");
        assert_eq!(owner.get(&share).await.data()["user"], json!(name));
        assert_eq!(app.client(name).await.get(&experiment).await.status, 200);
        owner.delete(&share).await.says("ok");
    }
}

async fn a_user_sees_who_the_token_belongs_to(database: Database) {
    let app = TestApp::start_on(database).await;
    let me = app.client(READER).await.get("/api/users/me").await;
    let expected = json!({"id": me.id(), "name": READER, "email": "reader@example.org"});
    assert_eq!(me.data(), &expected);
    assert_ne!(app.client(OWNER).await.get("/api/users/me").await.id(), me.id());
}

async fn ended_sessions_are_over_at_once_and_those_of_others_go_on(database: Database) {
    let app = TestApp::start_on(database).await;
    let (one, other, reader) = (app.client(OWNER).await, app.client(OWNER).await, app.client(READER).await);
    let response = one.request(reqwest::Method::DELETE, "/api/tokens").send().await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("tmserver_token=;") && cookie.contains("Max-Age=0"), "{cookie}");
    assert_eq!(response.json::<serde_json::Value>().await.unwrap(), json!({"message": "ok"}));
    for ended in [one, other] {
        ended.get("/api/experiments").await.fails(401, "NotAuthorizedError");
    }
    assert_eq!(reader.get("/api/experiments").await.status, 200);
    let again = app.anonymous().logged_in(OWNER, PASSWORD).await.unwrap();
    assert_eq!(again.get("/api/experiments").await.status, 200);
}
