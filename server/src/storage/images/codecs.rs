//! The geometry of a sharded array, read from its metadata, and the codecs between pixels and bytes.

use std::borrow::Cow;
use std::num::NonZeroU64;

use tm_engine::image::{BitDepth, Size};
use zarrs::array::codec::{ShardingCodecConfigurationV1, ShardingIndexLocation};
use zarrs::array::{
    ArrayBytes, ArrayMetadataV3, ArrayToBytesCodecTraits, BytesRepresentation, CodecChain, CodecError,
    CodecOptions, DataType, FillValue, data_type,
};

use super::array::INNER_CHUNK;
use super::field::PlaneIndex;

/// Offset and length of every chunk of a shard; `u64::MAX` twice means the chunk is absent.
pub(super) type ShardIndex = Vec<[u64; 2]>;

/// What the pixels of an array are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    /// Grey values.
    Grey(BitDepth),
    /// Numbers of objects: 32 bits without a sign.
    Label,
}

impl Sample {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Grey(depth) => depth.bytes(),
            Self::Label => size_of::<u32>(),
        }
    }
}

impl From<BitDepth> for Sample {
    fn from(depth: BitDepth) -> Self {
        Self::Grey(depth)
    }
}

/// The geometry of an array of grey values, as far as it is one of ours.
pub(super) struct Layout {
    pub(super) depth: BitDepth,
    /// Lengths of the axes t, c and z; `None` for an array of axes (y, x).
    pub(super) planes: Option<PlaneIndex>,
    pub(super) size: Size,
    pub(super) shard: Size,
}

impl Layout {
    pub(super) fn of(metadata: &ArrayMetadataV3) -> Result<Self, String> {
        let depth = match metadata.data_type.name() {
            "uint8" => BitDepth::Eight,
            "uint16" => BitDepth::Sixteen,
            other => return Err(format!("pixels of type {other:?}, uint8 or uint16 are wanted")),
        };
        let length = |axis: usize| usize::try_from(metadata.shape[axis]).map_err(|error| error.to_string());
        let (planes, size) = match metadata.shape.len() {
            2 => (None, Size::new(length(0)?, length(1)?)),
            5 => {
                let planes = PlaneIndex { t: length(0)?, c: length(1)?, z: length(2)? };
                (Some(planes), Size::new(length(3)?, length(4)?))
            }
            axes => return Err(format!("{axes} axes, 2 or 5 are wanted")),
        };
        let grid = serde_json::to_value(&metadata.chunk_grid).map_err(|error| error.to_string())?;
        let chunk = grid["configuration"]["chunk_shape"]
            .as_array()
            .map(|shape| shape.iter().filter_map(|edge| Some(edge.as_u64()? as usize)).collect::<Vec<_>>())
            .unwrap_or_default();
        let shard = match chunk.as_slice() {
            [y, x] if planes.is_none() => Size::new(*y, *x),
            [1, 1, 1, y, x] if planes.is_some() => Size::new(*y, *x),
            _ => return Err(format!("shards of shape {chunk:?}")),
        };
        let whole = |edge: usize| edge > 0 && edge.is_multiple_of(INNER_CHUNK) && edge <= 1 << 20;
        if !whole(shard.height) || !whole(shard.width) {
            return Err(format!("shards of {shard}, multiples of {INNER_CHUNK} are wanted"));
        }
        Ok(Self { depth, planes, size, shard })
    }
}

/// The codecs of a shard, of the chunks in it and of its index.
pub(super) struct Codecs {
    data_type: DataType,
    fill: FillValue,
    shard_shape: Vec<NonZeroU64>,
    outer: CodecChain,
    chunk_shape: Vec<NonZeroU64>,
    chunk_bytes: usize,
    inner: CodecChain,
    index_shape: Vec<NonZeroU64>,
    /// Length of an encoded index.
    pub(super) index_bytes: u64,
    index: CodecChain,
    /// One thread: the callers are parallel already, and one chunk is too small to share.
    options: CodecOptions,
}

