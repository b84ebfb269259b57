//! Files with values of features: few however many uploads there are, never half-replaced, gone when nothing is left
//! that they are about.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tm_server::resources::feature::merging::{self, FILES, MOST_FILES};
use tm_server::storage::tables::TableReader;
use tm_server::tally::Tally;
use tm_server::{backup, check, sweep};
use tm_tests::app::{OWNER, TestApp};
use tm_tests::databases::Database;
use tm_tests::objects::{Lines, Objects, SiteNames, table};
use tm_tests::python;

tm_tests::on_each_database![
    flavor = "multi_thread";
    uploads_site_by_site_leave_few_files_and_every_value,
    uploads_at_the_same_time_lose_nothing,
    a_table_goes_on_while_its_files_are_merged,
    a_merge_drops_what_is_gone_from_the_database,
    files_go_with_the_last_site_that_they_are_about,
    files_go_with_their_type,
];

const SITES: i64 = 90;

fn site(x: i64) -> SiteNames<'static> {
    SiteNames { plate: "p", well: "A01", y: 0, x }
}

/// One object in each of so many sites of a well.
async fn a_row_of_sites(app: &TestApp, sites: i64) -> Objects<'_> {
    let objects = Objects::plant(app).await;
    let well = objects.well(objects.plate("p").await, "A01").await;
    for x in 0..sites {
        let site = objects.site(well, 0, x).await;
        objects.object(site, 1, &[objects.layer]).await;
    }
    objects
}

