//! Experiments that have a child of every kind, and what is stored of all experiments.

use std::collections::BTreeMap;

use serde_json::json;
use tm_engine::image::{BitDepth, GreyPlane, Size};
use tm_server::resources::experiment::sharing;
use tm_server::storage::images::{
    AcquisitionSpec, ChannelSpec, FieldImage, FieldSpec, PlaneIndex, PlateSpec, create_plate, field_path,
};
use tm_tests::app::{READER, TestApp};

use super::WRITER;
use super::rows::{Row, new_experiment};

/// An experiment with one child of every kind.
#[derive(Debug)]
pub struct Fixture {
    /// Its id.
    experiment: String,
    /// Ids of its children by the part of the path before them.
    children: BTreeMap<&'static str, String>,
}

impl Fixture {
    /// Make an experiment of `owner` that [`READER`] may read and [`WRITER`] change.
    pub async fn plant(app: &TestApp, owner: &str, name: &str) -> Self {
        let client = app.client(owner).await;
        let experiment = client.post("/api/experiments", &new_experiment(name)).await.id();
        let path = format!("/api/experiments/{experiment}");
        let plate = client.post(&format!("{path}/plates"), &json!({"name": "plate"})).await.id();
        let body = json!({"plate_name": "plate", "name": "acquisition"});
        let acquisition = client.post(&format!("{path}/acquisitions"), &body).await.id();
        let registered = client.register(&format!("{path}/acquisitions/{acquisition}"), &["a.mlf"]).await;
        assert_eq!(registered.data(), &json!(["a.mlf"]));
        let body = json!({"plate_name": "plate", "name": "without files"});
        let without_files = client.post(&format!("{path}/acquisitions"), &body).await.id();
        for (user, write_access) in [(READER, false), (WRITER, true)] {
            sharing::share(&app.app.environment, &experiment, user, write_access).await.unwrap();
        }

        let insert = async |statement: String| app.insert(&statement).await.to_string();
        let well = insert(format!(
            "insert into wells (plate_id, name, description) values ({plate}, 'A01', '{{\"dose\": 0}}')"
        ))
        .await;
        let site =
            insert(format!("insert into sites (well_id, y, x, height, width) values ({well}, 0, 0, 2, 3)"))
                .await;
        let cycle =
            insert(format!("insert into cycles (experiment_id, cycle_index) values ({experiment}, 0)")).await;
        insert(format!(
            "insert into alignments (experiment_id, cycle_id, wavelength, complete, created_at)
             values ({experiment}, {cycle}, '1', true, 0)"
        ))
        .await;
        let channel = insert(format!(
            "insert into channels (experiment_id, name, wavelength, bit_depth)
             values ({experiment}, 'DAPI', 'DAPI', 16)"
        ))
        .await;
        let field = field_path("A01", 0);
        insert(format!(
            "insert into channel_images (channel_id, site_id, cycle_id, acquisition_id, tpoint, zplane, field,
                 t_index, c_index, z_index, sources, stored)
             values ({channel}, {site}, {cycle}, {acquisition}, 0, 0, '{field}', 0, 0, 0, '[]', true)"
        ))
        .await;
        let layer = insert(format!(
            "insert into channel_layers (channel_id, tpoint, zplane, min_intensity, max_intensity)
             values ({channel}, 0, 0, 0, 100)"
        ))
        .await;
        let objects = insert(format!(
            "insert into mapobject_types (experiment_id, name, ref_type) values ({experiment}, 'Cells', 'Site')"
        ))
        .await;
        let body = json!({
            "plate_name": "plate", "well_name": "A01", "well_pos_x": 0, "well_pos_y": 0, "tpoint": 0, "zplane": 0,
            "image": [[0, 1, 1], [2, 0, 0]],
        });
        client.post(&format!("{path}/mapobject_types/{objects}/segmentations"), &body).await.says("ok");
        let kind = client.get(&format!("{path}/mapobject_types")).await;
        let segmentation_layer = kind.data()[0]["layers"][0]["id"].as_str().unwrap().to_owned();
        let object = insert(format!(
            "insert into mapobjects (mapobject_type_id, site_id, label) values ({objects}, {site}, 3)"
        ))
        .await;
        let result = insert(format!(
            "insert into tool_results (mapobject_type_id, name, tool_name, type, attributes, version, created_at)
             values ({objects}, 'result', 'Clustering', 'ScalarToolResult', '{{}}', 0, 0)"
        ))
        .await;
        let feature = insert(format!(
            "insert into features (mapobject_type_id, name, stored) values ({objects}, 'area', true)"
        ))
        .await;
        let submission = insert(format!(
            "insert into submissions (experiment_id, user_id, program, description, created_at)
             select id, user_id, 'workflow', '{{}}', 0 from experiments where id = {experiment}"
        ))
        .await;
        let task = |parent: &str, name: &str, kind: &str, job: &str| {
            format!(
                "insert into tasks (submission_id, parent_id, name, type, state, exitcode, job, created_at,
                     updated_at)
                 values ({submission}, {parent}, '{name}', '{kind}', 'TERMINATED', 0, {job}, 0, 0)"
            )
        };
        let root = insert(task("null", "an experiment", "Workflow", "null")).await;
        let job = insert(task(&root, "metaextract_run_0000001", "RunJob", "'{}'")).await;
        let tool_submission = insert(format!(
            "insert into submissions (experiment_id, user_id, program, description, created_at)
             select id, user_id, 'tool', '{{}}', 0 from experiments where id = {experiment}"
        ))
        .await;
        let tool_job = insert(format!(
            "insert into tasks (submission_id, name, type, state, exitcode, job, created_at, updated_at)
             values ({tool_submission}, 'tool_Clustering', 'ToolJob', 'TERMINATED', 0, '{{}}', 0, 0)"
        ))
        .await;
        store_image(app, [&experiment, &plate, &acquisition].map(|id| id.parse().unwrap()), &field).await;

        let children = BTreeMap::from([
            ("zarr", format!("plates/{plate}.ome.zarr/zarr.json")),
            ("plates", plate),
            ("acquisitions", acquisition),
            ("acquisitions without files", without_files),
            ("wells", well),
            ("sites", site),
            ("cycles", cycle),
            ("channels", channel),
            ("channel_layers", layer.clone()),
            ("channel_layer", layer),
            ("features", feature),
            ("jobs", job),
            ("mapobject_types", objects),
            ("segmentation_layers", segmentation_layer),
            ("mapobjects", object),
            ("results", result.clone()),
            ("result", result),
            ("tool jobs", tool_job),
            ("shares", READER.to_owned()),
            ("viewer files", "main.js".to_owned()),
        ]);
        Self { experiment, children }
    }

    /// The path of a route to this experiment and its own children.
    pub fn path(&self, row: &Row) -> String {
        self.path_to(row, &self.experiment, row.child().map(|kind| self.child(kind)))
    }

    /// The path of a route with these ids in it.
    pub fn path_with_experiment(&self, row: &Row, experiment: &str) -> String {
        self.path_to(row, experiment, row.child().map(|kind| self.child(kind)))
    }

    /// The path of a route to this experiment and a child with this id.
    pub fn path_with_child(&self, row: &Row, child: &str) -> String {
        self.path_to(row, &self.experiment, Some(child))
    }

    /// The id of its child.
    pub fn child(&self, kind: &str) -> &str {
        self.children.get(kind).unwrap_or_else(|| panic!("the fixture has no `{kind}`"))
    }

    fn path_to(&self, row: &Row, experiment: &str, child: Option<&str>) -> String {
        let segments = row.path.split('/').map(|segment| match segment {
            "{e}" => experiment,
            placeholder if placeholder.starts_with('{') => child.expect("a child in the path"),
            plain => plain,
        });
        segments.collect::<Vec<_>>().join("/")
    }
}

/// Store the one image, so that it can be fetched.
async fn store_image(app: &TestApp, [experiment, plate, acquisition]: [i64; 3], field: &str) {
    let path = app.app.environment.data.plate_images(experiment, plate, 1);
    let size = Size::new(2, 3);
    let spec = PlateSpec {
        name: "plate".into(),
        acquisitions: vec![AcquisitionSpec { id: acquisition, name: "acquisition".into() }],
        fields: vec![FieldSpec {
            well: "A01".into(),
            index: 0,
            acquisition,
            time_points: 1,
            z_planes: 1,
            channels: vec![ChannelSpec { name: "DAPI".into(), color: None }],
            size,
            depth: BitDepth::Sixteen,
            pixel_size_um: None,
            z_step_um: None,
            time_interval_s: None,
        }],
    };
    create_plate(&path, &spec).unwrap();
    let image = FieldImage::open(&path, field).unwrap();
    image.write_plane(PlaneIndex { t: 0, c: 0, z: 0 }, &GreyPlane::zeros(BitDepth::Sixteen, size)).unwrap();
    app.sql(&format!("update plates set image_generation = 1 where id = {plate}")).await;
}
