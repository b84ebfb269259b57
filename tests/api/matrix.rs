//! Every route × everybody who may ask × everything that can be wrong with a request: status and error type.
//!
//! What is expected follows from one rule ([`expected`]) and a row per route ([`rows`]). The order of checks
//! is part of the rule: token, required keys, types, right on the experiment, child.

mod fixture;
mod rows;

use std::collections::BTreeSet;
use std::time::Duration;

use fixture::Fixture;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use rows::{Carries, LINKED, Needs, Row, rows};
use serde_json::Value;
use tm_server::resources::user;
use tm_server::routes;
use tm_tests::app::{Answer, Client, OWNER, PASSWORD, READER, STRANGER, TestApp};

/// May change the experiments of the fixtures.
const WRITER: &str = "writer";
/// Owns the other experiment.
const FOREIGNER: &str = "foreigner";

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    NoToken,
    Expired,
    Stranger,
    Reader,
    Writer,
    Owner,
}

impl Caller {
    const ALL: [Self; 6] =
        [Self::NoToken, Self::Expired, Self::Stranger, Self::Reader, Self::Writer, Self::Owner];

    /// What the caller has of what routes need.
    fn has(self) -> Needs {
        match self {
            Self::NoToken | Self::Expired => Needs::Nothing,
            Self::Stranger => Needs::Token,
            Self::Reader => Needs::Read,
            Self::Writer => Needs::Write,
            Self::Owner => Needs::Own,
        }
    }

    async fn client(self, app: &TestApp) -> Client {
        match self {
            Self::NoToken => app.anonymous(),
            Self::Expired => {
                let long_ago =
                    app.clock_us() - i64::try_from(Duration::from_secs(73 * 3600).as_micros()).unwrap();
                app.anonymous().with_token(&app.app.tokens.issue(1, OWNER, 0, long_ago).unwrap())
            }
            Self::Stranger => app.client(STRANGER).await,
            Self::Reader => app.client(READER).await,
            Self::Writer => app.client(WRITER).await,
            Self::Owner => app.client(OWNER).await,
        }
    }
}

