//! TIFF pages: which are readable, and their pixels.
//!
//! The pixels are decoded by the `tiff` crate, but for LZW and stacks (see [`super::chunks`]). Three things are done here, before it sees the file:
//! every number it relies on is checked, a page of a long file is found without decoding the pages
//! before it, and palettes of greys are applied (the crate knows none). It is shown the file through
//! an [`Overlay`] in which the wanted page is the first and a palette image is a plain grey one.
//!
//! A MetaMorph or VisiView stack (STK) has one directory for all its planes: tag 33629 has one value per
//! plane, the directory describes the first, and the others follow its strips, each as long as the first
//! (MetaMorph Stack format, Molecular Devices). Its planes are pages like those of other files.

use std::fs::File;
use std::io::{BufReader, Read, Seek};

use ::tiff::decoder::{Decoder, DecodingResult, Limits};
use ::tiff::{TiffError, TiffUnsupportedError};
use tm_engine::image::{GreyPlane, Plane, Size};

use super::ifd::{Directory, Header, Source};
use super::overlay::Overlay;
use super::{Fault, ImageFileInfo, PageInfo, ReadLimits, check_pixels, chunks};

const IMAGE_WIDTH: u16 = 256;
const IMAGE_LENGTH: u16 = 257;
const BITS_PER_SAMPLE: u16 = 258;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const FILL_ORDER: u16 = 266;
const IMAGE_DESCRIPTION: u16 = 270;
const STRIP_OFFSETS: u16 = 273;
const SAMPLES_PER_PIXEL: u16 = 277;
const ROWS_PER_STRIP: u16 = 278;
const STRIP_BYTE_COUNTS: u16 = 279;
const PREDICTOR: u16 = 317;
const COLOR_MAP: u16 = 320;
const TILE_WIDTH: u16 = 322;
const TILE_LENGTH: u16 = 323;
const TILE_OFFSETS: u16 = 324;
const TILE_BYTE_COUNTS: u16 = 325;
const EXTRA_SAMPLES: u16 = 338;
const SAMPLE_FORMAT: u16 = 339;
/// One value per plane of a stack; the values themselves say nothing that is needed.
const STACK_PLANES: u16 = 33629;

pub(super) const UNCOMPRESSED: u64 = 1;
const LZW: u64 = 5;
const PACKBITS: u64 = 32773;
const BLACK_IS_ZERO: u64 = 1;
const PALETTE: u64 = 3;

/// More strips or tiles than this per page are refused; the decoder allots 1 MiB to such a list.
const MAX_CHUNKS: u64 = (1 << 20) / 32;

/// A page that has passed all checks.
pub(super) struct Page {
    pub(super) directory: Directory,
    pub(super) size: Size,
    /// Depth of the stored samples: 8 or 16.
    pub(super) stored_bits: u8,
    palette: Option<Palette>,
    pub(super) compression: u64,
    /// Whether samples are stored as differences.
    pub(super) predicted: bool,
    pub(super) white_is_zero: bool,
    pub(super) chunks: Chunks,
}

/// The strips or tiles of a page.
pub(super) struct Chunks {
    /// Rows of each, but for the last strip.
    pub(super) rows: usize,
    /// Pixels of each row.
    pub(super) columns: usize,
    /// Where each begins in the file.
    pub(super) offsets: Vec<u64>,
    /// How many bytes each takes there.
    pub(super) counts: Vec<u64>,
}

/// What stored samples mean.
enum Palette {
    Eight(Vec<u8>),
    Sixteen(Vec<u16>),
}

impl Page {
    fn bit_depth(&self) -> u8 {
        match &self.palette {
            None => self.stored_bits,
            Some(Palette::Eight(_)) => 8,
            Some(Palette::Sixteen(_)) => 16,
        }
    }
}

pub(super) fn inspect(file: File, limits: &ReadLimits) -> Result<ImageFileInfo, Fault> {
    let mut source = Source::new(BufReader::new(file))?;
    let header = Header::read(&mut source)?;
    let directories = header.directories(&mut source, limits, None)?;
    let description = directories[0].text(IMAGE_DESCRIPTION, limits, &mut source)?;
    let planes = stack_planes(&directories, limits)?;
    let mut pages = Vec::with_capacity(directories.len().max(planes));
    for directory in directories {
        let page = check_page(directory, &mut source, limits)?;
        pages.push(PageInfo {
            height: page.size.height as u32,
            width: page.size.width as u32,
            bit_depth: page.bit_depth(),
        });
        if planes > 1 {
            // The last plane lies behind all others.
            stack_plane(page, planes - 1, &source)?;
        }
    }
    if let [first] = pages[..] {
        pages.resize(planes, first);
    }
    Ok(ImageFileInfo { pages, description })
}

