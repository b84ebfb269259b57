//! From pages of files to records: what metadata, headers and names say about every plane.
//!
//! The same for all microscope types. For every field the microscope's metadata count first, then OME-XML, then
//! the file's name. Pages of a file that nobody describes are its focal planes, in order.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{Names, PlanError};
use super::header::PageFacts;
use super::names::NameFields;
use super::natural;
use super::plan::ImageFile;
use super::record::{Known, PlaneRecord, Provenance};
use super::well::WellName;

/// What a microscope's metadata say about one file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FileFacts {
    /// The well.
    pub well: Option<WellName>,
    /// Number of the site.
    pub site: Option<u32>,
    /// Name of the channel.
    pub channel: Option<String>,
    /// Number of the action.
    pub action: Option<u32>,
    /// Number of the focal plane.
    pub z: Option<u32>,
    /// Number of the time point.
    pub t: Option<u32>,
    /// Stage position in µm, to the right.
    pub x_um: Option<f64>,
    /// Stage position in µm, down.
    pub y_um: Option<f64>,
    /// Focus position in µm.
    pub z_um: Option<f64>,
    /// When it was taken.
    pub date: Option<String>,
    /// The pages of the file are time points, not focal planes.
    pub pages_are_times: bool,
}

impl FileFacts {
    /// Whether nothing is left for the name to say.
    fn is_complete(&self) -> bool {
        self.well.is_some()
            && self.site.is_some()
            && self.channel.is_some()
            && self.z.is_some()
            && self.t.is_some()
    }

    /// What these facts and a name disagree about, if anything.
    fn contradiction(&self, fields: &NameFields) -> Option<&'static str> {
        fn differ<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
            a.zip(b).is_some_and(|(a, b)| a != b)
        }
        [
            (differ(self.well.as_ref(), fields.well.as_ref()), "well"),
            (differ(self.site.as_ref(), fields.site.as_ref()), "field"),
            (differ(self.z.as_ref(), fields.z.as_ref()), "focal plane"),
            (differ(self.t.as_ref(), fields.t.as_ref()), "time point"),
            (differ(self.channel.as_ref(), fields.channel.as_ref()), "channel"),
        ]
        .into_iter()
        .find_map(|(differs, what)| differs.then_some(what))
    }
}

/// How names are read: the type's own way or the user's pattern.
pub struct NameReader<'a> {
    /// The pattern as people know it, for messages.
    pub pattern: &'a str,
    /// Reads a name; `None` if it does not fit.
    pub read: &'a dyn Fn(&str) -> Result<Option<NameFields>, PlanError>,
}

/// One record per page of every file, in natural order of file names. `said` has an entry for every file.
///
/// # Errors
/// Files without pages, names that do not fit and that the metadata do not make up for, and files of several pages
/// whose names say that they hold one.
pub fn records(
    images: &[ImageFile],
    said: &[FileFacts],
    names: &NameReader<'_>,
    warnings: &mut Vec<String>,
) -> Result<Vec<PlaneRecord>, PlanError> {
    let mut planes = Vec::with_capacity(images.len());
    let (mut mismatched, mut empty, mut several) = (Vec::new(), Vec::new(), Vec::new());
    let mut contradictions: Vec<String> = Vec::new();
    let trusted = channels_agree(images, said, names, warnings);
    for (image, said) in images.iter().zip(said) {
        if image.pages.is_empty() {
            empty.push(image.name.as_str());
            continue;
        }
        // A file that the metadata describe in full may have any name, and OME-XML can say all that a name can.
        let described = image.header.pages.len() >= image.pages.len()
            && image.header.pages.iter().all(|page| page.is_ome && page.well.is_some());
        let fields = match (names.read)(&image.name) {
            Ok(Some(fields)) => fields,
            _ if said.is_complete() || described => NameFields::default(),
            Ok(None) => {
                mismatched.push(image.name.as_str());
                continue;
            }
            Err(error) => return Err(error),
        };
        if let Some(what) = said.contradiction(&fields) {
            contradictions.push(format!("{} ({what})", image.name));
        }
        let stack = image.pages.len() > 1;
        for (page, size) in image.pages.iter().enumerate() {
            let nothing = PageFacts::default();
            let header = image.header.pages.get(page).unwrap_or(&nothing);
            let unnumbered = header.z.is_none() && header.t.is_none() && header.channel.is_none();
            let one = if said.pages_are_times { said.t.or(fields.t) } else { said.z.or(fields.z) };
            if stack && unnumbered && one.is_some() {
                several.push(format!("{} ({} pages)", image.name, image.pages.len()));
                break;
            }
            let number = u32::try_from(page + 1).ok().filter(|_| stack && !header.is_ome);
            let in_order = number.map(|number| Known::new(number, Provenance::FileHeader));
            planes.push(record(Page { image, page, size, header, said, fields: &fields, in_order, trusted }));
        }
    }
    if !empty.is_empty() {
        return Err(PlanError::NoPages(empty.into_iter().collect()));
    }
    if !mismatched.is_empty() {
        let files = mismatched.into_iter().collect();
        return Err(PlanError::NameMismatch { pattern: names.pattern.to_string(), files });
    }
    if !several.is_empty() {
        return Err(PlanError::MultiPage { files: several.into_iter().collect() });
    }
    if !contradictions.is_empty() {
        let files: Names = contradictions.into_iter().collect();
        warnings
            .push(format!("metadata and names of {} files differ, metadata count: {files}", files.count()));
    }
    // Beside stacks, a file of one page is the first of the planes.
    if planes.iter().any(|plane| plane.plane > 0) {
        for plane in planes.iter_mut().filter(|plane| plane.z.is_none()) {
            plane.z = Some(Known::new(1, Provenance::FileHeader));
        }
    }
    planes.sort_by(|a, b| natural::compare(&a.file, &b.file));
    Ok(planes)
}

