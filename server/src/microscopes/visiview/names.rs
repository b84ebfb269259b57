//! Names of VisiView image files: `<stem>_w<i><channel>_s<j>_t<k>.<extension>`, each part only if its dimension
//! was used. A well may stand at the end of the stem.

use std::sync::LazyLock;

use regex::Regex;

use super::nd::NdFile;
use crate::microscopes::secure_filename::secure_filename;
use crate::microscopes::well::WellName;

/// What the name of an image file ends in.
pub const EXTENSION: &str = r"\.(?i:ome\.tiff?|tiff?|stk|png)$";

static ENDING: LazyLock<Regex> = LazyLock::new(|| Regex::new(EXTENSION).expect("the pattern is valid"));
static NUMBERS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?P<head>.+?)(?:_(?:s(?P<s>[0-9]{1,9})_?)?(?:t(?P<t>[0-9]{1,9}))?)?$").expect("valid")
});
static WAVE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?P<stem>.+)_w(?P<wave>[0-9].*)$").expect("the pattern is valid"));
static WELL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:^|_)([A-Z]{1,2}[0-9]{2})$").expect("the pattern is valid"));

/// The parts of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// What stands before all other parts.
    pub stem: String,
    /// The well at the end of the stem.
    pub well: Option<WellName>,
    /// What follows `_w`: number and name of the channel.
    pub wave: Option<String>,
    /// Zero-based channel of the `.nd` file, if there is one and the name is one of its.
    pub index: Option<usize>,
    /// What follows `_s`.
    pub site: Option<u32>,
    /// What follows `_t`.
    pub t: Option<u32>,
}

/// Whether a file is an image by its name.
pub fn is_image(name: &str) -> bool {
    ENDING.find(name).is_some_and(|ending| ending.start() > 0)
}

/// The parts of a name; with the `.nd` file also of channels whose names hold anything.
pub fn parts(name: &str, nd: Option<&NdFile>) -> Option<Parts> {
    let secured = secure_filename(name);
    let end = ENDING.find(&secured)?.start();
    let found = NUMBERS.captures(&secured[..end])?;
    let number = |group: &str| found.name(group).and_then(|text| text.as_str().parse().ok());
    let head = found.name("head")?.as_str();
    let mut parts = Parts { site: number("s"), t: number("t"), stem: head.to_string(), ..Parts::default() };
    let listed = nd.and_then(|nd| {
        (0..nd.waves.len()).find_map(|index| {
            let wave = in_file_name(nd, index);
            let stem = head.strip_suffix(&format!("_w{wave}"))?;
            Some((index, stem, wave))
        })
    });
    if let Some((index, stem, wave)) = listed {
        (parts.index, parts.stem, parts.wave) = (Some(index), stem.to_string(), Some(wave));
    } else if let Some(found) = WAVE.captures(head) {
        (parts.stem, parts.wave) = (found["stem"].to_string(), Some(found["wave"].to_string()));
    }
    parts.well = WELL.captures(&parts.stem).and_then(|found| found[1].parse().ok());
    Some(parts)
}

/// Number and name of a channel as they stand in file names.
pub fn in_file_name(nd: &NdFile, index: usize) -> String {
    match nd.wave_in_file_name {
        true => format!("{}{}", index + 1, secured_inside(&nd.waves[index].name)),
        false => (index + 1).to_string(),
    }
}

/// A text as it is after its file's name was secured: nothing is cut off its ends, as other parts stand there.
pub fn secured_inside(text: &str) -> String {
    let secured = secure_filename(&format!("x{text}x"));
    secured.strip_prefix('x').and_then(|text| text.strip_suffix('x')).unwrap_or(&secured).to_string()
}
