//! A server over a made-up experiment whose every pixel is known: rows and images are there, as the
//! workflow would have made them.

// A test stops at what it cannot set up.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;
use tm_engine::image::{BitDepth, GreyPlane, Plane, Size};
use tm_engine::kernels::illumination::IlluminationSums;
use tm_server::app::App;
use tm_server::config::Settings;
use tm_server::environment::{Environment, LastStop};
use tm_server::microscopes::PlateFormat;
use tm_server::resources::experiment::{self, AcquisitionMode, NewExperiment};
use tm_server::resources::layer::pyramid;
use tm_server::resources::workflow::queries::{self, LayerKey, NewPlane};
use tm_server::resources::{acquisition, mapobject, plate, user};
use tm_server::storage::images::{
    AcquisitionSpec, ChannelSpec, FieldImage, FieldSpec, PlaneIndex, PlateSpec, create_plate, field_path,
};
use tm_server::storage::statistics;
use tm_server::store::Tx;

/// Plate, well and the sites (y, x) in it.
pub type WellSpec = (&'static str, &'static str, Vec<(i64, i64)>);

/// What the experiment looks like.
#[derive(Debug, Clone)]
pub struct MapSpec {
    /// Size of every site.
    pub site: Size,
    /// Bits per pixel.
    pub depth: BitDepth,
    /// Gap between sites, down and right; negative where they overlap.
    pub displacement: (i64, i64),
    /// Gap between wells.
    pub spacer: i64,
    /// All wells, in any order.
    pub wells: Vec<WellSpec>,
    /// Whether the layer is corrected, with statistics of these very images.
    pub corrected: bool,
    /// Grey values shown as black and white.
    pub limits: (u16, u16),
}

/// A site of the experiment.
#[derive(Debug, Clone)]
pub struct MadeUpSite {
    /// Row id.
    pub id: i64,
    /// Name of the plate.
    pub plate: &'static str,
    /// Name of the well.
    pub well: &'static str,
    /// Row in the well.
    pub y: i64,
    /// Column in the well.
    pub x: i64,
    /// Its pixels.
    pub pixels: GreyPlane,
}

/// The server and what it serves.
pub struct MadeUpMap {
    /// The application, in this process.
    pub app: App,
    /// What was asked for.
    pub spec: MapSpec,
    /// Row id of the experiment.
    pub experiment: i64,
    /// Row id of the one channel, `DAPI`.
    pub channel: i64,
    /// Row id of its one layer.
    pub layer: i64,
    /// All sites.
    pub sites: Vec<MadeUpSite>,
    /// Smoothed mean and standard deviation that corrected pixels were corrected with.
    pub statistics: Option<(Plane<f64>, Plane<f64>)>,
    /// Token of the owner.
    pub token: String,
    address: SocketAddr,
    client: reqwest::Client,
    _directory: TempDir,
}