/// Everything known about one page.
struct Page<'a> {
    image: &'a ImageFile,
    page: usize,
    size: &'a super::PageSize,
    header: &'a PageFacts,
    said: &'a FileFacts,
    fields: &'a NameFields,
    /// Its number in the file, where pages say no more than that.
    in_order: Option<Known<u32>>,
    /// Whether channel names of OME-XML count.
    trusted: bool,
}

fn record(page: Page<'_>) -> PlaneRecord {
    let Page { image, page, size, header, said, fields, in_order, trusted } = page;
    let written = if header.is_ome { Provenance::OmeXml } else { Provenance::FileHeader };
    let position = |metadata: Option<f64>, header: Option<f64>| first(metadata, (header, written), None);
    let in_header = header.channel.clone().filter(|_| trusted || fields.channel.is_none());
    let label = header.label.clone().or_else(|| header.channel.clone());
    PlaneRecord {
        file: image.name.clone(),
        series: 0,
        plane: page,
        well: first(said.well, (header.well, written), fields.well),
        site: first(said.site, (header.site, written), fields.site.or(header.series)),
        channel: first(said.channel.clone(), (in_header, written), fields.channel.clone()),
        label,
        color: header.color.clone(),
        action: first(said.action, (None, written), fields.action),
        z: first(said.z, (header.z, written), fields.z).or(in_order.filter(|_| !said.pages_are_times)),
        t: first(said.t, (header.t, written), fields.t).or(in_order.filter(|_| said.pages_are_times)),
        x_um: position(said.x_um, header.x_um),
        y_um: position(said.y_um, header.y_um),
        z_um: position(said.z_um, header.z_um),
        height: size.height,
        width: size.width,
        bit_depth: size.bit_depth,
        date: said.date.clone().map(|date| Known::new(date, Provenance::Metadata)),
    }
}

/// The value of the first source that has one.
fn first<T>(metadata: Option<T>, header: (Option<T>, Provenance), name: Option<T>) -> Option<Known<T>> {
    metadata
        .map(|value| Known::new(value, Provenance::Metadata))
        .or_else(|| header.0.map(|value| Known::new(value, header.1)))
        .or_else(|| name.map(|value| Known::new(value, Provenance::FileName)))
}

/// Whether the channel names of headers tell channels apart as the file names do.
///
/// Some programs write one name into all files, others a different one into each: neither is a channel.
fn channels_agree(
    images: &[ImageFile],
    said: &[FileFacts],
    names: &NameReader<'_>,
    warnings: &mut Vec<String>,
) -> bool {
    let mut in_headers: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut in_names: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (image, _) in images.iter().zip(said).filter(|(_, said)| said.channel.is_none()) {
        let channels: BTreeSet<&str> =
            image.header.pages.iter().filter_map(|page| page.channel.as_deref()).collect();
        let (Some(&channel), 1) = (channels.first(), channels.len()) else { continue };
        let Ok(Some(NameFields { channel: Some(named), .. })) = (names.read)(&image.name) else { continue };
        in_headers.entry(named.clone()).or_default().insert(channel);
        in_names.entry(channel).or_default().insert(named);
    }
    let alike = in_headers.values().all(|channels| channels.len() == 1)
        && in_names.values().all(|channels| channels.len() == 1);
    if !alike {
        let channels: Names = in_headers.into_keys().collect();
        warnings.push(format!(
            "channel names in OME-XML and in file names do not tell the same channels apart, file names count: \
             {channels}"
        ));
    }
    alike
}
