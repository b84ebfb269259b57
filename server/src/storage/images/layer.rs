//! Channel layers: the zoom levels of one channel on the canvas of the map.
//!
//! Full resolution (level 0) is not stored: it is rendered from the field images. Level `k` has one pixel
//! for `2^k × 2^k` of them. A job that owns an aligned 4096×4096 block of the full resolution owns whole
//! shards of the levels 1 to 4: 2048, 1024, 512 and 256 pixels a side. From level 5 on a shard is a single
//! chunk of 256×256.

use std::ops::Range;
use std::path::Path;

use serde_json::{Value, json};
use tm_engine::EngineError;
use tm_engine::image::{BitDepth, GreyPlane, Pixel, Plane, PlaneRef, Rect, Size};

use super::array::{INNER_CHUNK, ShardedArray};
use super::field::PlaneIndex;
use super::metadata;
use crate::storage::error::{Result, StorageError};
use crate::storage::staging::StagedDirectory;

const NO_PLANE: PlaneIndex = PlaneIndex { t: 0, c: 0, z: 0 };
/// More levels than any canvas has: 256·2^32 pixels a side.
const MAX_LEVELS: usize = 33;

/// What a new layer looks like.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerSpec {
    /// Name shown to people.
    pub name: String,
    /// Full resolution, in pixels.
    pub size: Size,
    /// Number of zoom levels including full resolution: at least 2, at most 33.
    pub levels: usize,
    /// Bits per pixel.
    pub depth: BitDepth,
    /// Edge of a full-resolution pixel in micrometres, if known.
    pub pixel_size_um: Option<f64>,
}

/// Edge of the square shards of a level, in pixels of that level: 4096/2^k for levels 1 to 4, else 256.
pub fn layer_shard_edge(level: usize) -> usize {
    (4096 >> level.min(4)).max(INNER_CHUNK)
}

/// Make an empty layer at `path`: all metadata, no pixels. It appears whole or not at all.
///
/// # Errors
/// [`StorageError::Engine`] for an empty canvas or a number of levels outside 2 to 33,
/// [`StorageError::Io`] when the disk fails or something is at `path` already.
pub fn create_layer(path: &Path, spec: &LayerSpec) -> Result<()> {
    let refuse = |name, problem: String| Err(EngineError::Parameter { name, problem }.into());
    if spec.size.height == 0 || spec.size.width == 0 {
        return refuse("size", format!("of a layer is {}, must not be empty", spec.size));
    }
    if !(2..=MAX_LEVELS).contains(&spec.levels) {
        return refuse("levels", format!("of a layer are {}, must be 2 to {MAX_LEVELS}", spec.levels));
    }
    let staged = StagedDirectory::new(path)?;
    let mut size = spec.size;
    for level in 1..spec.levels {
        size = size.halved();
        let edge = layer_shard_edge(level);
        let array = metadata::array(spec.depth, &[], size, Size::new(edge, edge), &["y", "x"]);
        staged.write_json(&format!("{level}/zarr.json"), &array)?;
    }
    let ome = json!({ "multiscales": [multiscale(&spec.name, 1..spec.levels, spec.pixel_size_um)] });
    staged.write_json("zarr.json", &metadata::group(ome))?;
    staged.commit()
}

/// The description of a pyramid that has these levels, where level `k` has 1/2^k of full resolution.
pub(super) fn multiscale(name: &str, levels: Range<usize>, pixel_size_um: Option<f64>) -> Value {
    let datasets: Vec<Value> = levels
        .map(|level| {
            let scale = pixel_size_um.unwrap_or(1.0) * f64::powi(2.0, level as i32);
            json!({
                "path": level.to_string(),
                "coordinateTransformations": [{ "type": "scale", "scale": [scale, scale] }],
            })
        })
        .collect();
    let axes = ["y", "x"].map(|name| metadata::space_axis(name, pixel_size_um));
    json!({ "name": name, "axes": axes, "datasets": datasets, "type": "mean" })
}

/// The stored levels of one layer, opened.
pub struct LayerPyramid {
    /// Level `k` is at `k - 1`.
    levels: Vec<ShardedArray>,
}

impl LayerPyramid {
    /// Open the layer at `path`.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] when there is none, [`StorageError::Corrupt`] when its metadata are not
    /// what this program writes.
    pub fn open(path: &Path) -> Result<Self> {
        let ome = metadata::read_group(path)?;
        let datasets = ome["multiscales"][0]["datasets"].as_array().map_or(0, Vec::len);
        if !(1..MAX_LEVELS).contains(&datasets) {
            return Err(StorageError::corrupt(path, format!("a layer of {datasets} levels")));
        }
        let levels = (1..=datasets)
            .map(|level| ShardedArray::open(path.join(level.to_string())))
            .collect::<Result<Vec<_>>>()?;
        let alike = |array: &ShardedArray| array.planes().is_none() && array.depth() == levels[0].depth();
        if !levels.iter().all(alike) {
            return Err(StorageError::corrupt(path, "levels that differ in kind"));
        }
        Ok(Self { levels })
    }

