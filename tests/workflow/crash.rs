//! `kill -9` at chosen moments: whatever was under way, the next start makes of it what an undisturbed run
//! would have made.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tempfile::TempDir;
use tm_server::failpoint;
use tm_tests::app::Client;
use tm_tests::cellvoyager::{PlaneId, PlateFiles, identity_code};
use tm_tests::databases::Database;
use tm_tests::pipelines::Pipeline;
use tm_tests::plates::{ALL_STAGES, description_of};
use tm_tests::program::{Program, Serving};
use tm_tests::snapshot::Snapshot;

tm_tests::on_each_database![
    flavor = "multi_thread";
    a_server_that_was_killed_makes_what_an_undisturbed_one_makes,
    a_server_that_is_asked_to_stop_gives_a_job_that_hangs_back_within_ten_seconds,
];

const USER: &str = "ann";
const PASSWORD: &str = "correct horse";
/// Moments at which the server is killed; each is one run. Four more of a run that deletes the uploads make
/// sixty.
const MOMENTS: usize = 56;
const MOMENTS_OF_DELETION: usize = 4;
/// How long a server may take for the whole path before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(10);

/// The files that are uploaded, and what is done with them.
pub struct Work {
    files: BTreeMap<String, Vec<u8>>,
    pub description: Value,
}

impl Work {
    /// Two wells of two sites each in two channels, and two cycles, the second of which is shifted; the metadata
    /// file is large enough to come in several parts.
    pub fn new(delete: bool) -> Self {
        let directory = TempDir::new().unwrap();
        let shifted = |id: &PlaneId, row: usize, column: usize| {
            let by = (id.t as usize - 1) * 2;
            identity_code(&PlaneId { t: 1, ..id.clone() }, row + by, column + by)
        };
        let plate = PlateFiles::new("crash")
            .wells(&["B03", "C04"])
            .grid(1, 2)
            .size(96, 120)
            .channels(2)
            .time_points(2)
            .values(shifted);
        plate.write(directory.path()).unwrap();
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(directory.path()).unwrap() {
            let entry = entry.unwrap();
            let mut content = fs::read(entry.path()).unwrap();
            let name = entry.file_name().into_string().unwrap();
            if name.ends_with(".mlf") {
                content.extend(format!("<!-- {} -->", "x".repeat(1_500_000)).bytes());
            }
            files.insert(name, content);
        }
        let arguments = [
            ("metaextract", "batch_size", json!(3)),
            ("imextract", "batch_size", json!(3)),
            ("imextract", "delete", json!(delete)),
            ("illuminati", "illumcorr", json!(true)),
            ("illuminati", "clip", json!(true)),
            ("illuminati", "align", json!(true)),
            ("align", "ref_cycle", json!(0)),
            ("align", "ref_wavelength", json!("1")),
            ("align", "batch_size", json!(2)),
            ("jterator", "batch_size", json!(1)),
        ];
        let stages = [ALL_STAGES, &["image_analysis"]].concat();
        Self { files, description: description_of("multiplexing", &stages, &arguments) }
    }

    /// Finds patches in the first cycle and measures them in the second.
    fn pipeline() -> Pipeline {
        let smooth = [("image", json!("0_1")), ("filter_name", json!("average")), ("filter_size", json!(9))];
        let measure =
            [("extract_objects", "Patches"), ("assign_objects", "Patches"), ("intensity_image", "1_1")];
        Pipeline::default()
            .channel("0_1")
            .channel("1_1")
            .module("smooth", "smooth", &smooth, &[("smoothed_image", "smooth")])
            .module("otsu", "threshold_otsu", &[("image", json!("smooth"))], &[("mask", "mask")])
            .module("patches", "register_objects", &[("mask", json!("mask"))], &[("objects", "Patches")])
            .module("light", "measure_intensity", &measure.map(|(name, key)| (name, json!(key))), &[])
            .save("Patches")
    }

