//! Yokogawa CellVoyager (CV7000, CV8000, CQ1): one plane per file, well and numbers in the file name, stage
//! positions in `MeasurementData.mlf`, pixel size and title in `MeasurementDetail.mrf`, stains and colours in the
//! protocol (`.mes`).
//!
//! File names are `<title>_<well>_T<time point>F<field>L<timeline>A<action>Z<focal plane>C<channel>.tif`.
//! Metadata are used where they say something; names fill the gaps, and everything if there are none.
//!
//! **Channel names**, the same with and without metadata files: the channel's number without leading zeros
//! (`1`). Only where one channel number was used by more than one action (step of the protocol) of the
//! acquisition, each action is a channel of its own: `A01_C01`, `A02_C01`.

mod metadata;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use regex::Regex;

use super::error::PlanError;
use super::names::{NameFields, NamePattern};
use super::pages::{self, FileFacts, NameReader};
use super::plan::{ImageFile, MetadataFile};
use super::record::{AcquisitionRecords, ChannelDetails, PlaneRecord, PlateShape};
use super::secure_filename::secure_filename;
use super::{MicroscopeType, natural};
use metadata::{MeasurementData, MeasurementDetail, Record};

/// The microscope type `cellvoyager`.
#[derive(Debug)]
pub struct CellVoyager;

const IMAGE_PATTERN: &str = r"[^_]+_(?P<w>[A-Z]{1,2}[0-9]{2})_T(?P<t>[0-9]+)F(?P<s>[0-9]+)L[0-9]+A[0-9]+Z(?P<z>[0-9]+)(?P<c>[C][0-9]{2})\.";
const METADATA_PATTERN: &str = r".*\.(mlf|mrf|mes)$";

static NAMES: LazyLock<NamePattern> = LazyLock::new(|| NamePattern::built_in(IMAGE_PATTERN));
static ACTION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[0-9]L[0-9]+A([0-9]{1,9})Z").expect("the pattern is valid"));
static CHANNEL_NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^C?0*([0-9]{1,9})$").expect("the pattern is valid"));

/// A channel that more than one action used, as named here.
static ACTION_CHANNEL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^A[0-9]+_C0*([0-9]{1,9})$").expect("the pattern is valid"));

impl MicroscopeType for CellVoyager {
    fn name(&self) -> &'static str {
        "cellvoyager"
    }

    fn image_pattern(&self) -> &'static str {
        IMAGE_PATTERN
    }

    fn metadata_pattern(&self) -> &'static str {
        METADATA_PATTERN
    }

    fn read_name(&self, file_name: &str) -> Result<Option<NameFields>, PlanError> {
        Ok(NAMES.read(file_name)?.map(|fields| with_action(file_name, fields)))
    }

    fn is_image(&self, file_name: &str) -> bool {
        NAMES.matches(file_name)
    }

    fn is_metadata(&self, file_name: &str) -> bool {
        [".mlf", ".mrf", ".mes"].iter().any(|end| file_name.ends_with(end))
    }

    fn check_files(&self, image_names: &[String], metadata: &[MetadataFile]) -> Result<(), PlanError> {
        let files = MetadataPair::read(metadata)?;
        let uploaded = Uploaded::new(image_names.iter().map(String::as_str))?;
        files.data.map_or(Ok(()), |(name, data)| uploaded.assign(name, &data).map(drop))
    }

    fn read(
        &self,
        images: &[ImageFile],
        metadata: &[MetadataFile],
        user: Option<&NamePattern>,
    ) -> Result<AcquisitionRecords, PlanError> {
        let files = MetadataPair::read(metadata)?;
        let uploaded = Uploaded::new(images.iter().map(|image| image.name.as_str()))?;
        let mut warnings = Vec::new();
        let mut said: Vec<Option<&Record>> = vec![None; images.len()];
        if let Some((name, data)) = &files.data {
            said = uploaded.assign(name, data)?;
            if data.errors > 0 {
                warnings
                    .push(format!("{name} reports {} errors of the microscope (ERR records)", data.errors));
            }
        }
        let said: Vec<FileFacts> = said.into_iter().map(facts).collect();
        let pattern = user.unwrap_or(&NAMES);
        let read = |name: &str| Ok(pattern.read(name)?.map(|fields| with_action(name, fields)));
        let names = NameReader { pattern: pattern.as_str(), read: &read };
        let mut planes = pages::records(images, &said, &names, &mut warnings)?;
        let pixel_size_um =
            files.detail.as_ref().and_then(|(name, detail)| pixel_size(name, detail, &planes, &mut warnings));
        name_channels(&mut planes);
        let detail = files.detail.map(|(_, detail)| detail).unwrap_or_default();
        let plate = detail.rows.zip(detail.columns).map(|(rows, columns)| PlateShape { rows, columns });
        let channels = protocol(metadata, &planes, &mut warnings);
        let title = detail.title;
        Ok(AcquisitionRecords { title, plate, pixel_size_um, channels, planes, warnings, z_step_um: None })
    }
}

