//! Image-analysis projects of `tests/fixtures/jterator`, and experiments that they fit.

use std::path::PathBuf;

use serde_json::{Value, json};
use tm_server::jterator::Project;
use tm_server::jterator::project::directory;

use crate::app::TestApp;

/// Where the project of this name is.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/jterator").join(name)
}

/// The project of this name for real images.
pub fn project_of_real_cells(name: &str) -> Project {
    directory::read(&fixture("../real_cells").join(name)).unwrap()
}

/// The project of this name.
pub fn project(name: &str) -> Project {
    directory::read(&fixture(name)).unwrap()
}

/// A project as clients send it.
pub fn to_json(project: &Project) -> Value {
    json!({"pipeline": project.pipeline_json(), "handles": project.handles_json()})
}

/// An experiment of the owner with channels `1` to `5`; the value is its path.
pub async fn experiment(app: &TestApp) -> String {
    let path = app.experiment().await;
    for channel in 1..=5 {
        app.sql(&format!(
            "insert into channels (experiment_id, name, planned_name, wavelength, bit_depth)
             values (1, '{channel}', '{channel}', '{channel}', 16)"
        ))
        .await;
    }
    path
}
