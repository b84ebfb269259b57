//! Planes as PNG and JPEG files in memory.

use libjpeg_turbo_rs::{DctMethod, Encoder, PixelFormat};
use tm_engine::EngineError;
use tm_engine::image::{GreyPlane, Plane, Size};

/// A plane as a grey PNG of the same depth, compressed fast rather than small.
///
/// A plane without pixels, which PNG cannot express, becomes an empty vector.
pub fn png(plane: &GreyPlane) -> Vec<u8> {
    let size = plane.size();
    match plane {
        GreyPlane::U8(plane) => png_bytes(size, png::BitDepth::Eight, plane.pixels()),
        GreyPlane::U16(plane) => {
            let bytes: Vec<u8> = plane.pixels().iter().flat_map(|value| value.to_be_bytes()).collect();
            png_bytes(size, png::BitDepth::Sixteen, &bytes)
        }
    }
}

fn png_bytes(size: Size, depth: png::BitDepth, pixels: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(pixels.len() + 1024);
    let (Ok(height), Ok(width)) = (u32::try_from(size.height), u32::try_from(size.width)) else {
        return Vec::new();
    };
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(depth);
    encoder.set_compression(png::Compression::Fast);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(pixels)?;
        writer.finish()
    });
    match written {
        Ok(()) => bytes,
        // Only sizes of zero or beyond PNG's 2^31 - 1 fail; writing to memory does not.
        Err(_) => Vec::new(),
    }
}

/// A plane as a baseline grey JPEG of `quality` 1 to 100.
///
/// # Errors
/// [`EngineError::Parameter`] when the plane is empty or larger than JPEG's 65 535 pixels a side.
pub fn jpeg(plane: &Plane<u8>, quality: u8) -> Result<Vec<u8>, EngineError> {
    let Size { height, width } = plane.size();
    Encoder::new(plane.pixels(), width, height, PixelFormat::Grayscale)
        .quality(quality)
        .dct_method(DctMethod::IsLow)
        .encode()
        .map_err(|error| EngineError::Parameter {
            name: "plane",
            problem: format!("cannot be a JPEG: {error}"),
        })
}
