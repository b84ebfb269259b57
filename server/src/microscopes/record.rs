//! What is known about each plane, and where it is known from.

use std::collections::BTreeMap;

use super::well::WellName;

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Provenance {
    /// The microscope's metadata files.
    Metadata,
    /// OME-XML, in the image file's header or in a companion file.
    OmeXml,
    /// The image file's name.
    FileName,
    /// The header of the image file.
    FileHeader,
    /// Nothing said so: the documented default.
    Default,
}

/// A value and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known<T> {
    /// The value.
    pub value: T,
    /// Its source.
    pub from: Provenance,
}

impl<T> Known<T> {
    /// A value from a source.
    pub const fn new(value: T, from: Provenance) -> Self {
        Self { value, from }
    }
}

/// One plane of pixels in an uploaded file, and everything that names and metadata say about it.
///
/// Numbers are as the microscope counts them (mostly from one). `height`, `width` and `bit_depth` always
/// come from the file's header.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaneRecord {
    /// Name of the uploaded file.
    pub file: String,
    /// Image within the file, zero-based; 0 unless the format holds several.
    pub series: usize,
    /// Page within the image, zero-based.
    pub plane: usize,
    /// The well.
    pub well: Option<Known<WellName>>,
    /// Number of the field of view within the well.
    pub site: Option<Known<u32>>,
    /// Name of the channel.
    pub channel: Option<Known<String>>,
    /// What the channel shows, for people, as the file's header says.
    pub label: Option<String>,
    /// Colour of the channel as `RRGGBB`, as the file's header says.
    pub color: Option<String>,
    /// Number of the step of the protocol that took the plane; two steps may use the same channel.
    pub action: Option<Known<u32>>,
    /// Number of the focal plane.
    pub z: Option<Known<u32>>,
    /// Number of the time point.
    pub t: Option<Known<u32>>,
    /// Stage position in µm, to the right.
    pub x_um: Option<Known<f64>>,
    /// Stage position in µm, **down** as in images: readers turn around axes that point up.
    pub y_um: Option<Known<f64>>,
    /// Focus position in µm.
    pub z_um: Option<Known<f64>>,
    /// Rows of pixels.
    pub height: u32,
    /// Columns of pixels.
    pub width: u32,
    /// Bits per pixel.
    pub bit_depth: u8,
    /// When the plane was taken, as the microscope wrote it.
    pub date: Option<Known<String>>,
}

/// Rows and columns of wells of a plate, as metadata give them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlateShape {
    /// Rows of wells.
    pub rows: u32,
    /// Columns of wells.
    pub columns: u32,
}

/// What metadata say about a channel beside its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelDetails {
    /// What it shows, for people: a stain, for example.
    pub label: Option<String>,
    /// Colour as `RRGGBB`.
    pub color: Option<String>,
}

/// All planes of an acquisition, and what the metadata say about the whole of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AcquisitionRecords {
    /// Title of the measurement or plate.
    pub title: Option<String>,
    /// Size of the plate.
    pub plate: Option<PlateShape>,
    /// Size of a pixel in the specimen, in µm.
    pub pixel_size_um: Option<f64>,
    /// Distance of focal planes, in µm.
    pub z_step_um: Option<f64>,
    /// Channels that metadata say more about, by name.
    pub channels: BTreeMap<String, ChannelDetails>,
    /// One entry per plane, in natural order of file names.
    pub planes: Vec<PlaneRecord>,
    /// What a person should know but that stops nothing.
    pub warnings: Vec<String>,
}
