//! A browser without a window, driven over WebDriver: what people see is tested with what they use.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The key that ends an input.
pub const ENTER: &str = "\u{e007}";
/// Selects what is in an input, so that what is typed next replaces it.
pub const SELECT_ALL: &str = "\u{e009}a\u{e000}";
/// How long a browser may take for what a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Name of an element in answers of WebDriver.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Chromium with a profile of its own; ended when dropped.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    session: String,
    http: reqwest::Client,
    _profile: TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver and the browsers it started; they may be gone already.
        let _ = kill_process_group(Pid::from_child(&self.driver), Signal::KILL);
        let _ = self.driver.wait();
    }
}

impl Browser {
    /// Start a browser with a window of this size, in pixels.
    ///
    /// Without Chromium and its driver, prints `SKIPPED: no Chromium` and returns `None`.
    ///
    /// # Panics
    /// When there is none and `TMSERVER_TEST_REQUIRE_CHROMIUM` is `1`, or when it does not start.
    #[allow(clippy::print_stdout)]
    pub async fn start(width: u32, height: u32) -> Option<Self> {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let Ok(mut driver) = command.spawn() else {
            let required = std::env::var("TMSERVER_TEST_REQUIRE_CHROMIUM").is_ok_and(|value| value == "1");
            assert!(!required, "Chromium with chromedriver is required, and there is none");
            println!("SKIPPED: no Chromium");
            return None;
        };
        let lines = BufReader::new(driver.stdout.take().expect("standard output is piped")).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let profile = TempDir::new().unwrap();
        let mut browser =
            Self { driver, session: String::new(), http: reqwest::Client::new(), _profile: profile };
        let port = port.expect("chromedriver says on which port it listens");
        browser.session = format!("http://127.0.0.1:{port}/session");
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &format!("--user-data-dir={}", browser._profile.path().display()),
            &format!("--window-size={width},{height}"),
        ];
        let capabilities = json!({"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"script": PATIENCE.as_millis()},
        }});
        let session = browser.send(Method::POST, "", &json!({"capabilities": capabilities})).await;
        browser.session = format!("{}/{}", browser.session, text(&session["sessionId"]));
        Some(browser)
    }

    /// Go to an address.
    pub async fn open(&self, url: &str) {
        self.send(Method::POST, "/url", &json!({"url": url})).await;
    }

    /// The address of the page.
    pub async fn url(&self) -> String {
        text(&self.send(Method::GET, "/url", &Value::Null).await).to_owned()
    }

    /// Run the body of a function in the page; a promise that it returns is waited for.
    pub async fn run(&self, script: &str) -> Value {
        self.send(Method::POST, "/execute/sync", &json!({"script": script, "args": []})).await
    }

    /// Wait until an expression is true in the page.
    ///
    /// # Panics
    /// When it takes too long.
    pub async fn wait_for(&self, expression: &str) {
        self.run(&format!(
            "return new Promise((resolve) => {{
                const look = () => {{
                    let holds = false;
                    try {{ holds = ({expression}); }} catch {{ /* Not there yet. */ }}
                    if (holds) resolve(); else setTimeout(look, 20);
                }};
                look();
            }})"
        ))
        .await;
    }

    /// Click the first element that a CSS selector finds.
    pub async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        self.send(Method::POST, &format!("/element/{element}/click"), &json!({})).await;
    }

    /// Type into the first element that a CSS selector finds.
    pub async fn type_into(&self, selector: &str, keys: &str) {
        let element = self.find(selector).await;
        self.send(Method::POST, &format!("/element/{element}/value"), &json!({"text": keys})).await;
    }

    /// Turn the mouse wheel over a point of the window.
    pub async fn wheel(&self, x: i64, y: i64, delta_y: i64) {
        let turn = json!({"type": "scroll", "x": x, "y": y, "deltaX": 0, "deltaY": delta_y});
        let actions = json!([{"type": "wheel", "id": "wheel", "actions": [turn]}]);
        self.send(Method::POST, "/actions", &json!({"actions": actions})).await;
    }

    /// Press the mouse at a point of the window, and let go at another.
    pub async fn drag(&self, [from_x, from_y]: [i64; 2], [to_x, to_y]: [i64; 2]) {
        let steps = json!([
            {"type": "pointerMove", "x": from_x, "y": from_y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerMove", "x": to_x, "y": to_y, "duration": 50},
            {"type": "pointerUp", "button": 0},
        ]);
        let actions = json!([{"type": "pointer", "id": "mouse", "actions": steps}]);
        self.send(Method::POST, "/actions", &json!({"actions": actions})).await;
    }

    /// Errors that the console has shown since it was last asked.
    pub async fn errors(&self) -> Vec<String> {
        let entries = self.send(Method::POST, "/se/log", &json!({"type": "browser"})).await;
        let entries = entries.as_array().expect("a list").iter();
        let errors = entries.filter(|entry| entry["level"] == "SEVERE");
        errors.map(|entry| text(&entry["message"]).to_owned()).collect()
    }

    async fn find(&self, selector: &str) -> String {
        let body = json!({"using": "css selector", "value": selector});
        text(&self.send(Method::POST, "/element", &body).await[ELEMENT]).to_owned()
    }

    /// A command of WebDriver; the value is what it answers below `value`.
    async fn send(&self, method: Method, path: &str, body: &Value) -> Value {
        let request = self.http.request(method, format!("{}{path}", self.session)).timeout(2 * PATIENCE);
        let request = if body.is_null() { request } else { request.json(body) };
        let response = request.send().await.unwrap();
        let is_success = response.status().is_success();
        let mut answer: Value = response.json().await.unwrap();
        assert!(is_success, "{path} {body}: {:#}", answer["value"]["message"]);
        answer["value"].take()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}
