//! From uploaded files to wells, sites, channels and planes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::companion;
use super::error::{Names, PlanError};
pub use super::grid::GridPosition;
use super::header::HeaderFacts;
use super::layout::{SiteLayout, StitchLayout};
use super::names::NamePattern;
use super::record::{ChannelDetails, Known, PlaneRecord, PlateShape, Provenance};
use super::sites::{self, PlanesOfWells};
use super::summary;
use super::well::{PlateFormat, WellName};
use super::{MicroscopeType, natural};

/// Size and depth of one page of an image file, from its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageSize {
    /// Rows of pixels.
    pub height: u32,
    /// Columns of pixels.
    pub width: u32,
    /// Bits per pixel.
    pub bit_depth: u8,
}

/// An uploaded image file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImageFile {
    /// Name as stored.
    pub name: String,
    /// Its pages, in order.
    pub pages: Vec<PageSize>,
    /// What its header says about them.
    pub header: HeaderFacts,
}

/// An uploaded metadata file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataFile {
    /// Name as stored.
    pub name: String,
    /// Its contents.
    pub bytes: Vec<u8>,
}

/// What the user decides about reading an acquisition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanOptions {
    /// Pattern for file names instead of the microscope type's own, for what metadata do not say.
    pub regex: Option<String>,
    /// Order in which the sites of a well were taken; counts only without stage positions.
    pub stitch_layout: StitchLayout,
    /// Rows of sites in a well; counts only without stage positions.
    pub n_vertical: Option<usize>,
    /// Columns of sites in a well; counts only without stage positions.
    pub n_horizontal: Option<usize>,
    /// Project all focal planes to one by their maximum.
    pub mip: bool,
    /// The plate that the wells must be on.
    pub plate_format: PlateFormat,
}

impl PlanOptions {
    /// The defaults for a plate format: built-in pattern, horizontal layout, no grid given, no projection.
    pub fn new(plate_format: PlateFormat) -> Self {
        Self {
            regex: None,
            stitch_layout: StitchLayout::default(),
            n_vertical: None,
            n_horizontal: None,
            mip: false,
            plate_format,
        }
    }
}

/// Size of every site of an acquisition, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiteSize {
    /// Rows of pixels.
    pub height: u32,
    /// Columns of pixels.
    pub width: u32,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedChannel {
    /// Name within the acquisition.
    pub name: String,
    /// What metadata say about it beside its name.
    pub details: ChannelDetails,
}

/// A well with its sites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedWell {
    /// The well.
    pub name: WellName,
    /// Places of its sites, by row, then column; a place of the grid that is not listed has no site.
    pub sites: Vec<GridPosition>,
}

/// One page of an uploaded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePlane {
    /// Name of the file.
    pub file: String,
    /// Page within the file, zero-based.
    pub page: usize,
}

/// One plane to store, by indices into the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedPlane {
    /// Index into [`AcquisitionPlan::wells`].
    pub well: usize,
    /// Index into [`PlannedWell::sites`].
    pub site: usize,
    /// Index into [`AcquisitionPlan::channels`].
    pub channel: usize,
    /// Zero-based time point within the acquisition.
    pub tpoint: usize,
    /// Zero-based focal plane; 0 with projection.
    pub zplane: usize,
    /// Where its pixels come from: with projection all focal planes in order, otherwise one.
    pub sources: Vec<SourcePlane>,
}

/// What the places of the sites come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GridSource {
    /// Stage positions in the metadata.
    StagePositions,
    /// Layout arguments.
    Layout,
    /// There is one site per well.
    SingleSite,
}

/// How many planes have a field from a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSource {
    /// `well`, `site`, `channel`, `t` or `z`.
    pub field: &'static str,
    /// The source.
    pub from: Provenance,
    /// Number of planes.
    pub planes: usize,
}

