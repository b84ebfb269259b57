//! Files of a made-up plate, as a CellVoyager leaves them.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use tiff::encoder::{TiffEncoder, colortype::Gray16};
use tm_engine::image::{Plane, Size};
use tm_server::microscopes::{PlateFormat, WellName};

use crate::made_up_plate::image;
use crate::server::WELLS;

/// Channels of every site.
pub const CHANNELS: usize = 2;
/// Sites of a well, all but those of the last.
const SITES_OF_WELL: usize = 25;
const COLUMNS_OF_WELL: usize = 5;
/// Size of a pixel in the specimen, in µm.
const PIXEL_UM: f64 = 0.65;
const XML_START: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n";
const NAMESPACE: &str = "http://www.yokogawa.co.jp/BTS/BTSSchema/1.0";

/// The files of a plate.
#[derive(Debug, Clone, Copy)]
pub struct Images {
    /// Sites.
    pub sites: usize,
    /// Images, one for each channel of a site.
    pub count: usize,
    /// Pixels of all images.
    pub pixels: usize,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Write the images of `sites` sites into a directory: TIFF, 16 bits, not compressed.
///
/// # Errors
/// When the disk fails, or the plate has too few wells.
pub fn write(directory: &Path, sites: usize, size: Size) -> Result<Images> {
    fs::create_dir_all(directory)?;
    let format = PlateFormat::from_wells(WELLS).context("no plates of so many wells")?;
    let rows = (0..format.rows()).flat_map(|row| (0..format.columns()).map(move |column| (row, column)));
    let wells: Vec<_> = rows.filter_map(|(row, column)| WellName::new(row, column)).collect();
    let most = wells.len() * SITES_OF_WELL;
    ensure!(sites <= most, "a plate has {most} sites at most");
    let field = |index: usize| {
        let (site, channel) = (index / CHANNELS, index % CHANNELS + 1);
        Field { well: wells[site / SITES_OF_WELL], number: site % SITES_OF_WELL + 1, channel }
    };
    let count = sites * CHANNELS;
    let images = (0..count)
        .into_par_iter()
        .map(|index| write_tiff(&directory.join(field(index).name()), &image(size, index as u64 + 1)))
        .sum::<io::Result<u64>>()?;
    let records = records((0..count).map(field), size);
    let details = details(size);
    fs::write(directory.join("MeasurementData.mlf"), &records)?;
    fs::write(directory.join("MeasurementDetail.mrf"), &details)?;
    let bytes = images + (records.len() + details.len()) as u64;
    Ok(Images { sites, count, pixels: count * size.height * size.width, bytes })
}

/// An image of the plate.
#[derive(Debug, Clone, Copy)]
struct Field {
    well: WellName,
    /// Number of the site in its well, from 1.
    number: usize,
    /// From 1.
    channel: usize,
}

impl Field {
    fn name(self) -> String {
        let Self { well, number, channel } = self;
        format!("bench_{well}_T0001F{number:03}L01A{channel:02}Z01C{channel:02}.tif")
    }
}

/// `MeasurementData.mlf`: a record with the stage position in µm, y up, for every image.
fn records(fields: impl Iterator<Item = Field>, size: Size) -> String {
    let mut text =
        format!("{XML_START}<bts:MeasurementData bts:Version=\"1.0\" xmlns:bts=\"{NAMESPACE}\">\r\n");
    for field in fields {
        let Field { well, number, channel } = field;
        let (row, column) = ((number - 1) / COLUMNS_OF_WELL, (number - 1) % COLUMNS_OF_WELL);
        let (x, y) = ((column * size.width) as f64 * PIXEL_UM, -((row * size.height) as f64 * PIXEL_UM));
        let written = write!(
            text,
            "<bts:MeasurementRecord bts:Type=\"IMG\" bts:Time=\"2031-05-06T07:00:00.000+02:00\" \
             bts:Column=\"{}\" bts:Row=\"{}\" bts:TimePoint=\"1\" bts:FieldIndex=\"{number}\" bts:ZIndex=\"1\" \
             bts:TimelineIndex=\"1\" bts:ActionIndex=\"{channel}\" bts:Action=\"2D\" bts:X=\"{x:.1}\" bts:Y=\"{y:.1}\" \
             bts:Z=\"0.0\" bts:Ch=\"{channel}\">{}</bts:MeasurementRecord>\r\n",
            well.column() + 1,
            well.row() + 1,
            field.name()
        );
        written.expect("memory can be written to");
    }
    text + "</bts:MeasurementData>\r\n"
}

/// `MeasurementDetail.mrf`: the plate and its channels.
fn details(size: Size) -> String {
    let mut text = format!(
        "{XML_START}<bts:MeasurementDetail bts:Version=\"1.0\" bts:Title=\"bench\" bts:ColumnCount=\"24\" \
         bts:RowCount=\"16\" bts:TimePointCount=\"1\" bts:FieldCount=\"{SITES_OF_WELL}\" bts:ZCount=\"1\" \
         xmlns:bts=\"{NAMESPACE}\">\r\n"
    );
    for channel in 1..=CHANNELS {
        let written = write!(
            text,
            "<bts:MeasurementChannel bts:Ch=\"{channel}\" bts:HorizontalPixelDimension=\"{PIXEL_UM}\" \
             bts:VerticalPixelDimension=\"{PIXEL_UM}\" bts:CameraNumber=\"1\" bts:InputBitDepth=\"16\" \
             bts:InputLevel=\"10000\" bts:HorizontalPixels=\"{}\" bts:VerticalPixels=\"{}\" />\r\n",
            size.width, size.height
        );
        written.expect("memory can be written to");
    }
    text + "</bts:MeasurementDetail>\r\n"
}

fn write_tiff(path: &Path, pixels: &Plane<u16>) -> io::Result<u64> {
    let side = |length: usize| u32::try_from(length).map_err(io::Error::other);
    let (height, width) = (side(pixels.size().height)?, side(pixels.size().width)?);
    let mut file = BufWriter::new(File::create(path)?);
    TiffEncoder::new(&mut file)
        .and_then(|mut encoder| encoder.write_image::<Gray16>(width, height, pixels.pixels()))
        .map_err(io::Error::other)?;
    file.flush()?;
    Ok(file.get_ref().metadata()?.len())
}