/// Number of planes that the only directory of a stack stands for; 1 for other files.
fn stack_planes(directories: &[Directory], limits: &ReadLimits) -> Result<usize, Fault> {
    let [only] = directories else { return Ok(1) };
    let planes = only.count(STACK_PLANES).max(1);
    usize::try_from(planes).ok().filter(|planes| *planes <= limits.max_pages).ok_or_else(|| {
        Fault::TooLarge(format!("a stack of {planes} planes, {} are allowed", limits.max_pages))
    })
}

/// Plane `plane` of the stack whose first plane is `first`.
fn stack_plane(first: Page, plane: usize, source: &Source<impl Read + Seek>) -> Result<Page, Fault> {
    if first.compression != UNCOMPRESSED || first.directory.contains(TILE_OFFSETS) {
        return Err(Fault::Unsupported(
            "a stack with compressed planes or tiles, plain strips are wanted".into(),
        ));
    }
    let chunks = &first.chunks;
    let start = chunks.offsets.iter().copied().min().unwrap_or(0);
    let ends = chunks.offsets.iter().zip(&chunks.counts).map(|(offset, count)| offset + count);
    let length = ends.max().unwrap_or(0) - start;
    let shift = (plane as u64)
        .checked_mul(length)
        .filter(|shift| start.checked_add(*shift).is_some_and(|moved| source.holds(moved, length)))
        .ok_or_else(|| {
            Fault::Malformed(format!("plane {plane} of a stack lies beyond the end of the file"))
        })?;
    let offsets = chunks.offsets.iter().map(|offset| offset + shift).collect();
    Ok(Page { chunks: Chunks { offsets, counts: chunks.counts.clone(), ..first.chunks }, ..first })
}

pub(super) fn read_plane(file: File, page: usize, limits: &ReadLimits) -> Result<GreyPlane, Fault> {
    let mut source = Source::new(BufReader::with_capacity(1 << 16, file))?;
    let header = Header::read(&mut source)?;
    let mut directories = header.directories(&mut source, limits, Some(page))?;
    let planes = stack_planes(&directories, limits)?;
    let count = directories.len().max(planes);
    if page >= count {
        return Err(Fault::Malformed(format!("page {page} is wanted, the file has {count}")));
    }
    let stacked = planes > 1;
    let directory = directories.swap_remove(if stacked { 0 } else { page });
    let mut found = check_page(directory, &mut source, limits)?;
    if stacked {
        found = stack_plane(found, page, &source)?;
    }
    let page = found;
    let pixels = if stacked || page.compression == LZW {
        let wide = chunks::decode(&mut source, &page)?;
        match page.stored_bits {
            8 => DecodingResult::U8(wide.into_iter().map(|value| value as u8).collect()),
            _ => DecodingResult::U16(wide),
        }
    } else {
        decode(source.into_reader(), &page, limits)?
    };
    let mismatch = |_| Fault::Malformed("fewer pixels than announced".into());
    match (pixels, page.palette) {
        (DecodingResult::U8(pixels), None) => {
            Plane::new(page.size, pixels).map(GreyPlane::U8).map_err(mismatch)
        }
        (DecodingResult::U16(pixels), None) => {
            Plane::new(page.size, pixels).map(GreyPlane::U16).map_err(mismatch)
        }
        (DecodingResult::U8(pixels), Some(palette)) => {
            palette.apply(page.size, pixels.into_iter().map(usize::from)).map_err(mismatch)
        }
        (DecodingResult::U16(pixels), Some(palette)) => {
            palette.apply(page.size, pixels.into_iter().map(usize::from)).map_err(mismatch)
        }
        _ => Err(Fault::Unsupported("samples that are not unsigned integers of 8 or 16 bits".into())),
    }
}

impl Palette {
    fn apply(&self, size: Size, indices: impl Iterator<Item = usize>) -> tm_engine::error::Result<GreyPlane> {
        Ok(match self {
            Self::Eight(table) => Plane::new(size, indices.map(|index| table[index]).collect())?.into(),
            Self::Sixteen(table) => Plane::new(size, indices.map(|index| table[index]).collect())?.into(),
        })
    }
}

