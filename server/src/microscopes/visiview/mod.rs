//! VisiView (Visitron) and MetaMorph multi-dimensional acquisitions: one file per channel, stage position and time
//! point, whose pages are focal planes (STK or multi-page TIFF), and one `.nd` file.
//!
//! The `.nd` file says how many channels, stage positions, time points and focal planes there are, what the channels
//! are called, and, in the names of its stage positions, which well each belongs to. Without it file names are
//! read alone: number and name of a channel run into each other there (`_w12-488` is channel 1 called `2-488`, or
//! channel 12 called `-488`), so this works only while no two channels begin with the same digit. Stage positions in
//! µm are in neither: a grid of sites needs layout arguments, or OME-XML in the images.
//!
//! **Channel names** are those of the `.nd` file as file names show them (`2-488_GFP` for `2-488 GFP`), or the
//! channel's number where it has no name: the same with and without the `.nd` file.

mod names;
mod nd;

use std::collections::{BTreeMap, BTreeSet};

use super::MicroscopeType;
use super::error::{Names, PlanError};
use super::names::{NameFields, NamePattern};
use super::pages::{self, FileFacts, NameReader};
use super::plan::{ImageFile, MetadataFile};
use super::record::{AcquisitionRecords, ChannelDetails};
use super::secure_filename::secure_filename;
use names::Parts;
use nd::NdFile;

/// The microscope type `visiview`.
#[derive(Debug)]
pub struct VisiView;

const METADATA_PATTERN: &str = r"\.(?i:nd)$";
/// Most missing files that are looked for by name.
const MAX_LOOKED_FOR: usize = 1000;

impl MicroscopeType for VisiView {
    fn name(&self) -> &'static str {
        "visiview"
    }

    fn image_pattern(&self) -> &'static str {
        names::EXTENSION
    }

    fn metadata_pattern(&self) -> &'static str {
        METADATA_PATTERN
    }

    fn read_name(&self, file_name: &str) -> Result<Option<NameFields>, PlanError> {
        Ok(names::parts(file_name, None).map(|parts| fields(&parts, parts.wave.clone())))
    }

    fn is_image(&self, file_name: &str) -> bool {
        names::is_image(file_name)
    }

    fn is_metadata(&self, file_name: &str) -> bool {
        file_name.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case("nd"))
    }

    fn check_files(&self, image_names: &[String], metadata: &[MetadataFile]) -> Result<(), PlanError> {
        let nd = only_nd(metadata)?;
        let names: Vec<&str> = image_names.iter().map(String::as_str).collect();
        let parts = parts_of(&names, nd.as_ref().map(|(_, nd)| nd));
        match &nd {
            Some((file, nd)) => known_by(file, nd, &parts),
            // Names alone may be ambiguous, but a user's pattern can settle it: said when names are read.
            None => Ok(()),
        }
    }

    fn read(
        &self,
        images: &[ImageFile],
        metadata: &[MetadataFile],
        user: Option<&NamePattern>,
    ) -> Result<AcquisitionRecords, PlanError> {
        let nd = only_nd(metadata)?;
        let file_names: Vec<&str> = images.iter().map(|image| image.name.as_str()).collect();
        let parts = parts_of(&file_names, nd.as_ref().map(|(_, nd)| nd));
        let mut records = AcquisitionRecords::default();
        let mut said = vec![FileFacts::default(); images.len()];
        let channels = match (&nd, user) {
            (Some((file, nd)), _) => {
                known_by(file, nd, &parts)?;
                records.title = Some(stem(file).to_string());
                let channels = Channels::of(nd);
                said = describe(nd, &channels, &parts, images);
                records.channels = channels.details(nd);
                records.z_step_um = nd.z_step_um;
                records.warnings.extend(missing(file, nd, &parts));
                records.warnings.extend(other_depth(file, nd, &parts, images));
                channels
            }
            (None, Some(_)) => Channels::default(),
            (None, None) => Channels::by_names(&parts)?,
        };
        let own = |name: &str| {
            let parts = names::parts(name, nd.as_ref().map(|(_, nd)| nd));
            Ok(parts.map(|parts| fields(&parts, channels.name(&parts))))
        };
        let by_user = |name: &str| user.map_or(Ok(None), |pattern| pattern.read(name));
        let names = match user {
            Some(pattern) => NameReader { pattern: pattern.as_str(), read: &by_user },
            None => NameReader { pattern: names::EXTENSION, read: &own },
        };
        records.planes = pages::records(images, &said, &names, &mut records.warnings)?;
        Ok(records)
    }
}

