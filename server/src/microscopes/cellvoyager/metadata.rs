//! The metadata files of a CellVoyager measurement: `.mlf` (one record per plane), `.mrf`, and the protocol `.mes`.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::microscopes::record::ChannelDetails;
use crate::microscopes::well::WellName;
use crate::microscopes::xml::{self, Element};

/// What one record of the `.mlf` says about a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    /// The record is an image (`IMG`), not an error (`ERR`).
    pub is_image: bool,
    /// File name as written.
    pub file: String,
    /// From `Row` and `Column`.
    pub well: Option<WellName>,
    /// `FieldIndex`.
    pub site: Option<u32>,
    /// `Ch`.
    pub channel: Option<u32>,
    /// `ActionIndex`.
    pub action: Option<u32>,
    /// `ZIndex`.
    pub z: Option<u32>,
    /// `TimePoint`: the `T` of the file name. `TimelineIndex` is the `L` and says nothing about time.
    pub t: Option<u32>,
    /// `X` in µm.
    pub x_um: Option<f64>,
    /// `Y` in µm, up.
    pub y_up_um: Option<f64>,
    /// `Z` in µm.
    pub z_um: Option<f64>,
    /// `Time`.
    pub date: Option<String>,
}

/// The contents of a `.mlf` file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MeasurementData {
    /// Records that name a file, in the file's order.
    pub records: Vec<Record>,
    /// How many records report an error of the microscope.
    pub errors: usize,
}

/// A channel of the `.mrf`.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelDetail {
    /// Number of the channel.
    pub channel: u32,
    /// Width and height of a pixel in µm.
    pub pixel_um: Option<(f64, f64)>,
}

/// The contents of a `.mrf` file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MeasurementDetail {
    /// Title of the measurement.
    pub title: Option<String>,
    /// Rows of wells of the plate.
    pub rows: Option<u32>,
    /// Columns of wells of the plate.
    pub columns: Option<u32>,
    /// Channels in the file's order.
    pub channels: Vec<ChannelDetail>,
}

/// Read a `.mlf` file.
///
/// # Errors
/// What is wrong with the file, as the end of a sentence that begins with its name.
pub fn read_mlf(bytes: &[u8]) -> Result<MeasurementData, String> {
    let mut data = MeasurementData::default();
    let mut number = 0_usize;
    let mut root = String::new();
    xml::for_each_element(bytes, |element| {
        if element.depth == 0 {
            root = element.name;
        } else if element.name == "MeasurementRecord" {
            number += 1;
            let record = record(&element).map_err(|problem| format!("record {number}: {problem}"))?;
            data.errors += usize::from(!record.is_image);
            if record.is_image && record.file.is_empty() {
                return Err(format!("record {number}: an image without a file name"));
            }
            if !record.file.is_empty() {
                data.records.push(record);
            }
        }
        Ok(())
    })?;
    if root != "MeasurementData" {
        return Err(format!("wanted the root element MeasurementData, got {root}"));
    }
    Ok(data)
}

/// Read a `.mrf` file.
///
/// # Errors
/// What is wrong with the file, as the end of a sentence that begins with its name.
pub fn read_mrf(bytes: &[u8]) -> Result<MeasurementDetail, String> {
    let mut detail = MeasurementDetail::default();
    let mut root = String::new();
    xml::for_each_element(bytes, |element| {
        if element.depth == 0 {
            detail.title = element.attribute("Title").map(str::to_string);
            detail.rows = number(&element, "RowCount")?;
            detail.columns = number(&element, "ColumnCount")?;
            root = element.name;
        } else if element.name == "MeasurementChannel" {
            let Some(channel) = number(&element, "Ch")? else { return Ok(()) };
            let width = length(&element, "HorizontalPixelDimension")?;
            let height = length(&element, "VerticalPixelDimension")?;
            detail.channels.push(ChannelDetail { channel, pixel_um: width.zip(height) });
        }
        Ok(())
    })?;
    if root != "MeasurementDetail" {
        return Err(format!("wanted the root element MeasurementDetail, got {root}"));
    }
    Ok(detail)
}

/// Read the channels of a `.mes` file: by number, what they show (`Target`) and their colour.
///
/// # Errors
/// What is wrong with the file, as the end of a sentence that begins with its name.
pub fn read_mes(bytes: &[u8]) -> Result<BTreeMap<String, ChannelDetails>, String> {
    let mut channels = BTreeMap::new();
    let mut root = String::new();
    xml::for_each_element(bytes, |element| {
        if element.depth == 0 {
            root = element.name;
        } else if element.name == "Channel" {
            let Some(channel) = number::<u32>(&element, "Ch")? else { return Ok(()) };
            let label = element.attribute("Target").map(str::to_string);
            // #AARRGGBB
            let digits = element.attribute("Color").and_then(|text| text.strip_prefix('#'));
            let color = digits
                .filter(|text| text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
                .map(|text| text[2..].to_ascii_uppercase());
            channels.insert(channel.to_string(), ChannelDetails { label, color });
        }
        Ok(())
    })?;
    if root != "MeasurementSetting" {
        return Err(format!("wanted the root element MeasurementSetting, got {root}"));
    }
    Ok(channels)
}

/// One record. Records of errors may lack anything and hold anything.
fn record(element: &Element) -> Result<Record, String> {
    let is_image = element.attribute("Type").is_none_or(|kind| kind == "IMG");
    let file = element.text.clone();
    if !is_image {
        let place = |name| position(element, name).ok().flatten();
        return Ok(Record { is_image, file, x_um: place("X"), y_up_um: place("Y"), ..Record::default() });
    }
    let row: Option<u16> = number(element, "Row")?;
    let column: Option<u16> = number(element, "Column")?;
    let well = match row.zip(column) {
        None => None,
        Some((row, column)) => {
            let zero_based = row.checked_sub(1).zip(column.checked_sub(1));
            let well = zero_based.and_then(|(row, column)| WellName::new(row, column));
            Some(well.ok_or_else(|| format!("no well has Row=\"{row}\" and Column=\"{column}\""))?)
        }
    };
    Ok(Record {
        is_image,
        file,
        well,
        site: number(element, "FieldIndex")?,
        channel: number(element, "Ch")?,
        action: number(element, "ActionIndex")?,
        z: number(element, "ZIndex")?,
        t: number(element, "TimePoint")?,
        x_um: position(element, "X")?,
        y_up_um: position(element, "Y")?,
        z_um: position(element, "Z")?,
        date: element.attribute("Time").map(str::to_string),
    })
}

/// An attribute as a whole number.
fn number<T: FromStr>(element: &Element, name: &str) -> Result<Option<T>, String> {
    let parse = |text: &str| {
        text.parse().map_err(|_| format!("{name}=\"{text}\", wanted a whole number that is not negative"))
    };
    element.attribute(name).map(parse).transpose()
}

/// An attribute as a finite number of µm.
fn position(element: &Element, name: &str) -> Result<Option<f64>, String> {
    let parse = |text: &str| match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("{name}=\"{text}\", wanted a number of µm")),
    };
    element.attribute(name).map(parse).transpose()
}

/// An attribute as a length in µm; zero and less mean that the microscope does not know.
fn length(element: &Element, name: &str) -> Result<Option<f64>, String> {
    Ok(position(element, name)?.filter(|&value| value > 0.0))
}
