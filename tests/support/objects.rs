//! Segmented objects without pixels: rows where an upload of label images would put them.
// A failed `unwrap` is a failed test.
#![allow(clippy::unwrap_used)]

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Client, TestApp};

/// The type of the planted objects.
pub const CELLS: &str = "Cells";

/// Plates with wells of sites, and objects of the type [`CELLS`] in the sites.
#[derive(Debug)]
pub struct Objects<'a> {
    app: &'a TestApp,
    /// Path of the experiment.
    pub experiment: String,
    /// Id of the type.
    pub kind: i64,
    /// Id of the layer of the first time point and focal plane.
    pub layer: i64,
}

/// A site by its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiteNames<'a> {
    /// Name of the plate.
    pub plate: &'a str,
    /// Name of the well.
    pub well: &'a str,
    /// Row in the well.
    pub y: i64,
    /// Column in the well.
    pub x: i64,
}

impl SiteNames<'_> {
    /// What an upload of values for this site holds.
    pub fn upload(&self, tpoint: i64, names: &[&str], labels: &[i64], values: &Value) -> Value {
        json!({
            "plate_name": self.plate, "well_name": self.well, "well_pos_y": self.y, "well_pos_x": self.x,
            "tpoint": tpoint, "names": names, "labels": labels, "values": values,
        })
    }
}

impl<'a> Objects<'a> {
    /// An experiment with the type and its first layer.
    pub async fn plant(app: &'a TestApp) -> Self {
        let experiment = app.experiment().await;
        let id = experiment.rsplit('/').next().unwrap();
        let kind = app
            .insert(&format!(
                "insert into mapobject_types (experiment_id, name, ref_type) values ({id}, '{CELLS}', 'Site')"
            ))
            .await;
        let mut objects = Self { app, experiment, kind, layer: 0 };
        objects.layer = objects.layer(0, 0).await;
        objects
    }

    /// Path of the type.
    pub fn path(&self) -> String {
        format!("{}/mapobject_types/{}", self.experiment, self.kind)
    }

    /// Add a layer; the value is its id.
    pub async fn layer(&self, tpoint: i64, zplane: i64) -> i64 {
        self.app
            .insert(&format!(
                "insert into segmentation_layers (mapobject_type_id, tpoint, zplane)
                 values ({}, {tpoint}, {zplane})",
                self.kind
            ))
            .await
    }

    /// Add a plate; the value is its id.
    pub async fn plate(&self, name: &str) -> i64 {
        let id = self.experiment.rsplit('/').next().unwrap();
        self.app
            .insert(&format!(
                "insert into plates (experiment_id, name, description, image_generation, created_at, updated_at)
                 values ({id}, '{name}', '', 0, 0, 0)"
            ))
            .await
    }

    /// Add a well; the value is its id.
    pub async fn well(&self, plate: i64, name: &str) -> i64 {
        self.app
            .insert(&format!(
                "insert into wells (plate_id, name, description) values ({plate}, '{name}', '{{}}')"
            ))
            .await
    }

    /// Add a site of a well; the value is its id.
    pub async fn site(&self, well: i64, y: i64, x: i64) -> i64 {
        self.app
            .insert(&format!(
                "insert into sites (well_id, y, x, height, width) values ({well}, {y}, {x}, 10, 10)"
            ))
            .await
    }

    /// Add an object with this label to a site, segmented in these layers; the value is its id.
    pub async fn object(&self, site: i64, label: i64, layers: &[i64]) -> i64 {
        let id = self
            .app
            .insert(&format!(
                "insert into mapobjects (mapobject_type_id, site_id, label) values ({}, {site}, {label})",
                self.kind
            ))
            .await;
        for layer in layers {
            self.app
                .sql(&format!(
                    "insert into segmentations (segmentation_layer_id, site_id, mapobject_id, min_y, min_x, max_y,
                         max_x, centroid_y, centroid_x, is_border)
                     values ({layer}, {site}, {id}, 0, 0, 1, 1, 0, 0, {})",
                    label % 2 == 1
                ))
                .await;
        }
        id
    }
}

/// A table as sent: lines of fields, the head line first.
pub type Lines = Vec<Vec<String>>;

/// Fetch a table; also the name of its file for every program.
///
/// # Panics
/// When it is refused, or is not as tables are.
pub async fn table(client: &Client, path: &str) -> (Lines, String) {
    let response = client.request(Method::GET, path).send().await.unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert!(header("content-type").starts_with("text/csv"), "{path}");
    let disposition = header("content-disposition");
    let name = disposition.strip_prefix("attachment; filename=").unwrap();
    let name = name.split(';').next().unwrap().to_owned();
    assert_eq!(response.status().as_u16(), 200, "{path}");
    (lines(&response.text().await.unwrap()), name)
}

/// The lines of a table.
///
/// # Panics
/// When a line does not end with CR LF or has another number of fields than the first.
pub fn lines(text: &str) -> Lines {
    let (mut lines, mut fields, mut field, mut quoted) = (Lines::new(), Vec::new(), String::new(), false);
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '"' if quoted && rest.peek() == Some(&'"') => field.push(rest.next().unwrap()),
            '"' => quoted = !quoted,
            _ if quoted => field.push(next),
            ',' => fields.push(std::mem::take(&mut field)),
            '\r' => {
                assert_eq!(rest.next(), Some('\n'));
                fields.push(std::mem::take(&mut field));
                lines.push(std::mem::take(&mut fields));
            }
            '\n' => panic!("a line ends without CR"),
            _ => field.push(next),
        }
    }
    assert!(fields.is_empty() && field.is_empty(), "the last line does not end");
    assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{lines:?}");
    lines
}
