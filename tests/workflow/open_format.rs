//! What a workflow stores opens in the libraries of others, and is what the files hold.

use std::fs;
use std::path::{Path, PathBuf};

use ndarray::ArrayView2;
use ndarray_npy::write_npy;
use serde_json::{Value, json};
use tempfile::TempDir;
use tm_tests::app::TestApp;
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::plates::{ALL_STAGES, Experiment, Layer};
use tm_tests::python;

use super::naive::{Level, sites, values};

/// A Zarr group and what must be in it.
pub struct Expected {
    store: PathBuf,
    directory: TempDir,
    entries: Vec<Value>,
}

impl Expected {
    /// Nothing in a directory or at a URL, so far.
    pub fn in_store(store: PathBuf) -> Self {
        Self { store, directory: TempDir::new().unwrap(), entries: Vec::new() }
    }

    /// The same at another place.
    pub fn moved_to(self, store: &str) -> Self {
        Self { store: store.into(), ..self }
    }

    /// A plane of these values.
    pub fn add(&mut self, array: &str, index: &[i64], width: usize, values: &[u16], bits: u32) {
        let name = format!("{}.npy", self.entries.len());
        let path = self.directory.path().join(&name);
        let shape = (values.len() / width, width);
        if bits == 8 {
            let bytes: Vec<u8> = values.iter().map(|value| *value as u8).collect();
            write_npy(path, &ArrayView2::from_shape(shape, &bytes).unwrap()).unwrap();
        } else {
            write_npy(path, &ArrayView2::from_shape(shape, values).unwrap()).unwrap();
        }
        self.entries.push(json!({"array": array, "index": index, "npy": name}));
    }

    /// Whether the libraries read exactly this, and what they printed.
    pub fn check(expected: &[Self], interpreter: &Path) -> (bool, String) {
        Self::check_with_token(expected, interpreter, "")
    }

    /// The same where some are URLs.
    pub fn check_with_token(expected: &[Self], interpreter: &Path, token: &str) -> (bool, String) {
        let mut arguments = Vec::new();
        for Self { store, directory, entries } in expected {
            let listing = directory.path().join("listing.json");
            fs::write(&listing, serde_json::to_vec(entries).unwrap()).unwrap();
            arguments.extend([store.clone(), listing]);
        }
        let arguments: Vec<&Path> = arguments.iter().map(PathBuf::as_path).collect();
        python::run_with(interpreter, "check_zarr.py", &arguments, &[("TMSERVER_TEST_TOKEN", token)])
    }
}

/// The first plate as stored, its planes as the files hold them, from this time point on. Where each plane lies is
/// for the rows to say.
pub async fn expected_plate(
    app: &TestApp,
    experiment: &Experiment<'_>,
    files: &PlateFiles,
    first_tpoint: u32,
    bits: u32,
) -> Expected {
    let store = format!("{}/plates/1-1.ome.zarr", experiment.directory().display());
    let mut expected = Expected::in_store(store.into());
    for id in files.planes() {
        let (well, y, x, channel, z, t) =
            (&id.well, id.y, id.x, id.channel, id.z - 1, id.t - 1 + first_tpoint);
        let found = app
            .texts(&format!(
                "select field || '/0 ' || t_index || ' ' || c_index || ' ' || z_index
                 from channel_images
                 join channels on channels.id = channel_id
                 join sites on sites.id = site_id
                 join wells on wells.id = well_id
                 where wells.plate_id = 1 and wells.name = '{well}' and y = {y} and x = {x} and channels.name = '{channel}'
                     and zplane = {z} and tpoint = {t}"
            ))
            .await;
        let [place] = found.as_slice() else { panic!("{id:?}: {found:?}") };
        let mut parts = place.split(' ');
        let array = parts.next().unwrap();
        let index: Vec<i64> = parts.map(|number| number.parse().unwrap()).collect();
        let plane = files.pixels_of(&id);
        expected.add(array, &index, plane.size().width, &values(&plane), bits);
    }
    expected
}

/// The levels of a layer that shows these files, full resolution first.
pub fn levels(layer: &Layer, files: &PlateFiles, size: (usize, usize)) -> Vec<Level> {
    let channel = layer.channel.parse().unwrap();
    let (z, t) = (layer.zplane as u32 + 1, layer.tpoint as u32 + 1);
    let mut levels = Level::full(&sites(&[files], channel, z, t), size.0, size.1).pyramid();
    levels.reverse();
    levels
}

/// Process an acquisition and compare plate and layers with its files.
async fn opens_and_equals_the_files(files: &PlateFiles, size: (usize, usize), bits: u32) {
    let Some(python) = python::interpreter() else { return };
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", files).await;
    experiment.run(ALL_STAGES, &[]).await;
    let mut all = vec![expected_plate(&app, &experiment, files, 0, bits).await];
    for layer in experiment.layers().await {
        let store = format!("{}/layers/{}.ome.zarr", experiment.directory().display(), layer.id);
        let mut expected = Expected::in_store(store.into());
        // Full resolution is not stored a second time.
        for (halvings, level) in levels(&layer, files, size).iter().enumerate().skip(1) {
            expected.add(&halvings.to_string(), &[], level.width, level.values(), bits);
        }
        all.push(expected);
    }
    let (succeeded, printed) = Expected::check(&all, &python);
    assert!(succeeded, "{printed}");
    assert_eq!(printed.matches("OK").count(), all.len(), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pixel_that_is_not_in_the_files_is_noticed() {
    let Some(python) = python::interpreter() else { return };
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    let files = PlateFiles::new("open").size(96, 120).grid(1, 1);
    experiment.upload("plate", "a", &files).await;
    experiment.run(&["image_conversion"], &[]).await;
    let right = expected_plate(&app, &experiment, &files, 0, 16).await;
    let mut wrong = Expected::in_store(right.store.clone());
    let mut pixels = values(&files.pixels_of(&files.planes()[0]));
    pixels[120 * 95 + 119] ^= 1;
    wrong.add("B/03/0/0", &[0, 0, 0], 120, &pixels, 16);
    assert!(Expected::check(&[right], &python).0);
    let (succeeded, printed) = Expected::check(&[wrong], &python);
    assert!(!succeeded && printed.contains("1 values differ, the first at [ 95 119]"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sites_of_300_by_340_pixels_open_elsewhere() {
    let files = PlateFiles::new("open").size(300, 340).wells(&["B03", "D05"]).channels(2).z_planes(2);
    opens_and_equals_the_files(&files, (300, 340), 16).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sites_of_96_by_120_pixels_open_elsewhere() {
    let files = PlateFiles::new("open").size(96, 120).depth(8).wells(&["B03", "C05"]);
    let files = files.hole("C05", 0, 1).time_points(2);
    opens_and_equals_the_files(&files, (96, 120), 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sites_of_2160_by_2560_pixels_open_elsewhere() {
    let files = PlateFiles::new("open").size(2160, 2560).grid(1, 2);
    let files = files.values(|id, row, column| (row * 31 + column * 7 + id.x * 5000) as u16);
    opens_and_equals_the_files(&files, (2160, 2560), 16).await;
}
