//! The numeric test vectors: `tests/fixtures/vectors`, or the folder that `TM_VECTORS` names.

use std::path::{Path, PathBuf};

use ndarray::{ArrayD, Axis};
use ndarray_npy::{ReadableElement, read_npy};
use serde_json::Value;
use tm_engine::image::{Pixel, Plane, Size};

/// One vector of the manifest: parameters, and arrays by name.
#[derive(Debug)]
pub struct Vector {
    folder: PathBuf,
    entry: Value,
}

impl Vector {
    /// The vector of this name; panics when the manifest does not have it.
    pub fn load(name: &str) -> Self {
        let folder = std::env::var_os("TM_VECTORS")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors"), PathBuf::from);
        let manifest = folder.join("vectors.json");
        let text = std::fs::read_to_string(&manifest)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", manifest.display()));
        let mut manifest: Value = serde_json::from_str(&text).expect("the manifest is JSON");
        let entries = manifest["vectors"].as_array_mut().expect("the manifest lists vectors");
        let index = entries.iter().position(|entry| entry["name"] == name);
        let index = index.unwrap_or_else(|| panic!("no vector {name:?} in {}", folder.display()));
        Self { folder, entry: entries.swap_remove(index) }
    }

    /// A parameter.
    pub fn parameter(&self, name: &str) -> &Value {
        let value = &self.entry["params"][name];
        assert!(!value.is_null(), "vector {} has no parameter {name:?}", self.entry["name"]);
        value
    }

    /// The largest absolute difference that the vector allows.
    pub fn tolerance(&self) -> f64 {
        self.entry["tolerance"]["abs"].as_f64().expect("the vector has an absolute tolerance")
    }

    /// The largest root mean square of relative differences that the vector allows.
    pub fn relative_rms(&self) -> f64 {
        self.entry["tolerance"]["relative_rms"].as_f64().expect("the vector has a relative tolerance")
    }

    /// An input array.
    pub fn input<T: ReadableElement>(&self, name: &str) -> ArrayD<T> {
        self.array("inputs", name)
    }

    /// An array of expected values.
    pub fn expected<T: ReadableElement>(&self, name: &str) -> ArrayD<T> {
        self.array("expected", name)
    }

    fn array<T: ReadableElement>(&self, group: &str, name: &str) -> ArrayD<T> {
        let file = self.entry[group][name].as_str();
        let file = file.unwrap_or_else(|| panic!("vector {} has no {name:?} in {group}", self.entry["name"]));
        read_npy(self.folder.join(file)).unwrap_or_else(|error| panic!("cannot read {file}: {error}"))
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
