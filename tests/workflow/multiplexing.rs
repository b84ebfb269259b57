//! Multiplexing experiments: cycles whose images are shifted against each other, put together again.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tempfile::TempDir;
use tm_engine::image::GreyPlane;
use tm_tests::app::TestApp;
use tm_tests::cellvoyager::{PlaneId, PlateFiles, identity_code};
use tm_tests::databases::Database;
use tm_tests::plates::{ALL_STAGES, Experiment, Override};

use super::naive::{Level, Site, rescaled, values};

const HEIGHT: usize = 96;
const WIDTH: usize = 120;
const WELLS: [&str; 2] = ["B03", "C04"];
const PLATES: [&str; 2] = ["first", "second"];
const CYCLES: usize = 3;
/// Rows and columns of sites in a well.
const GRID: usize = 2;
/// Plate, cycle, well and site (row, column) that show nothing.
const BLANK: (u32, usize, &str, usize, usize) = (1, 2, "B03", 0, 1);

tm_tests::on_each_database![
    flavor = "multi_thread";
    shifts_are_found_applied_and_replaced_where_there_is_nothing_to_find,
];

/// How far the images of a cycle have to be moved down and to the right to fall on those of the first.
fn planted(plate: u32, cycle: usize) -> (i64, i64) {
    match (plate, cycle) {
        (_, 0) => (0, 0),
        (1, 1) => (3, -2),
        (1, _) => (-4, 1),
        (_, 1) => (-1, -4),
        (_, _) => (2, 3),
    }
}

/// A well as one picture: round cells on a jittered raster.
fn scene(plate: u32, well: u32, y: i64, x: i64) -> f64 {
    const PITCH: i64 = 14;
    let cell = |row: i64, column: i64| {
        let code = |salt: usize| {
            let id = PlaneId {
                plate,
                well: String::new(),
                well_index: well,
                field: 1,
                y: 0,
                x: 0,
                channel: 1,
                action: 1,
                z: 1,
                t: 1,
            };
            f64::from(identity_code(&id, (row + 1000) as usize, 7 * (column + 1000) as usize + salt))
                / 65_536.0
        };
        let (down, right) = ((row * PITCH) as f64 + 10.0 * code(0), (column * PITCH) as f64 + 10.0 * code(1));
        let square = (y as f64 - down).powi(2) + (x as f64 - right).powi(2);
        (400.0 + 2600.0 * code(2)) * (-square / 14.0).exp()
    };
    let (row, column) = (y.div_euclid(PITCH), x.div_euclid(PITCH));
    let near = (row - 1..=row + 1).flat_map(|row| (column - 1..=column + 1).map(move |column| (row, column)));
    350.0 + near.map(|(row, column)| cell(row, column)).sum::<f64>()
}

fn pixel(id: &PlaneId, cycle: usize, row: usize, column: usize) -> u16 {
    let noise =
        f64::from(identity_code(&PlaneId { t: 1 + cycle as u32, ..id.clone() }, row, column)) / 4096.0;
    if (id.plate, cycle, id.well.as_str(), id.y, id.x) == BLANK {
        return (300.0 + noise) as u16;
    }
    let (dy, dx) = planted(id.plate, cycle);
    let (y, x) = ((id.y * HEIGHT + row) as i64 + dy, (id.x * WIDTH + column) as i64 + dx);
    let (v, u) = (row as f64 / HEIGHT as f64 - 0.5, column as f64 / WIDTH as f64 - 0.5);
    let light = 1.0 - 0.5 * (v * v + u * u);
    (light * scene(id.plate, id.well_index, y, x) * f64::from(id.channel) + noise) as u16
}

fn plate_files(plate: usize, cycle: usize) -> PlateFiles {
    PlateFiles::new(&format!("cycle{cycle}"))
        .plate_number(1 + plate as u32)
        .size(HEIGHT, WIDTH)
        .wells(&WELLS)
        .grid(GRID, GRID)
        .channels(2)
        .values(move |id, row, column| pixel(id, cycle, row, column))
}

/// Every image of a channel in a cycle, by plate, well and site.
fn images(cycle: usize, channel: u32) -> BTreeMap<(usize, String, usize, usize), GreyPlane> {
    let mut images = BTreeMap::new();
    for plate in 0..PLATES.len() {
        let files = plate_files(plate, cycle);
        for id in files.planes().into_iter().filter(|id| id.channel == channel) {
            images.insert((plate, id.well.clone(), id.y, id.x), files.pixels_of(&id));
        }
    }
    images
}

