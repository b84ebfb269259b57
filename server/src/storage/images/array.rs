//! Sharded arrays on disk: whole shards in, windows of pixels out.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tm_engine::image::{BitDepth, Pixel, Plane, PlaneRef, Rect, Size};
use zarrs::array::ArrayMetadataV3;

use super::codecs::{Codecs, Layout, ShardIndex};
use super::field::PlaneIndex;
use crate::storage::atomic;
use crate::storage::error::{Result, StorageError};

/// Edge of the chunks that can be read alone, in pixels.
pub const INNER_CHUNK: usize = 256;

/// How many shard indexes one array keeps; a 2160×2560 plane's takes 1.4 KB.
const CACHED_INDEXES: usize = 64;

/// Which shard of an array: its plane (always the first for arrays of two axes) and grid position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ShardKey {
    plane: PlaneIndex,
    y: usize,
    x: usize,
}

/// One opened array of axes (t, c, z, y, x) or (y, x).
pub(super) struct ShardedArray {
    directory: PathBuf,
    layout: Layout,
    codecs: Codecs,
    indexes: Mutex<HashMap<ShardKey, (Identity, Arc<ShardIndex>)>>,
}

/// Tells a shard file from the one that replaced it. Shards are replaced by rename, so the inode changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    length: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Self { length: metadata.len(), modified: metadata.modified().ok(), inode }
    }
}

impl ShardedArray {
    /// Open the array in `directory`.
    pub(super) fn open(directory: PathBuf) -> Result<Self> {
        let path = directory.join("zarr.json");
        let bytes = fs::read(&path).map_err(|error| StorageError::at(&path, error))?;
        let metadata: ArrayMetadataV3 =
            serde_json::from_slice(&bytes).map_err(|error| StorageError::corrupt(&path, error))?;
        let layout = Layout::of(&metadata).map_err(|problem| StorageError::corrupt(&path, problem))?;
        let codecs = Codecs::new(&metadata, layout.depth.into(), layout.shard);
        let codecs = codecs.map_err(|problem| StorageError::corrupt(&path, problem))?;
        Ok(Self { directory, layout, codecs, indexes: Mutex::default() })
    }

    pub(super) fn depth(&self) -> BitDepth {
        self.layout.depth
    }

    pub(super) fn size(&self) -> Size {
        self.layout.size
    }

    pub(super) fn shard(&self) -> Size {
        self.layout.shard
    }

    pub(super) fn planes(&self) -> Option<PlaneIndex> {
        self.layout.planes
    }

    /// The pixels of the array that a shard covers: less than a shard at the lower and right edges,
    /// `None` beyond them.
    pub(super) fn shard_window(&self, shard_y: usize, shard_x: usize) -> Option<Rect> {
        let y = shard_y.checked_mul(self.layout.shard.height).filter(|y| *y < self.layout.size.height)?;
        let x = shard_x.checked_mul(self.layout.shard.width).filter(|x| *x < self.layout.size.width)?;
        let height = self.layout.shard.height.min(self.layout.size.height - y);
        let width = self.layout.shard.width.min(self.layout.size.width - x);
        Some(Rect::new(y, x, Size::new(height, width)))
    }

