//! The plate that `tmserver demo` shows: a made-up CellVoyager acquisition, as the instrument would leave it
//! in a directory.
//!
//! Two wells of 3×2 sites in two channels (nuclei and cell bodies), one of the wells without its last corner.
//! One scene is painted per well and cut into sites, so that cells go on across borders; each site then gets
//! the camera's uneven illumination, offset and noise. Everything follows from the seed: the same files, byte
//! for byte, in every run.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use rayon::prelude::*;
use tiff::encoder::{TiffEncoder, colortype::Gray16};

use super::scene::{Culture, Random, Scene};
use crate::microscopes::WellName;

/// Size of a pixel in the specimen, in µm.
const PIXEL_UM: f64 = 0.65;
/// Largest deviation of the stage, in µm.
const JITTER_UM: f64 = 0.5;
/// Number of channels: nuclei and cell bodies.
const CHANNELS: u32 = 2;
/// Counts of a pixel that gets no light.
const OFFSET: f32 = 100.0;
/// Light of the empty ground, in counts.
const GROUND: f32 = 100.0;
/// Counts per electron: bright pixels are noisier, by the square root.
const GAIN: f32 = 0.5;
/// Deviation of a dark pixel, in counts.
const READ_NOISE: f32 = 3.0;

const XML_START: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n";
const NAMESPACE: &str = "http://www.yokogawa.co.jp/BTS/BTSSchema/1.0";

/// A well of the plate: what grows in it, and the site that is missing.
#[derive(Debug, Clone, Copy)]
struct DemoWell {
    name: WellName,
    culture: Culture,
    /// Row and column of a site that was not taken.
    missing: Option<(usize, usize)>,
}

/// The made-up plate.
#[derive(Debug, Clone)]
pub struct DemoPlate {
    /// Title of the measurement, the first part of every file name.
    pub title: String,
    /// Rows of sites in a well.
    pub rows: usize,
    /// Columns of sites in a well.
    pub columns: usize,
    /// Rows of pixels of a site.
    pub height: usize,
    /// Columns of pixels of a site.
    pub width: usize,
    /// Everything random follows from this.
    pub seed: u64,
}

impl Default for DemoPlate {
    fn default() -> Self {
        Self { title: "Demo".to_string(), rows: 3, columns: 2, height: 540, width: 640, seed: 20_310_506 }
    }
}

/// A field of view.
#[derive(Debug, Clone, Copy)]
struct Field {
    /// Index of the well.
    well: usize,
    /// From 1, in the order of acquisition.
    number: u32,
    y: usize,
    x: usize,
}

impl DemoPlate {
    /// Write all files into a directory, made if need be, and return the names of all of them, sorted.
    ///
    /// Some belong to no acquisition (protocol, plate, correction images), as on the instrument. `progress`
    /// is called with the number of images written and their total; it may be called from several threads.
    ///
    /// # Errors
    /// What the file system reports.
    pub fn write(&self, directory: &Path, progress: impl Fn(usize, usize) + Sync) -> io::Result<Vec<String>> {
        fs::create_dir_all(directory)?;
        let fields = self.fields();
        let total = fields.len() * CHANNELS as usize;
        let written = std::sync::atomic::AtomicUsize::new(0);
        let mut names = Vec::with_capacity(total + 8);
        for (index, well) in self.wells().iter().enumerate() {
            let seed = Random::new(self.seed ^ (index as u64 + 1)).next();
            let scene = Scene::paint(self.rows * self.height, self.columns * self.width, well.culture, seed);
            let planes: Vec<(Field, u32)> = fields
                .iter()
                .filter(|field| field.well == index)
                .flat_map(|field| (1..=CHANNELS).map(|channel| (*field, channel)))
                .collect();
            let of_well: io::Result<Vec<String>> = planes
                .into_par_iter()
                .map(|(field, channel)| {
                    let name = self.image_name(field, channel);
                    self.write_tiff(&directory.join(&name), &self.expose(&scene, field, channel))?;
                    let done = written.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
                    progress(done, total);
                    Ok(name)
                })
                .collect();
            names.extend(of_well?);
        }
        let texts = [
            ("MeasurementData.mlf".to_string(), self.mlf(&fields)),
            ("MeasurementDetail.mrf".to_string(), self.mrf()),
            (format!("{}.mes", self.title), self.protocol()),
            (
                format!("{}.wpi", self.title),
                format!("{XML_START}<bts:WellPlate xmlns:bts=\"{NAMESPACE}\" />\r\n"),
            ),
        ];
        for (name, text) in texts {
            fs::write(directory.join(&name), text)?;
            names.push(name);
        }
        for channel in 1..=CHANNELS {
            let name = format!("SC_BP445-45_10x_M01_CH{channel:02}.tif");
            let shading: Vec<u16> =
                self.each_pixel(|row, column| counts(10_000.0 * self.illumination(channel, row, column)));
            self.write_tiff(&directory.join(&name), &shading)?;
            names.push(name);
        }
        names.sort();
        Ok(names)
    }

