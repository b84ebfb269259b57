//! Microscope types: which files belong to an acquisition and what they say about it.
//!
//! Pure code: names, metadata and page sizes go in, a plan of wells, sites, channels and planes comes out
//! ([`plan::plan_acquisition`]). Nothing here reads pixels, the database or the network.
//!
//! Every type reads its names and metadata into what is known about files ([`pages::FileFacts`]); what OME-XML and
//! headers say about their pages, and which source counts, is the same for all ([`pages`]). A new type is one file that implements [`MicroscopeType`], and one line in [`ALL`].

pub mod cellvoyager;
mod companion;
pub mod error;
pub mod grid;
pub mod header;
pub mod layout;
pub mod metamorph;
pub mod names;
pub mod natural;
pub mod ome;
mod pages;
pub mod plan;
pub mod record;
pub mod secure_filename;
mod sites;
mod summary;
pub mod visiview;
pub mod well;
mod xml;

#[cfg(test)]
mod tests;

use std::fmt;

pub use error::{Names, PlanError};
pub use header::{HeaderFacts, read_description};
pub use layout::StitchLayout;
pub use names::{NameFields, NamePattern};
pub use plan::{
    AcquisitionPlan, ImageFile, MetadataFile, PageSize, PlanOptions, check_files, plan_acquisition,
};
pub use record::{AcquisitionRecords, ChannelDetails, Known, PlaneRecord, Provenance};
pub use secure_filename::secure_filename;
pub use well::{PlateFormat, WellName};

/// What a file is to an acquisition, judged by its name; neither means that it is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileKinds {
    /// An image file.
    pub image: bool,
    /// A metadata file.
    pub metadata: bool,
}

impl FileKinds {
    /// Whether the file is of any use.
    pub const fn is_valid(self) -> bool {
        self.image || self.metadata
    }
}

/// A family of microscopes that name and describe their files alike.
pub trait MicroscopeType: fmt::Debug + Sync {
    /// Name in the API.
    fn name(&self) -> &'static str;

    /// Regular expression searched for in the names of image files.
    fn image_pattern(&self) -> &'static str;

    /// Regular expression searched for in the names of metadata files, as shown to people.
    fn metadata_pattern(&self) -> &'static str;

    /// What the name of an image file says, or `None` if it is no name of this microscope.
    ///
    /// # Errors
    /// [`PlanError::NameValue`] where a part of the name has no valid value.
    fn read_name(&self, file_name: &str) -> Result<Option<NameFields>, PlanError>;

    /// Whether a file is an image of this microscope, by its name as the client sent it.
    fn is_image(&self, file_name: &str) -> bool;

    /// Whether a file holds metadata of this microscope, by its name as the client sent it.
    fn is_metadata(&self, file_name: &str) -> bool;

    /// Whether images may lie in a folder of this name, where a directory is linked instead of uploaded.
    fn is_folder(&self, _folder_name: &str) -> bool {
        false
    }

    /// What a file is, by its name as the client sent it. OME-XML companion files are metadata of every type.
    fn classify(&self, file_name: &str) -> FileKinds {
        let companion = ome::is_companion(file_name);
        let image = !companion && self.is_image(file_name);
        FileKinds { image, metadata: companion || self.is_metadata(file_name) }
    }

    /// Read the metadata and compare them with the uploaded image files.
    ///
    /// # Errors
    /// Metadata that cannot be read, or that do not fit the images.
    fn check_files(&self, image_names: &[String], metadata: &[MetadataFile]) -> Result<(), PlanError>;

    /// Gather what metadata and names say about every plane, in natural order of file names.
    ///
    /// `user` is the user's pattern for names, if there is one.
    ///
    /// # Errors
    /// What makes files unreadable or contradictory; gaps are left as `None`.
    fn read(
        &self,
        images: &[ImageFile],
        metadata: &[MetadataFile],
        user: Option<&NamePattern>,
    ) -> Result<AcquisitionRecords, PlanError>;
}

/// All microscope types an experiment can have, by name.
pub const ALL: &[&dyn MicroscopeType] =
    &[&cellvoyager::CellVoyager, &metamorph::MetaMorph, &visiview::VisiView];

/// The microscope type with this name.
pub fn find(name: &str) -> Option<&'static dyn MicroscopeType> {
    ALL.iter().copied().find(|microscope| microscope.name() == name)
}
