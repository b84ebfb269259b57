//! OME-XML: in the description (tag 270) of TIFF files, and in companion files uploaded with them.
//!
//! Schema 2016-06 and its elders (<https://docs.openmicroscopy.org/ome-model/6.3.1/ome-tiff/specification.html>);
//! what is read is which page of which file shows which channel, focal plane and time point, channel names
//! and colours, sizes of pixels and steps, stage positions, and wells. An index along an axis of length 1 says nothing:
//! files that hold one plane each all call it the first. Stage positions in the unit "reference frame" count
//! as µm; y points down.

use std::collections::{BTreeMap, HashMap};

use super::header::{HeaderFacts, PageFacts};
use super::secure_filename::secure_filename;
use super::well::WellName;
use super::xml::{self, Element};

/// Most pages of one file that a document may describe.
const MAX_PAGES: usize = 4096;
/// Most planes of all files together; more are not looked at.
const MAX_PLANES: usize = 1 << 22;

/// Whether a file is a companion file by its name: `x.ome.xml` or `x.companion.ome`, in any case.
pub fn is_companion(file_name: &str) -> bool {
    let lower = file_name.to_ascii_lowercase();
    lower.ends_with(".ome.xml") || lower.ends_with(".companion.ome")
}

/// A document, as far as it is of use.
#[derive(Debug, Default)]
pub struct Document {
    images: Vec<Image>,
    /// Well, number of the site in it and its position, by id of the image.
    wells: HashMap<String, WellSite>,
}

#[derive(Debug, Clone, Copy)]
struct WellSite {
    well: WellName,
    site: u32,
    x_um: Option<f64>,
    y_um: Option<f64>,
}

/// An `Image` with its `Pixels`.
#[derive(Debug, Default)]
struct Image {
    id: String,
    order: [Axis; 3],
    size: [u32; 3],
    pixel_um: Option<f64>,
    z_step_um: Option<f64>,
    interval_s: Option<f64>,
    channels: Vec<Channel>,
    blocks: Vec<Block>,
    /// Stage positions x, y, z by indices z, c, t.
    positions: HashMap<[u32; 3], [Option<f64>; 3]>,
}

#[derive(Debug, Default)]
struct Channel {
    name: Option<String>,
    color: Option<String>,
}

/// A `TiffData`: a run of pages in the order of dimensions.
#[derive(Debug, Default)]
struct Block {
    file: Option<String>,
    page: usize,
    first: [u32; 3],
    /// `None` is all of the image.
    count: Option<usize>,
}

/// An index into `[z, c, t]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Axis {
    #[default]
    Z,
    C,
    T,
}

impl Axis {
    const fn index(self) -> usize {
        match self {
            Self::Z => 0,
            Self::C => 1,
            Self::T => 2,
        }
    }
}

impl Document {
    /// Read a document.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with its name.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut reading = Reading::default();
        xml::for_each_element(bytes, |element| reading.visit(element))?;
        match reading.root.as_str() {
            "OME" => Ok(reading.document),
            other => Err(format!("wanted the root element OME, got {other}")),
        }
    }

    /// What the document says about the pages of every file that it describes, by secured name.
    ///
    /// `own` is the file that the document lies in: it is meant where no file is named.
    pub fn by_file(&self, own: Option<&str>) -> HashMap<String, HeaderFacts> {
        let own = own.map(base_name);
        let mut pages: HashMap<&str, (BTreeMap<usize, PageFacts>, HeaderFacts)> = HashMap::new();
        // Images without TiffData follow each other in the file.
        let mut next = 0;
        let mut left = MAX_PLANES;
        let whole = [Block::default()];
        for (number, image) in self.images.iter().enumerate() {
            let implied = image.blocks.is_empty();
            let blocks = if implied { whole.as_slice() } else { &image.blocks };
            for block in blocks {
                let Some(file) = block.file.as_deref().or(own) else { continue };
                let of_file = pages.entry(file).or_default();
                let start = if implied { next } else { block.page };
                for (k, plane) in image.planes(block).enumerate() {
                    let Some(page) = start.checked_add(k).filter(|page| *page < MAX_PAGES && left > 0) else {
                        break;
                    };
                    left -= 1;
                    next = next.max(page + 1);
                    of_file.0.insert(page, self.facts(image, plane, number));
                    let whole = &mut of_file.1;
                    whole.pixel_size_um = whole.pixel_size_um.or(image.pixel_um);
                    whole.z_step_um = whole.z_step_um.or(image.z_step_um);
                    whole.time_interval_s = whole.time_interval_s.or(image.interval_s);
                }
            }
        }
        let listed = |mut pages: BTreeMap<usize, PageFacts>| -> Vec<PageFacts> {
            let count = pages.last_key_value().map_or(0, |(last, _)| last + 1);
            (0..count).map(|page| pages.remove(&page).unwrap_or_default()).collect()
        };
        pages
            .into_iter()
            .map(|(file, (pages, whole))| (file.to_string(), HeaderFacts { pages: listed(pages), ..whole }))
            .collect()
    }

    fn facts(&self, image: &Image, plane: [u32; 3], number: usize) -> PageFacts {
        let along =
            |axis: Axis| (image.size[axis.index()] > 1).then(|| plane[axis.index()].saturating_add(1));
        let channel = usize::try_from(plane[1]).ok().and_then(|index| image.channels.get(index));
        let at = image.positions.get(&plane).copied().unwrap_or_default();
        let sample = self.wells.get(&image.id);
        let series = u32::try_from(number).ok().and_then(|number| number.checked_add(1));
        PageFacts {
            well: sample.map(|sample| sample.well),
            site: sample.map(|sample| sample.site),
            series: series.filter(|_| self.images.len() > 1),
            channel: channel
                .and_then(|channel| channel.name.clone())
                .or_else(|| along(Axis::C).map(|number| number.to_string())),
            label: None,
            color: channel.and_then(|channel| channel.color.clone()),
            z: along(Axis::Z),
            t: along(Axis::T),
            x_um: at[0].or(sample.and_then(|sample| sample.x_um)),
            y_um: at[1].or(sample.and_then(|sample| sample.y_um)),
            z_um: at[2],
            is_ome: true,
        }
    }
}

