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
    let (shape, bytes) = whole(array);
    let [height, width] = shape[..] else { panic!("{shape:?}") };
    let size = Size::new(height, width);
    if bytes.len() == size.area() {
        return Plane::new(size, bytes).unwrap().into();
    }
    let values = bytes.chunks_exact(2).map(|pair| u16::from_ne_bytes([pair[0], pair[1]])).collect();
    Plane::new(size, values).unwrap().into()
}

/// The planes of a label image, an array of axes (t, 1, z, y, x), each with its time point and focal plane.
pub fn label_planes(array: &Path) -> Vec<((usize, usize), Vec<Vec<i64>>)> {
    let (shape, bytes) = whole(array);
    let [times, 1, depth, height, width] = shape[..] else { panic!("{shape:?}") };
    assert_eq!(bytes.len(), 4 * times * depth * height * width, "uint32 is wanted");
    let values = bytes.chunks_exact(4).map(|four| u32::from_ne_bytes(four.try_into().unwrap()));
    let values: Vec<i64> = values.map(i64::from).collect();
    let rows: Vec<Vec<i64>> = values.chunks_exact(width).map(<[i64]>::to_vec).collect();
    let planes = rows.chunks_exact(height).map(<[Vec<i64>]>::to_vec);
    (0..times).flat_map(|t| (0..depth).map(move |z| (t, z))).zip(planes).collect()
}

/// The shape of an array, and its values in the order of this machine.
fn whole(array: &Path) -> (Vec<usize>, Vec<u8>) {
    let store = Arc::new(FilesystemStore::new(array).unwrap());
    let opened = Array::open(store, "/").unwrap();
    let bytes: ArrayBytes<'_> = opened.retrieve_array_subset(&opened.subset_all()).unwrap();
    let shape = opened.shape().iter().map(|length| usize::try_from(*length).unwrap()).collect();
    (shape, bytes.into_fixed().unwrap().into_owned())
}