impl Codecs {
    pub(super) fn new(metadata: &ArrayMetadataV3, sample: Sample, shard: Size) -> Result<Self, String> {
        let [sharding] = metadata.codecs.as_slice() else {
            return Err("more than the sharding codec".into());
        };
        let configuration: ShardingCodecConfigurationV1 =
            sharding.to_typed_configuration().map_err(|error| error.to_string())?;
        let rank = metadata.shape.len();
        let chunk_shape = shape(rank, Size::new(INNER_CHUNK, INNER_CHUNK))?;
        if configuration.chunk_shape != chunk_shape {
            return Err(format!("chunks of shape {:?}", configuration.chunk_shape));
        }
        if configuration.index_location != ShardingIndexLocation::End {
            return Err("an index at the start of the shards".into());
        }
        let (data_type, fill) = match sample {
            Sample::Grey(BitDepth::Eight) => (data_type::uint8(), FillValue::from(0u8)),
            Sample::Grey(BitDepth::Sixteen) => (data_type::uint16(), FillValue::from(0u16)),
            Sample::Label => (data_type::uint32(), FillValue::from(0u32)),
        };
        let chain = |codecs| CodecChain::from_metadata(codecs).map_err(|error| error.to_string());
        let index = chain(&configuration.index_codecs)?;
        let chunks = Size::new(shard.height / INNER_CHUNK, shard.width / INNER_CHUNK);
        let mut index_shape = shape(rank, chunks)?;
        index_shape.extend(NonZeroU64::new(2));
        let index_bytes = match index.encoded_representation(&index_shape, &data_type::uint64(), &no_chunk())
        {
            Ok(BytesRepresentation::FixedSize(bytes)) => bytes,
            _ => return Err("an index of unknown length".into()),
        };
        Ok(Self {
            data_type,
            fill,
            shard_shape: shape(rank, shard)?,
            outer: chain(&metadata.codecs)?,
            chunk_shape,
            chunk_bytes: INNER_CHUNK * INNER_CHUNK * sample.bytes(),
            inner: chain(&configuration.codecs)?,
            index_shape,
            index_bytes,
            index,
            options: CodecOptions::default().with_concurrent_target(1),
        })
    }

    pub(super) fn encode_shard(&self, pixels: Vec<u8>) -> Result<Vec<u8>, CodecError> {
        let pixels = ArrayBytes::new_flen(pixels);
        let shape = &self.shard_shape;
        Ok(self.outer.encode(pixels, shape, &self.data_type, &self.fill, &self.options)?.into_owned())
    }

    /// A chunk as a shard holds it.
    pub(super) fn encode_chunk(&self, pixels: Vec<u8>) -> Result<Vec<u8>, CodecError> {
        let pixels = ArrayBytes::new_flen(pixels);
        let shape = &self.chunk_shape;
        Ok(self.inner.encode(pixels, shape, &self.data_type, &self.fill, &self.options)?.into_owned())
    }

    pub(super) fn decode_chunk(&self, encoded: Vec<u8>) -> Result<Vec<u8>, CodecError> {
        let encoded = Cow::Owned(encoded);
        let pixels =
            self.inner.decode(encoded, &self.chunk_shape, &self.data_type, &self.fill, &self.options)?;
        let pixels = pixels.into_fixed()?.into_owned();
        if pixels.len() != self.chunk_bytes {
            return Err(CodecError::Other(format!(
                "{} bytes, {} are wanted",
                pixels.len(),
                self.chunk_bytes
            )));
        }
        Ok(pixels)
    }

    pub(super) fn decode_index(&self, encoded: Vec<u8>) -> Result<ShardIndex, CodecError> {
        let encoded = Cow::Owned(encoded);
        let (kind, fill) = (data_type::uint64(), no_chunk());
        let numbers =
            self.index.decode(encoded, &self.index_shape, &kind, &fill, &self.options)?.into_fixed()?;
        let (pairs, _) = numbers.as_chunks::<16>();
        let number = |bytes: [u8; 8]| u64::from_ne_bytes(bytes);
        Ok(pairs
            .iter()
            .map(|pair| {
                let [a, b, c, d, e, f, g, h, length @ ..] = *pair;
                [number([a, b, c, d, e, f, g, h]), number(length)]
            })
            .collect())
    }
}

fn no_chunk() -> FillValue {
    FillValue::from(u64::MAX)
}

/// The shape of a block that is one pixel thick along all axes but the last two.
fn shape(rank: usize, size: Size) -> Result<Vec<NonZeroU64>, String> {
    let edge = |pixels: usize| NonZeroU64::new(pixels as u64).ok_or("an empty block");
    let mut shape = vec![NonZeroU64::MIN; rank.saturating_sub(2)];
    shape.extend([edge(size.height)?, edge(size.width)?]);
    Ok(shape)
}