impl Image {
    /// Indices z, c, t of the planes of a block.
    fn planes(&self, block: &Block) -> impl Iterator<Item = [u32; 3]> + '_ {
        let all = self.size.iter().fold(1_u64, |all, size| all.saturating_mul(u64::from(*size)));
        // The linear index of the first plane, fastest axis first.
        let mut first = 0_u64;
        for axis in self.order.iter().rev() {
            let size = u64::from(self.size[axis.index()]);
            first = first.saturating_mul(size).saturating_add(u64::from(block.first[axis.index()]));
        }
        let left = all.saturating_sub(first);
        let wanted = block.count.map_or(left, |count| left.min(u64::try_from(count).unwrap_or(u64::MAX)));
        (first..first.saturating_add(wanted)).map(|index| {
            let (mut plane, mut rest) = ([0; 3], index);
            for axis in self.order {
                let size = u64::from(self.size[axis.index()].max(1));
                plane[axis.index()] = u32::try_from(rest % size).unwrap_or(0);
                rest /= size;
            }
            plane
        })
    }
}

/// What was seen of elements that are not closed yet: children come before their parents.
#[derive(Default)]
struct Reading {
    document: Document,
    root: String,
    image: Image,
    block_file: Option<String>,
    image_refs: Vec<String>,
    samples: Vec<(String, Option<f64>, Option<f64>)>,
}

impl Reading {
    fn visit(&mut self, element: Element) -> Result<(), String> {
        match element.name.as_str() {
            _ if element.depth == 0 => self.root = element.name,
            "UUID" => {
                self.block_file = element.attribute("FileName").map(|name| secure_filename(base_name(name)));
            }
            "TiffData" => {
                let page: Option<u32> = number(&element, "IFD")?;
                let count: Option<usize> = number(&element, "PlaneCount")?;
                let first = [
                    number(&element, "FirstZ")?.unwrap_or(0),
                    number(&element, "FirstC")?.unwrap_or(0),
                    number(&element, "FirstT")?.unwrap_or(0),
                ];
                self.image.blocks.push(Block {
                    file: self.block_file.take(),
                    page: usize::try_from(page.unwrap_or(0)).unwrap_or(usize::MAX),
                    first,
                    count: count.or(page.map(|_| 1)),
                });
            }
            "Channel" => self.image.channels.push(Channel {
                name: element.attribute("Name").map(str::to_string),
                color: element.attribute("Color").and_then(color),
            }),
            "Plane" => {
                let index = [
                    number(&element, "TheZ")?.unwrap_or(0),
                    number(&element, "TheC")?.unwrap_or(0),
                    number(&element, "TheT")?.unwrap_or(0),
                ];
                let position = ["PositionX", "PositionY", "PositionZ"].map(|name| length(&element, name));
                if position.iter().any(Option::is_some) {
                    self.image.positions.insert(index, position);
                }
            }
            "Pixels" => self.pixels(&element)?,
            "Image" => {
                let mut image = std::mem::take(&mut self.image);
                image.id = element.attribute("ID").unwrap_or_default().to_string();
                self.document.images.push(image);
            }
            "ImageRef" => self.image_refs.extend(element.attribute("ID").map(str::to_string)),
            "WellSample" => {
                let at = (length(&element, "PositionX"), length(&element, "PositionY"));
                self.samples.extend(self.image_refs.pop().map(|image| (image, at.0, at.1)));
                self.image_refs.clear();
            }
            "Well" => self.well(&element)?,
            // References from elsewhere, as from a data set.
            "Dataset" | "ROI" | "Plate" => self.image_refs.clear(),
            _ => {}
        }
        Ok(())
    }