/// A repeatable value without pattern.
pub fn scramble(seed: u64) -> u64 {
    let mut value = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A smooth image with a little noise under uneven light.
fn image(size: Size, depth: BitDepth, seed: u64) -> GreyPlane {
    let value = |row: usize, column: usize| {
        let (v, u) = (row as f64 / size.height as f64, column as f64 / size.width as f64);
        let light = 1.0 - 0.5 * ((u - 0.4).powi(2) + (v - 0.6).powi(2));
        let phase = (scramble(seed) % 1000) as f64;
        let shape = 1.2 + ((row as f64 / 40.0 + phase).sin() * (column as f64 / 55.0 + phase).cos());
        let noise = (scramble(seed << 40 | (row as u64) << 20 | column as u64) % 40) as f64;
        (shape * light, noise)
    };
    match depth {
        BitDepth::Eight => Plane::from_fn(size, |row, column| {
            let (signal, noise) = value(row, column);
            (signal * 90.0 + noise / 8.0) as u8
        })
        .into(),
        BitDepth::Sixteen => Plane::from_fn(size, |row, column| {
            let (signal, noise) = value(row, column);
            (signal * 3000.0 + noise) as u16
        })
        .into(),
    }
}

impl MadeUpMap {
    /// Make the experiment and serve it.
    ///
    /// # Panics
    /// When anything fails.
    pub async fn start(spec: MapSpec) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let app = app(directory.path()).await;
        let environment = &app.environment;
        let mut tx = environment.db.write().await.unwrap();
        let owner = user::queries::insert(&mut tx, "owner", "owner@example.org", "-", 0).await.unwrap();
        let new = NewExperiment {
            user_id: owner,
            name: "made up".into(),
            description: String::new(),
            microscope_type: "cellvoyager".into(),
            workflow_type: "canonical".into(),
            plate_format: PlateFormat::from_wells(384).unwrap(),
            plate_acquisition_mode: AcquisitionMode::Basic,
        };
        let experiment = experiment::queries::insert(&mut tx, &new, 0).await.unwrap();
        set_spacing(&mut tx, experiment, &spec).await;
        let depth = i64::from(spec.depth.bits());
        let channel = queries::insert_channel(&mut tx, experiment, "DAPI", "DAPI", depth).await.unwrap();
        let sites = make_sites(&mut tx, environment, experiment, channel, &spec).await;
        let (statistics_id, statistics) =
            make_statistics(&mut tx, environment, experiment, channel, &spec, &sites).await;
        let key = LayerKey { channel_id: channel, tpoint: 0, zplane: 0 };
        let (lower, upper) = (i64::from(spec.limits.0), i64::from(spec.limits.1));
        let layer = queries::insert_layer(&mut tx, &key, lower, upper, statistics_id, None).await.unwrap();
        tx.commit().await.unwrap();
        let token = app.tokens.issue(owner, "owner", 0, environment.now()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = app.clone();
        tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
        Self {
            app,
            spec,
            experiment,
            channel,
            layer,
            sites,
            statistics,
            token,
            address,
            client: reqwest::Client::new(),
            _directory: directory,
        }
    }

    /// Store all levels below full resolution, as the pyramid step does.
    ///
    /// # Panics
    /// When anything fails.
    pub async fn build_pyramid(&self) -> pyramid::BlockReport {
        let environment = &self.app.environment;
        let layout = environment.maps.layout(environment, self.experiment).await.unwrap();
        pyramid::create_files(environment, self.experiment, self.layer).await.unwrap();
        let mut total = pyramid::BlockReport::default();
        for block in pyramid::blocks(&layout) {
            let report = pyramid::build_block(environment, self.experiment, self.layer, block).await.unwrap();
            total.pixels += report.pixels;
            total.missing.extend(report.missing);
        }
        pyramid::build_top(environment, self.experiment, self.layer).await.unwrap();
        let (size, depth) = (layout.size(), layout.depth() as i64);
        let (height, width) = (size.height as i64, size.width as i64);
        let mut tx = environment.db.write().await.unwrap();
        experiment::queries::set_pyramid(&mut tx, self.experiment, height, width, depth, 0).await.unwrap();
        mapobject::refresh_static(&mut tx, self.experiment).await.unwrap();
        tx.commit().await.unwrap();
        total
    }

    /// A request below the experiment's path, without a token.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}/api/experiments/{}/{path}", self.address, self.experiment);
        self.client.request(method, url)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the owner gets.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn get(&self, path: &str) -> reqwest::Response {
        let request = self.request(reqwest::Method::GET, path).bearer_auth(&self.token);
        request.send().await.unwrap()
    }

    /// A tile of the layer, as the owner gets it.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn tile(&self, z: usize, y: usize, x: usize, more: &str) -> reqwest::Response {
        self.get(&format!("channel_layers/{}/tiles?x={x}&y={y}&z={z}{more}", self.layer)).await
    }

    /// Add a user and issue a token.
    ///
    /// # Panics
    /// When the name is taken.
    pub async fn token_of_new_user(&self, name: &str) -> String {
        let environment = &self.app.environment;
        let mut tx = environment.db.write().await.unwrap();
        let email = format!("{name}@example.org");
        let id = user::queries::insert(&mut tx, name, &email, "-", 0).await.unwrap();
        tx.commit().await.unwrap();
        self.app.tokens.issue(id, name, 0, environment.now()).unwrap()
    }

    /// Run a statement on the database.
    ///
    /// # Panics
    /// When it fails.
    pub async fn execute(&self, sql: &'static str) {
        let mut tx = self.app.environment.db.write().await.unwrap();
        execute(&mut tx, sql).await;
        tx.commit().await.unwrap();
    }
}

async fn execute(tx: &mut Tx, sql: &'static str) {
    match tx {
        Tx::Sqlite(tx) => {
            sqlx::query(sql).execute(&mut **tx).await.unwrap();
        }
        Tx::Postgres(tx) => {
            sqlx::query(sql).execute(&mut **tx).await.unwrap();
        }
    }
}

async fn app(directory: &Path) -> App {
    let settings =
        Settings { data_dir: Some(directory.to_owned()), backend: Some("cpu".into()), ..Settings::default() };
    App::open(settings.finish().unwrap(), LastStop::Clean).await.unwrap()
}