/// The metadata files of an acquisition, each with its name.
#[derive(Default)]
struct MetadataPair<'a> {
    data: Option<(&'a str, MeasurementData)>,
    detail: Option<(&'a str, MeasurementDetail)>,
}

impl<'a> MetadataPair<'a> {
    /// Read at most one file of each kind; either may be absent.
    fn read(files: &'a [MetadataFile]) -> Result<Self, PlanError> {
        let refuse = |file: &MetadataFile, problem| PlanError::Metadata { file: file.name.clone(), problem };
        let mut pair = Self::default();
        if let Some(file) = only(files, "mlf")? {
            let data = metadata::read_mlf(&file.bytes).map_err(|problem| refuse(file, problem))?;
            pair.data = Some((&file.name, data));
        }
        if let Some(file) = only(files, "mrf")? {
            let detail = metadata::read_mrf(&file.bytes).map_err(|problem| refuse(file, problem))?;
            pair.detail = Some((&file.name, detail));
        }
        Ok(pair)
    }
}

/// What the protocol says about the channels, by their names. It is of no use for placing planes, so one that cannot
/// be read is no reason to stop.
fn protocol(
    files: &[MetadataFile],
    planes: &[PlaneRecord],
    warnings: &mut Vec<String>,
) -> BTreeMap<String, ChannelDetails> {
    let read = only(files, "mes").map_err(|error| error.to_string()).and_then(|file| match file {
        None => Ok(BTreeMap::new()),
        Some(file) => metadata::read_mes(&file.bytes).map_err(|problem| format!("{} {problem}", file.name)),
    });
    let by_number = read.unwrap_or_else(|problem| {
        warnings.push(format!("stains and colours of the channels are not known: {problem}"));
        BTreeMap::new()
    });
    let mut by_name = BTreeMap::new();
    for channel in planes.iter().filter_map(|plane| plane.channel.as_ref()) {
        if by_name.contains_key(&channel.value) {
            continue;
        }
        let number = ACTION_CHANNEL
            .captures(&channel.value)
            .map_or(channel.value.as_str(), |found| found.get(1).map_or("", |number| number.as_str()));
        if let Some(details) = by_number.get(number) {
            by_name.insert(channel.value.clone(), details.clone());
        }
    }
    by_name
}

/// The one file with this extension, if there is any.
fn only<'a>(files: &'a [MetadataFile], kind: &'static str) -> Result<Option<&'a MetadataFile>, PlanError> {
    let has_kind = |file: &&MetadataFile| file.name.rsplit_once('.').is_some_and(|(_, end)| end == kind);
    let found: Vec<&MetadataFile> = files.iter().filter(has_kind).collect();
    match found[..] {
        [] => Ok(None),
        [file] => Ok(Some(file)),
        _ => Err(PlanError::TooManyMetadataFiles {
            kind,
            files: found.iter().map(|file| file.name.as_str()).collect(),
        }),
    }
}

/// Uploaded files by name, for looking up what the `.mlf` names.
struct Uploaded<'a> {
    names: Vec<&'a str>,
    by_name: HashMap<String, usize>,
    /// Without extension: the `.mlf` says `.tif` even if the images were converted to PNG before upload.
    by_stem: HashMap<String, usize>,
}

impl<'a> Uploaded<'a> {
    fn new(names: impl Iterator<Item = &'a str>) -> Result<Self, PlanError> {
        let names: Vec<&str> = names.collect();
        let mut by_name = HashMap::with_capacity(names.len());
        let mut by_stem = HashMap::with_capacity(names.len());
        let mut same = BTreeSet::new();
        for (index, &name) in names.iter().enumerate() {
            let secured = secure_filename(name);
            by_stem.entry(stem(&secured).to_string()).or_insert(index);
            if by_name.insert(secured, index).is_some() {
                same.insert(name);
            }
        }
        if same.is_empty() {
            Ok(Self { names, by_name, by_stem })
        } else {
            Err(PlanError::SameName(same.into_iter().collect()))
        }
    }

    fn find(&self, name: &str) -> Option<usize> {
        let secured = secure_filename(name);
        self.by_name.get(&secured).or_else(|| self.by_stem.get(stem(&secured))).copied()
    }

