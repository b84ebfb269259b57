//! Label images of a plate: which pixel of a field image belongs to which object. They are made when they are asked for,
//! or exported.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tm_engine::EngineError;
use tm_engine::image::{Plane, Size};
use zarrs::array::{ArrayMetadataV3, CodecError};

use super::array::ShardedArray;
use super::codecs::{Codecs, Sample};
use super::field::{PlaneIndex, plane_path};
use super::full::DOCUMENT;
use super::metadata;
use crate::storage::error::{Result, StorageError};

/// Where the label images of a field image are inside it.
pub const LABELS: &str = "labels";

/// What the label images of a field image look like: its axes and pixel size, and one channel.
pub struct LabelLook {
    axes: Value,
    datasets: Value,
    array: Value,
    planes: PlaneIndex,
    size: Size,
    shard: Size,
    codecs: Codecs,
}

/// The label image of a type of objects in an exported field image.
pub struct LabelImage {
    directory: PathBuf,
    look: LabelLook,
}

/// The document that lists the label images of a field image.
pub fn labels_document(names: &[&str]) -> String {
    metadata::text(&metadata::group(json!({ "labels": names })))
}

impl LabelLook {
    /// That of the field image at `field`.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] when there is none, [`StorageError::Corrupt`] when it is not what this program writes.
    pub fn of(field: &Path) -> Result<Self> {
        let mut multiscale = metadata::read_group(field)?["multiscales"][0].take();
        let of_field = ShardedArray::open(field.join("0"))?;
        let planes = of_field.planes().ok_or_else(|| StorageError::corrupt(field, "an array of 2 axes"))?;
        let (size, shard) = (of_field.size(), of_field.shard());
        let leading = [planes.t, 1, planes.z];
        let array = metadata::array(Sample::Label, &leading, size, shard, &["t", "c", "z", "y", "x"]);
        let refused = |problem: String| StorageError::corrupt(field, problem);
        let parsed: ArrayMetadataV3 =
            serde_json::from_value(array.clone()).map_err(|error| refused(error.to_string()))?;
        let codecs = Codecs::new(&parsed, Sample::Label, shard).map_err(refused)?;
        let [axes, datasets] = ["axes", "datasets"].map(|key| multiscale[key].take());
        Ok(Self { axes, datasets, array, planes, size, shard, codecs })
    }

    /// Height and width of every plane, in pixels.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The document of a label image that is shown under `title`.
    pub fn image_document(&self, title: &str) -> String {
        metadata::text(&metadata::group(json!({
            "multiscales": [{ "name": title, "axes": self.axes, "datasets": self.datasets }],
            "image-label": { "source": { "image": "../../" } },
        })))
    }

    /// The document of its array (t, 1, z, y, x).
    pub fn array_document(&self) -> String {
        metadata::text(&self.array)
    }

    /// A plane as its shard, given the places of its time point and focal plane in the image; `None` without objects.
    ///
    /// # Errors
    /// [`StorageError::Engine`] when the labels are of another size or there is no such plane.
    pub fn encode_plane(&self, t: usize, z: usize, labels: &Plane<i32>) -> Result<Option<Vec<u8>>> {
        if labels.size() != self.size || t >= self.planes.t || z >= self.planes.z {
            return Err(StorageError::Engine(EngineError::Shape {
                what: "plane of a label image",
                expected: format!("{} pixels, below {:?}", self.size, self.planes),
                actual: format!("{} pixels, t {t}, z {z}", labels.size()),
            }));
        }
        if labels.pixels().iter().all(|label| *label == 0) {
            return Ok(None);
        }
        let row_bytes = self.shard.width * Sample::Label.bytes();
        let mut bytes = vec![0; self.shard.area() * Sample::Label.bytes()];
        let rows = labels.pixels().chunks_exact(self.size.width);
        for (row, target) in rows.zip(bytes.chunks_exact_mut(row_bytes)) {
            // Labels have no sign: their bytes are those of unsigned numbers.
            let source: &[u8] = bytemuck::cast_slice(row);
            target[..source.len()].copy_from_slice(source);
        }
        let refused =
            |error: CodecError| StorageError::Corrupt { what: format!("codecs of a label image: {error}") };
        self.codecs.encode_shard(bytes).map(Some).map_err(refused)
    }
}

impl LabelImage {
    /// Make one without objects under the name of a file in the field image at `field`, and show it under `title`.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when the field image is not what this program writes, [`StorageError::Io`] when the
    /// disk fails or is full.
    pub fn create(field: &Path, name: &str, title: &str) -> Result<Self> {
        let look = LabelLook::of(field)?;
        let directory = field.join(LABELS).join(name);
        fs::create_dir_all(directory.join("0"))?;
        fs::write(directory.join(DOCUMENT), look.image_document(title))?;
        fs::write(directory.join("0").join(DOCUMENT), look.array_document())?;
        Ok(Self { directory, look })
    }

    /// List the label images that a field image has.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the disk fails or is full.
    pub fn list(field: &Path, names: &[&str]) -> Result<()> {
        Ok(fs::write(field.join(LABELS).join(DOCUMENT), labels_document(names))?)
    }

    /// Height and width of every plane, in pixels.
    pub fn size(&self) -> Size {
        self.look.size()
    }

    /// Write a plane; see [`LabelLook::encode_plane`]. One without objects leaves no file.
    ///
    /// # Errors
    /// [`StorageError::Engine`] when the labels are of another size or there is no such plane,
    /// [`StorageError::Io`] when the disk fails or is full.
    pub fn write_plane(&self, t: usize, z: usize, labels: &Plane<i32>) -> Result<()> {
        let Some(encoded) = self.look.encode_plane(t, z, labels)? else { return Ok(()) };
        let path = self.directory.join(plane_path(PlaneIndex { t, c: 0, z }));
        fs::create_dir_all(path.parent().unwrap_or(&self.directory))?;
        Ok(fs::write(path, encoded)?)
    }
}
