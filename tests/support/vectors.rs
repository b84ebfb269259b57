//! The numeric test vectors: `tests/fixtures/vectors`, or the folder that `TM_VECTORS` names.
//!
//! A folder holds a manifest, `vectors.json`, and arrays. Everything a test compares comes from there:
//! inputs, parameters, expected values, tolerances, and how many there are of each.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use ndarray::{ArrayD, Axis};
use ndarray_npy::{ReadableElement, read_npy};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tm_engine::image::{Pixel, Plane, Size};

/// The variable that names another folder.
pub const VARIABLE: &str = "TM_VECTORS";

/// The vectors about what the server computes: the test binary `tiles` holds them, all others `engine`.
pub const OF_THE_SERVER: &[&str] =
    &["pyramid_layout", "plate_grid_shape", "jpeg95", "tile_box", "zoom_thresholds", "tile_query"];

/// A folder of vectors.
#[derive(Debug, Clone)]
pub struct Vectors {
    folder: PathBuf,
}

impl Vectors {
    /// The folder that [`VARIABLE`] names, from the root of the repository, else the one that belongs to
    /// the tests.
    pub fn named() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        std::env::var_os(VARIABLE).map_or_else(Self::fixtures, |folder| Self { folder: root.join(folder) })
    }

    /// The folder that belongs to the tests.
    pub fn fixtures() -> Self {
        Self { folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors") }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The manifest.
    pub fn manifest(&self) -> Value {
        let manifest = self.folder.join("vectors.json");
        let text = std::fs::read_to_string(&manifest)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", manifest.display()));
        serde_json::from_str(&text).expect("the manifest is JSON")
    }

    /// The names of the vectors, in the order of the manifest.
    pub fn names(&self) -> Vec<String> {
        let manifest = self.manifest();
        let entries = manifest["vectors"].as_array().expect("the manifest lists vectors");
        entries.iter().map(|entry| entry["name"].as_str().expect("a vector has a name").to_owned()).collect()
    }

    /// The vector of this name; panics when the manifest does not have it.
    pub fn load(&self, name: &str) -> Vector {
        let mut manifest = self.manifest();
        let entries = manifest["vectors"].as_array_mut().expect("the manifest lists vectors");
        let index = entries.iter().position(|entry| entry["name"] == name);
        let index = index.unwrap_or_else(|| panic!("no vector {name:?} in {}", self.folder.display()));
        Vector { folder: self.folder.clone(), entry: entries.swap_remove(index) }
    }
}

/// One vector of the manifest: parameters, and arrays by name.
#[derive(Debug)]
pub struct Vector {
    folder: PathBuf,
    entry: Value,
}

impl Vector {
    /// A parameter.
    pub fn parameter(&self, name: &str) -> &Value {
        let value = &self.entry["params"][name];
        assert!(!value.is_null(), "vector {} has no parameter {name:?}", self.entry["name"]);
        value
    }

    /// A parameter as a value of Rust.
    pub fn parse<T: DeserializeOwned>(&self, name: &str) -> T {
        let value = self.parameter(name);
        serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{name} is {value}: {error}"))
    }

    /// What the vector allows: `abs` (the largest difference), `mean_abs`, `relative_rms`, …
    pub fn tolerance(&self, kind: &str) -> f64 {
        let value = self.entry["tolerance"][kind].as_f64();
        value.unwrap_or_else(|| panic!("vector {} has no tolerance {kind:?}", self.entry["name"]))
    }

    /// An input array.
    pub fn input<T: ReadableElement>(&self, name: &str) -> ArrayD<T> {
        self.array("inputs", name)
    }

    /// An array of expected values.
    pub fn expected<T: ReadableElement>(&self, name: &str) -> ArrayD<T> {
        self.array("expected", name)
    }

    /// The names of the arrays of expected values, sorted.
    pub fn expected_names(&self) -> Vec<String> {
        let expected = self.entry["expected"].as_object().expect("a vector has expected values");
        let mut names: Vec<String> = expected.keys().cloned().collect();
        names.sort();
        names
    }

    fn array<T: ReadableElement>(&self, group: &str, name: &str) -> ArrayD<T> {
        let file = self.entry[group][name].as_str();
        let file = file.unwrap_or_else(|| panic!("vector {} has no {name:?} in {group}", self.entry["name"]));
        let array: ArrayD<T> =
            read_npy(self.folder.join(file)).unwrap_or_else(|error| panic!("cannot read {file}: {error}"));
        assert!(!array.is_empty(), "{file} is empty");
        array
    }
}

/// A two-dimensional array as a plane.
pub fn plane<T: Pixel>(array: &ArrayD<T>) -> Plane<T> {
    let [height, width] = array.shape() else { panic!("not two-dimensional: {:?}", array.shape()) };
    Plane::new(Size::new(*height, *width), array.iter().copied().collect()).expect("one value per pixel")
}

/// A three-dimensional array as planes.
pub fn planes<T: Pixel>(array: &ArrayD<T>) -> Vec<Plane<T>> {
    array.axis_iter(Axis(0)).map(|slice| plane(&slice.to_owned())).collect()
}

/// A table of whole numbers, row by row, whatever type of Rust they are wanted in.
pub fn rows<T: TryFrom<i64>>(table: &ArrayD<i64>) -> Vec<Vec<T>> {
    let number = |value: &i64| T::try_from(*value).unwrap_or_else(|_| panic!("{value} is out of range"));
    table.rows().into_iter().map(|row| row.iter().map(number).collect()).collect()
}

/// The names that are in only one of two lists, in order: vectors without a test, tests without a vector.
pub fn unmatched<'a>(listed: &[&'a str], tested: &[&'a str]) -> Vec<&'a str> {
    let missing = |from: &[&'a str], of: &[&'a str]| -> Vec<&'a str> {
        of.iter().copied().filter(|name| !from.contains(name)).collect()
    };
    let mut names = missing(tested, listed);
    names.extend(missing(listed, tested));
    names
}

/// Runs a check that panics when it fails, and says why it failed.
pub fn outcome(check: impl FnOnce()) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(check)).map_err(|panic| message_of(panic.as_ref()))
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
