//! MetaMorph and MetaXpress (ImageXpress): one plane per file, well, site and wavelength in its name, time points and
//! focal planes as folders. There are no metadata files.
//!
//! File names are `<stem>_<well>[_s<site>][_w<wavelength>]<GUID>.tif`, in folders `TimePoint_<t>/` and `ZStep_<z>/`
//! where there are several: a linked directory brings them along, and a file that is copied has them before its name
//! (`TimePoint_1_ZStep_2_<stem>…`). Thumbnails, `_thumb` before the GUID, are no images.
//! Stage positions and pixel size are in the files' headers; without them a grid needs layout arguments.
//!
//! A file outside the `ZStep_` folders beside files inside them is the projection that the instrument made: left
//! out, as projections are made here; where a wavelength has nothing else, it is the first focal plane.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::MicroscopeType;
use super::error::{Names, PlanError};
use super::names::{NameFields, NamePattern};
use super::pages::{self, FileFacts, NameReader};
use super::plan::{ImageFile, MetadataFile};
use super::record::{AcquisitionRecords, Known, PlaneRecord, Provenance};

/// The microscope type `metamorph`.
#[derive(Debug)]
pub struct MetaMorph;

const IMAGE_PATTERN: &str = r"(?:^|[_/])(?P<w>[A-Z]{1,2}[0-9]{2})(?:_s(?P<s>[0-9]+))?(?:_w(?P<c>[0-9]{1,2}))?(?i:[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12})?\.(?i:tiff?|stk|png)$";
/// There are none: matches nothing.
const METADATA_PATTERN: &str = r"[^\s\S]";

static NAMES: LazyLock<NamePattern> = LazyLock::new(|| NamePattern::built_in(IMAGE_PATTERN));
static FOLDER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?i:TimePoint|ZStep)_[0-9]{1,9}$").expect("the pattern is valid"));
/// A folder before a name: followed by `/`, or by `_` where the name is one that can be stored.
static FOLDER_BEFORE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?i:(TimePoint)|ZStep)_([0-9]{1,9})[/_]").expect("the pattern is valid"));

impl MicroscopeType for MetaMorph {
    fn name(&self) -> &'static str {
        "metamorph"
    }

    fn image_pattern(&self) -> &'static str {
        IMAGE_PATTERN
    }

    fn metadata_pattern(&self) -> &'static str {
        METADATA_PATTERN
    }

    fn read_name(&self, file_name: &str) -> Result<Option<NameFields>, PlanError> {
        with_folders(&NAMES, file_name)
    }

    fn is_image(&self, file_name: &str) -> bool {
        NAMES.matches(file_name)
    }

    fn is_metadata(&self, _file_name: &str) -> bool {
        false
    }

    fn is_folder(&self, folder_name: &str) -> bool {
        FOLDER.is_match(folder_name)
    }

    fn check_files(&self, _image_names: &[String], _metadata: &[MetadataFile]) -> Result<(), PlanError> {
        Ok(())
    }

    fn read(
        &self,
        images: &[ImageFile],
        _metadata: &[MetadataFile],
        user: Option<&NamePattern>,
    ) -> Result<AcquisitionRecords, PlanError> {
        let pattern = user.unwrap_or(&NAMES);
        let read = |name: &str| with_folders(pattern, name);
        let names = NameReader { pattern: pattern.as_str(), read: &read };
        let mut records = AcquisitionRecords::default();
        let said = vec![FileFacts::default(); images.len()];
        let planes = pages::records(images, &said, &names, &mut records.warnings)?;
        records.planes = without_projections(planes, &mut records.warnings);
        Ok(records)
    }
}

/// What a name says, with time point and focal plane from the folders before it.
fn with_folders(pattern: &NamePattern, name: &str) -> Result<Option<NameFields>, PlanError> {
    let Some(mut fields) = pattern.read(name)? else { return Ok(None) };
    let mut rest = name;
    while let Some(found) = FOLDER_BEFORE.captures(rest) {
        rest = &rest[found[0].len()..];
        let number = found[2].parse().ok();
        match found.get(1) {
            Some(_) => fields.t = fields.t.or(number),
            None => fields.z = fields.z.or(number),
        }
    }
    Ok(Some(fields))
}

/// What tells a place and time apart.
type Place<'a> = (String, Option<u32>, Option<&'a str>, Option<u32>);

fn place(plane: &PlaneRecord) -> Place<'_> {
    (
        plane.well.map(|known| known.value.to_string()).unwrap_or_default(),
        plane.site.map(|known| known.value),
        plane.channel.as_ref().map(|known| known.value.as_str()),
        plane.t.map(|known| known.value),
    )
}

/// The planes without projections of what is there plane by plane.
fn without_projections(planes: Vec<PlaneRecord>, warnings: &mut Vec<String>) -> Vec<PlaneRecord> {
    let Some(first) = planes.iter().filter_map(|plane| plane.z).map(|known| known.value).min() else {
        return planes;
    };
    let stacks: BTreeSet<Place<'_>> = planes.iter().filter(|plane| plane.z.is_some()).map(place).collect();
    let is_projection: Vec<bool> =
        planes.iter().map(|plane| plane.z.is_none() && stacks.contains(&place(plane))).collect();
    let left_out: Names = planes
        .iter()
        .zip(&is_projection)
        .filter(|(_, is)| **is)
        .map(|(plane, _)| plane.file.as_str())
        .collect();
    if left_out.count() > 0 {
        let count = left_out.count();
        warnings.push(format!("{count} projections are left out beside their focal planes: {left_out}"));
    }
    let kept = planes.into_iter().zip(is_projection).filter(|(_, is)| !is);
    kept.map(|(plane, _)| PlaneRecord {
        z: plane.z.or(Some(Known::new(first, Provenance::Default))),
        ..plane
    })
    .collect()
}
