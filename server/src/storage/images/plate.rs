//! Making a plate: the whole hierarchy of groups and arrays, without pixels.
//!
//! Metadata follow OME-NGFF 0.5 (<https://ngff.openmicroscopy.org/0.5/>).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use tm_engine::EngineError;
use tm_engine::image::{BitDepth, Size};

use super::array::INNER_CHUNK;
use super::metadata;
use crate::storage::error::{Result, StorageError};
use crate::storage::staging::StagedDirectory;

/// What a new plate looks like.
#[derive(Debug, Clone, PartialEq)]
pub struct PlateSpec {
    /// Name shown to people.
    pub name: String,
    /// The acquisitions that the fields refer to.
    pub acquisitions: Vec<AcquisitionSpec>,
    /// All fields of all wells, in any order.
    pub fields: Vec<FieldSpec>,
}

/// One acquisition of a plate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcquisitionSpec {
    /// Database id, not negative.
    pub id: i64,
    /// Name shown to people.
    pub name: String,
}

/// One field of view: one image of the plate.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldSpec {
    /// Well name: one or two capital letters and two digits, such as `B03` or `AA12`.
    pub well: String,
    /// Number of the field in its well: every well has 0, 1, 2 … without gaps.
    pub index: usize,
    /// Id of the acquisition the field belongs to.
    pub acquisition: i64,
    /// Number of time points.
    pub time_points: usize,
    /// Number of focal planes.
    pub z_planes: usize,
    /// The channels, in the order of the image's channel axis.
    pub channels: Vec<ChannelSpec>,
    /// Height and width of every plane, in pixels.
    pub size: Size,
    /// Bits per pixel.
    pub depth: BitDepth,
    /// Edge of a pixel in micrometres, if known.
    pub pixel_size_um: Option<f64>,
    /// Distance of focal planes in micrometres, if known.
    pub z_step_um: Option<f64>,
    /// Time from one time point to the next in seconds, if known.
    pub time_interval_s: Option<f64>,
}

/// One channel of a field image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSpec {
    /// Name shown to people.
    pub name: String,
    /// Display colour as `RRGGBB`; white if there is none.
    pub color: Option<String>,
}

/// Where the image of a field is inside its plate: `B03`, 0 → `B/03/0`.
///
/// Row and column are named as in the well name, so that every NGFF tool shows the names people know.
pub fn field_path(well: &str, index: usize) -> String {
    let (row, column) = split_well(well);
    format!("{row}/{column}/{index}")
}

/// Letters and digits of a well name.
fn split_well(well: &str) -> (&str, &str) {
    well.split_at(well.find(|letter: char| !letter.is_ascii_uppercase()).unwrap_or(well.len()))
}

/// Make a plate at `path`: all groups, arrays and metadata, no pixels. It appears whole or not at all.
///
/// # Errors
/// [`StorageError::Engine`] for a specification that contradicts
/// itself, [`StorageError::Io`] when the disk fails or something is at
/// `path` already.
pub fn create_plate(path: &Path, spec: &PlateSpec) -> Result<()> {
    let wells = check(spec)?;
    let staged = StagedDirectory::new(path)?;
    // By length first: AA comes after Z.
    let rows: BTreeSet<(usize, &str)> =
        wells.keys().map(|well| split_well(well).0).map(|row| (row.len(), row)).collect();
    let columns: BTreeSet<&str> = wells.keys().map(|well| split_well(well).1).collect();
    let rows: Vec<&str> = rows.into_iter().map(|(_, row)| row).collect();
    let columns: Vec<&str> = columns.into_iter().collect();
    staged.write_json("zarr.json", &plate_group(spec, &wells, &rows, &columns))?;
    for row in &rows {
        staged.write_json(&format!("{row}/zarr.json"), &metadata::plain_group())?;
    }
    for (well, fields) in &wells {
        let (row, column) = split_well(well);
        let images: Vec<Value> = fields
            .values()
            .map(|field| json!({ "path": field.index.to_string(), "acquisition": field.acquisition }))
            .collect();
        let group = metadata::group(json!({ "well": { "images": images } }));
        staged.write_json(&format!("{row}/{column}/zarr.json"), &group)?;
        for field in fields.values() {
            let image = field_path(well, field.index);
            staged.write_json(&format!("{image}/zarr.json"), &image_group(&image, field))?;
            staged.write_json(&format!("{image}/0/zarr.json"), &image_array(field))?;
        }
    }
    staged.commit()
}

/// Whether there is a plate of ours at `path`; says nothing of its fields.
///
/// # Errors
/// [`StorageError::NotFound`] when there is none,
/// [`StorageError::Corrupt`] when its metadata are not what this program
/// writes.
pub fn check_plate(path: &Path) -> Result<()> {
    let wells = metadata::read_group(path)?["plate"]["wells"].as_array().map_or(0, Vec::len);
    if wells == 0 {
        return Err(StorageError::corrupt(path, "a plate without wells"));
    }
    Ok(())
}

/// The fields of every well by index.
type Wells<'a> = BTreeMap<&'a str, BTreeMap<usize, &'a FieldSpec>>;

