//! `tmserver user` beside a running server: sharing experiments, ending sessions; and a server below a path.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tm_tests::program::Program;

const PASSWORD: &str = "correct horse";

/// A data directory with these users.
fn with_users(names: &[&str]) -> (TempDir, Program) {
    let directory = TempDir::new().unwrap();
    let program = Program::new(directory.path());
    for name in names {
        let arguments = ["user", "add", name, "--password-stdin"];
        program.run_with_input(&arguments, &format!("{PASSWORD}\n")).succeeds();
    }
    (directory, program)
}

/// Somebody who is logged in at a server.
struct Session {
    base: String,
    token: String,
}

impl Session {
    async fn start(base: &str, user: &str) -> Self {
        let start = Self { base: base.to_owned(), token: String::new() };
        let login = json!({"username": user, "password": PASSWORD});
        let (status, answer) = start.send(Method::POST, "/auth", &login).await;
        assert_eq!(status, 200, "{answer}");
        Self { token: answer["access_token"].as_str().unwrap().to_owned(), ..start }
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = reqwest::Client::new().request(method, format!("{}{path}", self.base)).json(body);
        let answer = request.header("Authorization", format!("JWT {}", self.token)).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> u16 {
        self.send(Method::GET, path, &Value::Null).await.0
    }

    async fn create(&self, name: &str) -> String {
        let body = json!({
            "name": name, "workflow_type": "canonical", "microscope_type": "cellvoyager", "plate_format": 96,
            "plate_acquisition_mode": "basic",
        });
        let (status, answer) = self.send(Method::POST, "/api/experiments", &body).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"]["id"].as_str().unwrap().to_owned()
    }

    /// Ask until the answer has this status: what another process changed is noticed after a while.
    async fn reaches(&self, path: &str, status: u16) {
        let reached = async {
            while self.get(path).await != status {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), reached)
            .await
            .unwrap_or_else(|_| panic!("never {status}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_experiment_can_be_read_then_changed_then_neither() {
    let (_directory, program) = with_users(&["ann", "bob"]);
    let server = program.serve();
    let (ann, bob) = (Session::start(&server.base, "ann").await, Session::start(&server.base, "bob").await);
    let id = ann.create("screen").await;
    let path = format!("/api/experiments/{id}");
    let rename = |name: &str| json!({ "name": name });

    let said = program.run(&["user", "share", "screen", "bob"]);
    assert_eq!(said.succeeds(), "user bob may read experiment 1 (\"screen\" of ann)\n");
    assert_eq!(bob.get(&path).await, 200);
    assert_eq!(bob.send(Method::PUT, &path, &rename("screen")).await.0, 403);
    let listed = program.run(&["user", "list"]);
    assert_eq!(
        listed.succeeds(),
        "ann\tann@localhost\n\towns experiment 1 (\"screen\" of ann)\n\
         bob\tbob@localhost\n\tmay read experiment 1 (\"screen\" of ann)\n"
    );

    let said = program.run(&["user", "share", &id, "bob", "--write"]);
    assert_eq!(said.succeeds(), "user bob may read and change experiment 1 (\"screen\" of ann)\n");
    let listed = program.run(&["user", "list"]);
    assert!(listed.succeeds().ends_with("\n\tmay change experiment 1 (\"screen\" of ann)\n"), "{listed:?}");
    let changed = async {
        while bob.send(Method::PUT, &path, &rename("screen")).await.0 != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), changed).await.unwrap();

    let said = program.run(&["user", "unshare", "screen", "bob"]);
    assert_eq!(said.succeeds(), "experiment 1 (\"screen\" of ann) is no longer shared with user bob\n");
    bob.reaches(&path, 403).await;
    assert_eq!(ann.get(&path).await, 200);
    program
        .run(&["user", "unshare", "screen", "bob"])
        .fails_saying(&["experiment 1 (\"screen\" of ann) is not shared with user \"bob\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shared_is_refused_with_the_reason() {
    let (_directory, program) = with_users(&["ann", "bob"]);
    let server = program.serve();
    let (ann, bob) = (Session::start(&server.base, "ann").await, Session::start(&server.base, "bob").await);
    ann.create("screen").await;
    bob.create("screen").await;
    bob.create("1").await;
    let share = |experiment: &str, user: &str| program.run(&["user", "share", experiment, user]);
    share("screen", "bob")
        .fails_saying(&["several experiments are named \"screen\": 1 of ann, 2 of bob", "by its id"]);
    share("film", "bob").fails_saying(&["there is no experiment \"film\"", "tmserver user list"]);
    share("99", "bob").fails_saying(&["there is no experiment \"99\""]);
    share("2", "carl").fails_saying(&["there is no user \"carl\""]);
    share("2", "bob").fails_saying(&["user \"bob\" owns experiment 2 (\"screen\" of bob)"]);
    // An id goes before a name.
    share("1", "ann").fails_saying(&["user \"ann\" owns experiment 1 (\"screen\" of ann)"]);
    let listed = program.run(&["user", "list"]);
    assert!(!listed.succeeds().contains("may "), "{listed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_tokens_end_the_sessions_at_a_running_server() {
    let (_directory, program) = with_users(&["ann", "bob"]);
    let server = program.serve();
    let (ann, bob) = (Session::start(&server.base, "ann").await, Session::start(&server.base, "bob").await);
    assert_eq!(ann.get("/api/experiments").await, 200);
    let said = program.run(&["user", "revoke-tokens", "ann"]);
    assert!(said.succeeds().contains("revoked the tokens of user ann"), "{said:?}");
    ann.reaches("/api/experiments", 401).await;
    assert_eq!(bob.get("/api/experiments").await, 200);
    assert_eq!(Session::start(&server.base, "ann").await.get("/api/experiments").await, 200);
    program.run(&["user", "revoke-tokens", "carl"]).fails_saying(&["there is no user \"carl\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_below_a_path_says_so_and_so_does_its_document() {
    let (_directory, program) = with_users(&["ann"]);
    let program = program.with("TMSERVER_BASE_PATH", "/tissuemaps");
    let server = program.serve();
    assert!(server.base.ends_with("/tissuemaps"), "{}", server.base);
    let ann = Session::start(&server.base, "ann").await;
    assert_eq!(ann.get("/api/experiments").await, 200);
    let document: Value = serde_json::from_str(program.run(&["openapi"]).succeeds()).unwrap();
    assert_eq!(document["servers"], json!([{"url": "/tissuemaps"}]));
}

#[test]
fn a_base_path_that_is_none_is_refused() {
    let (_directory, program) = with_users(&[]);
    for path in ["tissuemaps", "/tissuemaps/", "/", "//a", "/a/../b", "/a b", "/{e}", "/a?b", "/ü"] {
        program
            .run(&["serve", "--listen", "127.0.0.1:0", "--base-path", path])
            .fails_saying(&["setting `base_path`", "such as /tissuemaps"]);
    }
    program
        .with("TMSERVER_TRUST_FORWARDED", "maybe")
        .run(&["user", "list"])
        .fails_saying(&["TMSERVER_TRUST_FORWARDED", "neither `true` nor `false`"]);
}
