//! What `check_zarr.py` compares a stored group with.

use std::fs;
use std::path::{Path, PathBuf};

use ndarray::{ArrayView1, ArrayView2};
use ndarray_npy::{WritableElement, write_npy};
use serde_json::json;
use tempfile::TempDir;
use tm_engine::image::{GreyPlane, Size};
use tm_tests::python;

/// A directory for one group, and the arrays that should be found in it.
pub struct Listing {
    directory: TempDir,
    entries: Vec<serde_json::Value>,
}

impl Listing {
    pub fn new() -> Self {
        Self { directory: TempDir::new().unwrap(), entries: Vec::new() }
    }

    /// Where the group is to be.
    pub fn store(&self) -> PathBuf {
        self.directory.path().join("store.ome.zarr")
    }

    /// Expect a plane at an index of an array.
    pub fn add_plane(&mut self, array: &str, index: &[usize], plane: &GreyPlane) {
        match plane {
            GreyPlane::U8(plane) => self.add_pixels(array, index, plane.size(), plane.pixels()),
            GreyPlane::U16(plane) => self.add_pixels(array, index, plane.size(), plane.pixels()),
        }
    }

    /// Expect the pixels of a plane at an index of an array.
    pub fn add_pixels<T: WritableElement>(&mut self, array: &str, index: &[usize], size: Size, pixels: &[T]) {
        let path = self.entry(array, index);
        write_npy(path, &ArrayView2::from_shape((size.height, size.width), pixels).unwrap()).unwrap();
    }

    /// Expect an array of one axis.
    pub fn add_list<T: WritableElement>(&mut self, array: &str, numbers: &[T]) {
        let path = self.entry(array, &[]);
        write_npy(path, &ArrayView1::from(numbers)).unwrap();
    }

    fn entry(&mut self, array: &str, index: &[usize]) -> PathBuf {
        let name = format!("{}.npy", self.entries.len());
        let path = self.directory.path().join(&name);
        self.entries.push(json!({ "array": array, "index": index, "npy": name }));
        path
    }

    /// Run the check over all groups: whether they are as listed, and what it printed.
    pub fn check(listings: &[Self], interpreter: &Path) -> (bool, String) {
        let mut arguments = Vec::new();
        for listing in listings {
            let path = listing.directory.path().join("listing.json");
            fs::write(&path, serde_json::to_vec(&listing.entries).unwrap()).unwrap();
            arguments.extend([listing.store(), path]);
        }
        let arguments: Vec<&Path> = arguments.iter().map(PathBuf::as_path).collect();
        python::run(interpreter, "check_zarr.py", &arguments)
    }
}