/// Everything that has to be made from an acquisition's files.
#[derive(Debug, Clone, PartialEq)]
pub struct AcquisitionPlan {
    /// Title of the measurement, if metadata give one.
    pub title: Option<String>,
    /// Size of the plate by the metadata.
    pub plate: Option<PlateShape>,
    /// Size of a pixel in the specimen in µm, if metadata give one.
    pub pixel_size_um: Option<f64>,
    /// Distance of focal planes in µm, if metadata give one; none with projection.
    pub z_step_um: Option<f64>,
    /// Time from one time point to the next in seconds, if metadata give one.
    pub time_interval_s: Option<f64>,
    /// Size of all sites.
    pub size: SiteSize,
    /// Bits per pixel of all planes: 8 or 16.
    pub bit_depth: u8,
    /// Channels in natural order of names: 1, 2, 10.
    pub channels: Vec<PlannedChannel>,
    /// Number of time points.
    pub time_points: usize,
    /// Number of focal planes; 1 with projection.
    pub z_planes: usize,
    /// Wells by row, then column.
    pub wells: Vec<PlannedWell>,
    /// Planes by well, site, channel, time point, focal plane. Combinations that are not listed do not exist.
    pub planes: Vec<PlannedPlane>,
    /// What a person should know but that stops nothing.
    pub warnings: Vec<String>,
    /// Where the fields of the planes come from.
    pub provenance: Vec<FieldSource>,
    /// Where the places of the sites come from.
    pub grid: GridSource,
}

/// The earliest check: can the metadata be read, and do they and the uploaded images fit?
///
/// # Errors
/// Unreadable metadata, images that they name and that are not there, or images that they do not name.
pub fn check_files(
    microscope: &dyn MicroscopeType,
    image_names: &[String],
    metadata: &[MetadataFile],
) -> Result<(), PlanError> {
    if image_names.is_empty() {
        return Err(PlanError::NoImages);
    }
    let (companions, metadata) = companion::split(metadata);
    companion::read(&companions, image_names.iter().map(String::as_str))?;
    microscope.check_files(image_names, &metadata)
}

/// Plan an acquisition. The result depends on the files and options alone, not on the files' order.
///
/// # Errors
/// See [`PlanError`]: every case names the files concerned.
pub fn plan_acquisition(
    microscope: &dyn MicroscopeType,
    images: &[ImageFile],
    metadata: &[MetadataFile],
    options: &PlanOptions,
) -> Result<AcquisitionPlan, PlanError> {
    if images.is_empty() {
        return Err(PlanError::NoImages);
    }
    let layout = SiteLayout::new(options.stitch_layout, options.n_vertical, options.n_horizontal)?;
    // An empty pattern would match every name and say nothing: clients send it for "none".
    let given = options.regex.as_deref().filter(|pattern| !pattern.is_empty());
    let user_pattern = given.map(NamePattern::user).transpose()?;
    let (companions, metadata) = companion::split(metadata);
    let described = companion::read(&companions, images.iter().map(|image| image.name.as_str()))?;
    let images = &*described.apply(images);
    let mut records = microscope.read(images, &metadata, user_pattern.as_ref())?;
    records.warnings.extend(described.warnings);
    records.pixel_size_um =
        records.pixel_size_um.or_else(|| summary::pixel_size(images, &mut records.warnings));
    records.z_step_um = records.z_step_um.or_else(|| summary::z_step(images, &mut records.warnings));
    let time_interval_s = summary::time_interval(images, &mut records.warnings);
    let page = common_page(&records.planes)?;
    fill_gaps(&mut records.planes, &mut records.warnings);
    check_plate(&records.planes, records.plate, options.plate_format, &mut records.warnings)?;

    let planes = &records.planes;
    let mut by_well = PlanesOfWells::new();
    for (index, plane) in planes.iter().enumerate() {
        by_well.entry(well_of(plane)).or_default().push(index);
    }
    let placed = sites::place(planes, &by_well, records.pixel_size_um, layout)?;
    records.warnings.extend(placed.warnings);

    let mut channels: Vec<&str> =
        planes.iter().map(channel_of).collect::<BTreeSet<_>>().into_iter().collect();
    channels.sort_by(|a, b| natural::compare(a, b));
    let channel_index: HashMap<&str, usize> =
        channels.iter().enumerate().map(|(index, name)| (*name, index)).collect();
    let t_index = dense(planes.iter().map(|plane| number(plane.t)));
    let z_index = dense(planes.iter().map(|plane| number(plane.z)));
    let mut wells = Vec::with_capacity(by_well.len());
    let mut keyed: Vec<(PlaneKey, usize)> = Vec::with_capacity(planes.len());
    for (well, (name, members)) in by_well.iter().enumerate() {
        let sites: BTreeSet<GridPosition> = members.iter().map(|&plane| placed.positions[plane]).collect();
        let sites: Vec<GridPosition> = sites.into_iter().collect();
        for &plane in members {
            let site = sites.binary_search(&placed.positions[plane]).expect("every place was collected");
            let record = &planes[plane];
            let key = PlaneKey {
                well,
                site,
                channel: channel_index[channel_of(record)],
                tpoint: t_index[&number(record.t)],
                zplane: z_index[&number(record.z)],
            };
            keyed.push((key, plane));
        }
        wells.push(PlannedWell { name: *name, sites });
    }
    keyed.sort_unstable();
    check_duplicates(&keyed, planes)?;
    records.warnings.extend(summary::incomplete(&keyed, &wells, &channels));
    Ok(AcquisitionPlan {
        title: records.title,
        plate: records.plate,
        pixel_size_um: records.pixel_size_um,
        z_step_um: records.z_step_um.filter(|_| !options.mip),
        time_interval_s,
        size: SiteSize { height: page.height, width: page.width },
        bit_depth: page.bit_depth,
        channels: summary::channels(&channels, planes, &records.channels),
        time_points: t_index.len(),
        z_planes: if options.mip { 1 } else { z_index.len() },
        wells,
        planes: planned_planes(&keyed, planes, options.mip),
        warnings: records.warnings,
        provenance: summary::provenance(planes),
        grid: placed.source,
    })
}

