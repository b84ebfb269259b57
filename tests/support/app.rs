//! A running server on a fresh data directory, and a client that speaks to it.
// A failed `unwrap` is a failed test.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tm_server::app::App;
use tm_server::config::{Config, Settings};
use tm_server::environment::LastStop;
use tm_server::resources::experiment::sharing;
use tm_server::resources::user;
use tm_server::store::{Clock, Db};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::databases::Database;

/// Signs the tokens of all test servers.
pub const SECRET: &str = "a secret for tests only";
/// Password of every test user.
pub const PASSWORD: &str = "correct horse";
/// Owns the experiment of [`TestApp::experiment`].
pub const OWNER: &str = "owner";
/// May read that experiment.
pub const READER: &str = "reader";
/// May do nothing with that experiment.
pub const STRANGER: &str = "stranger";

/// What follows the content in [`Client::upload_bytes`].
pub const UPLOAD_END: &[u8] = b"\r\n--limit--\r\n";

/// A clock that moves when told.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl TestClock {
    /// Let time pass.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_us(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A server that listens on a free port of this machine; it stops when dropped.
#[derive(Debug)]
pub struct TestApp {
    /// The application behind the socket.
    pub app: App,
    /// Its clock.
    pub clock: Arc<TestClock>,
    /// Where it listens, as `http://127.0.0.1:<port>`.
    pub base: String,
    http: reqwest::Client,
    server: JoinHandle<()>,
    _directory: TempDir,
    /// Where its rows are.
    pub database: Database,
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An answer of the server, read to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body; null when it is not JSON.
    pub body: Value,
}

impl Answer {
    /// The value of `data` of a successful answer.
    pub fn data(&self) -> &Value {
        assert_eq!(self.status, 200, "{:?}", self.body);
        // Registering files answers what it skipped beside the data.
        let keys: Vec<_> = self.body.as_object().into_iter().flat_map(|body| body.keys()).collect();
        assert!(keys.iter().all(|key| ["data", "skipped"].contains(&key.as_str())), "{:?}", self.body);
        self.body.get("data").unwrap_or_else(|| panic!("no `data` in {:?}", self.body))
    }

    /// The id in `data`.
    pub fn id(&self) -> String {
        self.data()["id"].as_str().expect("ids are strings").to_owned()
    }

    /// The fields `field` of all things in `data`, as text.
    pub fn all(&self, field: &str) -> Vec<String> {
        let things = self.data().as_array().expect("a list");
        things.iter().map(|thing| thing[field].as_str().expect("text").to_owned()).collect()
    }

    /// Check that this is exactly `{"message": message}`.
    #[track_caller]
    pub fn says(&self, message: &str) {
        assert_eq!((self.status, &self.body), (200, &json!({"message": message})));
    }

    /// Check that this is the error envelope with this status and type; the value is the message.
    #[track_caller]
    pub fn fails(&self, status: u16, kind: &str) -> String {
        assert_eq!(self.status, status, "{:?}", self.body);
        let error = &self.body["error"];
        assert_eq!(error["error"], json!(true), "{:?}", self.body);
        assert_eq!(error["status_code"], json!(status), "{:?}", self.body);
        assert_eq!(error["type"], json!(kind), "{:?}", self.body);
        let message = error["message"].as_str().expect("a message").to_owned();
        assert!(!message.is_empty());
        message
    }
}

impl TestApp {
    /// Start a server with default limits.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Start a server on a database.
    pub async fn start_on(database: Database) -> Self {
        Self::start_on_with(database, |_| {}).await
    }

