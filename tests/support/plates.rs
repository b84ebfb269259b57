//! Whole workflows over HTTP: upload made-up acquisitions, submit, wait, look at what came out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tm_engine::image::{GreyPlane, Plane, Size};
use tm_server::store::Db;

use crate::app::{Answer, Client, OWNER, TestApp};
use crate::cellvoyager::PlateFiles;

/// The stages that this version has, with their steps; some of them in workflows of [`MULTIPLEXING`] only.
const STAGES: [(&str, &[&str]); 4] = [
    ("image_conversion", &["metaextract", "metaconfig", "imextract"]),
    ("image_preprocessing", &["corilla", "align"]),
    ("pyramid_creation", &["illuminati"]),
    ("image_analysis", &["jterator"]),
];
/// The type of workflow that has all steps.
const MULTIPLEXING: &str = "multiplexing";
/// The steps that others do not have.
const OF_MULTIPLEXING: [&str; 1] = ["align"];
/// All stages that make a map.
pub const ALL_STAGES: &[&str] = &["image_conversion", "image_preprocessing", "pyramid_creation"];
/// How long a workflow of the tests may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long to wait before asking again how far a workflow is.
const PAUSE: Duration = Duration::from_millis(20);

/// Step, argument and value.
pub type Override<'a> = (&'a str, &'a str, Value);

/// A canonical description of `stages`, with other batch arguments than the defaults.
///
/// # Panics
/// When an argument is for a step that none of the stages has.
pub fn description(stages: &[&str], arguments: &[Override<'_>]) -> Value {
    description_of("canonical", stages, arguments)
}

/// A description of `stages` of a type of workflow, with other batch arguments than the defaults.
///
/// # Panics
/// When an argument is for a step that none of the stages has.
pub fn description_of(kind: &str, stages: &[&str], arguments: &[Override<'_>]) -> Value {
    let mut left = arguments.len();
    let mut described = Vec::new();
    for (name, steps) in STAGES.iter().filter(|(name, _)| stages.contains(name)) {
        let mut step_values = Vec::new();
        for step in steps.iter().filter(|step| kind == MULTIPLEXING || !OF_MULTIPLEXING.contains(step)) {
            let own = arguments.iter().filter(|(of, ..)| of == step);
            let batch_args: Vec<_> =
                own.map(|(_, name, value)| json!({"name": name, "value": value})).collect();
            left -= batch_args.len();
            step_values.push(json!({"name": step, "batch_args": batch_args, "submission_args": []}));
        }
        described.push(json!({"name": name, "steps": step_values}));
    }
    assert_eq!((described.len(), left), (stages.len(), 0), "unknown stage, or step without stage");
    json!({"type": kind, "stages": described})
}

/// An experiment of [`OWNER`] on a running server.
#[derive(Debug)]
pub struct Experiment<'a> {
    app: &'a TestApp,
    /// Speaks to the server as its owner.
    pub client: Client,
    /// `/api/experiments/<id>`.
    pub path: String,
    /// Type of its workflows.
    kind: String,
}

/// How a workflow ended.
#[derive(Debug)]
pub struct Outcome {
    /// The whole task tree.
    pub tree: Value,
    /// Name and standard error of every job that failed.
    pub failures: Vec<(String, String)>,
}

/// A channel layer as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Id.
    pub id: String,
    /// Name of its channel.
    pub channel: String,
    /// Time point.
    pub tpoint: i64,
    /// Focal plane.
    pub zplane: i64,
    /// Zoom level of full resolution.
    pub max_zoom: usize,
    /// Grey values shown as black and white.
    pub limits: (u16, u16),
    /// Size at full resolution.
    pub size: Size,
}

impl Layer {
    /// What it shows, apart from ids.
    pub fn key(&self) -> (String, i64, i64) {
        (self.channel.clone(), self.tpoint, self.zplane)
    }

    /// Row and column of every tile of a zoom level, counted here from the size of the map.
    pub fn tiles(&self, z: usize) -> Vec<(usize, usize)> {
        let halved = |length: usize| (z..self.max_zoom).fold(length, |length, _| length.div_ceil(2));
        let count = |length: usize| halved(length).div_ceil(256);
        let (rows, columns) = (count(self.size.height), count(self.size.width));
        (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))).collect()
    }
}

