//! Illumination statistics.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use tempfile::TempDir;
use tm_engine::image::{BitDepth, Plane, Size};
use tm_engine::kernels::illumination::{IlluminationStatistics, Percentiles};
use tm_server::storage::{StorageError, statistics};
use tm_tests::python;

use crate::listing::Listing;
use crate::planes::{DEPTHS, SIZES};

fn made_up(size: Size, depth: BitDepth, images: u64) -> IlluminationStatistics {
    let std =
        |row: usize, column: usize| if images < 2 { f64::NAN } else { (row * 7 + column) as f64 / 911.0 };
    let length = if images == 0 { 0 } else { 100_000 };
    IlluminationStatistics {
        images,
        depth,
        mean: Plane::from_fn(size, |row, column| ((1 + row + 3 * column) as f64).log10()),
        std: Plane::from_fn(size, std),
        percentiles: Percentiles {
            keys: (0..length).map(|index| index as f64 / 1000.0).collect(),
            values: (0..length).map(|index| (index / 2) as u16).collect(),
        },
        histogram: (0..1u64 << depth.bits()).map(|value| value * value * images).collect(),
    }
}

/// What is done to a file: its new bytes, or `None` to delete it.
type Damage = fn(Vec<u8>) -> Option<Vec<u8>>;

/// Equal to the bit, where one NaN is as good as another.
fn assert_same(left: &IlluminationStatistics, right: &IlluminationStatistics) {
    let bits = |plane: &Plane<f64>| {
        let bits = |value: &f64| if value.is_nan() { None } else { Some(value.to_bits()) };
        (plane.size(), plane.pixels().iter().map(bits).collect::<Vec<_>>())
    };
    assert_eq!((left.images, left.depth), (right.images, right.depth));
    assert!(bits(&left.mean) == bits(&right.mean), "mean");
    assert!(bits(&left.std) == bits(&right.std), "std");
    assert!(left.percentiles == right.percentiles, "percentiles");
    assert!(left.histogram == right.histogram, "histogram");
}

fn files(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn statistics_come_back_to_the_bit() {
    let directory = TempDir::new().unwrap();
    for (number, size) in SIZES.into_iter().enumerate() {
        for depth in DEPTHS {
            for images in [0, 1, 384] {
                let path = directory.path().join(format!("{number}-{}-{images}.zarr", depth.bits()));
                let written = made_up(size, depth, images);
                statistics::write(&path, &written).unwrap();
                assert_same(&statistics::read(&path).unwrap(), &written);
                fs::remove_dir_all(path).unwrap();
            }
        }
    }
}

#[test]
fn statistics_are_never_replaced_and_an_attempt_leaves_nothing_else() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("1.zarr");
    let first = made_up(Size::new(300, 340), BitDepth::Sixteen, 5);
    statistics::write(&path, &first).unwrap();
    let error = statistics::write(&path, &made_up(Size::new(96, 120), BitDepth::Eight, 6)).unwrap_err();
    assert!(matches!(&error, StorageError::Io(error) if error.kind() == ErrorKind::AlreadyExists), "{error}");
    assert_same(&statistics::read(&path).unwrap(), &first);
    assert_eq!(files(directory.path()), ["1.zarr"]);
}

#[test]
fn missing_and_damaged_statistics_are_told_apart() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("1.zarr");
    assert!(matches!(statistics::read(&path), Err(StorageError::NotFound { .. })));
    let written = made_up(Size::new(300, 340), BitDepth::Sixteen, 5);
    let damages: [(&str, Damage); 6] = [
        ("mean/c/0/0", |mut bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 4;
            Some(bytes)
        }),
        ("histogram/c/0", |bytes| Some(bytes[..bytes.len() - 1].to_vec())),
        ("std/zarr.json", |_| None),
        ("std/zarr.json", |bytes| {
            Some(String::from_utf8(bytes).unwrap().replace("float64", "int64").into_bytes())
        }),
        ("percentiles/keys/zarr.json", |bytes| {
            Some(String::from_utf8(bytes).unwrap().replace("100000", "99999").into_bytes())
        }),
        ("zarr.json", |bytes| Some(String::from_utf8(bytes).unwrap().replace(": 16", ": 8").into_bytes())),
    ];
    for (number, (name, damage)) in damages.into_iter().enumerate() {
        let path = directory.path().join(format!("{number}.zarr"));
        statistics::write(&path, &written).unwrap();
        let file = path.join(name);
        match damage(fs::read(&file).unwrap()) {
            Some(bytes) => fs::write(&file, bytes).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let read = statistics::read(&path);
        assert!(matches!(read, Err(StorageError::Corrupt { .. })), "{name}: {:?}", read.err());
    }
}

#[test]
fn statistics_open_in_zarr_python() {
    let Some(python) = python::interpreter() else { return };
    let mut listings = Vec::new();
    for (size, depth, images) in
        [(Size::new(2160, 2560), BitDepth::Sixteen, 9), (Size::new(1, 1), BitDepth::Eight, 1)]
    {
        let mut listing = Listing::new();
        let written = made_up(size, depth, images);
        statistics::write(&listing.store(), &written).unwrap();
        listing.add_pixels("mean", &[], size, written.mean.pixels());
        listing.add_pixels("std", &[], size, written.std.pixels());
        listing.add_list("percentiles/keys", &written.percentiles.keys);
        listing.add_list("percentiles/values", &written.percentiles.values);
        listing.add_list("histogram", &written.histogram);
        listings.push(listing);
    }
    let (succeeded, printed) = Listing::check(&listings, &python);
    assert!(succeeded, "{printed}");
}
