//! Channel images and channel layers as OME-Zarr 0.5 (Zarr v3).
//!
//! ```text
//! <plate>.ome.zarr/zarr.json            plate: rows, columns, wells, acquisitions
//!   B/03/zarr.json                      well: its fields
//!     0/zarr.json                       field image: axes, pixel size, channels
//!       0/zarr.json                     array (t, c, z, y, x)
//!       0/c/<t>/<c>/<z>/0/0             one plane: one shard of 256×256 chunks
//! <layer>.ome.zarr/zarr.json            layer: axes, levels
//!   1/zarr.json  2/zarr.json …          arrays (y, x); level k has 1/2^k of full resolution
//!   1/c/<y>/<x>                         one shard
//! ```
//!
//! Pixels are `uint8` or `uint16`, compressed with Blosc (LZ4, byte shuffle) in chunks of 256×256, which
//! are bound into shards: one file holds a plane, or a block of a layer, and any of its chunks can be read
//! alone. Shards are written whole, by rename, and never updated in part. Groups carry
//! `tmserver: {format_version}`.
//!
//! A plate that is served or exported has label images of its objects below every field image (`labels`):
//!
//! ```text
//!     0/labels/zarr.json                which types of objects there are
//!     0/labels/<type>/zarr.json         label image: axes and pixel size of the field image
//!     0/labels/<type>/0/zarr.json       array (t, 1, z, y, x) of uint32
//! ```
//!
//! Full resolution of a layer is not stored. Where layers are served or exported it is beside the other levels, as
//! level 0 (`full`).
//!
//! `zarrs` does the codecs and the metadata types. Files are opened here instead of by its stores: it
//! knows neither a write that is whole or absent, nor an index cache that notices a replaced shard.

mod array;
mod cache;
mod codecs;
mod field;
mod full;
mod keep;
mod labels;
mod layer;
mod metadata;
mod plate;

pub use array::INNER_CHUNK;
pub use cache::OpenImages;
pub use field::{FieldImage, PlaneIndex, plane_path};
pub use full::{
    ChannelLook, DOCUMENT, FullResolution, LayerLook, encode_chunk, full_resolution_document, layer_document,
    plate_document,
};
pub use keep::{field_directories, keep_fields};
pub use labels::{LABELS, LabelImage, LabelLook, labels_document};
pub use layer::{LayerPyramid, LayerSpec, create_layer, layer_shard_edge};
pub use plate::{AcquisitionSpec, ChannelSpec, FieldSpec, PlateSpec, check_plate, create_plate, field_path};

/// Version of the layout above, stored in every group.
pub const FORMAT_VERSION: u64 = 1;