fn decode(reader: impl Read + Seek, page: &Page, limits: &ReadLimits) -> Result<DecodingResult, Fault> {
    let header = page.directory.header;
    let mut overlay = Overlay::new(reader)?;
    let (pointer, width) = header.first_pointer();
    overlay.patch(pointer, header.bytes(page.directory.offset, width));
    let mut replace = |tag: u16, value: u64| match page.directory.number_place(tag) {
        Some((offset, width)) => {
            overlay.patch(offset, header.bytes(value, width));
            Ok(())
        }
        None => Err(Fault::Malformed(format!("tag {tag} has more than one value"))),
    };
    if page.palette.is_some() {
        replace(PHOTOMETRIC, BLACK_IS_ZERO)?;
    }
    // A predictor belongs to LZW and deflate; elsewhere the tag means nothing (TIFF 6.0, section 14).
    if matches!(page.compression, UNCOMPRESSED | PACKBITS) && page.directory.contains(PREDICTOR) {
        replace(PREDICTOR, 1)?;
    }
    let mut budget = Limits::default();
    budget.decoding_buffer_size = usize::try_from(limits.max_pixels.saturating_mul(2)).unwrap_or(usize::MAX);
    budget.intermediate_buffer_size = budget.decoding_buffer_size.saturating_add(1 << 20);
    let mut decoder = Decoder::new(overlay)?.with_limits(budget);
    Ok(decoder.read_image()?)
}

/// Check everything the decoder relies on: kind of pixels, size, and that all of them are there.
fn check_page(
    directory: Directory,
    source: &mut Source<impl Read + Seek>,
    limits: &ReadLimits,
) -> Result<Page, Fault> {
    let unsupported = |what: String| Err(Fault::Unsupported(what));
    let samples = directory.number(SAMPLES_PER_PIXEL, 1, source)?;
    if samples != 1 || directory.count(EXTRA_SAMPLES) > 0 {
        return unsupported(format!(
            "{samples} samples per pixel (colour or alpha), one grey sample is wanted"
        ));
    }
    let bits = directory.number(BITS_PER_SAMPLE, 1, source)?;
    let stored_bits = match (bits, directory.count(BITS_PER_SAMPLE)) {
        (8, 1) => 8,
        (16, 1) => 16,
        _ => return unsupported(format!("{bits} bits per pixel, 8 or 16 are wanted")),
    };
    match directory.number(SAMPLE_FORMAT, 1, source)? {
        1 => {}
        2 => return unsupported("signed pixels, unsigned ones are wanted".into()),
        3 => return unsupported("floating-point pixels, unsigned integers are wanted".into()),
        other => return unsupported(format!("sample format {other}, unsigned integers are wanted")),
    }
    let compression = directory.number(COMPRESSION, 1, source)?;
    if !matches!(compression, UNCOMPRESSED | LZW | 8 | 32946 | PACKBITS) {
        return unsupported(format!("compression {compression}, none, LZW, deflate or PackBits is wanted"));
    }
    let predictor = directory.number(PREDICTOR, 1, source)?;
    if !matches!(predictor, 1 | 2) {
        return unsupported(format!("predictor {predictor}, none or horizontal is wanted"));
    }
    if directory.number(FILL_ORDER, 1, source)? != 1 {
        return unsupported("bytes with their bits in reverse order".into());
    }
    let height = directory.number(IMAGE_LENGTH, 0, source)?;
    let width = directory.number(IMAGE_WIDTH, 0, source)?;
    check_pixels(height, width, limits)?;
    let chunks =
        check_chunks(&directory, Geometry { height, width, bytes: bits / 8, compression }, source, limits)?;
    let photometric = directory.number(PHOTOMETRIC, u64::MAX, source)?;
    let palette = match photometric {
        0 | 1 => None,
        PALETTE => Some(read_palette(&directory, stored_bits, source)?),
        u64::MAX => return unsupported("no word on what the pixel values mean (tag 262)".into()),
        other => return unsupported(format!("photometric interpretation {other}, grey is wanted")),
    };
    Ok(Page {
        size: Size::new(height as usize, width as usize),
        directory,
        stored_bits,
        palette,
        compression,
        predicted: predictor == 2 && !matches!(compression, UNCOMPRESSED | PACKBITS),
        white_is_zero: photometric == 0,
        chunks,
    })
}

struct Geometry {
    height: u64,
    width: u64,
    /// Bytes per pixel.
    bytes: u64,
    compression: u64,
}

