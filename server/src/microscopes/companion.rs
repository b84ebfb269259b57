//! OME-XML files uploaded beside the images they describe.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use super::error::{Names, PlanError};
use super::header::HeaderFacts;
use super::natural;
use super::ome::{self, Document};
use super::plan::{ImageFile, MetadataFile};
use super::secure_filename::secure_filename;

/// The companion files, and all other metadata files.
pub fn split(metadata: &[MetadataFile]) -> (Vec<&MetadataFile>, Cow<'_, [MetadataFile]>) {
    let companions: Vec<&MetadataFile> =
        metadata.iter().filter(|file| ome::is_companion(&file.name)).collect();
    if companions.is_empty() {
        return (companions, Cow::Borrowed(metadata));
    }
    let others = metadata.iter().filter(|file| !ome::is_companion(&file.name));
    (companions, others.cloned().collect())
}

/// What the companion files of an acquisition say about its files.
#[derive(Debug, Default)]
pub struct Described {
    by_file: HashMap<String, HeaderFacts>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Read companion files and compare them with the image files that there are.
///
/// # Errors
/// A file that cannot be read, that names images which are not there, or that describes an image another one
/// describes too.
pub fn read<'a>(
    companions: &[&MetadataFile],
    image_names: impl Iterator<Item = &'a str>,
) -> Result<Described, PlanError> {
    let mut described = Described::default();
    if companions.is_empty() {
        return Ok(described);
    }
    let image_names: Vec<&str> = image_names.collect();
    let there: BTreeSet<String> = image_names.iter().map(|name| stored(name)).collect();
    for file in companions {
        let refuse = |problem| PlanError::Metadata { file: file.name.clone(), problem };
        // A document that names no file is about the only one there is.
        let only = (image_names.len() == 1).then(|| stored(image_names[0]));
        let files = Document::read(&file.bytes).map_err(refuse)?.by_file(only.as_deref());
        let mut missing: Vec<&str> =
            files.keys().filter(|name| !there.contains(*name)).map(String::as_str).collect();
        if !missing.is_empty() {
            missing.sort_by(|a, b| natural::compare(a, b));
            let files = missing.into_iter().collect();
            return Err(PlanError::MissingImages { metadata: file.name.clone(), files });
        }
        for (name, facts) in files {
            if described.by_file.insert(name.clone(), facts).is_some() {
                return Err(refuse(format!("describes {name}, which another companion file describes too")));
            }
        }
    }
    let mut unknown: Vec<&str> =
        image_names.into_iter().filter(|name| !described.by_file.contains_key(&stored(name))).collect();
    if !unknown.is_empty() {
        unknown.sort_by(|a, b| natural::compare(a, b));
        let files: Names = unknown.into_iter().collect();
        let count = files.count();
        described.warnings.push(format!("no companion file describes {count} image files: {files}"));
    }
    Ok(described)
}

impl Described {
    /// The image files with what the companion files say in place of their own headers.
    pub fn apply<'i>(&self, images: &'i [ImageFile]) -> Cow<'i, [ImageFile]> {
        if self.by_file.is_empty() {
            return Cow::Borrowed(images);
        }
        let apply = |image: &ImageFile| match self.by_file.get(&stored(&image.name)) {
            Some(header) => ImageFile { header: header.clone(), ..image.clone() },
            None => image.clone(),
        };
        images.iter().map(apply).collect()
    }
}

/// The name of an image file as documents name it: without folders, secured.
fn stored(name: &str) -> String {
    secure_filename(ome::base_name(name))
}