    /// The record of every uploaded file; all files must have one, and all records of images a file.
    ///
    /// A file may be named only by an error record, which says little more than that it is known.
    fn assign<'r>(
        &self,
        metadata: &str,
        data: &'r MeasurementData,
    ) -> Result<Vec<Option<&'r Record>>, PlanError> {
        let mut said: Vec<Option<&Record>> = vec![None; self.names.len()];
        let mut missing: Vec<&str> = Vec::new();
        for record in &data.records {
            let Some(index) = self.find(&record.file) else {
                if record.is_image {
                    missing.push(&record.file);
                }
                continue;
            };
            match said[index] {
                Some(_) if !record.is_image => {}
                Some(other) if other.is_image && other != record => {
                    return Err(PlanError::Metadata {
                        file: metadata.to_string(),
                        problem: format!("has two records for {} that differ", record.file),
                    });
                }
                _ => said[index] = Some(record),
            }
        }
        if !missing.is_empty() {
            missing.sort_by(|a, b| natural::compare(a, b));
            let files = missing.into_iter().collect();
            return Err(PlanError::MissingImages { metadata: metadata.to_string(), files });
        }
        let mut unknown: Vec<&str> =
            self.names.iter().zip(&said).filter(|(_, said)| said.is_none()).map(|(name, _)| *name).collect();
        if !unknown.is_empty() {
            unknown.sort_by(|a, b| natural::compare(a, b));
            let files = unknown.into_iter().collect();
            return Err(PlanError::UnknownImages { metadata: metadata.to_string(), files });
        }
        Ok(said)
    }
}

/// A file name without its extension.
fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// What a record says about its file.
fn facts(record: Option<&Record>) -> FileFacts {
    let Some(record) = record else { return FileFacts::default() };
    FileFacts {
        well: record.well,
        site: record.site,
        channel: record.channel.map(|number| number.to_string()),
        action: record.action,
        z: record.z,
        t: record.t,
        x_um: record.x_um,
        y_um: record.y_up_um.map(|up| -up),
        z_um: record.z_um,
        date: record.date.clone(),
        pages_are_times: false,
    }
}

/// What was read of a name, with its action and without the padding of the channel.
fn with_action(name: &str, fields: NameFields) -> NameFields {
    let channel = fields.channel.as_deref().map(without_padding);
    NameFields { channel, action: action(name), ..fields }
}

/// The number of the action in a file name.
fn action(name: &str) -> Option<u32> {
    ACTION.captures(name)?.get(1)?.as_str().parse().ok()
}

/// `C01` and `01` as `1`; any other text as it is.
fn without_padding(channel: &str) -> String {
    CHANNEL_NUMBER.captures(channel).map_or_else(|| channel.to_string(), |found| found[1].to_string())
}

/// Keep apart the actions of channels that more than one action used (see the module's rule).
fn name_channels(planes: &mut [PlaneRecord]) {
    let mut actions: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for plane in planes.iter() {
        if let (Some(channel), Some(action)) = (&plane.channel, plane.action) {
            // Looked up first: one entry per plane would be one allocation per plane.
            match actions.get_mut(&channel.value) {
                Some(known) => drop(known.insert(action.value)),
                None => drop(actions.insert(channel.value.clone(), BTreeSet::from([action.value]))),
            }
        }
    }
    actions.retain(|_, actions| actions.len() > 1);
    for plane in planes {
        if let (Some(channel), Some(action)) = (&mut plane.channel, plane.action)
            && actions.contains_key(&channel.value)
        {
            channel.value = match channel.value.parse::<u32>() {
                Ok(number) => format!("A{:02}_C{number:02}", action.value),
                Err(_) => format!("A{:02}_{}", action.value, channel.value),
            };
        }
    }
}

/// The pixel size that all channels in use share.
fn pixel_size(
    file: &str,
    detail: &MeasurementDetail,
    planes: &[PlaneRecord],
    warnings: &mut Vec<String>,
) -> Option<f64> {
    /// Sizes this close (as a share) are the same.
    const SAME: f64 = 0.001;
    let used: BTreeSet<&str> =
        planes.iter().filter_map(|plane| plane.channel.as_ref()).map(|known| known.value.as_str()).collect();
    let mut sizes = Vec::new();
    for channel in &detail.channels {
        if used.contains(channel.channel.to_string().as_str()) {
            sizes.extend(channel.pixel_um.map(|(width, height)| [width, height]));
        }
    }
    let sizes = sizes.concat();
    let &first = sizes.first()?;
    if sizes.iter().all(|size| (size - first).abs() <= SAME * first) {
        return Some(first);
    }
    warnings.push(format!("{file} gives different pixel sizes {sizes:?} µm: none is used"));
    None
}