impl<'a> Experiment<'a> {
    /// A canonical CellVoyager experiment on 384-well plates.
    pub async fn new(app: &'a TestApp) -> Self {
        Self {
            app,
            client: app.client(OWNER).await,
            path: app.experiment().await,
            kind: "canonical".to_owned(),
        }
    }

    /// Another experiment, on plates of `wells` wells.
    pub async fn named(app: &'a TestApp, name: &str, wells: u32) -> Self {
        Self::of_kind(app, name, wells, ["canonical", "basic", "cellvoyager"]).await
    }

    /// An experiment of another microscope type.
    pub async fn of_microscope(app: &'a TestApp, name: &str, microscope: &str, wells: u32) -> Self {
        Self::of_kind(app, name, wells, ["canonical", "basic", microscope]).await
    }

    /// A multiplexing experiment on 384-well plates: every acquisition is a cycle.
    pub async fn multiplexing(app: &'a TestApp, name: &str) -> Self {
        Self::of_kind(app, name, 384, [MULTIPLEXING, "multiplexing", "cellvoyager"]).await
    }

    /// Types of workflow, acquisition mode and microscope.
    async fn of_kind(
        app: &'a TestApp,
        name: &str,
        wells: u32,
        [kind, acquisition_mode, microscope]: [&str; 3],
    ) -> Self {
        let client = app.client(OWNER).await;
        let body = json!({
            "name": name,
            "workflow_type": kind,
            "microscope_type": microscope,
            "plate_format": wells,
            "plate_acquisition_mode": acquisition_mode,
        });
        let id = client.post("/api/experiments", &body).await.id();
        Self { app, client, path: format!("/api/experiments/{id}"), kind: kind.to_owned() }
    }

    /// The id in its path.
    pub fn id(&self) -> i64 {
        self.path.rsplit('/').next().and_then(|id| id.parse().ok()).expect("a path ends in an id")
    }

    /// Where its files lie.
    pub fn directory(&self) -> std::path::PathBuf {
        self.app.environment().data.experiment(self.id())
    }

    /// Add an acquisition, and its plate unless it is there; the value is the acquisition's path.
    pub async fn acquisition(&self, plate: &str, name: &str) -> String {
        let plates = self.client.get(&format!("{}/plates", self.path)).await.all("name");
        if !plates.iter().any(|known| known == plate) {
            self.client.post(&format!("{}/plates", self.path), &json!({"name": plate})).await.id();
        }
        let body = json!({"plate_name": plate, "name": name});
        let id = self.client.post(&format!("{}/acquisitions", self.path), &body).await.id();
        format!("{}/acquisitions/{id}", self.path)
    }