    /// Do whatever is not done yet, as a patient client does; the value is the client.
    ///
    /// # Errors
    /// When the server went away.
    pub async fn finish(&self, base: &str) -> reqwest::Result<Client> {
        let (client, experiment) = self.begin(base).await?;
        let tree = until_over(&client, &experiment).await?;
        assert_eq!(tree["exitcode"], 0, "{tree:#}");
        Ok(client)
    }

    /// Do whatever is not done yet until the workflow is submitted; the values are the client and the path of the
    /// experiment.
    ///
    /// # Errors
    /// When the server went away.
    pub async fn begin(&self, base: &str) -> reqwest::Result<(Client, String)> {
        let client = Client::of(base).logged_in(USER, PASSWORD).await?;
        let experiment = json!({
            "name": "experiment",
            "workflow_type": "multiplexing",
            "microscope_type": "cellvoyager",
            "plate_format": 96,
            "plate_acquisition_mode": "multiplexing",
        });
        let experiment = ensure(&client, "/api/experiments", &experiment).await?;
        ensure(&client, &format!("{experiment}/plates"), &json!({"name": "plate"})).await?;
        let acquisition = json!({"plate_name": "plate", "name": "acquisition"});
        let acquisition = ensure(&client, &format!("{experiment}/acquisitions"), &acquisition).await?;
        let status = format!("{experiment}/workflow/status?depth=0");
        if get(&client, &status).await?.is_null() {
            self.upload(&client, &acquisition).await?;
            let put = client.request(Method::PUT, &format!("{experiment}/workflow/jtproject"));
            client.try_send(put.json(&Self::pipeline().to_json())).await?.says("ok");
            let submit = client.request(Method::POST, &format!("{experiment}/workflow/submit"));
            let answer = client.try_send(submit.json(&json!({"description": self.description}))).await?;
            assert_eq!(answer.status, 200, "{:?}", answer.body);
        }
        Ok((client, experiment))
    }

    async fn upload(&self, client: &Client, acquisition: &str) -> reqwest::Result<()> {
        let names: Vec<&String> = self.files.keys().collect();
        let register = client.request(Method::POST, &format!("{acquisition}/upload/register"));
        let pending = client.try_send(register.json(&json!({"files": names}))).await?;
        for name in pending.data().as_array().expect("a list") {
            let name = name.as_str().expect("text");
            let part = Part::bytes(self.files[name].clone()).file_name(name.to_owned());
            let request = client.request(Method::POST, &format!("{acquisition}/microscope-file"));
            client.try_send(request.multipart(Form::new().part("file", part))).await?.says("ok");
        }
        Ok(())
    }
}

/// Wait for the end of the experiment's workflow; the value is its whole tree.
///
/// # Errors
/// When the server went away.
pub async fn until_over(client: &Client, experiment: &str) -> reqwest::Result<Value> {
    let start = Instant::now();
    loop {
        let tree = get(client, &format!("{experiment}/workflow/status?depth=0")).await?;
        if tree["done"] == true {
            return get(client, &format!("{experiment}/workflow/status?depth=9")).await;
        }
        assert!(start.elapsed() < PATIENCE, "the workflow hangs: {tree:#}");
        tokio::time::sleep(PAUSE).await;
    }
}

pub async fn get(client: &Client, path: &str) -> reqwest::Result<Value> {
    Ok(client.try_send(client.request(Method::GET, path)).await?.data().clone())
}

/// The path of the thing with the name in `body`, made if it is not there.
async fn ensure(client: &Client, path: &str, body: &Value) -> reqwest::Result<String> {
    let name = body["name"].as_str().expect("a name");
    let known = get(client, &format!("{path}?name={name}")).await?;
    if let Some(known) = known[0]["id"].as_str() {
        return Ok(format!("{path}/{known}"));
    }
    let made = client.try_send(client.request(Method::POST, path).json(body)).await?;
    Ok(format!("{path}/{}", made.id()))
}

/// A fresh data directory, with a fresh database of the same kind as `like`, and a user in it.
pub struct Fresh {
    pub program: Program,
    _database: Database,
    _directory: TempDir,
}

