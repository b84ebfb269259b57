//! Illumination statistics: one Zarr group per channel and run, written once and then only read.
//!
//! ```text
//! <id>.zarr/zarr.json          attributes: images, bit_depth, tmserver
//!   mean  std                  float64 (y, x), log10 of grey values, not smoothed
//!   percentiles/keys           float64, percent, ascending
//!   percentiles/values         uint16, grey values
//!   histogram                  uint64, 256 or 65 536 counts
//! ```
//!
//! While a channel's images are summed by several jobs, each keeps the sums of its share in the same way:
//!
//! ```text
//! <id>.zarr/zarr.json          attributes: images, bit_depth, tmserver
//!   sums  squares              uint64 (y, x), of logarithms in units of 2⁻²⁰ and of their squares
//!   histogram  quantiles       uint64
//! ```
//!
//! Every chunk carries a checksum: a pyramid built from damaged statistics would look plausible.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tm_engine::image::{BitDepth, Plane, Size};
use tm_engine::kernels::illumination::{IlluminationStatistics, IlluminationSums, Percentiles, RawSums};
use zarrs::array::codec::{
    BloscCodec, BloscCompressionLevel, BloscCompressor, BloscShuffleMode, Crc32cCodec,
};
use zarrs::array::{Array, ArrayBuilder, ArrayError, DataType, Element, ElementOwned, FillValue, data_type};
use zarrs::filesystem::FilesystemStore;
use zarrs::storage::StorageError as StoreError;

use super::error::{Result, StorageError};
use super::images::FORMAT_VERSION;
use super::staging::StagedDirectory;

/// Longest edge of a chunk, in numbers.
const CHUNK: usize = 1024;
/// Length of a chunk of a list: each list is one.
const LIST_CHUNK: usize = 1 << 17;

/// Store statistics as the group at `path`, which appears whole or not at all.
///
/// # Errors
/// [`StorageError::Io`] when the disk fails or is full, or something is at `path` already.
pub fn write(path: &Path, statistics: &IlluminationStatistics) -> Result<()> {
    let staged = StagedDirectory::new(path)?;
    staged.write_json("zarr.json", &group_of(statistics.images, statistics.depth))?;
    staged.write_json("percentiles/zarr.json", &group(&json!({})))?;
    let store = open_store(staged.path())?;
    let plane = |name, plane: &Plane<f64>| {
        let Size { height, width } = plane.size();
        write_array(&store, name, &[height, width], CHUNK, data_type::float64(), 0f64.into(), plane.pixels())
    };
    let list = LIST_CHUNK;
    let Percentiles { keys, values } = &statistics.percentiles;
    let histogram = &statistics.histogram;
    plane("/mean", &statistics.mean)?;
    plane("/std", &statistics.std)?;
    write_array(&store, "/percentiles/keys", &[keys.len()], list, data_type::float64(), 0f64.into(), keys)?;
    write_array(
        &store,
        "/percentiles/values",
        &[values.len()],
        list,
        data_type::uint16(),
        0u16.into(),
        values,
    )?;
    write_array(&store, "/histogram", &[histogram.len()], list, data_type::uint64(), 0u64.into(), histogram)?;
    staged.commit()
}

/// Read the statistics in the group at `path`.
///
/// # Errors
/// [`StorageError::NotFound`] when there is no such group, [`StorageError::Corrupt`] when what is there
/// is damaged or contradicts itself.
pub fn read(path: &Path) -> Result<IlluminationStatistics> {
    let (images, depth) = read_group(path)?;
    let store = open_store(path)?;
    let plane = |name: &str| -> Result<Plane<f64>> {
        let (size, numbers) = read_plane(path, &store, name)?;
        let shape_error = |error| StorageError::corrupt(path, format!("{name}: {error}"));
        Plane::new(size, numbers).map_err(shape_error)
    };
    let statistics = IlluminationStatistics {
        images,
        depth,
        mean: plane("/mean")?,
        std: plane("/std")?,
        percentiles: Percentiles {
            keys: read_array(path, &store, "/percentiles/keys")?.1,
            values: read_array(path, &store, "/percentiles/values")?.1,
        },
        histogram: read_array(path, &store, "/histogram")?.1,
    };
    let Percentiles { keys, values } = &statistics.percentiles;
    let agree = statistics.mean.size() == statistics.std.size()
        && keys.len() == values.len()
        && statistics.histogram.len() == 1 << depth.bits();
    if agree {
        Ok(statistics)
    } else {
        Err(StorageError::corrupt(path, "arrays whose lengths contradict each other"))
    }
}

/// Store the sums of a part of a channel's images as the group at `path`, which appears whole or not at all.
///
/// # Errors
/// As [`write`].
pub fn write_sums(path: &Path, sums: &IlluminationSums) -> Result<()> {
    let staged = StagedDirectory::new(path)?;
    staged.write_json("zarr.json", &group_of(sums.images(), sums.depth()))?;
    let store = open_store(staged.path())?;
    let Size { height, width } = sums.size();
    let raw = sums.as_raw();
    let list = |name, shape: &[usize], chunk, numbers: &[u64]| {
        write_array(&store, name, shape, chunk, data_type::uint64(), 0u64.into(), numbers)
    };
    list("/sums", &[height, width], CHUNK, &raw.sums)?;
    list("/squares", &[height, width], CHUNK, &raw.squares)?;
    list("/histogram", &[raw.histogram.len()], LIST_CHUNK, &raw.histogram)?;
    list("/quantiles", &[raw.quantiles.len()], LIST_CHUNK, &raw.quantiles)?;
    staged.commit()
}