    /// Add an acquisition with all files of a directory, those of no use too; the value is its path.
    pub async fn upload_directory(&self, plate: &str, name: &str, directory: &Path) -> String {
        let acquisition = self.acquisition(plate, name).await;
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().expect("test data have plain names");
            files.insert(name, fs::read(entry.path()).unwrap());
        }
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        let registered = self.client.register(&acquisition, &names).await;
        assert_eq!(registered.status, 200, "{:?}", registered.body);
        for (name, content) in files {
            let answer = self.client.upload(&acquisition, &name, content).await;
            assert_eq!(answer.status, 200, "{name}: {:?}", answer.body);
        }
        acquisition
    }

    /// Add an acquisition with made-up files; the value is its path.
    pub async fn upload(&self, plate: &str, name: &str, files: &PlateFiles) -> String {
        let directory = TempDir::new().unwrap();
        files.write(directory.path()).unwrap();
        self.upload_directory(plate, name, directory.path()).await
    }

    /// Submit a workflow.
    pub async fn submit(&self, description: &Value) -> Answer {
        let path = format!("{}/workflow/submit", self.path);
        self.client.post(&path, &json!({"description": description})).await
    }

    /// The task tree of the latest submission down to `depth`.
    pub async fn status(&self, depth: i64) -> Value {
        self.client.get(&format!("{}/workflow/status?depth={depth}", self.path)).await.data().clone()
    }

    /// Submit a workflow and wait for its end, however it ends.
    ///
    /// # Panics
    /// When it is refused, or takes too long.
    pub async fn run_to_end(&self, stages: &[&str], arguments: &[Override<'_>]) -> Outcome {
        let answer = self.submit(&description_of(&self.kind, stages, arguments)).await;
        assert_eq!((answer.status, &answer.body["message"]), (200, &json!("ok")), "{:?}", answer.body);
        self.wait().await
    }

    /// Wait for the end of the latest submission.
    ///
    /// # Panics
    /// When it takes too long.
    pub async fn wait(&self) -> Outcome {
        let start = Instant::now();
        // There is no notification to wait for: clients ask again and again, too.
        while !self.status(0).await["done"].as_bool().expect("a flag") {
            assert!(start.elapsed() < PATIENCE, "the workflow hangs: {:#}", self.status(9).await);
            tokio::time::sleep(PAUSE).await;
        }
        let tree = self.status(9).await;
        let mut failures = Vec::new();
        for (name, id) in failed_jobs(&tree) {
            failures.push((name, self.log(&id).await.1));
        }
        Outcome { tree, failures }
    }

    /// Run a workflow that must succeed.
    ///
    /// # Panics
    /// With the standard error of the failed jobs.
    pub async fn run(&self, stages: &[&str], arguments: &[Override<'_>]) -> Value {
        let outcome = self.run_to_end(stages, arguments).await;
        assert_eq!(outcome.tree["exitcode"], json!(0), "{:#?}", outcome.failures);
        outcome.tree
    }

    /// Standard output and standard error of a job.
    pub async fn log(&self, job: &str) -> (String, String) {
        let answer = self.client.get(&format!("{}/workflow/jobs/{job}/log", self.path)).await;
        let text = |name: &str| answer.data()[name].as_str().expect("text").to_owned();
        (text("stdout"), text("stderr"))
    }

    /// All layers, by channel, time point and focal plane.
    pub async fn layers(&self) -> Vec<Layer> {
        let channels = self.client.get(&format!("{}/channels", self.path)).await.data().clone();
        let mut layers = Vec::new();
        for channel in channels.as_array().expect("a list") {
            for layer in channel["layers"].as_array().expect("a list") {
                let number = |value: &Value| value.as_i64().unwrap_or_else(|| panic!("{layer:#}"));
                let size = |value: &Value| usize::try_from(number(value)).expect("not negative");
                let grey = |value: &Value| u16::try_from(number(value)).expect("a grey value");
                layers.push(Layer {
                    id: layer["id"].as_str().expect("ids are text").to_owned(),
                    channel: channel["name"].as_str().expect("names are text").to_owned(),
                    tpoint: number(&layer["tpoint"]),
                    zplane: number(&layer["zplane"]),
                    max_zoom: size(&layer["max_zoom"]),
                    limits: (grey(&layer["min_intensity"]), grey(&layer["max_intensity"])),
                    size: Size::new(
                        size(&layer["image_size"]["height"]),
                        size(&layer["image_size"]["width"]),
                    ),
                });
            }
        }
        layers.sort_by_key(Layer::key);
        layers
    }

    /// The one layer there is.
    pub async fn only_layer(&self) -> Layer {
        let layers = self.layers().await;
        assert_eq!(layers.len(), 1, "{layers:?}");
        layers[0].clone()
    }

    /// A tile as sent: `more` continues the query.
    pub async fn tile(&self, layer: &Layer, at: (usize, usize, usize), more: &str) -> Vec<u8> {
        let (z, y, x) = at;
        let path = format!("{}/channel_layers/{}/tiles?z={z}&y={y}&x={x}{more}", self.path, layer.id);
        self.bytes(&path).await
    }

    /// The 256×256 exact values of a tile.
    pub async fn png_tile(&self, layer: &Layer, at: (usize, usize, usize)) -> Vec<u8> {
        let GreyPlane::U8(plane) = decode_png(&self.tile(layer, at, "&format=png").await) else {
            panic!("tiles have 8 bits")
        };
        assert_eq!(plane.size(), Size::new(256, 256));
        plane.pixels().to_vec()
    }

    /// All tiles of a layer, by address.
    pub async fn all_tiles(&self, layer: &Layer) -> BTreeMap<(usize, usize, usize), Vec<u8>> {
        let mut tiles = BTreeMap::new();
        for z in 0..=layer.max_zoom {
            for (y, x) in layer.tiles(z) {
                tiles.insert((z, y, x), self.png_tile(layer, (z, y, x)).await);
            }
        }
        tiles
    }

    /// The stored image of a site in the first cycle; `None` when there is none.
    pub async fn image(&self, channel: &str, query: &str) -> Option<GreyPlane> {
        self.image_of_cycle(0, channel, query).await
    }

    /// The stored image of a site in a cycle; `None` when there is none.
    pub async fn image_of_cycle(&self, cycle: usize, channel: &str, query: &str) -> Option<GreyPlane> {
        let channels = self.client.get(&format!("{}/channels", self.path)).await.data().clone();
        let found = channels.as_array().expect("a list").iter().find(|known| known["name"] == channel);
        let id = found.unwrap_or_else(|| panic!("no channel {channel}"))["id"].as_str().expect("text");
        let path = format!("{}/channels/{id}/image-file?cycle_index={cycle}&{query}", self.path);
        let response = self.client.request(Method::GET, &path).send().await.unwrap();
        if response.status() == 404 {
            return None;
        }
        assert_eq!(response.status(), 200, "{path}");
        Some(decode_png(&response.bytes().await.unwrap()))
    }

    async fn bytes(&self, path: &str) -> Vec<u8> {
        let response = self.client.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.bytes().await.unwrap().to_vec()
    }

    /// Every uploaded file with its contents, by path.
    pub fn uploads(&self) -> BTreeMap<String, Vec<u8>> {
        let root = self.app.environment().data.experiments();
        let files = self.app.uploaded_files().into_iter();
        let own = format!("{}/uploads/", self.id());
        files
            .filter(|name| name.starts_with(&own))
            .map(|name| (name.clone(), fs::read(root.join(&name)).unwrap()))
            .collect()
    }
}

impl TestApp {
    /// What the application works with.
    pub fn environment(&self) -> &tm_server::environment::Environment {
        &self.app.environment
    }

    /// The one column of text that a query gives.
    pub async fn texts(&self, query: &str) -> Vec<String> {
        let query = sqlx::AssertSqlSafe(query.to_owned());
        match &self.app.environment.db {
            Db::Sqlite { readers, .. } => sqlx::query_scalar(query).fetch_all(readers).await.unwrap(),
            Db::Postgres(pool) => sqlx::query_scalar(query).fetch_all(pool).await.unwrap(),
        }
    }
}

/// The nodes of a task tree, parents before children.
pub fn nodes(tree: &Value) -> Vec<&Value> {
    let below = tree["subtasks"].as_array().into_iter().flatten().filter(|node| !node.is_null());
    std::iter::once(tree).chain(below.flat_map(nodes)).collect()
}

fn failed_jobs(tree: &Value) -> Vec<(String, String)> {
    let text = |node: &Value, field: &str| node[field].as_str().expect("text").to_owned();
    let is_failed_job = |node: &&Value| text(node, "type").ends_with("Job") && node["failed"] == json!(true);
    nodes(tree).into_iter().filter(is_failed_job).map(|node| (text(node, "name"), text(node, "id"))).collect()
}

/// A grey PNG of 8 or 16 bits.
///
/// # Panics
/// When it is anything else.
pub fn decode_png(bytes: &[u8]) -> GreyPlane {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().expect("a PNG");
    let mut buffer = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut buffer).expect("a PNG");
    assert_eq!(info.color_type, png::ColorType::Grayscale);
    let size = Size::new(info.height as usize, info.width as usize);
    match info.bit_depth {
        png::BitDepth::Eight => Plane::new(size, buffer).expect("all pixels").into(),
        png::BitDepth::Sixteen => {
            let pixels = buffer.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            Plane::new(size, pixels).expect("all pixels").into()
        }
        other => panic!("{other:?} bits"),
    }
}
