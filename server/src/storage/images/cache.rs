//! Opened images, kept for the next request.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{FieldImage, LayerPyramid};
use crate::storage::error::Result;

/// Field images and layers that were opened lately: opening one reads and checks two or more JSON files,
/// several times the work of reading a chunk.
///
/// Bounded by number. Holds metadata and shard indexes, no open files and no pixels. A shard that is
/// replaced is noticed by itself; [`Self::forget`] is for plates and layers that are deleted or made anew.
pub struct OpenImages {
    fields: Shelf<FieldImage>,
    layers: Shelf<LayerPyramid>,
}

impl Default for OpenImages {
    fn default() -> Self {
        Self::new(1024)
    }
}

impl OpenImages {
    /// A cache of at most `capacity` field images and as many layers.
    pub fn new(capacity: usize) -> Self {
        Self { fields: Shelf::new(capacity), layers: Shelf::new(capacity) }
    }

    /// The image of `field` of the plate at `plate`; see [`FieldImage::open`].
    ///
    /// # Errors
    /// Those of [`FieldImage::open`]; failures are not remembered.
    pub fn get_field(&self, plate: &Path, field: &str) -> Result<Arc<FieldImage>> {
        self.fields.get(plate.join(field), || FieldImage::open(plate, field))
    }

    /// The layer at `path`; see [`LayerPyramid::open`].
    ///
    /// # Errors
    /// Those of [`LayerPyramid::open`]; failures are not remembered.
    pub fn get_layer(&self, path: &Path) -> Result<Arc<LayerPyramid>> {
        self.layers.get(path.to_owned(), || LayerPyramid::open(path))
    }

    /// Drop everything at or below `prefix`. To be called after the files are gone: an image that is
    /// being opened meanwhile is then not kept.
    pub fn forget(&self, prefix: &Path) {
        self.fields.forget(prefix);
        self.layers.forget(prefix);
    }
}

impl std::fmt::Debug for OpenImages {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fields = self.fields.lock().things.len();
        let layers = self.layers.lock().things.len();
        formatter.debug_struct("OpenImages").field("fields", &fields).field("layers", &layers).finish()
    }
}

/// Things by path; the one not asked for the longest gives way.
struct Shelf<T> {
    capacity: usize,
    state: Mutex<State<T>>,
}

struct State<T> {
    things: HashMap<PathBuf, (Arc<T>, u64)>,
    /// Counts requests: the age of a thing is when it was last asked for.
    clock: u64,
    /// Counts calls of `forget`: a thing opened before one must not be kept after it.
    forgotten: u64,
}

impl<T> Shelf<T> {
    fn new(capacity: usize) -> Self {
        let state = State { things: HashMap::new(), clock: 0, forgotten: 0 };
        Self { capacity: capacity.max(1), state: Mutex::new(state) }
    }

    fn get(&self, path: PathBuf, open: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        let forgotten = {
            let mut state = self.lock();
            state.clock += 1;
            let now = state.clock;
            if let Some((thing, used)) = state.things.get_mut(&path) {
                *used = now;
                return Ok(thing.clone());
            }
            state.forgotten
        };
        // Opened without the lock, so that a slow disk holds up nobody else. Two threads may open the
        // same image; the second one's stays.
        let thing = Arc::new(open()?);
        let mut state = self.lock();
        if state.forgotten != forgotten {
            return Ok(thing);
        }
        if state.things.len() >= self.capacity && !state.things.contains_key(&path) {
            let oldest = state.things.iter().min_by_key(|(_, (_, used))| *used).map(|(path, _)| path.clone());
            if let Some(oldest) = oldest {
                state.things.remove(&oldest);
            }
        }
        let now = state.clock;
        state.things.insert(path, (thing.clone(), now));
        Ok(thing)
    }

    fn forget(&self, prefix: &Path) {
        let mut state = self.lock();
        state.forgotten += 1;
        state.things.retain(|path, _| !path.starts_with(prefix));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
