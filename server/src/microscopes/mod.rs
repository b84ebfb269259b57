//! Microscope types: which files belong to an acquisition and what they say about it.
//!
//! Pure code: names, metadata and page sizes go in, a plan of wells, sites, channels and planes comes out
//! ([`plan::plan_acquisition`]). Nothing here reads pixels, the database or the network.
//!
//! A new type is one file that implements [`MicroscopeType`], and one line in [`ALL`].

pub mod cellvoyager;
pub mod error;
pub mod grid;
pub mod layout;
pub mod names;
pub mod natural;
pub mod plan;
pub mod record;
pub mod secure_filename;
mod sites;
pub mod well;
mod xml;

#[cfg(test)]
mod tests;

use std::fmt;

pub use error::{Names, PlanError};
pub use layout::StitchLayout;
pub use names::NamePattern;
pub use plan::{
    AcquisitionPlan, ImageFile, MetadataFile, PageSize, PlanOptions, check_files, plan_acquisition,
};
pub use record::{AcquisitionRecords, Known, PlaneRecord, Provenance};
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

    /// The image pattern, ready to read names with.
    fn names(&self) -> &'static NamePattern;

    /// Whether a file is an image of this microscope, by its name as the client sent it.
    fn is_image(&self, file_name: &str) -> bool {
        self.names().matches(file_name)
    }

    /// Whether a file holds metadata of this microscope, by its name as the client sent it.
    fn is_metadata(&self, file_name: &str) -> bool;

    /// What a file is, by its name as the client sent it; case-sensitive.
    fn classify(&self, file_name: &str) -> FileKinds {
        FileKinds { image: self.is_image(file_name), metadata: self.is_metadata(file_name) }
    }

    /// Read the metadata and compare them with the uploaded image files.
    ///
    /// # Errors
    /// Metadata that cannot be read, or that do not fit the images.
    fn check_files(&self, image_names: &[String], metadata: &[MetadataFile]) -> Result<(), PlanError>;

    /// Gather what metadata and names say about every plane, in natural order of file names.
    ///
    /// `names` is this type's own pattern or the user's.
    ///
    /// # Errors
    /// What makes files unreadable or contradictory; gaps are left as `None`.
    fn read(
        &self,
        images: &[ImageFile],
        metadata: &[MetadataFile],
        names: &NamePattern,
    ) -> Result<AcquisitionRecords, PlanError>;
}

/// All microscope types an experiment can have.
pub const ALL: &[&dyn MicroscopeType] = &[&cellvoyager::CellVoyager];

/// The microscope type with this name.
pub fn find(name: &str) -> Option<&'static dyn MicroscopeType> {
    ALL.iter().copied().find(|microscope| microscope.name() == name)
}
