//! An experiment with something of every kind in it.

use serde_json::{Value, json};
use tm_server::resources::tools::labels::Labels;
use tm_server::resources::tools::queries as tools;
use tm_tests::app::TestApp;
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::objects::SiteNames;
use tm_tests::plates::{ALL_STAGES, Experiment};

/// Height and width of every site.
pub const SIZE: (usize, usize) = (60, 75);

/// Plate `p 1` with the acquisitions `first` (wells B03 and C05, channels 1 and 2) and `second` (well B03, channel 1,
/// a time point later), plate `q` with one acquisition like `second`; every well with two sites of two focal planes. It
/// is processed, with corrected illumination, and has types of objects, features, values, results of tools and shifts.
pub struct Everything<'a> {
    pub experiment: Experiment<'a>,
    /// Path of the acquisition `second`.
    pub second: String,
    /// What was uploaded.
    pub uploaded: Vec<Uploaded>,
    /// Ids of the types `Cells` and `Cells/Nuclei`.
    pub types: [i64; 2],
    /// Id of the feature `Area` of cells.
    pub area: i64,
    /// Ids of the results `clusters` and `heat`, which shows `Area`, both about cells, and `classes` about nuclei.
    pub results: [i64; 3],
}

/// A label image as uploaded.
pub struct Uploaded {
    /// Whether it is of the second of the types.
    pub is_nuclei: bool,
    pub site: SiteNames<'static>,
    pub tpoint: i64,
    pub zplane: i64,
    pub labels: Vec<Vec<i64>>,
}

/// The site in a column of a well of a plate.
pub const fn site(plate: &'static str, well: &'static str, x: i64) -> SiteNames<'static> {
    SiteNames { plate, well, y: 0, x }
}