fn texts(list: &Value, field: &str) -> Vec<String> {
    let text = |item: &Value| item[field].as_str().unwrap().to_owned();
    list.as_array().unwrap().iter().map(text).collect()
}

async fn shifts_are_found_applied_and_replaced_where_there_is_nothing_to_find(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::multiplexing(&app, "cycles").await;
    for (index, plate) in PLATES.iter().enumerate() {
        for cycle in 0..CYCLES {
            experiment.upload(plate, &format!("cycle {cycle}"), &plate_files(index, cycle)).await;
        }
    }
    let align = |robust: bool| -> Vec<Override<'static>> {
        vec![
            ("align", "ref_cycle", json!(0)),
            ("align", "ref_wavelength", json!("1")),
            ("align", "batch_size", json!(3)),
            ("align", "robust_align", json!(robust)),
            ("illuminati", "align", json!(true)),
            ("illuminati", "clip", json!(true)),
            ("illuminati", "clip_value", json!(4000)),
        ]
    };
    experiment.run(ALL_STAGES, &align(true)).await;

    let channels = experiment.client.get(&format!("{}/channels", experiment.path)).await.data().clone();
    let mut names = texts(&channels, "name");
    names.sort_unstable();
    assert_eq!(names, ["0_1", "0_2", "1_1", "1_2", "2_1", "2_2"]);
    let cycles = experiment.client.get(&format!("{}/cycles", experiment.path)).await.data().clone();
    let indices: Vec<i64> =
        cycles.as_array().unwrap().iter().map(|cycle| cycle["index"].as_i64().unwrap()).collect();
    assert_eq!(indices, [0, 1, 2]);

    assert_shifts(&experiment).await;
    assert_crops(&experiment).await;
    assert_map(&experiment).await;
    assert_copied(&app).await;

    // The original's method finds the same shifts, and what was built with the first ones stays as it is.
    let layers = experiment.layers().await;
    let tile = experiment.png_tile(&layers[0], (layers[0].max_zoom, 0, 0)).await;
    experiment.run(&["image_preprocessing"], &align(false)[..4]).await;
    assert_shifts(&experiment).await;
    assert_eq!(experiment.layers().await, layers);
    assert_eq!(experiment.png_tile(&layers[0], (layers[0].max_zoom, 0, 0)).await, tile);
}

/// The shifts are those that were planted; that of the blank site comes from its well.
async fn assert_shifts(experiment: &Experiment<'_>) {
    let path = format!("{}/alignment", experiment.path);
    let alignment = experiment.client.get(&path).await.data().clone();
    assert_eq!((&alignment["reference_cycle_index"], &alignment["wavelength"]), (&json!(0), &json!("1")));
    let sites = experiment.client.get(&format!("{}/sites", experiment.path)).await.data().clone();
    let sites: BTreeMap<String, Value> =
        texts(&sites, "id").into_iter().zip(sites.as_array().unwrap().iter().cloned()).collect();
    let shifts = alignment["shifts"].as_array().unwrap();
    assert_eq!(shifts.len(), PLATES.len() * WELLS.len() * GRID * GRID * CYCLES);
    let mut sources = BTreeSet::new();
    for shift in shifts {
        let site = &sites[shift["site_id"].as_str().unwrap()];
        let plate = PLATES.iter().position(|name| shift["plate_name"] == *name).unwrap() as u32 + 1;
        let cycle = shift["cycle_index"].as_u64().unwrap() as usize;
        let number = |field: &str| shift[field].as_i64().unwrap();
        assert_eq!((number("y"), number("x")), planted(plate, cycle), "{shift}");
        let place = |field: &str| site[field].as_u64().unwrap() as usize;
        let is_blank = (plate, cycle, shift["well_name"].as_str().unwrap(), place("y"), place("x")) == BLANK;
        let expected = match (cycle, is_blank) {
            (0, _) => "reference",
            (_, true) => "well",
            (_, false) => "measured",
        };
        assert_eq!(shift["source"], expected, "{shift}");
        if expected == "measured" {
            let (quality, threshold) = (shift["quality"].as_f64(), shift["threshold"].as_f64());
            assert!(quality > threshold, "{shift}");
        }
        sources.insert(expected);
    }
    assert_eq!(sources.len(), 3);
}

