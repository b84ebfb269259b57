//! The picture of a map, put together from its tiles as a viewer does.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use super::client::{Client, id};

/// Edge of a tile in pixels.
const TILE_PX: usize = 256;
/// The picture shows the most detailed zoom level that is not larger than this on either side.
const LARGEST_PX: usize = 2048;
/// Colours of the layers (red, green, blue in 0 to 1), used in turn and added.
const COLOURS: [[f32; 3]; 3] = [[0.25, 0.45, 1.0], [0.25, 1.0, 0.35], [1.0, 0.35, 0.3]];

/// A colour picture.
pub struct Picture {
    height: usize,
    width: usize,
    /// Red, green, blue of every pixel, row by row.
    pixels: Vec<u8>,
}

/// Fetch the tiles of all layers at one zoom level and add them up in colour.
pub async fn fetch(client: &Client, experiment: &str, layers: &[Value]) -> anyhow::Result<Picture> {
    let first = layers.first().context("there is no layer to show")?;
    let side = |name: &str| first["image_size"][name].as_u64().and_then(|side| usize::try_from(side).ok());
    let (mut height, mut width) = side("height").zip(side("width")).context("the layer has no size")?;
    let mut zoom = first["max_zoom"].as_u64().context("the layer has no zoom levels")?;
    while zoom > 0 && height.max(width) > LARGEST_PX {
        (height, width, zoom) = (height.div_ceil(2), width.div_ceil(2), zoom - 1);
    }
    let mut picture = Picture { height, width, pixels: vec![0; height * width * 3] };
    for (layer, colour) in layers.iter().zip(COLOURS.iter().cycle()) {
        let tiles = format!("{experiment}/channel_layers/{}/tiles", id(layer)?);
        for y in 0..height.div_ceil(TILE_PX) {
            for x in 0..width.div_ceil(TILE_PX) {
                let bytes = client.bytes(&format!("{tiles}?z={zoom}&y={y}&x={x}&format=png")).await?;
                picture.add(y * TILE_PX, x * TILE_PX, &decode(&bytes)?, *colour);
            }
        }
    }
    Ok(picture)
}

/// The grey values of a PNG tile.
fn decode(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut reader = png::Decoder::new(io::Cursor::new(bytes)).read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().context("the tile is too large")?];
    reader.next_frame(&mut pixels)?;
    Ok(pixels)
}

impl Picture {
    fn add(&mut self, top: usize, left: usize, tile: &[u8], colour: [f32; 3]) {
        let rows = TILE_PX.min(self.height - top);
        let columns = TILE_PX.min(self.width - left);
        for (row, values) in tile.chunks_exact(TILE_PX).take(rows).enumerate() {
            for (column, value) in values[..columns].iter().enumerate() {
                let at = ((top + row) * self.width + left + column) * 3;
                for (channel, share) in self.pixels[at..at + 3].iter_mut().zip(colour) {
                    *channel = channel.saturating_add((f32::from(*value) * share) as u8);
                }
            }
        }
    }

    /// Write the picture as PNG.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let side = |length: usize| u32::try_from(length).map_err(io::Error::other);
        let mut encoder =
            png::Encoder::new(BufWriter::new(File::create(path)?), side(self.width)?, side(self.height)?);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        Ok(writer.finish()?)
    }
}