/// The files with values, by name.
fn files(app: &TestApp) -> Vec<PathBuf> {
    let found = app.app.environment.data.features(1).read_dir();
    let mut found: Vec<_> = found.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

async fn settle(app: &TestApp, objects: &Objects<'_>) {
    merging::merge_if_many(&app.app.environment, 1, objects.kind).await.unwrap();
}

/// What the table holds when the value of feature `x` of the object of site `x` is 2·x, and that of `y` is -x in even
/// ones.
fn expected(sites: i64) -> Lines {
    let mut lines = vec![["mapobject_id", "x", "y"].map(str::to_owned).to_vec()];
    lines.extend((0..sites).map(|x| {
        let y = if x % 2 == 0 { format!("{:?}", -x as f64) } else { "nan".to_owned() };
        vec![(x + 1).to_string(), format!("{:?}", 2.0 * x as f64), y]
    }));
    lines
}

async fn uploads_site_by_site_leave_few_files_and_every_value(database: Database) {
    let app = TestApp::start_on(database).await;
    let objects = a_row_of_sites(&app, SITES).await;
    let owner = app.client(OWNER).await;
    let path = format!("{}/feature-values", objects.path());
    for x in 0..SITES {
        // What counts is sent last.
        owner.post(&path, &site(x).upload(0, &["x"], &[1], &json!([[-1]]))).await.says("ok");
        assert!(files(&app).len() <= MOST_FILES + 1, "{:?}", files(&app));
    }
    for x in (0..SITES).rev() {
        if x % 2 == 0 {
            owner.post(&path, &site(x).upload(0, &["y"], &[1], &json!([[-x]]))).await.says("ok");
        }
        owner.post(&path, &site(x).upload(0, &["x"], &[1], &json!([[2 * x]]))).await.says("ok");
    }
    settle(&app, &objects).await;
    assert!(files(&app).len() <= FILES, "{:?}", files(&app));
    assert_eq!(table(&owner, &path).await.0, expected(SITES));
    let (one, _) = table(&owner, &format!("{path}?well_pos_x=44")).await;
    assert_eq!(one[1..], expected(SITES)[45..46]);
}

async fn uploads_at_the_same_time_lose_nothing(database: Database) {
    let app = TestApp::start_on(database).await;
    let objects = a_row_of_sites(&app, SITES).await;
    let path = format!("{}/feature-values", objects.path());
    let owner = app.client(OWNER).await;
    let mut clients = Vec::new();
    for client in 0..6 {
        let (owner, path) = (owner.clone(), path.clone());
        clients.push(tokio::spawn(async move {
            for x in (0..SITES).filter(|x| x % 6 == client) {
                let names: &[&str] = if x % 2 == 0 { &["y", "x"] } else { &["x"] };
                let values = if x % 2 == 0 { json!([[-x, 2 * x]]) } else { json!([[2 * x]]) };
                owner.post(&path, &site(x).upload(0, names, &[1], &values)).await.says("ok");
            }
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
    settle(&app, &objects).await;
    let mut found = table(&owner, &path).await.0;
    if found[0] != expected(SITES)[0] {
        // Whichever came first has the lower id.
        found.iter_mut().for_each(|line| line.swap(1, 2));
    }
    assert_eq!(found, expected(SITES));
}

async fn a_table_goes_on_while_its_files_are_merged(database: Database) {
    let app = TestApp::start_on(database).await;
    let objects = a_row_of_sites(&app, SITES).await;
    let owner = app.client(OWNER).await;
    let path = format!("{}/feature-values", objects.path());
    for x in 0..30 {
        let values = if x % 2 == 0 { json!([[2 * x, -x]]) } else { json!([[2 * x, null]]) };
        owner.post(&path, &site(x).upload(0, &["x", "y"], &[1], &values)).await.says("ok");
    }
    let mut readers = Vec::new();
    for _ in 0..4 {
        let (owner, path) = (owner.clone(), path.clone());
        readers.push(tokio::spawn(async move {
            for _ in 0..10 {
                let (lines, _) = table(&owner, &path).await;
                assert_eq!(lines[..31], expected(30));
            }
        }));
    }
    for x in 30..SITES {
        let values = if x % 2 == 0 { json!([[2 * x, -x]]) } else { json!([[2 * x, null]]) };
        owner.post(&path, &site(x).upload(0, &["x", "y"], &[1], &values)).await.says("ok");
    }
    for reader in readers {
        reader.await.unwrap();
    }
    assert_eq!(table(&owner, &path).await.0, expected(SITES));
}

async fn a_merge_drops_what_is_gone_from_the_database(database: Database) {
    let app = TestApp::start_on(database).await;
    let objects = a_row_of_sites(&app, SITES).await;
    let owner = app.client(OWNER).await;
    let path = format!("{}/feature-values", objects.path());
    let upload = async |x: i64| {
        owner.post(&path, &site(x).upload(0, &["x", "z"], &[1], &json!([[2 * x, 5]]))).await.says("ok");
    };
    for x in 0..10 {
        upload(x).await;
    }
    owner.delete(&format!("{}/features/2", objects.experiment)).await.says("ok");
    app.sql("delete from mapobjects where id in (1, 5)").await;
    app.sql("delete from sites where x = 7").await;
    let left = |lines: Lines| lines[1..].iter().map(|line| line[0].parse().unwrap()).collect::<Vec<i64>>();
    let (lines, _) = table(&owner, &path).await;
    assert_eq!(left(lines)[..7], [2, 3, 4, 6, 7, 9, 10]);
    for x in 10..40 {
        upload(x).await;
        settle(&app, &objects).await;
    }
    let mut kept = BTreeSet::new();
    for file in files(&app) {
        let mut table = TableReader::open(&file).unwrap();
        assert!(!table.has(2), "{}", file.display());
        kept.extend(table.mapobjects(0..table.rows()).unwrap());
    }
    let wanted: BTreeSet<i64> = (1..=40).filter(|id| ![1, 5, 8].contains(id)).collect();
    assert_eq!(kept, wanted);
}

async fn files_go_with_the_last_site_that_they_are_about(database: Database) {
    let app = TestApp::start_on(database).await;
    let objects = Objects::plant(&app).await;
    let owner = app.client(OWNER).await;
    let path = format!("{}/feature-values", objects.path());
    let mut plates = Vec::new();
    for plate in ["p", "q"] {
        plates.push(objects.plate(plate).await);
        let site = objects.site(objects.well(plates[plates.len() - 1], "A01").await, 0, 0).await;
        objects.object(site, 1, &[objects.layer]).await;
        let at = SiteNames { plate, well: "A01", y: 0, x: 0 };
        owner.post(&path, &at.upload(0, &["a"], &[1], &json!([[7]]))).await.says("ok");
    }
    assert_eq!(files(&app).len(), 2);
    let second = files(&app).pop();
    owner.delete(&format!("{}/plates/{}", objects.experiment, plates[0])).await.says("ok");
    assert_eq!(files(&app), second.into_iter().collect::<Vec<_>>());
    assert_eq!(table(&owner, &path).await.0, [["mapobject_id", "a"], ["2", "7.0"]]);
    owner.delete(&objects.experiment).await.says("ok");
    assert!(app.uploaded_files().is_empty());
}

async fn files_go_with_their_type(database: Database) {
    let app = TestApp::start_on(database).await;
    let objects = a_row_of_sites(&app, 3).await;
    let owner = app.client(OWNER).await;
    for x in 0..3 {
        let body = site(x).upload(0, &["b", "a"], &[1], &json!([[x, 1]]));
        owner.post(&format!("{}/feature-values", objects.path()), &body).await.says("ok");
    }
    let types = owner.get(&format!("{}/mapobject_types?name=Cells", objects.experiment)).await;
    let features = json!([{"id": "2", "name": "a"}, {"id": "1", "name": "b"}]);
    assert_eq!(types.data()[0]["features"], features);
    let made =
        owner.post(&format!("{}/mapobject_types", objects.experiment), &json!({"name": "Cells"})).await;
    assert_eq!(made.data()["features"], features);
    assert_eq!(files(&app).len(), 3);
    owner.delete(&objects.path()).await.says("ok");
    assert_eq!(files(&app), Vec::<PathBuf>::new());
    owner.get(&format!("{}/metadata", objects.path())).await.fails(404, "ResourceNotFoundError");
}

#[tokio::test(flavor = "multi_thread")]
async fn pandas_reads_every_file_of_uploads_and_merges() {
    let Some(python) = python::interpreter() else { return };
    let app = TestApp::start().await;
    let objects = a_row_of_sites(&app, 17).await;
    let owner = app.client(OWNER).await;
    let path = format!("{}/feature-values", objects.path());
    let values = |x: i64| json!([if x % 2 == 0 { json!(null) } else { json!(x as f64 / 3.0) }, 1e-300]);
    for x in 0..17 {
        let body = site(x).upload(0, &["a/b", "c"], &[1], &json!([values(x)]));
        owner.post(&path, &body).await.says("ok");
    }
    settle(&app, &objects).await;
    owner.post(&path, &site(3).upload(0, &["d"], &[1], &json!([[-0.5]]))).await.says("ok");
    let [late, merged] = &files(&app)[..] else { panic!("two files: {:?}", files(&app)) };
    let all = || 0..17_i64;
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    // The one with the higher number is the later one.
    let (merged, late) = if fs::metadata(late).unwrap().len() > fs::metadata(merged).unwrap().len() {
        (late, merged)
    } else {
        (merged, late)
    };
    let expected = json!({
        (name(merged)): json!({
            "mapobject_id": all().map(|x| x + 1).collect::<Vec<_>>(),
            "site_id": all().map(|x| x + 1).collect::<Vec<_>>(),
            "tpoint": vec![0; 17],
            "label": vec![1; 17],
            "f1": all().map(|x| values(x)[0].clone()).collect::<Vec<_>>(),
            "f2": vec![1e-300; 17],
        }),
        (name(late)): json!({
            "mapobject_id": [4], "site_id": [4], "tpoint": [0], "label": [1], "f3": [-0.5],
        }),
    });
    let listing = tempfile::NamedTempFile::new().unwrap();
    fs::write(listing.path(), expected.to_string()).unwrap();
    let directory = app.app.environment.data.features(1);
    let check = |listing: &Path| python::run(&python, "check_features.py", &[&directory, listing]);
    let (succeeded, printed) = check(listing.path());
    assert!(succeeded && printed.contains("OK: 2 files"), "{printed}");
    // The check can fail.
    fs::write(listing.path(), expected.to_string().replace("-0.5", "-0.25")).unwrap();
    assert!(!check(listing.path()).0);
}

#[tokio::test]
async fn check_sweep_and_backup_know_the_files() {
    let app = TestApp::start().await;
    let objects = a_row_of_sites(&app, 2).await;
    let owner = app.client(OWNER).await;
    let path = format!("{}/feature-values", objects.path());
    for x in 0..2 {
        owner.post(&path, &site(x).upload(0, &["a"], &[1], &json!([[x]]))).await.says("ok");
    }
    let environment = &app.app.environment;
    let tally = Arc::new(Tally::default());
    let problems = async |deep| {
        let report = check::run(&environment.db, &environment.data, deep, &tally).await.unwrap();
        report.problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(problems(true).await, Vec::<String>::new());

    let target = tempfile::TempDir::new().unwrap();
    let copy = target.path().join("copy");
    let report = backup::run(&environment.db, &environment.data, &copy, &tally).await.unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    for file in files(&app) {
        let below = file.strip_prefix(environment.data.root()).unwrap();
        assert_eq!(fs::read(copy.join(below)).unwrap(), fs::read(&file).unwrap());
    }

    let [first, second] = &files(&app)[..] else { panic!("two files") };
    let bytes = fs::read(first).unwrap();
    for (damaged, says) in [
        (Some(bytes[..bytes.len() - 1].to_vec()), "corrupt"),
        (Some([&bytes[..], b"PAR1"].concat()), ""),
        (None, "does not exist"),
    ] {
        match damaged {
            Some(damaged) => fs::write(first, damaged).unwrap(),
            None => fs::remove_file(first).unwrap(),
        }
        let found = problems(false).await;
        assert!(found.len() == 1 && found[0].contains("features/1-1.parquet"), "{says}: {found:?}");
    }
    fs::write(first, &bytes).unwrap();
    assert_eq!(problems(false).await, Vec::<String>::new());

    let orphan = second.with_file_name("1-77.parquet");
    fs::copy(second, &orphan).unwrap();
    fs::copy(second, second.with_file_name(".table.1-1.part")).unwrap();
    app.sql("insert into features (mapobject_type_id, name, stored) values (1, 'never came', false)").await;
    assert_eq!(problems(false).await.len(), 2);
    sweep::at_start(environment, tm_server::environment::LastStop::Clean).await.unwrap();
    assert_eq!(problems(true).await, Vec::<String>::new());
    assert_eq!(files(&app).len(), 2);
    assert_eq!(table(&owner, &path).await.0, [["mapobject_id", "a"], ["1", "0.0"], ["2", "1.0"]]);
}