/// A copy of the database has the shifts, too.
async fn assert_copied(app: &TestApp) {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("copy.sqlite");
    let database = &app.environment().db;
    database.snapshot(&file).await.unwrap();
    let copy = sqlx::SqlitePool::connect(file.to_str().unwrap()).await.unwrap();
    let query = "select count(*) from site_shifts where quality > threshold and measured_y = y";
    let (measured,): (i64,) = sqlx::query_as(query).fetch_one(&copy).await.unwrap();
    copy.close().await;
    let others = PLATES.len() * WELLS.len() * GRID * GRID * (CYCLES - 1);
    assert!(measured > 0 && measured < i64::try_from(others).unwrap(), "{measured}");
}

/// Cropped images are what all cycles of their site have, pixel by pixel.
async fn assert_crops(experiment: &Experiment<'_>) {
    for (plate, cycle) in [(0, 0), (0, 1), (0, 2), (1, 2)] {
        let shifts: Vec<_> = (0..CYCLES).map(|cycle| planted(1 + plate as u32, cycle)).collect();
        let residue = |of: &dyn Fn(&(i64, i64)) -> i64| shifts.iter().map(of).max().unwrap().max(0);
        let (top, bottom) = (residue(&|shift| shift.0), residue(&|shift| -shift.0));
        let (left, right) = (residue(&|shift| shift.1), residue(&|shift| -shift.1));
        let (dy, dx) = planted(1 + plate as u32, cycle);
        let image = &images(cycle, 2)[&(plate, "C04".to_owned(), 1, 0)];
        let mut expected = Vec::new();
        for row in top - dy..HEIGHT as i64 - bottom - dy {
            let columns = left - dx..WIDTH as i64 - right - dx;
            expected.extend(columns.map(|column| image.value(row as usize, column as usize)));
        }
        let query = format!(
            "plate_name={}&well_name=C04&well_pos_y=1&well_pos_x=0&tpoint=0&zplane=0&align=true",
            PLATES[plate]
        );
        let cropped =
            experiment.image_of_cycle(cycle, &format!("{cycle}_2"), &query).await.expect("it is stored");
        assert_eq!(values(&cropped), expected, "plate {plate}, cycle {cycle}");
    }
}

/// The map at full resolution and below: every site's area shows its own shifted image, and its neighbours'
/// where that does not reach.
async fn assert_map(experiment: &Experiment<'_>) {
    let layers = experiment.layers().await;
    assert_eq!(layers.len(), 2 * CYCLES);
    for cycle in 0..CYCLES {
        let layer = layers.iter().find(|layer| layer.channel == format!("{cycle}_2")).unwrap();
        let images = images(cycle, 2);
        let moved = |key: &(usize, String, usize, usize), row: i64, column: i64| {
            let (dy, dx) = planted(1 + key.0 as u32, cycle);
            let (row, column) = (row - dy, column - dx);
            let inside = (0..HEIGHT as i64).contains(&row) && (0..WIDTH as i64).contains(&column);
            inside.then(|| images[key].value(row as usize, column as usize))
        };
        let areas: Vec<Site> = images
            .keys()
            .map(|key| {
                let value = |row: i64, column: i64| {
                    let mut value = 0;
                    for other in images.keys().filter(|other| (other.0, &other.1) == (key.0, &key.1)) {
                        let down = (other.2 as i64 - key.2 as i64) * HEIGHT as i64;
                        let right = (other.3 as i64 - key.3 as i64) * WIDTH as i64;
                        value = moved(other, row - down, column - right).unwrap_or(value);
                    }
                    moved(key, row, column).unwrap_or(value)
                };
                let values = (0..HEIGHT as i64)
                    .flat_map(|row| (0..WIDTH as i64).map(move |column| (row, column)))
                    .map(|(row, column)| value(row, column))
                    .collect();
                Site { plate: key.0, well: key.1.clone(), y: key.2, x: key.3, values }
            })
            .collect();
        let pyramid = Level::full(&areas, HEIGHT, WIDTH).pyramid();
        for z in [layer.max_zoom, layer.max_zoom - 1] {
            for (y, x) in layer.tiles(z) {
                let expected: Vec<u8> =
                    pyramid[z].tile(y, x).into_iter().map(|value| rescaled(value, layer.limits)).collect();
                assert_eq!(
                    experiment.png_tile(layer, (z, y, x)).await,
                    expected,
                    "cycle {cycle}: {z} {y} {x}"
                );
            }
        }
    }
}
