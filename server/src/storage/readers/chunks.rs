//! Strips and tiles decoded here: those of stacks, whose planes no directory describes, and those of
//! LZW-compressed pages.
//!
//! LZW is decoded here because `tiff` 0.11 refuses valid tiles, and strips without an end code that every other
//! reader accepts (<https://github.com/image-rs/image-tiff/issues/395>). That part
//! is to be removed when it does not.

use std::io::{Read, Seek};

use weezl::{BitOrder, LzwStatus, decode::Configuration};

use super::Fault;
use super::ifd::{Header, Source};
use super::tiff::{Page, UNCOMPRESSED};

/// The stored samples of a page, row by row; 8-bit samples too are widened to 16 bits.
pub(super) fn decode(source: &mut Source<impl Read + Seek>, page: &Page) -> Result<Vec<u16>, Fault> {
    let (size, chunks) = (page.size, &page.chunks);
    let bytes = usize::from(page.stored_bits / 8);
    let samples = Samples {
        header: page.directory.header,
        bytes,
        predicted: page.predicted,
        flip: if page.white_is_zero { u16::MAX >> (16 - page.stored_bits) } else { 0 },
        mask: u16::MAX >> (16 - page.stored_bits),
    };
    let mut pixels = vec![0; size.area()];
    let across = size.width.div_ceil(chunks.columns);
    for (index, (&offset, &count)) in chunks.offsets.iter().zip(&chunks.counts).enumerate() {
        let (top, left) = (index / across * chunks.rows, index % across * chunks.columns);
        let rows = chunks.rows.min(size.height - top);
        let columns = chunks.columns.min(size.width - left);
        // The rows of a tile below the image are not needed, so not decoded.
        let length = rows * chunks.columns * bytes;
        let mut stored = source.read(offset, count)?;
        if page.compression != UNCOMPRESSED {
            stored = inflate(&stored, length)?;
        }
        for (row, stored) in stored.chunks_exact(chunks.columns * bytes).take(rows).enumerate() {
            let start = (top + row) * size.width + left;
            samples.copy(stored, &mut pixels[start..start + columns]);
        }
    }
    Ok(pixels)
}

/// Decompress until `length` bytes are there; what follows them, an end code or rubbish, is not looked at.
fn inflate(compressed: &[u8], length: usize) -> Result<Vec<u8>, Fault> {
    let mut decoder =
        Configuration::with_tiff_size_switch(BitOrder::Msb, 8).with_yield_on_full_buffer(true).build();
    let mut bytes = vec![0; length];
    let (mut read, mut written) = (0, 0);
    while written < length {
        let step = decoder.decode_bytes(&compressed[read..], &mut bytes[written..]);
        read += step.consumed_in;
        written += step.consumed_out;
        match step.status {
            Ok(LzwStatus::Ok) if step.consumed_in + step.consumed_out > 0 => {}
            Ok(_) => break,
            Err(error) => return Err(Fault::Malformed(error.to_string())),
        }
    }
    if written < length {
        return Err(Fault::Malformed(format!("LZW data of {written} bytes, {length} are wanted")));
    }
    Ok(bytes)
}

/// How samples are stored.
struct Samples {
    header: Header,
    bytes: usize,
    /// Each sample but a row's first is the difference from the one before it.
    predicted: bool,
    mask: u16,
    /// The bits to turn over where white is zero.
    flip: u16,
}

impl Samples {
    fn copy(&self, stored: &[u8], row: &mut [u16]) {
        let mut previous = 0u16;
        for (pixel, bytes) in row.iter_mut().zip(stored.chunks_exact(self.bytes)) {
            let stored = match bytes {
                [byte] => u16::from(*byte),
                [first, second] if self.header.is_little_endian() => u16::from_le_bytes([*first, *second]),
                [first, second, ..] => u16::from_be_bytes([*first, *second]),
                [] => 0,
            };
            let value = if self.predicted { previous.wrapping_add(stored) & self.mask } else { stored };
            previous = value;
            *pixel = value ^ self.flip;
        }
    }
}