impl Fresh {
    pub async fn like(like: &Database) -> Self {
        let directory = TempDir::new().unwrap();
        let database = match like {
            Database::Sqlite => Database::Sqlite,
            Database::Postgres(_) => Database::postgres().await.expect("there is a server"),
        };
        let mut program = Program::new(directory.path());
        if let Some(url) = database.url() {
            program = program.with("TMSERVER_DATABASE_URL", url);
        }
        let password = format!("{PASSWORD}\n");
        program.run_with_input(&["user", "add", USER, "--password-stdin"], &password).succeeds();
        Self { program, _database: database, _directory: directory }
    }

    /// Start the server with a failpoint.
    pub fn serve_with(&self, failpoint: &str) -> Serving {
        self.program.with(failpoint::VARIABLE, failpoint).serve()
    }
}

/// What a server holds that did the work, once it has stopped in an orderly way and rows and files agree.
pub async fn held(server: Serving, client: &Client, program: &Program) -> Snapshot {
    let snapshot = Snapshot::take(client, &program.directory.join("data")).await;
    assert!(server.stop().success());
    program.run(&["check", "--deep"]).succeeds();
    snapshot
}

/// A run without a disturbance: what it leaves, and the moments it passes through.
pub async fn undisturbed(work: &Work, database: &Database) -> (Snapshot, Vec<String>) {
    let fresh = Fresh::like(database).await;
    let trace = fresh.program.directory.join("trace");
    let server = fresh.serve_with(&format!("trace:{}", trace.display()));
    let client = work.finish(&server.base).await.unwrap();
    let snapshot = held(server, &client, &fresh.program).await;
    (snapshot, fs::read_to_string(trace).unwrap().lines().map(str::to_owned).collect())
}

/// A run that is killed when it passes `point` for the `number`th time, and then finished.
async fn killed_at(work: &Work, database: &Database, point: &str, number: usize) -> Snapshot {
    let fresh = Fresh::like(database).await;
    let mut server = fresh.serve_with(&format!("kill:{number}:{point}"));
    match work.finish(&server.base).await {
        Err(_) => {
            while server.ended().is_none() {
                tokio::time::sleep(PAUSE).await;
            }
        }
        // The moment may come after the client has seen the end.
        Ok(_) => assert!(server.ended().is_some(), "it never came to {point} a {number}th time"),
    }
    #[cfg(unix)]
    {
        let signal = std::os::unix::process::ExitStatusExt::signal(&server.ended().unwrap());
        assert_eq!(signal, Some(9), "at {point} ({number})");
    }
    let server = fresh.program.serve();
    let client = work.finish(&server.base).await.unwrap();
    held(server, &client, &fresh.program).await
}

/// How long a server that was asked to stop may take.
const STOPPING: Duration = Duration::from_secs(10);

