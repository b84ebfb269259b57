//! Camera image files, read as planes of grey values: TIFF and PNG.
//!
//! The format is told by the first bytes, never by the file's extension. Numbers in a file's header
//! are claims: nothing is allocated before they have been compared with the [`ReadLimits`] and with
//! the length of the file.
//!
//! What is accepted is what cameras write: 8 or 16 bits of grey per pixel. Everything else (colour,
//! floats, 32 bits, signed values, bilevel images) is refused with a sentence that says what it was.

mod chunks;
mod ifd;
mod overlay;
mod png;
mod tiff;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tm_engine::image::GreyPlane;

/// How much an image file may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadLimits {
    /// Largest height × width of one page, in pixels.
    pub max_pixels: u64,
    /// Largest number of pages of one file.
    pub max_pages: usize,
    /// Longest description text, in bytes.
    pub max_description_bytes: u64,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { max_pixels: 1 << 28, max_pages: 4096, max_description_bytes: 1 << 26 }
    }
}

/// One page of an image file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageInfo {
    /// Number of rows.
    pub height: u32,
    /// Number of columns.
    pub width: u32,
    /// Bits per pixel that [`read_plane`] delivers: 8 or 16.
    pub bit_depth: u8,
}

/// What the headers of an image file say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFileInfo {
    /// The pages in file order: the planes of a stack, the directories of another TIFF; a PNG has one.
    pub pages: Vec<PageInfo>,
    /// TIFF `ImageDescription` of the first page (OME-XML, for instance).
    pub description: Option<String>,
}

/// Why an image file cannot be read. Messages name the file, not where it lies.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file contradicts its format, or ends too early: it has to be made or copied again.
    #[error("{file}: damaged image file: {what}")]
    Malformed {
        /// File name without directory.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// The file is fine but holds something other than 8-bit or 16-bit grey planes.
    #[error("{file}: unsupported image file: {what}")]
    Unsupported {
        /// File name without directory.
        file: String,
        /// What was found, and what was wanted.
        what: String,
    },
    /// The file asks for more than the [`ReadLimits`] allow.
    #[error("{file}: image file too large: {what}")]
    TooLarge {
        /// File name without directory.
        file: String,
        /// What was asked for, and the limit.
        what: String,
    },
    /// The file could not be read from the disk.
    #[error("{file}: {source}")]
    Io {
        /// File name without directory.
        file: String,
        /// What the file system reported.
        source: io::Error,
    },
}

/// A [`ReadError`] that does not know its file yet.
#[derive(Debug)]
enum Fault {
    Malformed(String),
    Unsupported(String),
    TooLarge(String),
    Io(io::Error),
}

impl Fault {
    fn at(self, path: &Path) -> ReadError {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match self {
            Self::Malformed(what) => ReadError::Malformed { file, what },
            Self::Unsupported(what) => ReadError::Unsupported { file, what },
            Self::TooLarge(what) => ReadError::TooLarge { file, what },
            Self::Io(source) => ReadError::Io { file, source },
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Malformed("the file ends too early".into()),
            // The decompressors report bad streams this way.
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Self::Malformed(error.to_string()),
            _ => Self::Io(error),
        }
    }
}

/// Read the headers of an image file, and check that all the pixels they announce are there.
///
/// Pixels are not decoded: damage inside compressed data is found by [`read_plane`] only.
///
/// # Errors
/// Any [`ReadError`]; a file of which one page cannot be read is refused as a whole.
pub fn inspect(path: &Path, limits: &ReadLimits) -> Result<ImageFileInfo, ReadError> {
    let look = || match open(path)? {
        (Format::Tiff, file) => tiff::inspect(file, limits),
        (Format::Png, file) => png::inspect(file, limits),
    };
    look().map_err(|fault| fault.at(path))
}

/// Read one page of an image file; `page` counts from 0.
///
/// White-is-zero images are inverted and grey palettes applied, so that larger always means brighter.
///
/// # Errors
/// Any [`ReadError`]; [`ReadError::Malformed`] when the file has no such page.
pub fn read_plane(path: &Path, page: usize, limits: &ReadLimits) -> Result<GreyPlane, ReadError> {
    let read = || match open(path)? {
        (Format::Tiff, file) => tiff::read_plane(file, page, limits),
        (Format::Png, file) => png::read_plane(file, page, limits),
    };
    read().map_err(|fault| fault.at(path))
}

enum Format {
    Tiff,
    Png,
}

fn open(path: &Path) -> Result<(Format, File), Fault> {
    let mut file = File::open(path)?;
    let mut magic = Vec::with_capacity(8);
    Read::by_ref(&mut file).take(8).read_to_end(&mut magic)?;
    file.seek(SeekFrom::Start(0))?;
    let format = match magic.as_slice() {
        b"\x89PNG\r\n\x1a\n" => Format::Png,
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Format::Tiff,
        [] => return Err(Fault::Malformed("the file is empty".into())),
        _ => return Err(Fault::Unsupported("neither TIFF nor PNG by its first bytes".into())),
    };
    Ok((format, file))
}

/// Refuse images of no pixels or of too many.
fn check_pixels(height: u64, width: u64, limits: &ReadLimits) -> Result<(), Fault> {
    if height == 0 || width == 0 {
        return Err(Fault::Malformed(format!("an image of {height}×{width} pixels")));
    }
    match height.checked_mul(width) {
        Some(pixels) if pixels <= limits.max_pixels => Ok(()),
        _ => Err(Fault::TooLarge(format!("{height}×{width} pixels, {} are allowed", limits.max_pixels))),
    }
}