/// The one `.nd` file, if there is any, with its name.
fn only_nd(metadata: &[MetadataFile]) -> Result<Option<(&str, NdFile)>, PlanError> {
    match metadata {
        [] => Ok(None),
        [file] => {
            let refuse = |problem| PlanError::Metadata { file: file.name.clone(), problem };
            Ok(Some((&file.name, NdFile::read(&file.bytes).map_err(refuse)?)))
        }
        several => Err(PlanError::TooManyMetadataFiles {
            kind: "nd",
            files: several.iter().map(|file| file.name.as_str()).collect(),
        }),
    }
}

fn parts_of<'a>(names: &[&'a str], nd: Option<&NdFile>) -> Vec<(&'a str, Parts)> {
    names.iter().map(|name| (*name, names::parts(name, nd).unwrap_or_default())).collect()
}

fn fields(parts: &Parts, channel: Option<String>) -> NameFields {
    NameFields { well: parts.well, t: parts.t, site: parts.site, channel, ..NameFields::default() }
}

/// All files must be of channels, stage positions and time points that the `.nd` file has, and if some bear its name, all must.
fn known_by(file: &str, nd: &NdFile, parts: &[(&str, Parts)]) -> Result<(), PlanError> {
    let title = secure_filename(stem(file));
    let own = |parts: &Parts| parts.stem.starts_with(&title);
    let some_own = parts.iter().any(|(_, parts)| own(parts));
    let known = |parts: &Parts| {
        (own(parts) || !some_own)
            && (parts.wave.is_none() || parts.index.is_some())
            && (nd.stages.is_empty() || parts.site.is_none_or(|site| nd.stage(site).is_some()))
    };
    let unknown: Names =
        parts.iter().filter(|(_, parts)| !known(parts)).map(|(name, _)| (*name).to_string()).collect();
    match unknown.count() {
        0 => Ok(()),
        _ => Err(PlanError::UnknownImages { metadata: file.to_string(), files: unknown }),
    }
}

/// What the `.nd` file says about every file.
fn describe(
    nd: &NdFile,
    channels: &Channels,
    parts: &[(&str, Parts)],
    images: &[ImageFile],
) -> Vec<FileFacts> {
    let time_points = usize::try_from(nd.time_points).unwrap_or(usize::MAX);
    let of_file = |((_, parts), image): (&(&str, Parts), &ImageFile)| {
        let stage = match parts.site {
            Some(site) => nd.stage(site),
            None => nd.stages.first().filter(|_| nd.stages.len() == 1),
        };
        let flat =
            nd.z_steps == Some(1) || nd.waves.get(parts.index.unwrap_or(0)).is_some_and(|wave| !wave.do_z);
        FileFacts {
            well: stage.and_then(|stage| stage.well),
            site: parts.site,
            channel: channels.name(parts),
            z: (flat && image.pages.len() == 1).then_some(1),
            t: parts.t.or((!nd.is_time_series).then_some(1)),
            pages_are_times: nd.is_time_series
                && parts.t.is_none()
                && nd.z_steps == Some(1)
                && image.pages.len() == time_points,
            ..FileFacts::default()
        }
    };
    parts.iter().zip(images).map(of_file).collect()
}

/// A warning about the files that the `.nd` file announces and that are not there.
fn missing(file: &str, nd: &NdFile, parts: &[(&str, Parts)]) -> Option<String> {
    let there: BTreeSet<_> = parts.iter().map(|(_, parts)| (parts.index, parts.site, parts.t)).collect();
    let any = |pick: fn(&Parts) -> bool| parts.iter().any(|(_, parts)| pick(parts));
    // A dimension that no name has was not written into names.
    let waves: Vec<Option<usize>> = match any(|parts| parts.index.is_some()) {
        true => (0..nd.waves.len()).map(Some).collect(),
        false => vec![None],
    };
    let sites: Vec<Option<u32>> = match any(|parts| parts.site.is_some()) && !nd.stages.is_empty() {
        true => nd.stage_numbers().into_iter().map(Some).collect(),
        false => parts.iter().map(|(_, parts)| parts.site).collect::<BTreeSet<_>>().into_iter().collect(),
    };
    let times = match any(|parts| parts.t.is_some()) && nd.is_time_series {
        true => nd.time_points,
        false => 1,
    };
    let timed = any(|parts| parts.t.is_some()) && nd.is_time_series;
    let announced = waves.len().saturating_mul(sites.len()).saturating_mul(usize::try_from(times).ok()?);
    let absent = announced.saturating_sub(there.len());
    if absent == 0 {
        return None;
    }
    let mut names = Vec::new();
    let all = waves.iter().flat_map(|wave| sites.iter().map(move |site| (wave, site)));
    let all = all.flat_map(|(wave, site)| (1..=times).map(move |t| (*wave, *site, timed.then_some(t))));
    for (wave, site, t) in all.take(there.len() + MAX_LOOKED_FOR) {
        if !there.contains(&(wave, site, t)) {
            let part = |prefix: &str, text: Option<String>| text.map(|text| format!("_{prefix}{text}"));
            let wave = part("w", wave.map(|index| names::in_file_name(nd, index))).unwrap_or_default();
            let site = part("s", site.map(|site| site.to_string())).unwrap_or_default();
            let t = part("t", t.map(|t| t.to_string())).unwrap_or_default();
            names.push(format!("{}{wave}{site}{t}", stem(file)));
        }
    }
    Some(format!("{file} announces {absent} image files that were not uploaded: {}", Names(names)))
}