async fn a_server_that_is_asked_to_stop_gives_a_job_that_hangs_back_within_ten_seconds(database: Database) {
    let work = Work::new(false);
    let (whole, _) = undisturbed(&work, &database).await;
    let fresh = Fresh::like(&database).await;
    // While a plane is being written, and while a job does something of its own.
    for point in ["hang:3:file synced", "hang:1:corilla written"] {
        let server = fresh.serve_with(point);
        let base = server.base.clone();
        let mut finishing = Box::pin(work.finish(&base));
        let hangs = async {
            let client = Client::of(&base).logged_in(USER, PASSWORD).await.unwrap();
            let mut before = Value::Null;
            let mut unchanged = Instant::now();
            // Half a second without any progress, from when the workflow was submitted.
            while before.is_null() || unchanged.elapsed() < Duration::from_millis(500) {
                let known = get(&client, "/api/experiments").await.unwrap();
                let now = match known[0]["id"].as_str() {
                    Some(id) => {
                        get(&client, &format!("/api/experiments/{id}/workflow/status?depth=9")).await.unwrap()
                    }
                    None => Value::Null,
                };
                if now != before {
                    (before, unchanged) = (now, Instant::now());
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            done = &mut finishing => panic!("{point} did not hang: {}", done.is_ok()),
            () = hangs => {}
        }
        drop(finishing);
        let asked = Instant::now();
        assert!(server.stop().success());
        assert!(asked.elapsed() < STOPPING, "{:?}", asked.elapsed());
    }
    let server = fresh.program.serve();
    let client = work.finish(&server.base).await.unwrap();
    let differences = whole.differences(&held(server, &client, &fresh.program).await);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// A generator of numbers that are the same in every run.
pub struct Seeded(pub u64);

impl Seeded {
    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        // Knuth's MMIX generator; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// `count` of the moments of a run: one of every kind first, then whatever the seed gives. A kind is a job's
/// step and phase, or a point without its numbers.
fn moments(trace: &[String], count: usize, seed: u64) -> Vec<(String, usize)> {
    let mut passed: BTreeMap<&str, usize> = BTreeMap::new();
    let mut kinds: BTreeMap<String, Vec<(String, usize)>> = BTreeMap::new();
    for point in trace {
        let number = passed.entry(point).or_default();
        *number += 1;
        let kind = match point.split_once("_0000") {
            Some((phase, _)) => phase.split('-').next().unwrap().to_owned(),
            None => point.clone(),
        };
        kinds.entry(kind).or_default().push((point.clone(), *number));
    }
    let mut random = Seeded(seed);
    let mut chosen: Vec<_> =
        kinds.values().map(|points| points[random.below(points.len())].clone()).collect();
    let mut all: Vec<_> = kinds.into_values().flatten().filter(|point| !chosen.contains(point)).collect();
    assert!(chosen.len() <= count, "{} kinds of moments", chosen.len());
    while chosen.len() < count && !all.is_empty() {
        chosen.push(all.swap_remove(random.below(all.len())));
    }
    chosen
}

/// Kill a server at each of these moments; the value is what came out otherwise than in `whole`.
async fn differences(
    work: &Work,
    database: &Database,
    whole: &Snapshot,
    moments: &[(String, usize)],
) -> Vec<String> {
    let mut found = Vec::new();
    for (point, number) in moments {
        let differences = whole.differences(&killed_at(work, database, point, *number).await);
        if !differences.is_empty() {
            found.push(format!("killed at {point} ({number}):\n{}", differences.join("\n")));
        }
    }
    found
}

/// Kill servers at the moments, two at a time, and compare.
async fn compare(work: &Work, database: &Database, whole: &Snapshot, moments: &[(String, usize)]) {
    let (left, right) = moments.split_at(moments.len() / 2);
    let (left, right) =
        tokio::join!(differences(work, database, whole, left), differences(work, database, whole, right));
    let found = [left, right].concat();
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}

async fn a_server_that_was_killed_makes_what_an_undisturbed_one_makes(database: Database) {
    let work = Work::new(false);
    let (whole, trace) = undisturbed(&work, &database).await;
    for (kind, least) in [("api", 30), ("image", 16), ("tile", 8), ("array", 18), ("file", 20), ("log", 20)] {
        assert!(whole.count(kind) >= least, "{kind}: {whole:?}");
    }
    let (embedded, _) = undisturbed(&work, &Database::Sqlite).await;
    assert_eq!(whole.differences(&embedded), Vec::<String>::new(), "whichever the database");
    let moments = moments(&trace, MOMENTS, 20_311);
    assert_eq!(moments.len(), MOMENTS);
    println!("{} points passed, {} lines compared; killed at {moments:?}", trace.len(), whole.len());
    compare(&work, &database, &whole, &moments).await;

    let work = Work::new(true);
    let (whole, trace) = undisturbed(&work, &database).await;
    let of_deletion =
        |point: &&String| point.starts_with("imextract files") || point.starts_with("imextract_coll");
    let moments: Vec<_> = trace.iter().filter(of_deletion).map(|point| (point.clone(), 1)).collect();
    assert_eq!(moments.len(), MOMENTS_OF_DELETION, "{moments:?}");
    compare(&work, &database, &whole, &moments).await;
}
