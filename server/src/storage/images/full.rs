//! Layers with their full resolution (level 0), which is never stored here: what shows it beside the stored levels,
//! chunk by chunk where it is served, and as whole shards where it is exported.

use std::path::Path;
use std::sync::LazyLock;

use serde_json::json;
use tm_engine::EngineError;
use tm_engine::image::{BitDepth, GreyPlane, Size};
use tm_engine::kernels::rescale::Limits;
use zarrs::array::ArrayMetadataV3;

use super::array::{INNER_CHUNK, ShardedArray};
use super::codecs::Codecs;
use super::layer::{layer_shard_edge, multiscale, write_checked};
use super::metadata;
use crate::storage::error::{Result, StorageError};

/// Where a Zarr hierarchy keeps the document of a group or array.
pub const DOCUMENT: &str = "zarr.json";

const CHUNK: Size = Size::new(INNER_CHUNK, INNER_CHUNK);

/// What programs need to know of a layer to show it.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerLook {
    /// Name of the layer.
    pub name: String,
    /// Name of its channel.
    pub channel: String,
    /// Bits per pixel.
    pub depth: BitDepth,
    /// Number of zoom levels including full resolution.
    pub levels: usize,
    /// Grey values shown as black and white.
    pub limits: Limits,
    /// Display colour and pixel size.
    pub shown: ChannelLook,
}

/// How the images of a channel are shown.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChannelLook {
    /// Display colour as `RRGGBB`; white if there is none.
    pub color: Option<String>,
    /// Edge of a pixel in micrometres, if known.
    pub pixel_size_um: Option<f64>,
}

impl ChannelLook {
    /// What the image of `field` (see [`super::field_path`]) of the plate at `plate` says of one of its channels.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] when there is no such image, [`StorageError::Corrupt`] when its metadata are not
    /// what this program writes.
    pub fn read(plate: &Path, field: &str, channel: usize) -> Result<Self> {
        let ome = metadata::read_group(&plate.join(field))?;
        let color = ome["omero"]["channels"][channel]["color"].as_str();
        let multiscale = &ome["multiscales"][0];
        let is_known = multiscale["axes"][4]["unit"] == "micrometer";
        let scale = multiscale["datasets"][0]["coordinateTransformations"][0]["scale"][4].as_f64();
        Ok(Self { color: color.map(str::to_owned), pixel_size_um: scale.filter(|_| is_known) })
    }
}

/// The document of a layer's group with all levels.
pub fn layer_document(look: &LayerLook) -> String {
    let ChannelLook { color, pixel_size_um } = &look.shown;
    metadata::text(&metadata::group(json!({
        "multiscales": [multiscale(&look.name, 0..look.levels, *pixel_size_um)],
        "omero": {
            "name": look.name,
            "channels": [{
                "label": look.channel,
                "color": color.as_deref().unwrap_or("FFFFFF"),
                "active": true,
                "window": {
                    "min": 0,
                    "max": look.depth.max_value(),
                    "start": look.limits.lower,
                    "end": look.limits.upper,
                },
            }],
        },
    })))
}

/// The document of a layer's level 0 as it is served: chunks of 256×256 that are rendered one by one. In shards
/// none could be sent before all of its neighbours are rendered, because a shard's index says how long they are.
pub fn full_resolution_document(depth: BitDepth, size: Size) -> String {
    metadata::text(&metadata::array_of_chunks(depth, size))
}

/// A chunk of level 0 as it is served.
///
/// # Errors
/// [`StorageError::Engine`] when the pixels are not 256×256.
pub fn encode_chunk(pixels: &GreyPlane) -> Result<Vec<u8>> {
    static EIGHT: LazyLock<Result<Codecs, String>> = LazyLock::new(|| chunk_codecs(BitDepth::Eight));
    static SIXTEEN: LazyLock<Result<Codecs, String>> = LazyLock::new(|| chunk_codecs(BitDepth::Sixteen));
    if pixels.size() != CHUNK {
        return Err(StorageError::Engine(EngineError::Shape {
            what: "chunk of a layer",
            expected: CHUNK.to_string(),
            actual: pixels.size().to_string(),
        }));
    }
    let (codecs, bytes) = match pixels {
        GreyPlane::U8(plane) => (&EIGHT, plane.pixels().to_vec()),
        GreyPlane::U16(plane) => (&SIXTEEN, bytemuck::cast_slice(plane.pixels()).to_vec()),
    };
    let refused = |problem: String| StorageError::Corrupt { what: format!("codecs of a chunk: {problem}") };
    let codecs = codecs.as_ref().map_err(|problem| refused(problem.clone()))?;
    codecs.encode_chunk(bytes).map_err(|error| refused(error.to_string()))
}

/// The codecs of chunks, in and outside of shards.
fn chunk_codecs(depth: BitDepth) -> Result<Codecs, String> {
    let document = metadata::array(depth, &[], CHUNK, CHUNK, &["y", "x"]);
    let document: ArrayMetadataV3 = serde_json::from_value(document).map_err(|error| error.to_string())?;
    Codecs::new(&document, depth.into(), CHUNK)
}

/// Level 0 of an exported layer: shards of 4096×4096, whose pixels are written block by block.
pub struct FullResolution {
    array: ShardedArray,
}

impl FullResolution {
    /// Make level 0 without pixels in the layer at `layer`, and the layer's own document, which lists all levels.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the disk fails or is full.
    pub fn create(layer: &Path, look: &LayerLook, size: Size) -> Result<Self> {
        let directory = layer.join("0");
        std::fs::create_dir_all(&directory)?;
        let edge = layer_shard_edge(0);
        let array = metadata::array(look.depth, &[], size, Size::new(edge, edge), &["y", "x"]);
        std::fs::write(directory.join(DOCUMENT), metadata::text(&array))?;
        std::fs::write(layer.join(DOCUMENT), layer_document(look))?;
        Ok(Self { array: ShardedArray::open(directory)? })
    }

    /// Store a block of 4096×4096 pixels, or the part of it inside the map. One of zeros leaves no file.
    ///
    /// # Errors
    /// [`StorageError::Engine`] when the pixels are of another size or depth or there is no such block;
    /// [`StorageError::Io`] when the disk fails or is full.
    pub fn write_block(&self, y: usize, x: usize, pixels: &GreyPlane) -> Result<()> {
        write_checked(&self.array, (y, x), pixels)
    }
}

/// The document of the plate at `plate`, under the name that it has now.
///
/// # Errors
/// [`StorageError::NotFound`] when there is none, [`StorageError::Corrupt`] when its metadata are not what this
/// program writes.
pub fn plate_document(plate: &Path, name: &str) -> Result<String> {
    let mut document = metadata::read_document(plate)?;
    document["attributes"]["ome"]["plate"]["name"] = json!(name);
    Ok(metadata::text(&document))
}
