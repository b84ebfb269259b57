//! The server against its own API document, as schemathesis reads it: no answer that is not described, no body that
//! does not fit, no 500, whatever is asked.

use std::path::Path;

use tm_tests::app::{OWNER, TestApp};
use tm_tests::python;

use super::matrix::planted;

/// Names how many requests to make up for every operation instead of [`EXAMPLES`].
const VARIABLE: &str = "TMSERVER_TEST_EXAMPLES";
/// Few, because this runs with every change.
const EXAMPLES: &str = "2";

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout)]
async fn the_server_answers_what_its_document_says() {
    let Some(python) = python::interpreter() else { return };
    // It logs in with made-up passwords, again and again.
    let app = TestApp::start_with(|config| config.login_attempts = 0).await;
    planted(&app).await;
    let examples = std::env::var(VARIABLE).unwrap_or_else(|_| EXAMPLES.to_owned());
    let (base, token) = (app.base.clone(), app.token(OWNER).await);
    let (succeeded, printed) = tokio::task::spawn_blocking(move || {
        python::run(&python, "check_api.py", &[Path::new(&base), Path::new(&token), Path::new(&examples)])
    })
    .await
    .unwrap();
    println!("{printed}");
    assert!(succeeded, "{printed}");
}
