//! Made-up CellVoyager acquisitions whose contents are known: image files, `.mlf`, `.mrf` and the other files
//! that an instrument leaves in a directory.
//!
//! Written apart from the server's own code, from the description of the format, so that both cannot be
//! wrong in the same way. One file of more than 500 lines, because the server's unit tests include it by its
//! path.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::Path;

use tm_engine::image::{BitDepth, GreyPlane, Plane, Size};

/// One plane of a made-up plate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaneId {
    /// Number of the plate, as given to [`PlateFiles::plate_number`]; 1 by default.
    pub plate: u32,
    /// Name of the well.
    pub well: String,
    /// Index of the well in the order given.
    pub well_index: u32,
    /// Number of the field of view, from 1, in the order of acquisition.
    pub field: u32,
    /// Row in the well, from 0 at the top.
    pub y: usize,
    /// Column in the well, from 0 at the left.
    pub x: usize,
    /// Number of the channel, from 1.
    pub channel: u32,
    /// Number of the action, from 1.
    pub action: u32,
    /// Number of the focal plane, from 1.
    pub z: u32,
    /// Number of the time point, from 1.
    pub t: u32,
}

/// Order in which fields are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldOrder {
    /// Row by row, every second row from the right.
    Snake,
    /// Around the middle, outwards.
    Spiral,
    /// Row by row from the left.
    RowMajor,
}

type Pixels = Box<dyn Fn(&PlaneId) -> GreyPlane + Send + Sync>;
type Choice = Box<dyn Fn(&PlaneId) -> bool + Send + Sync>;

/// The files of one acquisition, to be described and then written.
pub struct PlateFiles {
    title: String,
    plate: u32,
    plate_shape: (u32, u32),
    wells: Vec<String>,
    grid: (usize, usize),
    grids: BTreeMap<String, (usize, usize)>,
    holes: BTreeSet<(String, usize, usize)>,
    channels: Vec<u32>,
    actions: Option<u32>,
    z_planes: u32,
    time_points: u32,
    size: Size,
    depth: BitDepth,
    order: FieldOrder,
    pixel_um: f64,
    step_um: Option<(f64, f64)>,
    jitter_um: f64,
    pixels: Option<Pixels>,
    omitted: Option<Choice>,
    extension: &'static str,
    metadata: bool,
    noise: bool,
}

impl PlateFiles {
    /// One well `B03` of 2×2 sites, one channel, 24×32 pixels of 16 bits, metadata, no foreign files.
    pub fn new(title: &str) -> Self {
        Self {
            title: title.to_string(),
            plate: 1,
            plate_shape: (16, 24),
            wells: vec!["B03".to_string()],
            grid: (2, 2),
            grids: BTreeMap::new(),
            holes: BTreeSet::new(),
            channels: vec![1],
            actions: None,
            z_planes: 1,
            time_points: 1,
            size: Size::new(24, 32),
            depth: BitDepth::Sixteen,
            order: FieldOrder::Snake,
            pixel_um: 0.65,
            step_um: None,
            jitter_um: 0.5,
            pixels: None,
            omitted: None,
            extension: "tif",
            metadata: true,
            noise: false,
        }
    }

    /// Names of the wells.
    pub fn wells(mut self, wells: &[&str]) -> Self {
        self.wells = wells.iter().map(ToString::to_string).collect();
        self
    }

    /// Rows and columns of sites in every well.
    pub fn grid(mut self, rows: usize, columns: usize) -> Self {
        self.grid = (rows, columns);
        self
    }

    /// Rows and columns of sites in one well.
    pub fn grid_of(mut self, well: &str, rows: usize, columns: usize) -> Self {
        self.grids.insert(well.to_string(), (rows, columns));
        self
    }

    /// Leave out a site.
    pub fn hole(mut self, well: &str, y: usize, x: usize) -> Self {
        self.holes.insert((well.to_string(), y, x));
        self
    }

    /// Channels 1 to `count`, each taken by an action of its own.
    pub fn channels(self, count: u32) -> Self {
        let numbers: Vec<u32> = (1..=count).collect();
        self.channel_numbers(&numbers)
    }