/// Where label images go: of nuclei or cells, in which site, at which time point and focal plane. There is no image
/// for the last.
const PLANES: [(bool, SiteNames<'static>, i64, i64); 8] = [
    (false, site("p 1", "B03", 0), 0, 0),
    (false, site("p 1", "B03", 0), 0, 1),
    (false, site("p 1", "B03", 0), 1, 1),
    (false, site("p 1", "C05", 1), 0, 0),
    (false, site("q", "B03", 0), 0, 0),
    (true, site("p 1", "B03", 1), 0, 0),
    (true, site("q", "B03", 1), 0, 1),
    (false, site("q", "B03", 0), 5, 0),
];

/// Objects of all shapes: along the edge, with a hole that another one fills, of one pixel, with a large label.
fn labels(number: usize) -> Vec<Vec<i64>> {
    let label = |y: usize, x: usize| match (y, x) {
        (0..9, _) => 1,
        (20..40, 10..30) if (y, x) == (30, 20) => 2,
        (20..40, 10..30) if y.abs_diff(30) + x.abs_diff(20) > 5 => 70_000 + number as i64,
        (50, 40) => 4,
        _ => 0,
    };
    (0..SIZE.0).map(|y| (0..SIZE.1).map(|x| label(y, x)).collect()).collect()
}

impl<'a> Everything<'a> {
    /// Build it in an experiment of this name.
    pub async fn build(app: &'a TestApp, name: &str) -> Self {
        let experiment = Experiment::named(app, name, 384).await;
        let files = PlateFiles::new(name).size(SIZE.0, SIZE.1).grid(1, 2).z_planes(2);
        let client = experiment.client.clone();
        client
            .put(&format!("{}/shares/reader", experiment.path), &json!({"write_access": true}))
            .await
            .says("ok");
        let two = PlateFiles::new(name).size(SIZE.0, SIZE.1).grid(1, 2).z_planes(2);
        experiment.upload("p 1", "first", &two.wells(&["B03", "C05"]).channels(2)).await;
        let second = experiment.upload("p 1", "second", &files).await;
        experiment.upload("q", "other", &files).await;
        experiment.run(ALL_STAGES, &[("illuminati", "illumcorr", json!(true))]).await;
        let mut everything =
            Self { experiment, second, uploaded: Vec::new(), types: [0; 2], area: 0, results: [0; 3] };
        everything.add_objects().await;
        everything.add_values().await;
        everything.add_results(app).await;
        everything.add_shifts(app).await;
        everything
    }

    /// Path of a type of objects.
    pub fn type_path(&self, index: usize) -> String {
        format!("{}/mapobject_types/{}", self.experiment.path, self.types[index])
    }

    async fn add_objects(&mut self) {
        let client = &self.experiment.client;
        let types = format!("{}/mapobject_types", self.experiment.path);
        for (index, name) in ["Cells", "Cells/Nuclei"].into_iter().enumerate() {
            self.types[index] = client.post(&types, &json!({ "name": name })).await.id().parse().unwrap();
        }
        for (number, (is_nuclei, site, tpoint, zplane)) in PLANES.into_iter().enumerate() {
            let labels = labels(number);
            let body = json!({
                "plate_name": site.plate, "well_name": site.well, "well_pos_y": site.y, "well_pos_x": site.x,
                "tpoint": tpoint, "zplane": zplane, "image": labels,
            });
            let path = format!("{}/segmentations", self.type_path(usize::from(is_nuclei)));
            client.post(&path, &body).await.says("ok");
            self.uploaded.push(Uploaded { is_nuclei, site, tpoint, zplane, labels });
        }
    }

    /// Values of three features, one of which is called like a column that says where an object is.
    async fn add_values(&mut self) {
        let client = &self.experiment.client;
        for (is_nuclei, site, tpoint, _) in PLANES.into_iter().filter(|(_, site, ..)| site.well == "B03") {
            let kind = self.type_path(usize::from(is_nuclei));
            let labels: Vec<i64> = (70_000..70_008).chain([1, 2, 4]).collect();
            let value = |at: usize| match at % 4 {
                0 => json!([null, 1e300, at]),
                1 => json!([1e-300, null, 0.1]),
                _ => json!([at as f64 / 3.0, -7, null]),
            };
            let values: Vec<Value> = (0..labels.len()).map(value).collect();
            let names = ["Area", "label", "mean, \"é\""];
            let body = site.upload(tpoint, &names, &labels, &json!(values));
            client.post(&format!("{kind}/feature-values"), &body).await.says("ok");
        }
        let features = client.get(&format!("{}/features?name=Area", self.type_path(0))).await;
        self.area = features.all("id")[0].parse().unwrap();
    }

    async fn add_results(&mut self, app: &TestApp) {
        let submission = app
            .insert(&format!(
                "insert into submissions (experiment_id, user_id, program, description, created_at)
                 values ({}, 1, 'tool', '{{}}', 0)",
                self.experiment.id()
            ))
            .await;
        let heat = json!({"feature_id": self.area, "min": 0, "max": 1}).to_string();
        for (index, (kind, name, shown, attributes)) in [
            (0, "clusters", "ScalarToolResult", "{}"),
            (0, "heat", "HeatmapToolResult", heat.as_str()),
            (1, "classes", "SupervisedClassifierToolResult", "{}"),
        ]
        .into_iter()
        .enumerate()
        {
            self.results[index] = app
                .insert(&format!(
                    "insert into tool_results (mapobject_type_id, submission_id, name, tool_name, type, attributes,
                         version, created_at)
                     values ({}, {submission}, '{name}', 'Tool', '{shown}', '{attributes}', 0, 0)",
                    self.types[kind]
                ))
                .await;
        }
        // Every second object of the cells has a label, and every nucleus.
        for (result, kind, step) in [(self.results[0], 0, 2), (self.results[2], 1, 1)] {
            for place in app.texts(&labelled_planes(self.types[kind])).await {
                let [site, tpoint]: [i64; 2] = place
                    .split(' ')
                    .map(|number| number.parse().unwrap())
                    .collect::<Vec<_>>()
                    .try_into()
                    .unwrap();
                let objects = app.texts(&objects_in(self.types[kind], site)).await;
                let pairs = objects.iter().step_by(step).map(|id| id.parse().unwrap());
                let labels = Labels::new(pairs.map(|id: i64| (id, (id % 3) as f64)).collect());
                let mut tx = app.environment().db.write().await.unwrap();
                tools::put_labels(&mut tx, result, site, tpoint, &labels).await.unwrap();
                tx.commit().await.unwrap();
            }
        }
    }

    /// Shifts as the alignment of a multiplexing experiment leaves them.
    async fn add_shifts(&self, app: &TestApp) {
        let experiment = self.experiment.id();
        let alignment = app
            .insert(&format!(
                "insert into alignments (experiment_id, cycle_id, wavelength, complete, created_at)
                 select {experiment}, id, '1', true, 0 from cycles where experiment_id = {experiment}"
            ))
            .await;
        app.sql(&format!(
            "insert into site_shifts (alignment_id, site_id, cycle_id, y, x, source)
             select {alignment}, sites.id, cycles.id, 0, 0, 'reference'
             from cycles
             join plates on plates.experiment_id = cycles.experiment_id
             join wells on wells.plate_id = plates.id
             join sites on sites.well_id = wells.id
             where cycles.experiment_id = {experiment}"
        ))
        .await;
    }
}

/// Sites and time points that have objects of a type.
fn labelled_planes(kind: i64) -> String {
    format!(
        "select distinct site_id || ' ' || tpoint
         from segmentations
         join segmentation_layers on segmentation_layers.id = segmentation_layer_id
         where mapobject_type_id = {kind}"
    )
}

fn objects_in(kind: i64, site: i64) -> String {
    format!(
        "select cast(id as text) from mapobjects where mapobject_type_id = {kind} and site_id = {site} order by id"
    )
}