/// Read the sums in the group at `path`.
///
/// # Errors
/// As [`read`].
pub fn read_sums(path: &Path) -> Result<IlluminationSums> {
    let (images, depth) = read_group(path)?;
    let store = open_store(path)?;
    let (size, sums) = read_plane(path, &store, "/sums")?;
    let raw = RawSums {
        images,
        sums: sums.into(),
        squares: read_plane(path, &store, "/squares")?.1.into(),
        histogram: read_array(path, &store, "/histogram")?.1.into(),
        quantiles: read_array(path, &store, "/quantiles")?.1.into(),
    };
    IlluminationSums::from_raw(size, depth, raw).map_err(|error| StorageError::corrupt(path, error))
}

/// Read statistics or sums, whichever is at `path`, and forget them.
///
/// # Errors
/// As [`read`].
pub fn verify(path: &Path) -> Result<()> {
    if path.join("sums").is_dir() { read_sums(path).map(drop) } else { read(path).map(drop) }
}

fn group(attributes: &Value) -> Value {
    json!({ "zarr_format": 3, "node_type": "group", "attributes": attributes })
}

fn group_of(images: u64, depth: BitDepth) -> Value {
    group(&json!({
        "images": images,
        "bit_depth": depth.bits(),
        "tmserver": { "format_version": FORMAT_VERSION },
    }))
}

/// Number and depth of the images that a group is about.
fn read_group(path: &Path) -> Result<(u64, BitDepth)> {
    let group = path.join("zarr.json");
    let bytes = fs::read(&group).map_err(|error| StorageError::at(&group, error))?;
    let document: Value =
        serde_json::from_slice(&bytes).map_err(|error| StorageError::corrupt(&group, error))?;
    let attributes = &document["attributes"];
    let number = |value: &Value, name: &str| {
        value.as_u64().ok_or_else(|| StorageError::corrupt(&group, format!("no attribute {name:?}")))
    };
    let version = number(&attributes["tmserver"]["format_version"], "format_version")?;
    if version != FORMAT_VERSION {
        let problem = format!("format version {version} is stored, this program knows {FORMAT_VERSION}");
        return Err(StorageError::corrupt(&group, problem));
    }
    let bits = number(&attributes["bit_depth"], "bit_depth")?;
    let depth = u32::try_from(bits).ok().and_then(BitDepth::from_bits);
    let depth = depth.ok_or_else(|| StorageError::corrupt(&group, format!("a bit depth of {bits}")))?;
    Ok((number(&attributes["images"], "images")?, depth))
}

type Store = Arc<FilesystemStore>;

fn open_store(path: &Path) -> Result<Store> {
    FilesystemStore::new(path).map(Arc::new).map_err(|error| StorageError::corrupt(path, error))
}

fn write_array<T: Element>(
    store: &Store,
    name: &str,
    shape: &[usize],
    longest_chunk: usize,
    kind: DataType,
    fill: FillValue,
    numbers: &[T],
) -> Result<()> {
    let invalid = |error: &dyn std::fmt::Display| StorageError::Corrupt { what: format!("{name}: {error}") };
    let chunk: Vec<u64> = shape.iter().map(|length| (*length).clamp(1, longest_chunk) as u64).collect();
    let shape: Vec<u64> = shape.iter().map(|length| *length as u64).collect();
    let level = BloscCompressionLevel::try_from(5).map_err(|level| invalid(&level))?;
    let width = Some(size_of::<T>());
    let blosc = BloscCodec::new(BloscCompressor::LZ4, level, None, BloscShuffleMode::Shuffle, width)
        .map_err(|error| invalid(&error))?;
    let array = ArrayBuilder::new(shape, chunk, kind, fill)
        .bytes_to_bytes_codecs(vec![Arc::new(blosc), Arc::new(Crc32cCodec::new())])
        .build(store.clone(), name)
        .map_err(|error| invalid(&error))?;
    array.store_metadata().map_err(|error| from_zarrs(name, error.into()))?;
    if numbers.is_empty() {
        return Ok(());
    }
    array.store_array_subset(&array.subset_all(), numbers).map_err(|error| from_zarrs(name, error))
}

fn read_array<T: ElementOwned>(path: &Path, store: &Store, name: &str) -> Result<(Vec<u64>, Vec<T>)> {
    let at = path.join(&name[1..]);
    let array = Array::open(store.clone(), name).map_err(|error| StorageError::corrupt(&at, error))?;
    let shape = array.shape().to_vec();
    if shape.contains(&0) {
        return Ok((shape, Vec::new()));
    }
    let numbers = array
        .retrieve_array_subset::<Vec<T>>(&array.subset_all())
        .map_err(|error| from_zarrs(&at.display().to_string(), error))?;
    Ok((shape, numbers))
}

/// An array of two axes, with its size.
fn read_plane<T: ElementOwned>(path: &Path, store: &Store, name: &str) -> Result<(Size, Vec<T>)> {
    let (shape, numbers) = read_array(path, store, name)?;
    let [height, width] = shape[..] else {
        let problem = format!("{name} has {} axes, 2 are wanted", shape.len());
        return Err(StorageError::corrupt(path, problem));
    };
    Ok((Size::new(height as usize, width as usize), numbers))
}

/// Keep what the file system said apart from what the codecs said.
fn from_zarrs(what: &str, error: ArrayError) -> StorageError {
    match error {
        ArrayError::StorageError(StoreError::IOError(error)) => {
            StorageError::Io(std::io::Error::new(error.kind(), format!("{what}: {error}")))
        }
        other => StorageError::Corrupt { what: format!("{other} ({what})") },
    }
}