/// A warning about files with more or fewer focal planes than the `.nd` file says.
fn other_depth(file: &str, nd: &NdFile, parts: &[(&str, Parts)], images: &[ImageFile]) -> Option<String> {
    let steps = usize::try_from(nd.z_steps?).ok()?;
    let other = |((name, parts), image): (&(&str, Parts), &ImageFile)| {
        let do_z = nd.waves.get(parts.index.unwrap_or(0)).is_none_or(|wave| wave.do_z);
        let wanted = if do_z { steps } else { 1 };
        let times = nd.is_time_series && parts.t.is_none();
        let got = image.pages.len();
        (got != wanted && got > 0 && !times).then(|| format!("{name} ({got}, wanted {wanted})"))
    };
    let files: Names = parts.iter().zip(images).filter_map(other).collect();
    (files.count() > 0)
        .then(|| format!("{} files hold other numbers of planes than {file} says: {files}", files.count()))
}

/// What the channels are called.
#[derive(Debug, Default)]
struct Channels {
    /// By zero-based number in the `.nd` file.
    listed: Vec<String>,
    /// By what follows `_w` in file names, without `.nd` file.
    by_wave: BTreeMap<String, String>,
}

impl Channels {
    fn of(nd: &NdFile) -> Self {
        let names: Vec<String> = nd.waves.iter().map(|wave| names::secured_inside(&wave.name)).collect();
        let listed = names.iter().enumerate().map(|(index, name)| {
            let twice = names.iter().filter(|other| *other == name).count() > 1;
            match name.as_str() {
                "" => (index + 1).to_string(),
                _ if twice => format!("{name}_{}", index + 1),
                _ => name.clone(),
            }
        });
        Self { listed: listed.collect(), by_wave: BTreeMap::new() }
    }

    /// Channels by file names alone.
    ///
    /// # Errors
    /// [`PlanError::Ambiguous`] where numbers and names of channels cannot be told apart.
    fn by_names(parts: &[(&str, Parts)]) -> Result<Self, PlanError> {
        let waves: BTreeSet<&str> = parts.iter().filter_map(|(_, parts)| parts.wave.as_deref()).collect();
        let first_digits: BTreeSet<&str> = waves.iter().map(|wave| &wave[..1]).collect();
        if first_digits.len() < waves.len() {
            return Err(PlanError::Ambiguous {
                problem: format!(
                    "the channels {} do not show where their number ends and their name begins; upload the .nd file, \
                     or give a file-name pattern (regex)",
                    waves.into_iter().map(|wave| format!("_w{wave}")).collect::<Names>()
                ),
                files: parts
                    .iter()
                    .filter(|(_, parts)| parts.wave.is_some())
                    .map(|(name, _)| *name)
                    .collect(),
            });
        }
        let name = |wave: &str| if wave.len() > 1 { wave[1..].to_string() } else { wave.to_string() };
        let names: Vec<String> = waves.iter().map(|wave| name(wave)).collect();
        let unique = |name: String, wave: &str| match names.iter().filter(|other| **other == name).count() {
            1 => name,
            _ => format!("{name}_{}", &wave[..1]),
        };
        let by_wave = waves.iter().map(|wave| (wave.to_string(), unique(name(wave), wave))).collect();
        Ok(Self { listed: Vec::new(), by_wave })
    }

    /// The channel of a file; the only one where names say none.
    fn name(&self, parts: &Parts) -> Option<String> {
        match (parts.index, &parts.wave, &self.listed[..]) {
            (Some(index), ..) => self.listed.get(index).cloned(),
            (None, Some(wave), _) => self.by_wave.get(wave).cloned(),
            (None, None, [only]) => Some(only.clone()),
            _ => None,
        }
    }

    /// Names as the `.nd` file writes them, where they differ.
    fn details(&self, nd: &NdFile) -> BTreeMap<String, ChannelDetails> {
        let named = self
            .listed
            .iter()
            .zip(&nd.waves)
            .filter(|(name, wave)| !wave.name.is_empty() && **name != wave.name);
        named
            .map(|(name, wave)| {
                (name.clone(), ChannelDetails { label: Some(wave.name.clone()), color: None })
            })
            .collect()
    }
}

/// A file name without its extension.
fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}