fn check(spec: &PlateSpec) -> Result<Wells<'_>> {
    let refuse = |name, problem: String| Err(EngineError::Parameter { name, problem }.into());
    if spec.fields.is_empty() {
        return refuse("fields", "of a plate are none".into());
    }
    let known: BTreeSet<i64> = spec.acquisitions.iter().map(|acquisition| acquisition.id).collect();
    if known.len() != spec.acquisitions.len() || known.first().is_some_and(|id| *id < 0) {
        return refuse("acquisitions", "have ids that are negative or not unique".into());
    }
    let mut wells = Wells::new();
    for field in &spec.fields {
        let (row, column) = split_well(&field.well);
        let digits = column.len() == 2 && column.bytes().all(|byte| byte.is_ascii_digit());
        if !matches!(row.len(), 1 | 2) || !digits {
            return refuse("well", format!("is {:?}, must be one or two letters and two digits", field.well));
        }
        if !known.contains(&field.acquisition) {
            return refuse(
                "acquisition",
                format!("{} of a field is not one of the plate's", field.acquisition),
            );
        }
        let lengths =
            [field.time_points, field.z_planes, field.channels.len(), field.size.height, field.size.width];
        if lengths.contains(&0) {
            return refuse("field", format!("{} of well {} has no pixels", field.index, field.well));
        }
        for color in field.channels.iter().filter_map(|channel| channel.color.as_ref()) {
            if color.len() != 6 || !color.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return refuse("color", format!("is {color:?}, must be RRGGBB"));
            }
        }
        if wells.entry(&field.well).or_default().insert(field.index, field).is_some() {
            return refuse("index", format!("{} appears twice in well {}", field.index, field.well));
        }
    }
    for (well, fields) in &wells {
        if fields.keys().copied().ne(0..fields.len()) {
            return refuse("index", format!("of the fields of well {well} has gaps"));
        }
    }
    Ok(wells)
}

fn plate_group(spec: &PlateSpec, wells: &Wells<'_>, rows: &[&str], columns: &[&str]) -> Value {
    let field_count = |counts: &dyn Fn(&FieldSpec) -> bool| {
        wells.values().map(|fields| fields.values().filter(|field| counts(field)).count()).max().unwrap_or(0)
    };
    let acquisitions: Vec<Value> = spec
        .acquisitions
        .iter()
        .map(|acquisition| {
            let mut entry = json!({ "id": acquisition.id, "name": acquisition.name });
            // The standard wants at least 1 where the number is given.
            let fields = field_count(&|field| field.acquisition == acquisition.id);
            if fields > 0 {
                entry["maximumfieldcount"] = json!(fields);
            }
            entry
        })
        .collect();
    let names = |names: &[&str]| -> Vec<Value> { names.iter().map(|name| json!({ "name": name })).collect() };
    let position = |names: &[&str], name: &str| names.iter().position(|other| *other == name);
    let wells: Vec<Value> = wells
        .keys()
        .map(|well| {
            let (row, column) = split_well(well);
            json!({
                "path": format!("{row}/{column}"),
                "rowIndex": position(rows, row),
                "columnIndex": position(columns, column),
            })
        })
        .collect();
    metadata::group(json!({
        "plate": {
            "name": spec.name,
            "acquisitions": acquisitions,
            "rows": names(rows),
            "columns": names(columns),
            "wells": wells,
            "field_count": field_count(&|_| true),
        },
    }))
}

fn image_group(name: &str, field: &FieldSpec) -> Value {
    let [t, z, pixel] =
        [field.time_interval_s, field.z_step_um, field.pixel_size_um].map(|known| known.unwrap_or(1.0));
    let scale = [t, 1.0, z, pixel, pixel];
    let maximum = field.depth.max_value();
    let channels: Vec<Value> = field
        .channels
        .iter()
        .map(|channel| {
            json!({
                "label": channel.name,
                "color": channel.color.as_deref().unwrap_or("FFFFFF").to_ascii_uppercase(),
                "active": true,
                "window": { "min": 0, "max": maximum, "start": 0, "end": maximum },
            })
        })
        .collect();
    metadata::group(json!({
        "multiscales": [{
            "name": name,
            "axes": [
                metadata::time_axis("t", field.time_interval_s),
                { "name": "c", "type": "channel" },
                metadata::space_axis("z", field.z_step_um),
                metadata::space_axis("y", field.pixel_size_um),
                metadata::space_axis("x", field.pixel_size_um),
            ],
            "datasets": [{
                "path": "0",
                "coordinateTransformations": [{ "type": "scale", "scale": scale }],
            }],
        }],
        "omero": { "channels": channels },
    }))
}

fn image_array(field: &FieldSpec) -> Value {
    let leading = [field.time_points, field.channels.len(), field.z_planes];
    let whole = |edge: usize| edge.next_multiple_of(INNER_CHUNK);
    let shard = Size::new(whole(field.size.height), whole(field.size.width));
    metadata::array(field.depth, &leading, field.size, shard, &["t", "c", "z", "y", "x"])
}