/// What is right or wrong with a request.
#[derive(Debug, Clone, PartialEq)]
enum Ask {
    /// Nothing is wrong.
    Right,
    /// This required parameter is missing.
    Missing(String),
    /// This parameter is of the wrong type.
    Wrong(&'static str, Value),
    /// No experiment has this id.
    UnknownExperiment(&'static str),
    /// Nothing of this kind has this id.
    UnknownChild(&'static str),
    /// The child belongs to another experiment.
    ForeignChild,
}

/// Everything to ask a route.
fn asks(row: &Row) -> Vec<Ask> {
    let unknown = ["999999", "x!"];
    let required = row.required.as_object().unwrap();
    let mut asks = vec![Ask::Right];
    asks.extend(required.keys().cloned().map(Ask::Missing));
    asks.extend(row.wrong.iter().map(|(key, value)| Ask::Wrong(key, value.clone())));
    if row.has_experiment() {
        asks.extend(unknown.map(Ask::UnknownExperiment));
    }
    if row.child().is_some() {
        asks.extend(unknown.map(Ask::UnknownChild));
    }
    if row.child().is_some() && row.has_experiment() {
        asks.push(Ask::ForeignChild);
    }
    asks
}

/// The rule: the status, and the error type unless it is 200.
fn expected(row: &Row, caller: Caller, ask: &Ask) -> (u16, &'static str) {
    let forbidden = caller.has() < row.needs;
    if forbidden && caller.has() == Needs::Nothing {
        return (401, "NotAuthorizedError");
    }
    match ask {
        Ask::Missing(_) if row.carries == Carries::Login => (401, "NotAuthorizedError"),
        Ask::Missing(_) if row.carries == Carries::Parameters => match row.method {
            "POST" => (400, "MissingPOSTParameterError"),
            "PUT" => (400, "MissingPUTParameterError"),
            _ => (400, "MissingGETParameterError"),
        },
        Ask::Wrong(..) => (400, "MalformedRequestError"),
        Ask::UnknownExperiment(_) => (404, "ResourceNotFoundError"),
        _ if forbidden => (403, "ForbiddenError"),
        Ask::Missing(_) => (400, "MalformedRequestError"),
        Ask::UnknownChild(_) | Ask::ForeignChild => (404, "ResourceNotFoundError"),
        Ask::Right if row.is_personal && caller != Caller::Owner => (404, "ResourceNotFoundError"),
        Ask::Right => (200, ""),
    }
}

/// Send the request; the value is the answer, and what HEAD answers where the method is GET.
async fn send(client: &Client, row: &Row, path: &str, ask: &Ask) -> (Answer, Option<u16>) {
    let mut parameters = row.required.clone();
    match ask {
        Ask::Missing(key) => {
            parameters.as_object_mut().unwrap().remove(key);
        }
        Ask::Wrong(key, value) => parameters[*key] = value.clone(),
        _ => {}
    }
    let method = Method::from_bytes(row.method.as_bytes()).unwrap();
    let request = |method| client.request(method, path);
    let request = match (row.method, row.carries, ask) {
        ("GET" | "DELETE", ..) => {
            let answer = client.send(request(method.clone()).query(&parameters)).await;
            let head =
                async || request(Method::HEAD).query(&parameters).send().await.unwrap().status().as_u16();
            let head = if method == Method::GET { Some(head().await) } else { None };
            return (answer, head);
        }
        (_, Carries::Form, Ask::Wrong(..)) | (_, Carries::Parameters | Carries::Login, _) => {
            request(method).json(&parameters)
        }
        (_, Carries::Form, Ask::Missing(_)) => request(method).multipart(Form::new().text("other", "x")),
        (_, Carries::Form, _) => {
            request(method).multipart(Form::new().part("file", Part::bytes(vec![1]).file_name("a.mlf")))
        }
    };
    (client.send(request).await, None)
}

/// Ask once; an answer other than the expected one is noted.
async fn check(
    client: &Client,
    row: &Row,
    fixtures: (&Fixture, &Fixture),
    (caller, ask): (Caller, &Ask),
    found: &mut Vec<String>,
) {
    let (own, foreign) = fixtures;
    let path = match ask {
        Ask::UnknownExperiment(id) => own.path_with_experiment(row, id),
        Ask::UnknownChild(id) => own.path_with_child(row, id),
        Ask::ForeignChild => own.path_with_child(row, foreign.child(row.child().unwrap())),
        _ => own.path(row),
    };
    let (status, kind) = expected(row, caller, ask);
    let (answer, head) = send(client, row, &path, ask).await;
    let error = &answer.body["error"];
    let fits = answer.status == status
        && error["type"].as_str().unwrap_or_default() == kind
        && (status == 200
            || (error["status_code"] == status
                && error["message"].as_str().is_some_and(|text| !text.is_empty())))
        && head.is_none_or(|head| head == status);
    if !fits {
        let (method, got) = (row.method, &answer.body);
        found.push(format!(
            "{method} {path} as {caller:?} with {ask:?}: wanted {status} {kind}, got {} {got} (HEAD {head:?})",
            answer.status
        ));
    }
}

/// What the owner of an experiment can see of it.
async fn seen(app: &TestApp, owner: &str, fixture: &Fixture) -> Vec<(String, Answer)> {
    let client = app.client(owner).await;
    let mut seen = Vec::new();
    for row in rows("").iter().filter(|row| row.method == "GET" && row.has_experiment()) {
        let path = fixture.path(row);
        seen.push((path.clone(), send(&client, row, &path, &Ask::Right).await.0));
    }
    assert!(seen.iter().all(|(_, answer)| answer.status == 200), "{seen:?}");
    seen
}

#[test]
fn every_route_has_a_row_and_every_row_a_route() {
    let served: BTreeSet<_> =
        routes::inventory().into_iter().map(|route| (route.method.to_string(), route.path)).collect();
    let rows = rows("");
    let listed: BTreeSet<_> = rows.iter().map(|row| (row.method.to_owned(), row.path)).collect();
    assert_eq!(listed.len(), rows.len(), "a route has two rows");
    assert_eq!(served.difference(&listed).collect::<Vec<_>>(), Vec::<&(String, &str)>::new(), "have no row");
    assert_eq!(
        listed.difference(&served).collect::<Vec<_>>(),
        Vec::<&(String, &str)>::new(),
        "are not served"
    );
}

#[tokio::test]
#[allow(clippy::print_stdout)]
async fn every_caller_gets_the_answer_of_the_rule_on_every_route() {
    let app = TestApp::start_with(|config| config.import_roots = vec![LINKED.into()]).await;
    for name in [WRITER, FOREIGNER] {
        user::add(&app.app.environment, name, &format!("{name}@example.org"), PASSWORD).await.unwrap();
    }
    let foreign = Fixture::plant(&app, FOREIGNER, "foreign").await;
    let own = Fixture::plant(&app, OWNER, "own").await;
    let seen_before = seen(&app, FOREIGNER, &foreign).await;
    let stored_before = (app.dump().await, app.uploaded_files());
    let (mut cells, mut found) = (0, Vec::new());

    // First all that must not change anything, whoever's it is.
    let mut changing = Vec::new();
    for caller in Caller::ALL {
        let client = caller.client(&app).await;
        for row in rows(&format!("new of {caller:?}")) {
            for ask in asks(&row) {
                cells += 1;
                if expected(&row, caller, &ask).0 != 200 || row.method == "GET" {
                    check(&client, &row, (&own, &foreign), (caller, &ask), &mut found).await;
                }
            }
            if expected(&row, caller, &Ask::Right).0 == 200 && row.method != "GET" {
                changing.push((row, caller));
            }
        }
    }
    assert!(found.is_empty(), "{} of {cells} cells:\n{}", found.len(), found.join("\n"));
    assert_eq!((app.dump().await, app.uploaded_files()), stored_before);

    // Then what may change something, each time on an experiment of its own.
    for (number, (row, caller)) in changing.into_iter().enumerate() {
        let client = caller.client(&app).await;
        let fresh = Fixture::plant(&app, OWNER, &format!("fresh {number}")).await;
        check(&client, &row, (&fresh, &foreign), (caller, &Ask::Right), &mut found).await;
    }
    assert!(found.is_empty(), "{} of {cells} cells:\n{}", found.len(), found.join("\n"));
    assert_eq!(seen(&app, FOREIGNER, &foreign).await, seen_before);
    println!("{cells} cells of {} routes", routes::inventory().len());
    assert!(cells > 1000, "{cells}");
}