    fn pixels(&mut self, element: &Element) -> Result<(), String> {
        let order = element.attribute("DimensionOrder").unwrap_or("XYZCT");
        self.image.order = match order {
            "XYZCT" => [Axis::Z, Axis::C, Axis::T],
            "XYZTC" => [Axis::Z, Axis::T, Axis::C],
            "XYCZT" => [Axis::C, Axis::Z, Axis::T],
            "XYCTZ" => [Axis::C, Axis::T, Axis::Z],
            "XYTZC" => [Axis::T, Axis::Z, Axis::C],
            "XYTCZ" => [Axis::T, Axis::C, Axis::Z],
            other => return Err(format!("DimensionOrder=\"{other}\", wanted XY and Z, C, T in any order")),
        };
        for (axis, name) in ["SizeZ", "SizeC", "SizeT"].into_iter().enumerate() {
            self.image.size[axis] = number(element, name)?.unwrap_or(1_u32).max(1);
        }
        self.image.pixel_um = length(element, "PhysicalSizeX").filter(|size| *size > 0.0);
        self.image.z_step_um = length(element, "PhysicalSizeZ").filter(|step| *step > 0.0);
        self.image.interval_s = duration(element, "TimeIncrement").filter(|interval| *interval > 0.0);
        Ok(())
    }

    fn well(&mut self, element: &Element) -> Result<(), String> {
        let row: Option<u16> = number(element, "Row")?;
        let column: Option<u16> = number(element, "Column")?;
        let samples = std::mem::take(&mut self.samples);
        let Some((row, column)) = row.zip(column) else { return Ok(()) };
        let well = WellName::new(row, column)
            .ok_or_else(|| format!("no well has Row=\"{row}\" and Column=\"{column}\""))?;
        for (site, (image, x_um, y_um)) in (1_u32..).zip(samples) {
            self.document.wells.insert(image, WellSite { well, site, x_um, y_um });
        }
        Ok(())
    }
}

/// The last part of a path, whatever separates its parts.
pub fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// An attribute as a whole number.
fn number<T: std::str::FromStr>(element: &Element, name: &str) -> Result<Option<T>, String> {
    let parse = |text: &str| {
        text.parse().map_err(|_| format!("{name}=\"{text}\", wanted a whole number that is not negative"))
    };
    element.attribute(name).map(parse).transpose()
}

/// An attribute as a length in µm by its unit; `None` too where it is no number or no length.
fn length(element: &Element, name: &str) -> Option<f64> {
    let value: f64 = element.attribute(name)?.parse().ok()?;
    let factor = match element.attribute(&format!("{name}Unit")).unwrap_or("µm") {
        "pm" => 1e-6,
        "Å" => 1e-4,
        "nm" => 1e-3,
        "mm" => 1e3,
        "cm" => 1e4,
        "m" => 1e6,
        _ => 1.0,
    };
    Some(value * factor).filter(|value| value.is_finite())
}

/// An attribute as a time in seconds by its unit; `None` too where it is no number.
fn duration(element: &Element, name: &str) -> Option<f64> {
    let value: f64 = element.attribute(name)?.parse().ok()?;
    let factor = match element.attribute(&format!("{name}Unit")).unwrap_or("s") {
        "ns" => 1e-9,
        "µs" => 1e-6,
        "ms" => 1e-3,
        "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => 1.0,
    };
    Some(value * factor).filter(|value| value.is_finite())
}

/// `RRGGBB` of a colour written as one signed number, red first and opacity last.
fn color(text: &str) -> Option<String> {
    let value: i64 = text.parse().ok()?;
    let bits = u32::try_from(value.rem_euclid(1 << 32)).ok()?;
    Some(format!("{:06X}", bits >> 8))
}