    /// Channels by number, each taken by an action of its own.
    pub fn channel_numbers(mut self, numbers: &[u32]) -> Self {
        self.channels = numbers.to_vec();
        self
    }

    /// Let each of `count` actions take all channels.
    pub fn actions(mut self, count: u32) -> Self {
        self.actions = Some(count);
        self
    }

    /// Number of focal planes.
    pub fn z_planes(mut self, count: u32) -> Self {
        self.z_planes = count;
        self
    }

    /// Number of time points.
    pub fn time_points(mut self, count: u32) -> Self {
        self.time_points = count;
        self
    }

    /// Height and width of a site in pixels.
    pub fn size(mut self, height: usize, width: usize) -> Self {
        self.size = Size::new(height, width);
        self
    }

    /// Bits per pixel: 8 or 16.
    ///
    /// # Panics
    /// With any other number.
    pub fn depth(mut self, bits: u32) -> Self {
        self.depth = BitDepth::from_bits(bits).expect("8 or 16 bits");
        self
    }

    /// Number that tells plates apart in [`PlaneId::plate`].
    pub fn plate_number(mut self, number: u32) -> Self {
        self.plate = number;
        self
    }

    /// Rows and columns of wells that the `.mrf` gives; 16×24 by default.
    pub fn plate_shape(mut self, rows: u32, columns: u32) -> Self {
        self.plate_shape = (rows, columns);
        self
    }

    /// Order of field numbers.
    pub fn order(mut self, order: FieldOrder) -> Self {
        self.order = order;
        self
    }

    /// Size of a pixel in µm.
    pub fn pixel_size_um(mut self, size: f64) -> Self {
        self.pixel_um = size;
        self
    }

    /// Distance of neighbouring sites in µm, down and to the right; one field by default.
    pub fn step_um(mut self, y: f64, x: f64) -> Self {
        self.step_um = Some((y, x));
        self
    }

    /// Largest deviation of a stage position in µm; 0.5 by default.
    pub fn jitter_um(mut self, jitter: f64) -> Self {
        self.jitter_um = jitter;
        self
    }

    /// The pixels of each plane.
    pub fn pixels(mut self, pixels: impl Fn(&PlaneId) -> GreyPlane + Send + Sync + 'static) -> Self {
        self.pixels = Some(Box::new(pixels));
        self
    }

    /// The value of each pixel from its plane, row and column; 8-bit images take the lower byte.
    pub fn values(self, value: impl Fn(&PlaneId, usize, usize) -> u16 + Send + Sync + 'static) -> Self {
        let (size, depth) = (self.size, self.depth);
        self.pixels(move |id| plane(size, depth, |row, column| value(id, row, column)))
    }

    /// Leave out single image files; the metadata still name them.
    pub fn without_files(mut self, omitted: impl Fn(&PlaneId) -> bool + Send + Sync + 'static) -> Self {
        self.omitted = Some(Box::new(omitted));
        self
    }

    /// Write no `.mlf` and no `.mrf`.
    pub fn without_metadata(mut self) -> Self {
        self.metadata = false;
        self
    }

    /// Write PNG instead of TIFF; the `.mlf` goes on saying `.tif`, as after a conversion before upload.
    pub fn png(mut self) -> Self {
        self.extension = "png";
        self
    }

    /// Also write files that belong to no acquisition: protocol, plate, correction images.
    pub fn with_foreign_files(mut self) -> Self {
        self.noise = true;
        self
    }

    /// All planes, in the order in which the instrument took them, with those left out by
    /// [`without_files`](Self::without_files).
    pub fn planes(&self) -> Vec<PlaneId> {
        let mut planes = Vec::new();
        for (well_index, well) in (0..).zip(&self.wells) {
            let (rows, columns) = self.grids.get(well).copied().unwrap_or(self.grid);
            let mut sites = places(rows, columns, self.order);
            sites.retain(|&(y, x)| !self.holes.contains(&(well.clone(), y, x)));
            for t in 1..=self.time_points {
                for (field, &(y, x)) in (1..).zip(&sites) {
                    for (action, channel) in self.takes() {
                        for z in 1..=self.z_planes {
                            let (plate, well) = (self.plate, well.clone());
                            planes.push(PlaneId {
                                plate,
                                well,
                                well_index,
                                field,
                                y,
                                x,
                                channel,
                                action,
                                z,
                                t,
                            });
                        }
                    }
                }
            }
        }
        planes
    }