/// Indices of a plane in the plan; the order is the order of planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlaneKey {
    /// Index of the well.
    pub well: usize,
    /// Index of the site in it.
    pub site: usize,
    /// Index of the channel.
    pub channel: usize,
    /// Time point.
    pub tpoint: usize,
    /// Focal plane.
    pub zplane: usize,
}

fn well_of(plane: &PlaneRecord) -> WellName {
    plane.well.map_or(WellName::FIRST, |known| known.value)
}

/// The channel of a plane whose gaps are filled.
pub fn channel_of(plane: &PlaneRecord) -> &str {
    plane.channel.as_ref().map_or(DEFAULT_CHANNEL, |known| &known.value)
}

fn number(field: Option<Known<u32>>) -> u32 {
    field.map_or(0, |known| known.value)
}

/// Name of the channel where nothing names it.
const DEFAULT_CHANNEL: &str = "1";

/// Defaults for what neither metadata nor names say; a site's number has none (files are ordered then).
fn fill_gaps(planes: &mut [PlaneRecord], warnings: &mut Vec<String>) {
    let mut missing: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for plane in planes {
        let mut note = |field, taken_as| *missing.entry((field, taken_as)).or_default() += 1;
        plane.well.get_or_insert_with(|| {
            note("well", "A01");
            Known::new(WellName::FIRST, Provenance::Default)
        });
        plane.channel.get_or_insert_with(|| {
            note("channel", DEFAULT_CHANNEL);
            Known::new(DEFAULT_CHANNEL.to_string(), Provenance::Default)
        });
        plane.t.get_or_insert_with(|| {
            note("time point", "0");
            Known::new(0, Provenance::Default)
        });
        plane.z.get_or_insert_with(|| {
            note("focal plane", "0");
            Known::new(0, Provenance::Default)
        });
        if plane.site.is_none() {
            note("site", "the next in order of file names");
        }
    }
    for ((field, taken_as), count) in missing {
        warnings.push(format!(
            "neither metadata nor names give the {field} of {count} planes: taken as {taken_as}"
        ));
    }
}