/// Check that every strip or tile is announced and lies inside the file.
fn check_chunks(
    directory: &Directory,
    image: Geometry,
    source: &mut Source<impl Read + Seek>,
    limits: &ReadLimits,
) -> Result<Chunks, Fault> {
    let tiled = directory.contains(TILE_OFFSETS);
    let (offsets_tag, counts_tag, rows, columns) = if tiled {
        let rows = directory.number(TILE_LENGTH, 0, source)?;
        let columns = directory.number(TILE_WIDTH, 0, source)?;
        check_pixels(rows, columns, limits)?;
        (TILE_OFFSETS, TILE_BYTE_COUNTS, rows, columns)
    } else {
        let rows = directory.number(ROWS_PER_STRIP, image.height, source)?.min(image.height);
        if rows == 0 {
            return Err(Fault::Malformed("strips of no rows".into()));
        }
        (STRIP_OFFSETS, STRIP_BYTE_COUNTS, rows, image.width)
    };
    let expected = image.height.div_ceil(rows) * image.width.div_ceil(columns);
    if expected > MAX_CHUNKS {
        return Err(Fault::TooLarge(format!("{expected} strips or tiles, {MAX_CHUNKS} are allowed")));
    }
    for tag in [offsets_tag, counts_tag] {
        let count = directory.count(tag);
        if count != expected {
            return Err(Fault::Malformed(format!("tag {tag} has {count} values, {expected} are wanted")));
        }
    }
    let offsets = directory.numbers(offsets_tag, source)?.unwrap_or_default();
    let counts = directory.numbers(counts_tag, source)?.unwrap_or_default();
    for (index, (&offset, &count)) in offsets.iter().zip(&counts).enumerate() {
        if !source.holds(offset, count) {
            let what =
                format!("strip or tile {index} of {count} bytes at {offset} lies beyond the end of the file");
            return Err(Fault::Malformed(what));
        }
        let last_row = (index as u64 + 1) * rows;
        let wanted_rows = if tiled || last_row <= image.height { rows } else { image.height % rows };
        let wanted = wanted_rows * columns * image.bytes;
        if count.saturating_mul(largest_ratio(image.compression)) < wanted {
            let what =
                format!("strip or tile {index} has {count} bytes, too few for {wanted} bytes of pixels");
            return Err(Fault::Malformed(what));
        }
    }
    Ok(Chunks { rows: rows as usize, columns: columns as usize, offsets, counts })
}

/// How many bytes one byte can stand for at most: what a file cannot hold is refused before room is made
/// for it.
fn largest_ratio(compression: u64) -> u64 {
    match compression {
        UNCOMPRESSED => 1,
        // A repetition of 128 takes 2 bytes.
        PACKBITS => 64,
        // Codes of 9 bits or more, each for fewer than 4096 bytes.
        LZW => 4096,
        // A length of 258 takes 2 bits.
        _ => 1032,
    }
}

/// The grey values of a colour map: three lists of `2^bits` 16-bit numbers, red, green, blue.
///
/// Writers disagree on how 8-bit greys are spread over 16 bits: `v·257` (the standard), `v·256`, and
/// plain `v` are all taken for 8-bit greys; anything else is kept at 16 bits.
fn read_palette(
    directory: &Directory,
    bits: u8,
    source: &mut Source<impl Read + Seek>,
) -> Result<Palette, Fault> {
    let length = 1usize << bits;
    if directory.count(COLOR_MAP) != 3 * length as u64 {
        let count = directory.count(COLOR_MAP);
        return Err(Fault::Malformed(format!("a palette of {count} values, {} are wanted", 3 * length)));
    }
    let map = directory.numbers(COLOR_MAP, source)?.unwrap_or_default();
    let (red, rest) = map.split_at(length);
    let (green, blue) = rest.split_at(length);
    if red != green || red != blue {
        return Err(Fault::Unsupported("a palette of colours, greys are wanted".into()));
    }
    if red.iter().any(|value| *value > u64::from(u16::MAX)) {
        return Err(Fault::Malformed("a palette of more than 16 bits".into()));
    }
    let eight = |map: fn(u64) -> u64| Palette::Eight(red.iter().map(|value| map(*value) as u8).collect());
    Ok(if red.iter().all(|value| value % 257 == 0) {
        eight(|value| value / 257)
    } else if red.iter().all(|value| *value <= 255) {
        eight(|value| value)
    } else if red.iter().all(|value| value % 256 == 0) {
        eight(|value| value / 256)
    } else {
        Palette::Sixteen(red.iter().map(|value| *value as u16).collect())
    })
}

impl From<TiffError> for Fault {
    fn from(error: TiffError) -> Self {
        match error {
            TiffError::IoError(error) => error.into(),
            TiffError::UnsupportedError(TiffUnsupportedError::UnsupportedCompressionMethod(method)) => {
                Self::Unsupported(format!("compression {}", method.to_u16()))
            }
            TiffError::UnsupportedError(error) => Self::Unsupported(error.to_string()),
            TiffError::LimitsExceeded => Self::TooLarge("a part larger than the reader's limits".into()),
            other => Self::Malformed(other.to_string()),
        }
    }
}