    /// Pairs of action and channel.
    fn takes(&self) -> Vec<(u32, u32)> {
        match self.actions {
            None => (1..).zip(self.channels.iter().copied()).collect(),
            Some(count) => {
                (1..=count).flat_map(|action| self.channels.iter().map(move |&c| (action, c))).collect()
            }
        }
    }

    /// Name of the file of a plane.
    pub fn file_name(&self, id: &PlaneId) -> String {
        format!("{}.{}", self.stem(id), self.extension)
    }

    fn stem(&self, id: &PlaneId) -> String {
        let PlaneId { well, field, channel, action, z, t, .. } = id;
        format!("{}_{well}_T{t:04}F{field:03}L01A{action:02}Z{z:02}C{channel:02}", self.title)
    }

    /// Names of the image files that are written.
    pub fn image_names(&self) -> Vec<String> {
        let written = |id: &PlaneId| !self.omitted.as_ref().is_some_and(|omitted| omitted(id));
        self.planes().iter().filter(|id| written(id)).map(|id| self.file_name(id)).collect()
    }

    /// Pixels of a plane.
    pub fn pixels_of(&self, id: &PlaneId) -> GreyPlane {
        match &self.pixels {
            Some(pixels) => pixels(id),
            None => plane(self.size, self.depth, |row, column| identity_code(id, row, column)),
        }
    }

    /// Stage position of a plane in µm, x to the right and y **up**, from the middle of the well.
    pub fn position_um(&self, id: &PlaneId) -> (f64, f64) {
        let (rows, columns) = self.grids.get(&id.well).copied().unwrap_or(self.grid);
        let field = (self.size.height as f64 * self.pixel_um, self.size.width as f64 * self.pixel_um);
        let (step_y, step_x) = self.step_um.unwrap_or(field);
        let jitter = |axis: u64| {
            let seed = [u64::from(id.well_index), id.field.into(), id.channel.into(), axis];
            (mix(&seed) as f64 / u64::MAX as f64 * 2.0 - 1.0) * self.jitter_um
        };
        let x = (id.x as f64 - (columns as f64 - 1.0) / 2.0) * step_x + jitter(0);
        let y = ((rows as f64 - 1.0) / 2.0 - id.y as f64) * step_y + jitter(1);
        (x, y)
    }

    /// Contents of the `.mlf` file, with one error record.
    pub fn mlf(&self) -> String {
        let mut text = String::from(XML_START);
        text.push_str("<bts:MeasurementData bts:Version=\"1.0\" xmlns:bts=\"");
        text.push_str(NAMESPACE);
        text.push_str("\">\n");
        for (number, id) in self.planes().iter().enumerate() {
            let (row, column) = row_and_column(&id.well);
            let (x, y) = self.position_um(id);
            let PlaneId { field, channel, action, z, t, .. } = id;
            let name = xml_text(&format!("{}.tif", self.stem(id)));
            let time = format!("2031-05-06T07:{:02}:{:02}.123+02:00", number / 60 % 60, number % 60);
            let _ = writeln!(
                text,
                "  <bts:MeasurementRecord bts:Type=\"IMG\" bts:Time=\"{time}\" bts:Column=\"{column}\" \
                 bts:Row=\"{row}\" bts:TimePoint=\"{t}\" bts:FieldIndex=\"{field}\" bts:ZIndex=\"{z}\" \
                 bts:TimelineIndex=\"1\" bts:ActionIndex=\"{action}\" bts:Action=\"3D\" bts:X=\"{x:.1}\" \
                 bts:Y=\"{y:.1}\" bts:Z=\"{:.1}\" bts:Ch=\"{channel}\">{name}</bts:MeasurementRecord>",
                f64::from(z - 1) * 3.0
            );
        }
        text.push_str(
            "  <bts:MeasurementRecord bts:Type=\"ERR\" bts:Time=\"2031-05-06T07:08:09.123+02:00\" ",
        );
        text.push_str("bts:Column=\"4\" bts:Row=\"3\" />\n</bts:MeasurementData>\n");
        text
    }

