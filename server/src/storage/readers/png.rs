//! PNG images of 8 or 16 bits of grey.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use ::png::{BitDepth, ColorType, Decoder, DecodingError, Limits, Transformations};
use tm_engine::image::{GreyPlane, Plane, Size};

use super::{Fault, ImageFileInfo, PageInfo, ReadLimits, check_pixels};

pub(super) fn inspect(file: File, limits: &ReadLimits) -> Result<ImageFileInfo, Fault> {
    let mut reader = BufReader::new(file);
    let page = check(&mut reader, limits)?;
    Ok(ImageFileInfo { pages: vec![page], description: None })
}

pub(super) fn read_plane(file: File, page: usize, limits: &ReadLimits) -> Result<GreyPlane, Fault> {
    if page != 0 {
        return Err(Fault::Malformed(format!("page {page} is wanted, a PNG file has one")));
    }
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let info = check(&mut reader, limits)?;
    reader.seek(SeekFrom::Start(0))?;
    let size = Size::new(info.height as usize, info.width as usize);
    let bytes = size.area() * usize::from(info.bit_depth / 8);
    let mut decoder =
        Decoder::new_with_limits(reader, Limits { bytes: bytes.saturating_mul(2).max(1 << 20) });
    decoder.set_transformations(Transformations::IDENTITY);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let mut reader = decoder.read_info()?;
    if reader.output_buffer_size() != Some(bytes) {
        return Err(Fault::Malformed("contradicting headers".into()));
    }
    let mut pixels = vec![0; bytes];
    reader.next_frame(&mut pixels)?;
    let plane = if info.bit_depth == 8 {
        Plane::new(size, pixels).map(GreyPlane::U8)
    } else {
        let wide = pixels.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        Plane::new(size, wide).map(GreyPlane::U16)
    };
    plane.map_err(|_| Fault::Malformed("fewer pixels than announced".into()))
}

/// Walk over the chunks without decoding them: header first, image data, end, all inside the file.
fn check(reader: &mut (impl Read + Seek), limits: &ReadLimits) -> Result<PageInfo, Fault> {
    let length = reader.seek(SeekFrom::End(0))?;
    let mut position = reader.seek(SeekFrom::Start(8))?;
    let mut page = None;
    let mut has_data = false;
    loop {
        let mut head = [0; 8];
        reader.read_exact(&mut head)?;
        let [a, b, c, d, kind @ ..] = head;
        let size = u64::from(u32::from_be_bytes([a, b, c, d]));
        // Length, kind and checksum are 12 bytes.
        position += size + 12;
        if position > length {
            return Err(Fault::Malformed("the file ends too early".into()));
        }
        match (&kind, page) {
            (b"IHDR", None) if size == 13 => page = Some(header(reader, limits)?),
            (_, None) => return Err(Fault::Malformed("the first part is not an image header".into())),
            (b"IDAT", Some(_)) => has_data = true,
            (b"IEND", Some(page)) if has_data => return Ok(page),
            (b"IEND", Some(_)) => return Err(Fault::Malformed("no image data".into())),
            _ => {}
        }
        reader.seek(SeekFrom::Start(position))?;
    }
}

fn header(reader: &mut impl Read, limits: &ReadLimits) -> Result<PageInfo, Fault> {
    let mut fields = [0; 13];
    reader.read_exact(&mut fields)?;
    let [w0, w1, w2, w3, h0, h1, h2, h3, depth, color, ..] = fields;
    let width = u32::from_be_bytes([w0, w1, w2, w3]);
    let height = u32::from_be_bytes([h0, h1, h2, h3]);
    if color != ColorType::Grayscale as u8 {
        return Err(Fault::Unsupported(
            "a PNG in colour, with a palette or with alpha; plain grey is wanted".into(),
        ));
    }
    match BitDepth::from_u8(depth) {
        Some(BitDepth::Eight | BitDepth::Sixteen) => {}
        _ => return Err(Fault::Unsupported(format!("{depth} bits per pixel, 8 or 16 are wanted"))),
    }
    check_pixels(height.into(), width.into(), limits)?;
    Ok(PageInfo { height, width, bit_depth: depth })
}

impl From<DecodingError> for Fault {
    fn from(error: DecodingError) -> Self {
        match error {
            DecodingError::IoError(error) => error.into(),
            DecodingError::LimitsExceeded => Self::TooLarge("more than the header announces".into()),
            other => Self::Malformed(other.to_string()),
        }
    }
}
