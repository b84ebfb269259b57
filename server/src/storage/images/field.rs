//! Field images: all planes of one field of view.

use std::path::Path;

use tm_engine::EngineError;
use tm_engine::image::{BitDepth, GreyPlane, Plane, Rect, Size};

use super::array::ShardedArray;
use super::metadata;
use crate::storage::error::{Result, StorageError};

/// Which plane of a field image, every index counting from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlaneIndex {
    /// Time point.
    pub t: usize,
    /// Channel; cycles are channels too.
    pub c: usize,
    /// Focal plane.
    pub z: usize,
}

/// Where a plane is inside its field image: one shard.
pub fn plane_path(PlaneIndex { t, c, z }: PlaneIndex) -> String {
    format!("0/c/{t}/{c}/{z}/0/0")
}

/// The stored planes of one field of view, opened.
///
/// Shared by reading and writing threads; what one writes, the others read from then on, in other
/// processes too.
pub struct FieldImage {
    array: ShardedArray,
    planes: PlaneIndex,
}

impl FieldImage {
    /// Open the image of `field` (see [`super::field_path`]) of the plate at `plate`.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] when there is no such plate or field, [`StorageError::Corrupt`] when its
    /// metadata are not what this program writes.
    pub fn open(plate: &Path, field: &str) -> Result<Self> {
        let directory = plate.join(field);
        metadata::read_group(&directory)?;
        let array = ShardedArray::open(directory.join("0"))?;
        let planes = array.planes().ok_or_else(|| StorageError::corrupt(&directory, "an array of 2 axes"))?;
        // A plane is read from one shard; see `read_window`.
        if array.shard().height < array.size().height || array.shard().width < array.size().width {
            return Err(StorageError::corrupt(&directory, "planes in more than one shard"));
        }
        Ok(Self { array, planes })
    }

    /// Height and width of every plane, in pixels.
    pub fn size(&self) -> Size {
        self.array.size()
    }

    /// Bits per pixel.
    pub fn depth(&self) -> BitDepth {
        self.array.depth()
    }

    /// Number of time points, channels and focal planes.
    pub fn planes(&self) -> PlaneIndex {
        self.planes
    }

    /// Store a plane, replacing what was there; whole or not at all.
    ///
    /// # Errors
    /// [`StorageError::Engine`] when the plane is of another size or depth than the image, or the image
    /// has no such plane; [`StorageError::Io`] when the disk fails or is full.
    pub fn write_plane(&self, at: PlaneIndex, plane: &GreyPlane) -> Result<()> {
        self.check(at)?;
        let described = |size: Size, depth: BitDepth| format!("{size} pixels of {} bits", depth.bits());
        if plane.size() != self.size() || plane.depth() != self.depth() {
            return Err(StorageError::Engine(EngineError::Shape {
                what: "plane of a field image",
                expected: described(self.size(), self.depth()),
                actual: described(plane.size(), plane.depth()),
            }));
        }
        match plane {
            GreyPlane::U8(plane) => self.array.write_shard(at, (0, 0), plane.view(), false),
            GreyPlane::U16(plane) => self.array.write_shard(at, (0, 0), plane.view(), false),
        }
    }

    /// Read a whole plane; `None` if it was never written.
    ///
    /// # Errors
    /// As for [`Self::read_window`].
    pub fn read_plane(&self, at: PlaneIndex) -> Result<Option<GreyPlane>> {
        self.read_window(at, Rect::new(0, 0, self.size()))
    }

    /// Read a window of a plane; `None` if the plane was never written.
    ///
    /// Costs one decompression per 256×256 chunk that the window touches.
    ///
    /// # Errors
    /// [`StorageError::Engine`] when the window leaves the plane or the image has no such plane;
    /// [`StorageError::Corrupt`] when the stored bytes are damaged.
    pub fn read_window(&self, at: PlaneIndex, window: Rect) -> Result<Option<GreyPlane>> {
        self.check(at)?;
        self.check_window(window)?;
        Ok(match self.depth() {
            BitDepth::Eight => {
                let mut plane = Plane::<u8>::zeros(window.size);
                self.read_into(at, window, &mut plane)?.then(|| plane.into())
            }
            BitDepth::Sixteen => {
                let mut plane = Plane::<u16>::zeros(window.size);
                self.read_into(at, window, &mut plane)?.then(|| plane.into())
            }
        })
    }

    /// Look at a stored plane without giving out pixels: that its file holds what its index says, and that every
    /// chunk can be decoded if `deep`. The value is whether the plane was written.
    ///
    /// # Errors
    /// [`StorageError::Engine`] when the image has no such plane; [`StorageError::Corrupt`] when the stored
    /// bytes are damaged.
    pub fn check_plane(&self, at: PlaneIndex, deep: bool) -> Result<bool> {
        self.check(at)?;
        self.array.check_shard(at, (0, 0), deep)
    }

    fn read_into<T: tm_engine::image::Pixel>(
        &self,
        at: PlaneIndex,
        window: Rect,
        plane: &mut Plane<T>,
    ) -> Result<bool> {
        Ok(self.array.read_window(at, window, plane)? > 0)
    }

    fn check(&self, at: PlaneIndex) -> Result<()> {
        if at.t < self.planes.t && at.c < self.planes.c && at.z < self.planes.z {
            return Ok(());
        }
        Err(StorageError::Engine(EngineError::Shape {
            what: "index of a plane",
            expected: format!("below {:?}", self.planes),
            actual: format!("{at:?}"),
        }))
    }

    fn check_window(&self, window: Rect) -> Result<()> {
        let size = self.size();
        let fits = window.size.height > 0
            && window.size.width > 0
            && window.y.checked_add(window.size.height).is_some_and(|end| end <= size.height)
            && window.x.checked_add(window.size.width).is_some_and(|end| end <= size.width);
        if fits {
            return Ok(());
        }
        Err(StorageError::Engine(EngineError::Shape {
            what: "window of a plane",
            expected: format!("pixels inside {size}"),
            actual: format!("{} at row {}, column {}", window.size, window.y, window.x),
        }))
    }
}