    /// Contents of the `.mrf` file.
    pub fn mrf(&self) -> String {
        let mut text = String::from(XML_START);
        let (rows, columns) = self.plate_shape;
        let title = xml_text(&self.title);
        let _ = writeln!(
            text,
            "<bts:MeasurementDetail bts:Version=\"1.0\" bts:OperatorName=\"nobody\" bts:Title=\"{title}\" \
             bts:BeginTime=\"2031-05-06T07:00:00+02:00\" bts:EndTime=\"2031-05-06T08:00:00+02:00\" \
             bts:MeasurementSettingFileName=\"made-up.mes\" bts:ColumnCount=\"{columns}\" \
             bts:RowCount=\"{rows}\" bts:TimePointCount=\"{}\" bts:FieldCount=\"{}\" bts:ZCount=\"{}\" \
             bts:TargetSystem=\"CV7000 FD\" bts:ReleaseNumber=\"R1.00.00\" xmlns:bts=\"{NAMESPACE}\">",
            self.time_points,
            self.grid.0 * self.grid.1,
            self.z_planes
        );
        let _ = writeln!(
            text,
            "  <bts:MeasurementSamplePlate bts:Name=\"{title}\" bts:WellPlateFileName=\"made-up.wpi\" \
             bts:WellPlateProductFileName=\"made-up.wpp\" />"
        );
        for channel in &self.channels {
            let _ = writeln!(
                text,
                "  <bts:MeasurementChannel bts:Ch=\"{channel}\" bts:HorizontalPixelDimension=\"{0}\" \
                 bts:VerticalPixelDimension=\"{0}\" bts:CameraNumber=\"1\" bts:InputBitDepth=\"{1}\" \
                 bts:InputLevel=\"10000\" bts:HorizontalPixels=\"{2}\" bts:VerticalPixels=\"{3}\" \
                 bts:FilterWheelPosition=\"1\" bts:FilterPosition=\"{channel}\" \
                 bts:ShadingCorrectionSource=\"SC_BP445-45_40x_M10_CH01.tif\" />",
                self.pixel_um,
                self.depth.bits(),
                self.size.width,
                self.size.height
            );
        }
        text.push_str("</bts:MeasurementDetail>\n");
        text
    }

    /// Write everything into a directory and return the names of all files written, sorted.
    ///
    /// # Errors
    /// What the file system or the encoders report.
    pub fn write(&self, directory: &Path) -> io::Result<Vec<String>> {
        fs::create_dir_all(directory)?;
        let mut names = Vec::new();
        for id in self.planes() {
            if self.omitted.as_ref().is_some_and(|omitted| omitted(&id)) {
                continue;
            }
            let name = self.file_name(&id);
            write_image(&directory.join(&name), &self.pixels_of(&id))?;
            names.push(name);
        }
        let mut text = |name: &str, contents: &str| {
            names.push(name.to_string());
            fs::write(directory.join(name), contents)
        };
        if self.metadata {
            text("MeasurementData.mlf", &self.mlf())?;
            text("MeasurementDetail.mrf", &self.mrf())?;
        }
        if self.noise {
            text("made-up.mes", "<MeasurementSetting/>")?;
            text("made-up.wpi", "<not-read/>")?;
            text("made-up#1.wpp", "<not-read/>")?;
            text("geometry_parameter.xml", "<not-read/>")?;
            for name in ["SC_BP445-45_40x_M10_CH01.tif", "DC_sCMOS#1_CAM1.tif"] {
                write_image(&directory.join(name), &GreyPlane::zeros(self.depth, self.size))?;
                names.push(name.to_string());
            }
        }
        names.sort();
        Ok(names)
    }
}