    /// Write a shard whole; `pixels` are what [`Self::shard_window`] covers.
    ///
    /// Chunks of nothing but zeros take no space. A shard of them is still a file, unless
    /// `drop_empty`: then there is none.
    pub(super) fn write_shard<T: Pixel>(
        &self,
        plane: PlaneIndex,
        (shard_y, shard_x): (usize, usize),
        pixels: PlaneRef<'_, T>,
        drop_empty: bool,
    ) -> Result<()> {
        let key = ShardKey { plane, y: shard_y, x: shard_x };
        let path = self.shard_path(key);
        let row_bytes = self.layout.shard.width * self.layout.depth.bytes();
        let mut bytes = vec![0; self.layout.shard.area() * self.layout.depth.bytes()];
        for (row, target) in (0..pixels.size().height).zip(bytes.chunks_exact_mut(row_bytes)) {
            let source = bytemuck::cast_slice(pixels.row(row));
            target[..source.len()].copy_from_slice(source);
        }
        if drop_empty && bytes.iter().all(|byte| *byte == 0) {
            match fs::remove_file(&path) {
                Ok(()) => atomic::sync_directory(path.parent().unwrap_or(&self.directory))?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        } else {
            let encoded =
                self.codecs.encode_shard(bytes).map_err(|error| StorageError::corrupt(&path, error))?;
            atomic::write(&path, &encoded)?;
        }
        self.indexes.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        Ok(())
    }

    /// Copy a window of the array into `target`, which is of the window's size.
    ///
    /// Absent shards and chunks leave the target as it is. Returns how many shards were there. The window
    /// must lie inside the array.
    pub(super) fn read_window<T: Pixel>(
        &self,
        plane: PlaneIndex,
        window: Rect,
        target: &mut Plane<T>,
    ) -> Result<usize> {
        let mut found = 0;
        for (y, x) in blocks(window, self.layout.shard) {
            if let Some(mut shard) = self.open_shard(ShardKey { plane, y, x })? {
                found += 1;
                self.read_shard(&mut shard, (y, x), window, target)?;
            }
        }
        Ok(found)
    }

    /// Look at a shard without giving out pixels: its index always, every chunk of it if `deep`. The value is
    /// whether it is there.
    pub(super) fn check_shard(&self, plane: PlaneIndex, (y, x): (usize, usize), deep: bool) -> Result<bool> {
        let Some(mut shard) = self.open_shard(ShardKey { plane, y, x })? else { return Ok(false) };
        for place in 0..shard.index.len() {
            if deep {
                self.read_chunk(&mut shard, place)?;
            } else {
                shard.chunk(place)?;
            }
        }
        Ok(true)
    }

    /// Copy what a shard holds of a window.
    fn read_shard<T: Pixel>(
        &self,
        shard: &mut Shard,
        (shard_y, shard_x): (usize, usize),
        window: Rect,
        target: &mut Plane<T>,
    ) -> Result<()> {
        let covered = block(shard_y, shard_x, self.layout.shard);
        let chunk = Size::new(INNER_CHUNK, INNER_CHUNK);
        let per_row = covered.size.width / INNER_CHUNK;
        for (y, x) in blocks(overlap(covered, window), chunk) {
            let place = (y - covered.y / INNER_CHUNK) * per_row + (x - covered.x / INNER_CHUNK);
            if let Some(pixels) = self.read_chunk(shard, place)? {
                copy_overlap(&pixels, block(y, x, chunk), window, target);
            }
        }
        Ok(())
    }

    fn shard_path(&self, key: ShardKey) -> PathBuf {
        let ShardKey { plane: PlaneIndex { t, c, z }, y, x } = key;
        let name = match self.layout.planes {
            Some(_) => format!("c/{t}/{c}/{z}/{y}/{x}"),
            None => format!("c/{y}/{x}"),
        };
        self.directory.join(name)
    }

    fn open_shard(&self, key: ShardKey) -> Result<Option<Shard>> {
        let path = self.shard_path(key);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let identity = Identity::of(&file.metadata()?);
        // The index is the last thing in the file.
        let end = identity
            .length
            .checked_sub(self.codecs.index_bytes)
            .ok_or_else(|| StorageError::corrupt(&path, "shorter than its index"))?;
        let known = self.indexes.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some((of, index)) = known
            && of == identity
        {
            return Ok(Some(Shard { file, path, end, index }));
        }
        let bytes = read_at(&mut file, end, self.codecs.index_bytes)?;
        let index = self.codecs.decode_index(bytes).map_err(|error| StorageError::corrupt(&path, error))?;
        let index = Arc::new(index);
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        if indexes.len() >= CACHED_INDEXES {
            // Reading an index again costs one small read: not worth remembering an order.
            indexes.clear();
        }
        indexes.insert(key, (identity, index.clone()));
        Ok(Some(Shard { file, path, end, index }))
    }

    /// The pixels of one chunk as bytes in native order; `None` if it is absent.
    fn read_chunk(&self, shard: &mut Shard, place: usize) -> Result<Option<Vec<u8>>> {
        let Some([offset, length]) = shard.chunk(place)? else { return Ok(None) };
        let encoded = read_at(&mut shard.file, offset, length)?;
        let pixels = self
            .codecs
            .decode_chunk(encoded)
            .map_err(|error| StorageError::corrupt(&shard.path, format!("chunk {place}: {error}")))?;
        Ok(Some(pixels))
    }
}

struct Shard {
    file: File,
    path: PathBuf,
    /// Where the chunks end and the index begins.
    end: u64,
    index: Arc<ShardIndex>,
}

impl Shard {
    /// Offset and length of a chunk, inside the file; `None` if it is absent.
    fn chunk(&self, place: usize) -> Result<Option<[u64; 2]>> {
        let [offset, length] = self.index[place];
        if [offset, length] == [u64::MAX; 2] {
            return Ok(None);
        }
        if offset.checked_add(length).is_none_or(|end| end > self.end) {
            return Err(StorageError::corrupt(&self.path, format!("chunk {place} lies beyond the end")));
        }
        Ok(Some([offset, length]))
    }
}

/// The block at a position of a grid of blocks.
fn block(y: usize, x: usize, size: Size) -> Rect {
    Rect::new(y * size.height, x * size.width, size)
}

/// The grid positions of the blocks that a window touches, row by row.
fn blocks(window: Rect, block: Size) -> impl Iterator<Item = (usize, usize)> {
    let rows = window.y / block.height..(window.y + window.size.height).div_ceil(block.height);
    let columns = window.x / block.width..(window.x + window.size.width).div_ceil(block.width);
    let columns = if window.size.area() == 0 { 0..0 } else { columns };
    rows.flat_map(move |y| columns.clone().map(move |x| (y, x)))
}

/// What two windows have in common.
fn overlap(one: Rect, other: Rect) -> Rect {
    let (y, x) = (one.y.max(other.y), one.x.max(other.x));
    let bottom = (one.y + one.size.height).min(other.y + other.size.height);
    let right = (one.x + one.size.width).min(other.x + other.size.width);
    Rect::new(y, x, Size::new(bottom.saturating_sub(y), right.saturating_sub(x)))
}

/// Copy the pixels of `chunk`, given as bytes, that lie in `window`, into the plane of that window.
fn copy_overlap<T: Pixel>(pixels: &[u8], chunk: Rect, window: Rect, target: &mut Plane<T>) {
    let common = overlap(chunk, window);
    let from = (common.x - chunk.x) * size_of::<T>();
    let length = common.size.width * size_of::<T>();
    let to = common.x - window.x;
    for row in common.y..common.y + common.size.height {
        let start = (row - chunk.y) * chunk.size.width * size_of::<T>() + from;
        let out = &mut target.row_mut(row - window.y)[to..to + common.size.width];
        bytemuck::cast_slice_mut(out).copy_from_slice(&pixels[start..start + length]);
    }
}

fn read_at(file: &mut File, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length as usize];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