    /// Number of images that [`write`](Self::write) makes.
    pub fn images(&self) -> usize {
        self.fields().len() * CHANNELS as usize
    }

    /// An untreated well beside a treated one: fewer and larger nuclei, dimmer cell bodies.
    fn wells(&self) -> [DemoWell; 2] {
        let well = |column| WellName::new(1, column).expect("columns 3 and 4 exist");
        let untreated = Culture { spacing_px: 42.0, nucleus_radius_px: 10.0, cytoplasm: 1300.0 };
        let treated = Culture { spacing_px: 56.0, nucleus_radius_px: 13.0, cytoplasm: 800.0 };
        let corner = (self.rows.saturating_sub(1), self.columns.saturating_sub(1));
        [
            DemoWell { name: well(2), culture: untreated, missing: None },
            DemoWell { name: well(3), culture: treated, missing: (corner != (0, 0)).then_some(corner) },
        ]
    }

    /// All fields in the order of acquisition: row by row, every second row backwards.
    fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        for (well, description) in self.wells().iter().enumerate() {
            let places = (0..self.rows).flat_map(|y| {
                (0..self.columns).map(move |x| (y, if y % 2 == 1 { self.columns - 1 - x } else { x }))
            });
            let taken = places.filter(|place| description.missing != Some(*place));
            fields.extend((1..).zip(taken).map(|(number, (y, x))| Field { well, number, y, x }));
        }
        fields
    }

    fn image_name(&self, field: Field, channel: u32) -> String {
        let well = self.wells()[field.well].name;
        format!("{}_{well}_T0001F{:03}L01A{channel:02}Z01C{channel:02}.tif", self.title, field.number)
    }

    /// Every pixel of a site, row by row.
    fn each_pixel(&self, mut value: impl FnMut(usize, usize) -> u16) -> Vec<u16> {
        let mut pixels = Vec::with_capacity(self.height * self.width);
        for row in 0..self.height {
            pixels.extend((0..self.width).map(|column| value(row, column)));
        }
        pixels
    }

    /// Share of light that reaches a pixel of the camera: 1 near the middle, about a half in the corners.
    ///
    /// Fixed to the camera: the same for all sites, each channel's own brightest point.
    fn illumination(&self, channel: u32, row: usize, column: usize) -> f32 {
        let (middle_y, middle_x) = if channel == 1 { (0.46, 0.54) } else { (0.53, 0.45) };
        let y = row as f32 / self.height as f32 - middle_y;
        let x = column as f32 / self.width as f32 - middle_x;
        (1.0 - 0.9 * (y * y + x * x)).max(0.3)
    }

    /// What the camera records of a field.
    fn expose(&self, scene: &Scene, field: Field, channel: u32) -> Vec<u16> {
        let light = if channel == 1 { &scene.nuclei } else { &scene.cytoplasm };
        let key = (field.well as u64) << 32 | u64::from(field.number) << 8 | u64::from(channel);
        let mut random = Random::new(Random::new(self.seed.rotate_left(17) ^ key).next());
        let mut spare: Option<f32> = None;
        self.each_pixel(|row, column| {
            let at = (field.y * self.height + row) * scene.width + field.x * self.width + column;
            let seen = self.illumination(channel, row, column) * (GROUND + light[at]);
            let normal = spare.take().unwrap_or_else(|| {
                let [first, second] = random.normals();
                spare = Some(second);
                first
            });
            let deviation = (seen * GAIN + READ_NOISE * READ_NOISE).sqrt();
            counts(OFFSET + seen + deviation * normal)
        })
    }

    fn write_tiff(&self, path: &Path, pixels: &[u16]) -> io::Result<()> {
        let side = |length: usize| u32::try_from(length).map_err(io::Error::other);
        let mut file = BufWriter::new(File::create(path)?);
        TiffEncoder::new(&mut file)
            .and_then(|mut encoder| {
                encoder.write_image::<Gray16>(side(self.width)?, side(self.height)?, pixels)
            })
            .map_err(io::Error::other)?;
        file.flush()
    }

    /// Stage position in µm from the middle of the well, x to the right, y **up**.
    fn position_um(&self, field: Field, channel: u32) -> (f64, f64) {
        let key = (field.well as u64) << 40 | u64::from(field.number) << 16 | u64::from(channel);
        let mut random = Random::new(self.seed ^ key);
        let mut jitter = || f64::from(random.between(-1.0, 1.0)) * JITTER_UM;
        let step = |pixels: usize| pixels as f64 * PIXEL_UM;
        let x = (field.x as f64 - (self.columns as f64 - 1.0) / 2.0) * step(self.width) + jitter();
        let y = ((self.rows as f64 - 1.0) / 2.0 - field.y as f64) * step(self.height) + jitter();
        (x, y)
    }

    /// `MeasurementData.mlf`: one record per image, and one error as instruments report them.
    fn mlf(&self, fields: &[Field]) -> String {
        let mut text =
            format!("{XML_START}<bts:MeasurementData bts:Version=\"1.0\" xmlns:bts=\"{NAMESPACE}\">\r\n");
        let wells = self.wells();
        let planes = fields.iter().flat_map(|field| (1..=CHANNELS).map(move |channel| (*field, channel)));
        for (second, (field, channel)) in planes.enumerate() {
            let well = wells[field.well].name;
            let (x, y) = self.position_um(field, channel);
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "  <bts:MeasurementRecord bts:Type=\"IMG\" \
                 bts:Time=\"2031-05-06T07:{:02}:{:02}.000+02:00\" bts:Column=\"{}\" bts:Row=\"{}\" \
                 bts:TimePoint=\"1\" bts:FieldIndex=\"{}\" bts:ZIndex=\"1\" bts:TimelineIndex=\"1\" \
                 bts:ActionIndex=\"{channel}\" bts:Action=\"2D\" bts:X=\"{x:.1}\" bts:Y=\"{y:.1}\" \
                 bts:Z=\"0.0\" bts:Ch=\"{channel}\">{}</bts:MeasurementRecord>\r\n",
                second / 60 % 60,
                second % 60,
                well.column() + 1,
                well.row() + 1,
                field.number,
                self.image_name(field, channel)
            );
        }
        if let Some(well) = wells.iter().find(|well| well.missing.is_some()) {
            let _ = write!(
                text,
                "  <bts:MeasurementRecord bts:Type=\"ERR\" bts:Time=\"2031-05-06T07:59:59.000+02:00\" \
                 bts:Column=\"{}\" bts:Row=\"{}\" />\r\n",
                well.name.column() + 1,
                well.name.row() + 1
            );
        }
        text.push_str("</bts:MeasurementData>\r\n");
        text
    }

    /// `MeasurementDetail.mrf`: title, plate and channels.
    fn mrf(&self) -> String {
        let (title, fields) = (&self.title, self.rows * self.columns);
        let mut text = format!(
            "{XML_START}<bts:MeasurementDetail bts:Version=\"1.0\" bts:OperatorName=\"tmserver\" \
             bts:Title=\"{title}\" bts:BeginTime=\"2031-05-06T07:00:00+02:00\" \
             bts:EndTime=\"2031-05-06T08:00:00+02:00\" bts:MeasurementSettingFileName=\"{title}.mes\" \
             bts:ColumnCount=\"12\" bts:RowCount=\"8\" bts:TimePointCount=\"1\" bts:FieldCount=\"{fields}\" \
             bts:ZCount=\"1\" bts:TargetSystem=\"CV7000 FD\" bts:ReleaseNumber=\"R1.00.00\" \
             xmlns:bts=\"{NAMESPACE}\">\r\n  <bts:MeasurementSamplePlate bts:Name=\"{title}\" \
             bts:WellPlateFileName=\"{title}.wpi\" bts:WellPlateProductFileName=\"{title}.wpp\" />\r\n"
        );
        for channel in 1..=CHANNELS {
            let _ = write!(
                text,
                "  <bts:MeasurementChannel bts:Ch=\"{channel}\" \
                 bts:HorizontalPixelDimension=\"{PIXEL_UM}\" bts:VerticalPixelDimension=\"{PIXEL_UM}\" \
                 bts:CameraNumber=\"1\" bts:InputBitDepth=\"16\" bts:InputLevel=\"10000\" \
                 bts:HorizontalPixels=\"{}\" bts:VerticalPixels=\"{}\" bts:FilterWheelPosition=\"1\" \
                 bts:FilterPosition=\"{channel}\" \
                 bts:ShadingCorrectionSource=\"SC_BP445-45_10x_M01_CH{channel:02}.tif\" />\r\n",
                self.width, self.height
            );
        }
        text.push_str("</bts:MeasurementDetail>\r\n");
        text
    }

    /// The protocol; the server does not read it.
    fn protocol(&self) -> String {
        format!(
            "{XML_START}<bts:MeasurementSetting xmlns:bts=\"{NAMESPACE}\"><bts:ChannelList>\
             <bts:Channel bts:Ch=\"1\" bts:Target=\"DNA\" bts:Color=\"#FF0000FF\" />\
             <bts:Channel bts:Ch=\"2\" bts:Target=\"Tubulin\" bts:Color=\"#FF00FF00\" />\
             </bts:ChannelList></bts:MeasurementSetting>\r\n"
        )
    }
}

/// Light as the camera's whole counts, rounded and kept within 16 bits.
fn counts(light: f32) -> u16 {
    // The conversion is exact here: the value is within range and has no fraction.
    light.round().clamp(0.0, f32::from(u16::MAX)) as u16
}
