//! Encoded tiles in memory, and with them what else is rendered of full resolution.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use moka::Expiry;
use moka::future::Cache;
use tm_engine::image::Plane;

use super::{TILE, TileFormat, TileKey};
use crate::http::etag_of;
use crate::metrics::MetricsPage;
use crate::resources::layer::MapError;
use crate::resources::layer::maps::FRESH_FOR;
use crate::resources::vector_tile::VectorKey;

/// What an entry takes besides its bytes, about.
const ENTRY_BYTES: usize = 300;

/// A tile ready to be sent.
#[derive(Debug, Clone)]
pub struct EncodedTile {
    /// The file.
    pub bytes: Bytes,
    /// Strong ETag: a hash of the bytes, in quotes.
    pub etag: Arc<str>,
    /// Whether its pixels will stay what they are; if not, planes or levels are still to come.
    pub settled: bool,
}

impl EncodedTile {
    /// A tile from its encoded bytes.
    pub fn new(bytes: Bytes, settled: bool) -> Self {
        let etag = etag_of(&bytes);
        Self { bytes, etag, settled }
    }
}

/// Everything that decides what a chunk of a layer's full resolution holds: 256×256 values at the stored depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChunkKey {
    /// Row id of the layer.
    pub layer: i64,
    /// Version of the layer's view.
    pub version: u64,
    /// Row of the chunk.
    pub y: usize,
    /// Column of the chunk.
    pub x: usize,
}

/// Everything that decides what a plane of a label image holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LabelsKey {
    /// Row id of the plate.
    pub plate: i64,
    /// Which of the plate's images.
    pub image_generation: i64,
    /// The field image, which says how large it is.
    pub field: String,
    /// Row id of the site.
    pub site: i64,
    /// Id and version of every layer that is shown, in the order of [`outlines_in_layers`].
    ///
    /// [`outlines_in_layers`]: crate::resources::segmentation::queries::outlines_in_layers
    pub layers: Vec<(i64, i64)>,
}

/// Everything that decides what is kept: tiles as people see them, and chunks as programs read them, in one budget.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CacheKey {
    /// A raster tile.
    Raster(TileKey),
    /// A vector tile.
    Vector(Box<VectorKey>),
    /// A chunk of full resolution.
    Chunk(ChunkKey),
    /// A plane of a label image.
    Labels(Box<LabelsKey>),
}

impl From<TileKey> for CacheKey {
    fn from(key: TileKey) -> Self {
        Self::Raster(key)
    }
}

impl From<ChunkKey> for CacheKey {
    fn from(key: ChunkKey) -> Self {
        Self::Chunk(key)
    }
}

impl From<LabelsKey> for CacheKey {
    fn from(key: LabelsKey) -> Self {
        Self::Labels(Box::new(key))
    }
}

impl From<VectorKey> for CacheKey {
    fn from(key: VectorKey) -> Self {
        Self::Vector(Box::new(key))
    }
}

/// The cache of encoded tiles, bounded in bytes; cheap to clone.
///
/// A tile that several ask for is rendered once. Settled tiles stay until others need the room: their
/// key changes with everything that decides what they look like. The rest is asked for anew after
/// [`FRESH_FOR`].
#[derive(Debug, Clone)]
pub struct Tiles {
    cache: Cache<CacheKey, EncodedTile>,
    served: Arc<Served>,
}

/// How often tiles came from where.
#[derive(Debug, Default)]
struct Served {
    kept: AtomicU64,
    rendered: AtomicU64,
    black: AtomicU64,
}

impl Tiles {
    /// A cache of at most `bytes` bytes.
    pub fn new(bytes: u64) -> Self {
        let weigher = |_: &CacheKey, tile: &EncodedTile| {
            u32::try_from(tile.bytes.len() + ENTRY_BYTES).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder().max_capacity(bytes).weigher(weigher).expire_after(Unsettled).build();
        Self { cache, served: Arc::default() }
    }

    /// A tile that is here already.
    pub async fn get(&self, key: &CacheKey) -> Option<EncodedTile> {
        let tile = self.cache.get(key).await?;
        self.served.kept.fetch_add(1, Ordering::Relaxed);
        Some(tile)
    }

    /// A tile, rendered unless it is here or being rendered already.
    ///
    /// # Errors
    /// Those of `render`, for all who waited for it.
    pub async fn get_or_render<E: Clone + Send + Sync + 'static>(
        &self,
        key: impl Into<CacheKey>,
        render: impl Future<Output = Result<EncodedTile, E>>,
    ) -> Result<EncodedTile, E> {
        let was_rendered = AtomicBool::new(false);
        let noted = async {
            was_rendered.store(true, Ordering::Relaxed);
            render.await
        };
        let tile = self.cache.try_get_with(key.into(), noted).await.map_err(|error| E::clone(&error))?;
        let Served { kept, rendered, .. } = &*self.served;
        let source = if was_rendered.into_inner() { rendered } else { kept };
        source.fetch_add(1, Ordering::Relaxed);
        Ok(tile)
    }

    /// The tile where there is nothing.
    pub(super) fn black(&self, format: TileFormat) -> Result<EncodedTile, MapError> {
        self.served.black.fetch_add(1, Ordering::Relaxed);
        static JPEG: OnceLock<EncodedTile> = OnceLock::new();
        static PNG: OnceLock<EncodedTile> = OnceLock::new();
        let known = match format {
            TileFormat::Jpeg => &JPEG,
            TileFormat::Png => &PNG,
        };
        if let Some(tile) = known.get() {
            return Ok(tile.clone());
        }
        let tile = EncodedTile::new(format.encode(Plane::zeros(TILE))?, true);
        Ok(known.get_or_init(|| tile).clone())
    }
}

impl Tiles {
    /// Write down where tiles came from and how many are kept.
    pub fn write(&self, page: &mut MetricsPage) {
        let Served { kept, rendered, black } = &*self.served;
        page.family("tmserver_tiles_total", "counter", "Tiles by where they came from.");
        for (source, number) in [("cache", kept), ("rendered", rendered), ("black", black)] {
            page.sample("", &[("source", source)], number.load(Ordering::Relaxed));
        }
        page.gauge("tmserver_tile_cache_tiles", "Tiles that are kept.", Some(self.cache.entry_count()));
        page.gauge("tmserver_tile_cache_bytes", "Memory that they take.", Some(self.cache.weighted_size()));
    }
}

/// Tiles that are not settled leave after [`FRESH_FOR`].
struct Unsettled;

impl Expiry<CacheKey, EncodedTile> for Unsettled {
    fn expire_after_create(&self, _: &CacheKey, tile: &EncodedTile, _: Instant) -> Option<Duration> {
        (!tile.settled).then_some(FRESH_FOR)
    }
}