    /// Start a server after a change to its settings.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on_with(Database::Sqlite, change).await
    }

    /// Start a server on a database after a change to its settings.
    pub async fn start_on_with(database: Database, change: impl FnOnce(&mut Config)) -> Self {
        let directory = TempDir::new().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(1_700_000_000_000_000)));
        let url = database.url().map(str::to_owned);
        let app = open(directory.path().to_owned(), url, Arc::clone(&clock), change).await;
        for name in [OWNER, READER, STRANGER] {
            user::add(&app.environment, name, &format!("{name}@example.org"), PASSWORD).await.unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let serving = app.clone();
        let server = tokio::spawn(async move {
            serving.serve(listener, std::future::pending()).await;
        });
        Self { app, clock, base, http: reqwest::Client::new(), server, _directory: directory, database }
    }

    /// The time on its clock, in microseconds since 1970.
    pub fn clock_us(&self) -> i64 {
        self.clock.now_us()
    }

    /// A token for a user, made without logging in.
    pub async fn token(&self, name: &str) -> String {
        let mut tx = self.app.environment.db.read().await.unwrap();
        let user = user::queries::find(&mut tx, name).await.unwrap().expect("a test user");
        self.app.tokens.issue(user.id, &user.name, user.token_generation, self.clock.now_us()).unwrap()
    }

    /// A client without a token.
    pub fn anonymous(&self) -> Client {
        Client { http: self.http.clone(), base: self.base.clone(), token: None }
    }

    /// A client with a user's token.
    pub async fn client(&self, name: &str) -> Client {
        Client { token: Some(self.token(name).await), ..self.anonymous() }
    }

    /// An experiment of [`OWNER`] that [`READER`] may read; the value is its path.
    pub async fn experiment(&self) -> String {
        let body = json!({
            "name": "an experiment",
            "workflow_type": "canonical",
            "microscope_type": "cellvoyager",
            "plate_format": 384,
            "plate_acquisition_mode": "basic",
        });
        let id = self.client(OWNER).await.post("/api/experiments", &body).await.id();
        sharing::share(&self.app.environment, &id, READER, false).await.unwrap();
        format!("/api/experiments/{id}")
    }

    /// An experiment with a plate `plate` and its acquisition `acquisition`; the values are the paths of
    /// experiment and acquisition.
    pub async fn acquisition(&self) -> (String, String) {
        let experiment = self.experiment().await;
        let owner = self.client(OWNER).await;
        owner.post(&format!("{experiment}/plates"), &json!({"name": "plate"})).await.id();
        let body = json!({"plate_name": "plate", "name": "acquisition"});
        let id = owner.post(&format!("{experiment}/acquisitions"), &body).await.id();
        (experiment.clone(), format!("{experiment}/acquisitions/{id}"))
    }

    /// Run a statement on the database, for rows that no route makes.
    pub async fn sql(&self, statement: &str) {
        self.try_sql(statement).await.unwrap();
    }

    /// Run a statement on the database that it may refuse.
    pub async fn try_sql(&self, statement: &str) -> Result<(), sqlx::Error> {
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        match &self.app.environment.db {
            Db::Sqlite { writer, .. } => sqlx::query(statement).execute(writer).await.map(drop),
            Db::Postgres(pool) => sqlx::query(statement).execute(pool).await.map(drop),
        }
    }

    /// Run an `insert` on the database, for a row that no route makes; the value is its id.
    pub async fn insert(&self, statement: &str) -> i64 {
        let statement = sqlx::AssertSqlSafe(format!("{statement} returning id"));
        let id = match &self.app.environment.db {
            Db::Sqlite { writer, .. } => sqlx::query_scalar(statement).fetch_one(writer).await,
            Db::Postgres(pool) => sqlx::query_scalar(statement).fetch_one(pool).await,
        };
        id.unwrap()
    }

    /// Every row of every table of the embedded database, as text.
    pub async fn dump(&self) -> Vec<String> {
        let Db::Sqlite { writer, .. } = &self.app.environment.db else { panic!("tests run on SQLite") };
        let query = async |statement: String| -> Vec<String> {
            sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_all(writer).await.unwrap()
        };
        let tables = query(
            "select name from sqlite_schema
             where type = 'table' and name not like 'sqlite%' and name not like '_sqlx%'
             order by name"
                .to_owned(),
        );
        let mut rows = Vec::new();
        for table in tables.await {
            let columns = query(format!("select name from pragma_table_info('{table}')")).await;
            // JSON has no place for bytes.
            let text = |column: &String| format!("iif(typeof({column}) = 'blob', hex({column}), {column})");
            let columns = columns.iter().map(text).collect::<Vec<_>>().join(", ");
            let text = format!("select json_array('{table}', {columns}) from {table} order by id");
            rows.extend(query(text).await);
        }
        rows
    }

    /// All files below the uploads of an acquisition, by path below the data directory.
    pub fn uploaded_files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let root = self.app.environment.data.experiments();
        let mut left = vec![root.clone()];
        while let Some(directory) = left.pop() {
            for entry in std::fs::read_dir(directory).into_iter().flatten() {
                let path: PathBuf = entry.unwrap().path();
                if path.is_dir() {
                    left.push(path);
                } else {
                    found.push(path.strip_prefix(&root).unwrap().to_string_lossy().into_owned());
                }
            }
        }
        found.sort();
        found
    }
}

