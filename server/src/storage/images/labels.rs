//! Label images of an exported plate: which pixel of a field image belongs to which object.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tm_engine::EngineError;
use tm_engine::image::{Plane, Size};
use zarrs::array::ArrayMetadataV3;

use super::array::ShardedArray;
use super::codecs::{Codecs, Sample};
use super::field::{PlaneIndex, plane_path};
use super::full::DOCUMENT;
use super::metadata;
use crate::storage::error::{Result, StorageError};

/// Where the label images of a field image are inside it.
const LABELS: &str = "labels";

/// The label image of a type of objects in a field image: its planes are those of one channel.
pub struct LabelImage {
    directory: PathBuf,
    planes: PlaneIndex,
    size: Size,
    shard: Size,
    codecs: Codecs,
}

/// The document that lists the label images of a field image.
fn labels_document(names: &[&str]) -> String {
    metadata::text(&metadata::group(json!({ "labels": names })))
}

impl LabelImage {
    /// Make one without objects under the name of a file in the field image at `field`, and show it under `title`.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when the field image is not what this program writes, [`StorageError::Io`] when the
    /// disk fails or is full.
    pub fn create(field: &Path, name: &str, title: &str) -> Result<Self> {
        let ome = metadata::read_group(field)?;
        let of_field = ShardedArray::open(field.join("0"))?;
        let planes = of_field.planes().ok_or_else(|| StorageError::corrupt(field, "an array of 2 axes"))?;
        let (size, shard) = (of_field.size(), of_field.shard());
        let directory = field.join(LABELS).join(name);
        fs::create_dir_all(directory.join("0"))?;
        let multiscale = &ome["multiscales"][0];
        let group = metadata::group(json!({
            "multiscales": [{
                "name": title,
                "axes": multiscale["axes"],
                "datasets": multiscale["datasets"],
            }],
            "image-label": { "source": { "image": "../../" } },
        }));
        fs::write(directory.join(DOCUMENT), metadata::text(&group))?;
        let leading = [planes.t, 1, planes.z];
        let array = metadata::array(Sample::Label, &leading, size, shard, &["t", "c", "z", "y", "x"]);
        fs::write(directory.join("0").join(DOCUMENT), metadata::text(&array))?;
        let refused = |problem: String| StorageError::corrupt(&directory, problem);
        let array: ArrayMetadataV3 =
            serde_json::from_value(array).map_err(|error| refused(error.to_string()))?;
        let codecs = Codecs::new(&array, Sample::Label, shard).map_err(refused)?;
        Ok(Self { directory, planes, size, shard, codecs })
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
        self.size
    }

    /// Write a plane, given the places of its time point and focal plane in the image. One without objects leaves no
    /// file.
    ///
    /// # Errors
    /// [`StorageError::Engine`] when the labels are of another size or there is no such plane,
    /// [`StorageError::Io`] when the disk fails or is full.
    pub fn write_plane(&self, t: usize, z: usize, labels: &Plane<i32>) -> Result<()> {
        if labels.size() != self.size || t >= self.planes.t || z >= self.planes.z {
            return Err(StorageError::Engine(EngineError::Shape {
                what: "plane of a label image",
                expected: format!("{} pixels, below {:?}", self.size, self.planes),
                actual: format!("{} pixels, t {t}, z {z}", labels.size()),
            }));
        }
        if labels.pixels().iter().all(|label| *label == 0) {
            return Ok(());
        }
        let path = self.directory.join(plane_path(PlaneIndex { t, c: 0, z }));
        let row_bytes = self.shard.width * Sample::Label.bytes();
        let mut bytes = vec![0; self.shard.area() * Sample::Label.bytes()];
        let rows = labels.pixels().chunks_exact(self.size.width);
        for (row, target) in rows.zip(bytes.chunks_exact_mut(row_bytes)) {
            // Labels have no sign: their bytes are those of unsigned numbers.
            let source: &[u8] = bytemuck::cast_slice(row);
            target[..source.len()].copy_from_slice(source);
        }
        let encoded = self.codecs.encode_shard(bytes).map_err(|error| StorageError::corrupt(&path, error))?;
        fs::create_dir_all(path.parent().unwrap_or(&self.directory))?;
        Ok(fs::write(path, encoded)?)
    }
}
