//! What a server serves as Zarr, fetched into a directory and decoded.

// A failed `unwrap` is a failed test.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use reqwest::Method;
use serde_json::Value;
use tm_engine::image::{GreyPlane, Plane, Size};
use zarrs::array::{Array, ArrayBytes};
use zarrs::filesystem::FilesystemStore;

use crate::app::Client;

/// Fetch the documents of a layer, the level's own, and every chunk of the level's grid that is there; the value is
/// the layer's document and how many chunks there were.
pub async fn fetch_level(client: &Client, layer: &str, level: usize, target: &Path) -> (Value, usize) {
    let fetch = async |key: &str| {
        let response = client.request(Method::GET, &format!("{layer}/{key}")).send().await.unwrap();
        let status = response.status().as_u16();
        assert!([200, 404].contains(&status), "{key}: {status}");
        let bytes = response.bytes().await.unwrap();
        if status == 404 {
            return None;
        }
        let path = target.join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &bytes).unwrap();
        Some(bytes)
    };
    let document = fetch("zarr.json").await.expect("a layer");
    let array: Value =
        serde_json::from_slice(&fetch(&format!("{level}/zarr.json")).await.expect("a level")).unwrap();
    let number = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let chunk = &array["chunk_grid"]["configuration"]["chunk_shape"];
    let count = |axis: usize| number(&array["shape"][axis]).div_ceil(number(&chunk[axis]));
    let mut found = 0;
    for (y, x) in (0..count(0)).flat_map(|y| (0..count(1)).map(move |x| (y, x))) {
        found += usize::from(fetch(&format!("{level}/c/{y}/{x}")).await.is_some());
    }
    (serde_json::from_slice(&document).unwrap(), found)
}

/// The pixels of an array of axes (y, x).
pub fn pixels(array: &Path) -> GreyPlane {
    let store = Arc::new(FilesystemStore::new(array).unwrap());
    let opened = Array::open(store, "/").unwrap();
    let bytes: ArrayBytes<'_> = opened.retrieve_array_subset(&opened.subset_all()).unwrap();
    let bytes = bytes.into_fixed().unwrap();
    let [height, width] = opened.shape() else { panic!("{:?}", opened.shape()) };
    let size = Size::new(usize::try_from(*height).unwrap(), usize::try_from(*width).unwrap());
    if bytes.len() == size.area() {
        return Plane::new(size, bytes.into_owned()).unwrap().into();
    }
    let values = bytes.chunks_exact(2).map(|pair| u16::from_ne_bytes([pair[0], pair[1]])).collect();
    Plane::new(size, values).unwrap().into()
}