/// The application on a data directory, with a clock of its own.
async fn open(
    data_dir: PathBuf,
    database_url: Option<String>,
    clock: Arc<TestClock>,
    change: impl FnOnce(&mut Config),
) -> App {
    let settings = Settings {
        data_dir: Some(data_dir),
        database_url,
        // How full the disk is below a test is none of its business.
        reserve_mb: Some(0),
        backend: Some("cpu".to_owned()),
        secret_key: Some(SECRET.to_owned()),
        ..Settings::default()
    };
    let mut config = settings.finish().unwrap();
    change(&mut config);
    App::open_with(config, LastStop::Unclean, clock).await.unwrap()
}

/// Speaks to a [`TestApp`] as one user.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Client {
    /// A client of the server at `base`, such as `http://127.0.0.1:8002`, without a token.
    pub fn of(base: &str) -> Self {
        Self { http: reqwest::Client::new(), base: base.to_owned(), token: None }
    }

    /// The same client with the token that a name and a password give.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn logged_in(&self, name: &str, password: &str) -> reqwest::Result<Self> {
        let body = json!({"username": name, "password": password});
        let answer = self.try_send(self.request(Method::POST, "/auth").json(&body)).await?;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        Ok(self.with_token(answer.body["access_token"].as_str().expect("a token")))
    }

    /// The same client with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// A request with the user's token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.header("Authorization", format!("JWT {token}")),
            None => request,
        }
    }

    /// Send a request and read the answer.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        self.try_send(request).await.unwrap()
    }

    /// Send a request and read the answer.
    ///
    /// # Errors
    /// When the server cannot be reached, or goes away before it has answered.
    pub async fn try_send(&self, request: RequestBuilder) -> reqwest::Result<Answer> {
        let response = request.send().await?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await?;
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// PUT with a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Any method, with a JSON body for those that have one.
    pub async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let request = self.request(Method::from_bytes(method.as_bytes()).unwrap(), path);
        self.send(if matches!(method, "POST" | "PUT") { request.json(body) } else { request }).await
    }

    /// Register file names for an acquisition.
    pub async fn register(&self, acquisition: &str, names: &[&str]) -> Answer {
        self.post(&format!("{acquisition}/upload/register"), &json!({"files": names})).await
    }

    /// Upload a file to an acquisition as clients do.
    pub async fn upload(&self, acquisition: &str, name: &str, content: impl Into<Vec<u8>>) -> Answer {
        let form = Form::new().part("file", Part::bytes(content.into()).file_name(name.to_owned()));
        let request = self.request(Method::POST, &format!("{acquisition}/microscope-file"));
        self.send(request.multipart(form)).await
    }

    /// The bytes of the same request, to be sent in pieces; the server closes the connection after its answer.
    ///
    /// # Panics
    /// Without a token.
    pub fn upload_bytes(&self, acquisition: &str, name: &str, content: &[u8]) -> Vec<u8> {
        let start =
            format!("--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
        let body = [start.as_bytes(), content, UPLOAD_END].concat();
        let head = format!(
            "POST {acquisition}/microscope-file HTTP/1.1\r\nHost: localhost\r\nAuthorization: JWT {}\r\n\
             Content-Type: multipart/form-data; boundary=limit\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.token.as_deref().expect("a token"),
            body.len()
        );
        [head.into_bytes(), body].concat()
    }
}
