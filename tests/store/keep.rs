//! Taking fields out of a plate.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tm_engine::image::{BitDepth, Size};
use tm_server::storage::StorageError;
use tm_server::storage::images::{
    AcquisitionSpec, FieldImage, FieldSpec, PlateSpec, check_plate, create_plate, field_directories,
    keep_fields,
};
use tm_tests::contents::{changed, files_below, gone};
use tm_tests::python;

use crate::images::{at, field};
use crate::listing::Listing;
use crate::planes::plane;

const SIZE: Size = Size::new(20, 30);

/// Wells B03 and AA12 with a field of acquisition 7 and one of acquisition 8, well B12 with one of 7 only.
fn make(path: &Path) {
    let of = |well: &str, index, acquisition| FieldSpec {
        acquisition,
        ..field(well, index, SIZE, BitDepth::Sixteen)
    };
    let fields = vec![of("B03", 0, 7), of("B03", 1, 8), of("AA12", 0, 7), of("AA12", 1, 8), of("B12", 0, 7)];
    let acquisition = |id: i64| AcquisitionSpec { id, name: id.to_string() };
    let acquisitions = vec![acquisition(7), acquisition(8)];
    create_plate(path, &PlateSpec { name: "p".into(), acquisitions, fields }).unwrap();
    for (name, directory) in field_directories(path).unwrap() {
        let image = FieldImage::open(path, &name).unwrap();
        assert!(directory.is_dir());
        image.write_plane(at(0, 0, 0), &plane(SIZE, BitDepth::Sixteen, name.len())).unwrap();
    }
}

fn set(fields: &[&str]) -> BTreeSet<String> {
    fields.iter().map(ToString::to_string).collect()
}

fn ome(directory: &Path) -> Value {
    let text = fs::read_to_string(directory.join("zarr.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["attributes"]["ome"].take()
}

#[test]
fn wells_acquisitions_rows_and_columns_go_with_their_last_field() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("plate");
    make(&path);
    let before = files_below(&path);
    assert_eq!(keep_fields(&path, &set(&["B/03/1", "AA/12/1"])).unwrap(), 3);
    check_plate(&path).unwrap();
    let plate = &ome(&path)["plate"];
    assert_eq!(plate["acquisitions"], json!([{"id": 8, "name": "8", "maximumfieldcount": 1}]));
    assert_eq!(plate["field_count"], 1);
    assert_eq!(plate["rows"], json!([{"name": "B"}, {"name": "AA"}]));
    assert_eq!(plate["columns"], json!([{"name": "03"}, {"name": "12"}]));
    let images = json!([{"path": "1", "acquisition": 8}]);
    assert_eq!(ome(&path.join("B/03"))["well"]["images"], images);

    assert_eq!(keep_fields(&path, &set(&["AA/12/1"])).unwrap(), 1);
    let plate = &ome(&path)["plate"];
    assert_eq!(plate["wells"], json!([{"path": "AA/12", "rowIndex": 0, "columnIndex": 0}]));
    assert_eq!((&plate["rows"], &plate["columns"]), (&json!([{"name": "AA"}]), &json!([{"name": "12"}])));
    let after = files_below(&path);
    assert!(after.keys().all(|name| name == "zarr.json" || name.starts_with("AA/")), "{:?}", after.keys());
    assert!(gone(&before, &after).contains("AA/12/0/0/zarr.json") && !path.join("B").exists());
    assert_eq!(changed(&before, &after), set(&["zarr.json", "AA/12/zarr.json"]));
}

#[test]
fn a_plate_without_other_fields_is_not_touched() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("plate");
    make(&path);
    let before = files_below(&path);
    let all: BTreeSet<String> = field_directories(&path).unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(all, set(&["AA/12/0", "AA/12/1", "B/03/0", "B/03/1", "B/12/0"]));
    assert_eq!(keep_fields(&path, &all).unwrap(), 0);
    assert!(files_below(&path) == before);
}

#[test]
fn an_interrupted_removal_is_finished_by_the_next_one() {
    let directory = TempDir::new().unwrap();
    let (path, interrupted) = (directory.path().join("plate"), directory.path().join("interrupted"));
    make(&path);
    make(&interrupted);
    let kept = set(&["B/03/1"]);
    assert_eq!(keep_fields(&path, &kept).unwrap(), 4);
    // Stopped once the metadata were written: all directories are still there.
    for file in ["zarr.json", "B/03/zarr.json"] {
        fs::copy(path.join(file), interrupted.join(file)).unwrap();
    }
    check_plate(&interrupted).unwrap();
    assert_eq!(keep_fields(&interrupted, &kept).unwrap(), 4);
    assert!(files_below(&interrupted) == files_below(&path));
}

#[test]
fn a_plate_is_never_left_without_a_field() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("plate");
    make(&path);
    let before = files_below(&path);
    for fields in [set(&[]), set(&["B/03/7"])] {
        assert!(matches!(keep_fields(&path, &fields), Err(StorageError::Corrupt { .. })));
    }
    assert!(files_below(&path) == before);
    let nowhere = keep_fields(&directory.path().join("nowhere"), &set(&["B/03/0"]));
    assert!(matches!(nowhere, Err(StorageError::NotFound { .. })), "{nowhere:?}");
}

#[test]
fn a_plate_with_gaps_opens_elsewhere() {
    let Some(python) = python::interpreter() else { return };
    let mut listing = Listing::new();
    make(&listing.store());
    keep_fields(&listing.store(), &set(&["B/03/1", "AA/12/1"])).unwrap();
    for field in ["B/03/1", "AA/12/1"] {
        let pixels = plane(SIZE, BitDepth::Sixteen, field.len());
        listing.add_plane(&format!("{field}/0"), &[0, 0, 0], &pixels);
    }
    let (succeeded, printed) = Listing::check(&[listing], &python);
    assert!(succeeded, "{printed}");
}

#[test]
fn damage_to_a_stored_plane_is_found_where_it_can_be() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("plate");
    make(&path);
    let check = |deep| FieldImage::open(&path, "B/03/0").unwrap().check_plane(at(0, 0, 0), deep);
    assert!(check(true).unwrap());
    let image = FieldImage::open(&path, "B/03/0").unwrap();
    assert!(!image.check_plane(at(1, 0, 0), true).unwrap());
    let shard = path.join("B/03/0/0/c/0/0/0/0/0");
    let whole = fs::read(&shard).unwrap();

    let mut pixels = whole.clone();
    // The length in the header of the first chunk.
    pixels[12] ^= 0xff;
    fs::write(&shard, &pixels).unwrap();
    assert!(check(false).unwrap());
    assert!(matches!(check(true), Err(StorageError::Corrupt { .. })));

    let mut index = whole.clone();
    let place = index.len() - 10;
    index[place] ^= 1;
    for damaged in [index, whole[..whole.len() / 2].to_vec(), whole[1..].to_vec()] {
        fs::write(&shard, damaged).unwrap();
        assert!(matches!(check(false), Err(StorageError::Corrupt { .. })));
    }
}