/// A value that tells plate, well, site, channel, focal plane, time, row and column apart.
///
/// Not to be decoded but compared: a pixel from any other place has another value, but for one in 65 536.
pub fn identity_code(id: &PlaneId, row: usize, column: usize) -> u16 {
    let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let parts = [
        id.plate.into(),
        id.well_index.into(),
        wide(id.y),
        wide(id.x),
        id.channel.into(),
        id.action.into(),
        id.z.into(),
        id.t.into(),
        wide(row),
        wide(column),
    ];
    u16::try_from(mix(&parts) >> 48).unwrap_or(u16::MAX)
}

/// A plane of either depth from 16-bit values; 8-bit planes take the lower byte.
pub fn plane(size: Size, depth: BitDepth, value: impl Fn(usize, usize) -> u16) -> GreyPlane {
    match depth {
        BitDepth::Eight => Plane::from_fn(size, |row, column| value(row, column).to_le_bytes()[0]).into(),
        BitDepth::Sixteen => Plane::from_fn(size, value).into(),
    }
}

/// Write a plane as PNG (by extension) or as uncompressed TIFF.
///
/// # Errors
/// What the file system or the encoders report.
pub fn write_image(path: &Path, plane: &GreyPlane) -> io::Result<()> {
    let size = plane.size();
    let side = |length: usize| u32::try_from(length).map_err(io::Error::other);
    let (width, height) = (side(size.width)?, side(size.height)?);
    let mut file = BufWriter::new(File::create(path)?);
    if path.extension().is_some_and(|extension| extension == "png") {
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(png::ColorType::Grayscale);
        let bytes: Vec<u8> = match plane {
            GreyPlane::U8(plane) => plane.pixels().to_vec(),
            GreyPlane::U16(plane) => plane.pixels().iter().flat_map(|value| value.to_be_bytes()).collect(),
        };
        encoder.set_depth(match plane.depth() {
            BitDepth::Eight => png::BitDepth::Eight,
            BitDepth::Sixteen => png::BitDepth::Sixteen,
        });
        let mut writer = encoder.write_header().map_err(io::Error::other)?;
        writer.write_image_data(&bytes).map_err(io::Error::other)?;
        return writer.finish().map_err(io::Error::other);
    }
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut file).map_err(io::Error::other)?;
    use tiff::encoder::colortype::{Gray8, Gray16};
    match plane {
        GreyPlane::U8(plane) => encoder.write_image::<Gray8>(width, height, plane.pixels()),
        GreyPlane::U16(plane) => encoder.write_image::<Gray16>(width, height, plane.pixels()),
    }
    .map_err(io::Error::other)
}

/// Places of a grid in the order in which fields are numbered.
fn places(rows: usize, columns: usize, order: FieldOrder) -> Vec<(usize, usize)> {
    let mut places: Vec<(usize, usize)> = (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))).collect();
    match order {
        FieldOrder::RowMajor => {}
        FieldOrder::Snake => {
            places.sort_by_key(|&(y, x)| (y, if y % 2 == 1 { columns - 1 - x } else { x }));
        }
        FieldOrder::Spiral => {
            let angle_and_ring = |&(y, x): &(usize, usize)| {
                let (dy, dx) = (y as f64 - (rows / 2) as f64, x as f64 - (columns / 2) as f64);
                (dy.abs().max(dx.abs()), dy.atan2(dx))
            };
            places.sort_by(|a, b| {
                let (a, b) = (angle_and_ring(a), angle_and_ring(b));
                a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
            });
        }
    }
    places
}

/// One-based row and column of a well name.
fn row_and_column(well: &str) -> (u32, u32) {
    let letters = well.bytes().take_while(u8::is_ascii_uppercase);
    let row = letters.fold(0, |row, letter| row * 26 + u32::from(letter - b'A') + 1);
    let digits = well.trim_start_matches(|c: char| c.is_ascii_uppercase());
    (row, digits.parse().expect("well names end in two digits"))
}

/// Numbers to one well-spread number (SplitMix64 finaliser over a running sum).
fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |state, &part| {
        let mut z = state.wrapping_add(part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

fn xml_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

const XML_START: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";
const NAMESPACE: &str = "http://www.yokogawa.co.jp/BTS/BTSSchema/1.0";
