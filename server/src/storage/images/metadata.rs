//! The `zarr.json` documents, written and checked.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tm_engine::image::{BitDepth, Size};

use super::FORMAT_VERSION;
use super::array::INNER_CHUNK;
use super::codecs::Sample;
use crate::storage::error::{Result, StorageError};

/// A group with OME metadata; `ome` gets its version added.
pub(super) fn group(mut ome: Value) -> Value {
    ome["version"] = json!("0.5");
    json!({
        "zarr_format": 3,
        "node_type": "group",
        "attributes": { "ome": ome, "tmserver": { "format_version": FORMAT_VERSION } },
    })
}

/// A group that only holds other groups.
pub(super) fn plain_group() -> Value {
    json!({ "zarr_format": 3, "node_type": "group", "attributes": {} })
}

/// A sharded array whose last two axes are y and x; `leading` are the lengths of the axes before them.
pub(super) fn array(
    sample: impl Into<Sample>,
    leading: &[usize],
    size: Size,
    shard: Size,
    axes: &[&str],
) -> Value {
    let sample = sample.into();
    let with = |y: usize, x: usize| [leading, &[y, x]].concat();
    let one = |y: usize, x: usize| [vec![1; leading.len()], vec![y, x]].concat();
    let sharding = json!([{
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": one(INNER_CHUNK, INNER_CHUNK),
            "codecs": chunk_codecs(sample),
            "index_codecs": [little_endian(), { "name": "crc32c" }],
            "index_location": "end",
        },
    }]);
    array_of(sample, &with(size.height, size.width), &one(shard.height, shard.width), sharding, axes)
}

/// An array of axes (y, x) without shards: every chunk is a file of its own, as it would be inside a shard.
pub(super) fn array_of_chunks(depth: BitDepth, size: Size) -> Value {
    let chunk = [INNER_CHUNK, INNER_CHUNK];
    array_of(depth.into(), &[size.height, size.width], &chunk, chunk_codecs(depth.into()), &["y", "x"])
}

/// An array whose absent chunks are 0.
fn array_of(sample: Sample, shape: &[usize], chunk: &[usize], codecs: Value, axes: &[&str]) -> Value {
    json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": format!("uint{}", 8 * sample.bytes()),
        "fill_value": 0,
        "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": chunk } },
        "chunk_key_encoding": { "name": "default", "configuration": { "separator": "/" } },
        "codecs": codecs,
        "dimension_names": axes,
        "attributes": {},
    })
}

/// The codecs between the pixels of a chunk and its bytes.
fn chunk_codecs(sample: Sample) -> Value {
    json!([little_endian(), {
        "name": "blosc",
        "configuration": {
            "cname": "lz4", "clevel": 5, "shuffle": "shuffle", "typesize": sample.bytes(), "blocksize": 0,
        },
    }])
}

fn little_endian() -> Value {
    json!({ "name": "bytes", "configuration": { "endian": "little" } })
}

/// The axis of time; seconds if the interval is known, else time points without a unit.
pub(super) fn time_axis(name: &str, interval_s: Option<f64>) -> Value {
    match interval_s {
        Some(_) => json!({ "name": name, "type": "time", "unit": "second" }),
        None => json!({ "name": name, "type": "time" }),
    }
}

/// A spatial axis; micrometres if the step along it is known, else pixels or planes without a unit.
pub(super) fn space_axis(name: &str, step_um: Option<f64>) -> Value {
    match step_um {
        Some(_) => json!({ "name": name, "type": "space", "unit": "micrometer" }),
        None => json!({ "name": name, "type": "space" }),
    }
}

/// Read a group of ours and return its `ome` attribute.
pub(super) fn read_group(directory: &Path) -> Result<Value> {
    Ok(read_document(directory)?["attributes"]["ome"].take())
}

/// Read a group of ours, whole.
pub(super) fn read_document(directory: &Path) -> Result<Value> {
    let path = directory.join("zarr.json");
    let bytes = fs::read(&path).map_err(|error| StorageError::at(&path, error))?;
    let document: Value =
        serde_json::from_slice(&bytes).map_err(|error| StorageError::corrupt(&path, error))?;
    match document["attributes"]["tmserver"]["format_version"].as_u64() {
        Some(FORMAT_VERSION) => Ok(document),
        Some(version) => Err(StorageError::corrupt(
            &path,
            format!("format version {version} is stored, this program knows {FORMAT_VERSION}"),
        )),
        None => Err(StorageError::corrupt(&path, "not made by this program: no format version")),
    }
}

/// The document as it is written to a file, or sent.
pub(super) fn text(document: &Value) -> String {
    format!("{document:#}\n")
}