    /// Number of levels including full resolution, which is not stored.
    pub fn levels(&self) -> usize {
        self.levels.len() + 1
    }

    /// Bits per pixel.
    pub fn depth(&self) -> BitDepth {
        self.levels[0].depth()
    }

    /// Size of a stored level in pixels; `None` for level 0 and beyond the last.
    pub fn level_size(&self, level: usize) -> Option<Size> {
        self.level(level).ok().map(ShardedArray::size)
    }

    /// Store a shard of a level, replacing what was there; whole or not at all.
    ///
    /// `pixels` are a whole shard (see [`layer_shard_edge`]) or the part of it inside the level; pixels
    /// beyond the level are dropped. A shard of zeros leaves no file.
    ///
    /// # Errors
    /// [`StorageError::Engine`] when the pixels are of another size or depth or there is no such shard;
    /// [`StorageError::Io`] when the disk fails or is full.
    pub fn write_shard(
        &self,
        level: usize,
        shard_y: usize,
        shard_x: usize,
        pixels: &GreyPlane,
    ) -> Result<()> {
        write_checked(self.level(level)?, (shard_y, shard_x), pixels)
    }

    /// Read a window of a level. What was never written, or lies outside the level, is 0.
    ///
    /// # Errors
    /// [`StorageError::Engine`] for a level that is not stored, [`StorageError::Corrupt`] when stored
    /// bytes are damaged.
    pub fn read_window(&self, level: usize, window: Rect) -> Result<GreyPlane> {
        let array = self.level(level)?;
        Ok(match array.depth() {
            BitDepth::Eight => read::<u8>(array, window)?.into(),
            BitDepth::Sixteen => read::<u16>(array, window)?.into(),
        })
    }

    /// Look at everything that is stored without giving out pixels: that every shard holds what its index says,
    /// and that every chunk can be decoded if `deep`. Absent shards are black.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when stored bytes are damaged.
    pub fn check(&self, deep: bool) -> Result<()> {
        for array in &self.levels {
            let (size, shard) = (array.size(), array.shard());
            for y in 0..size.height.div_ceil(shard.height) {
                for x in 0..size.width.div_ceil(shard.width) {
                    array.check_shard(NO_PLANE, (y, x), deep)?;
                }
            }
        }
        Ok(())
    }

    fn level(&self, level: usize) -> Result<&ShardedArray> {
        let stored = level.checked_sub(1).and_then(|index| self.levels.get(index));
        stored.ok_or_else(|| {
            StorageError::Engine(EngineError::Parameter {
                name: "level",
                problem: format!("is {level}, 1 to {} are stored", self.levels.len()),
            })
        })
    }
}

/// Store a shard whose pixels are a whole shard or the part of it inside the array.
pub(super) fn write_checked(
    array: &ShardedArray,
    (shard_y, shard_x): (usize, usize),
    pixels: &GreyPlane,
) -> Result<()> {
    let window = array.shard_window(shard_y, shard_x).ok_or_else(|| EngineError::Shape {
        what: "shard of a layer",
        expected: format!("inside {}", array.size()),
        actual: format!("row {shard_y}, column {shard_x} of shards of {}", array.shard()),
    })?;
    let fits = pixels.size() == window.size || pixels.size() == array.shard();
    if !fits || pixels.depth() != array.depth() {
        return Err(StorageError::Engine(EngineError::Shape {
            what: "pixels of a shard",
            expected: format!("{} or {}, {} bits", window.size, array.shard(), array.depth().bits()),
            actual: format!("{}, {} bits", pixels.size(), pixels.depth().bits()),
        }));
    }
    let inside = Rect::new(0, 0, window.size);
    let place = (shard_y, shard_x);
    match pixels {
        GreyPlane::U8(plane) => write(array, place, plane.window(inside)?),
        GreyPlane::U16(plane) => write(array, place, plane.window(inside)?),
    }
}

fn write<T: Pixel>(array: &ShardedArray, place: (usize, usize), pixels: PlaneRef<'_, T>) -> Result<()> {
    array.write_shard(NO_PLANE, place, pixels, true)
}

fn read<T: Pixel>(array: &ShardedArray, window: Rect) -> Result<Plane<T>> {
    let mut plane = Plane::zeros(window.size);
    let size = array.size();
    let bottom = window.y.saturating_add(window.size.height).min(size.height);
    let right = window.x.saturating_add(window.size.width).min(size.width);
    if window.y < bottom && window.x < right {
        let inside = Rect::new(window.y, window.x, Size::new(bottom - window.y, right - window.x));
        array.read_window(NO_PLANE, inside, &mut plane)?;
    }
    Ok(plane)
}