/// Size and depth that all planes share.
fn common_page(planes: &[PlaneRecord]) -> Result<PageSize, PlanError> {
    let page_of = |plane: &PlaneRecord| PageSize {
        height: plane.height,
        width: plane.width,
        bit_depth: plane.bit_depth,
    };
    let unsupported: Names = planes
        .iter()
        .filter(|plane| !matches!(plane.bit_depth, 8 | 16))
        .map(|plane| format!("{} ({} bits)", plane.file, plane.bit_depth))
        .collect();
    if unsupported.count() > 0 {
        return Err(PlanError::UnsupportedBitDepth { files: unsupported });
    }
    let mut counts: HashMap<PageSize, usize> = HashMap::new();
    for plane in planes {
        *counts.entry(page_of(plane)).or_default() += 1;
    }
    let most = counts.values().copied().max().unwrap_or(0);
    // Among equally frequent sizes the first file's counts, so that messages do not change from run to run.
    let common = planes.iter().map(page_of).find(|page| counts[page] == most).ok_or(PlanError::NoImages)?;
    let describe =
        |page: PageSize| format!("{} x {} pixels, {} bits", page.height, page.width, page.bit_depth);
    let others: Names = planes
        .iter()
        .filter(|plane| page_of(plane) != common)
        .map(|plane| format!("{} ({})", plane.file, describe(page_of(plane))))
        .collect();
    if others.count() > 0 {
        return Err(PlanError::MixedImages { wanted: describe(common), files: others });
    }
    Ok(common)
}

/// All wells must be on the plate.
fn check_plate(
    planes: &[PlaneRecord],
    shape: Option<PlateShape>,
    format: PlateFormat,
    warnings: &mut Vec<String>,
) -> Result<(), PlanError> {
    let outside: Vec<&PlaneRecord> = planes.iter().filter(|plane| !format.contains(well_of(plane))).collect();
    if !outside.is_empty() {
        let wells: BTreeSet<WellName> = outside.iter().map(|plane| well_of(plane)).collect();
        return Err(PlanError::OutsidePlate {
            plate: format.to_string(),
            wells: wells.into_iter().map(|well| well.to_string()).collect(),
            files: outside.iter().map(|plane| plane.file.as_str()).collect(),
        });
    }
    let wanted = PlateShape { rows: format.rows().into(), columns: format.columns().into() };
    if let Some(shape) = shape.filter(|shape| *shape != wanted) {
        warnings.push(format!(
            "metadata describe a plate of {} x {} wells, the experiment has a {format}",
            shape.rows, shape.columns
        ));
    }
    Ok(())
}

/// Distinct numbers in order, each with its zero-based rank.
fn dense(numbers: impl Iterator<Item = u32>) -> HashMap<u32, usize> {
    let distinct: BTreeSet<u32> = numbers.collect();
    distinct.into_iter().enumerate().map(|(rank, number)| (number, rank)).collect()
}

/// No two files may be the same plane. `keyed` is sorted.
fn check_duplicates(keyed: &[(PlaneKey, usize)], planes: &[PlaneRecord]) -> Result<(), PlanError> {
    let Some(first) = keyed.windows(2).find(|pair| pair[0].0 == pair[1].0) else { return Ok(()) };
    let (key, index) = first[0];
    let plane = &planes[index];
    let site = plane.site.map_or("unknown".to_string(), |known| known.value.to_string());
    Err(PlanError::Duplicate {
        plane: format!(
            "well {}, site {site}, channel {}, time point {}, focal plane {}",
            well_of(plane),
            channel_of(plane),
            number(plane.t),
            number(plane.z)
        ),
        files: keyed
            .iter()
            .filter(|(other, _)| *other == key)
            .map(|&(_, index)| planes[index].file.as_str())
            .collect(),
    })
}

/// Planes to store; with projection the focal planes of one place and time become one. `keyed` is sorted.
fn planned_planes(keyed: &[(PlaneKey, usize)], planes: &[PlaneRecord], mip: bool) -> Vec<PlannedPlane> {
    let target = |key: PlaneKey| PlaneKey { zplane: if mip { 0 } else { key.zplane }, ..key };
    keyed
        .chunk_by(|a, b| target(a.0) == target(b.0))
        .map(|group| {
            let key = target(group[0].0);
            let source = |&(_, index): &(PlaneKey, usize)| SourcePlane {
                file: planes[index].file.clone(),
                page: planes[index].plane,
            };
            PlannedPlane {
                well: key.well,
                site: key.site,
                channel: key.channel,
                tpoint: key.tpoint,
                zplane: key.zplane,
                sources: group.iter().map(source).collect(),
            }
        })
        .collect()
}