/// Gaps have no route and no query of their own yet.
async fn set_spacing(tx: &mut Tx, experiment: i64, spec: &MapSpec) {
    let Tx::Sqlite(tx) = tx else { panic!("these tests run on SQLite") };
    sqlx::query(
        "update experiments
         set vertical_site_displacement = $1, horizontal_site_displacement = $2, well_spacer_size = $3
         where id = $4",
    )
    .bind(spec.displacement.0)
    .bind(spec.displacement.1)
    .bind(spec.spacer)
    .bind(experiment)
    .execute(&mut **tx)
    .await
    .unwrap();
}

async fn make_sites(
    tx: &mut Tx,
    environment: &Environment,
    experiment: i64,
    channel: i64,
    spec: &MapSpec,
) -> Vec<MadeUpSite> {
    let cycle = queries::insert_cycle(tx, experiment, 0).await.unwrap();
    let mut plates: BTreeMap<&str, Vec<&WellSpec>> = BTreeMap::new();
    for well in &spec.wells {
        plates.entry(well.0).or_default().push(well);
    }
    let mut sites = Vec::new();
    for (name, wells) in plates {
        let plate = plate::queries::insert(tx, experiment, name, "", 0).await.unwrap();
        let acquisition =
            acquisition::queries::insert(tx, experiment, name, "a", "", 0).await.unwrap().unwrap();
        queries::set_image_generation(tx, plate, 1, 0).await.unwrap();
        let path = environment.data.plate_images(experiment, plate, 1);
        create_plate(&path, &plate_spec(name, acquisition, &wells, spec)).unwrap();
        for (plate_name, well_name, positions) in wells {
            let well = queries::insert_well(tx, plate, well_name).await.unwrap();
            for (index, (y, x)) in positions.iter().enumerate() {
                let (height, width) = (spec.site.height as i64, spec.site.width as i64);
                let id = queries::insert_site(tx, well, *y, *x, height, width).await.unwrap();
                let field = field_path(well_name, index);
                let plane = NewPlane {
                    channel,
                    site: id,
                    cycle,
                    acquisition,
                    tpoint: 0,
                    zplane: 0,
                    field: &field,
                    t_index: 0,
                    c_index: 0,
                    z_index: 0,
                    sources: "[]",
                };
                queries::insert_plane(tx, &plane).await.unwrap();
                let pixels = image(spec.site, spec.depth, sites.len() as u64 + 1);
                let opened = FieldImage::open(&path, &field).unwrap();
                opened.write_plane(PlaneIndex { t: 0, c: 0, z: 0 }, &pixels).unwrap();
                sites.push(MadeUpSite { id, plate: plate_name, well: well_name, y: *y, x: *x, pixels });
            }
        }
    }
    execute(tx, "update channel_images set stored = true").await;
    sites
}

fn plate_spec(name: &str, acquisition: i64, wells: &[&WellSpec], spec: &MapSpec) -> PlateSpec {
    let field = |well: &str, index: usize| FieldSpec {
        well: well.to_owned(),
        index,
        acquisition,
        time_points: 1,
        z_planes: 1,
        channels: vec![ChannelSpec { name: "DAPI".into(), color: None }],
        size: spec.site,
        depth: spec.depth,
        pixel_size_um: None,
        z_step_um: None,
        time_interval_s: None,
    };
    PlateSpec {
        name: name.to_owned(),
        acquisitions: vec![AcquisitionSpec { id: acquisition, name: "a".into() }],
        fields: wells
            .iter()
            .flat_map(|(_, well, sites)| (0..sites.len()).map(|index| field(well, index)))
            .collect(),
    }
}

async fn make_statistics(
    tx: &mut Tx,
    environment: &Environment,
    experiment: i64,
    channel: i64,
    spec: &MapSpec,
    sites: &[MadeUpSite],
) -> (Option<i64>, Option<(Plane<f64>, Plane<f64>)>) {
    if !spec.corrected {
        return (None, None);
    }
    let mut sums = IlluminationSums::new(spec.site, spec.depth);
    for site in sites {
        sums.add(&site.pixels).unwrap();
    }
    let made = sums.finish();
    statistics::write(&environment.data.statistics(experiment, "made-up"), &made).unwrap();
    let id = queries::insert_statistics(tx, channel, "made-up", sites.len() as i64, 0).await.unwrap();
    (Some(id), Some(made.smoothed()))
}
