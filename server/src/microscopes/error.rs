//! Why an acquisition cannot be planned.

use std::fmt;

/// How many names a message lists before it only counts.
const LISTED: usize = 10;

/// A list of names for a message: the first ten, and how many more there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl Names {
    /// Number of names, listed or not.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl<S: Into<String>> FromIterator<S> for Names {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(LISTED)];
        f.write_str(&shown.join(", "))?;
        match self.0.len() - shown.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Why an acquisition cannot be planned. Messages name the files, what was wanted and what was found.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// There is nothing to plan.
    #[error("the acquisition has no image files")]
    NoImages,
    /// A metadata file cannot be read.
    #[error("metadata file {file}: {problem}")]
    Metadata {
        /// Name of the metadata file.
        file: String,
        /// What is wrong, and where in the file.
        problem: String,
    },
    /// More metadata files of one kind than an acquisition can have.
    #[error("wanted one .{kind} file, got {}: {files}", files.count())]
    TooManyMetadataFiles {
        /// Extension of the files.
        kind: &'static str,
        /// Their names.
        files: Names,
    },
    /// The metadata name images that were not uploaded.
    #[error("{metadata} names {} image files that were not uploaded: {files}", files.count())]
    MissingImages {
        /// Name of the metadata file.
        metadata: String,
        /// The missing files, as the metadata name them.
        files: Names,
    },
    /// Uploaded images that the metadata do not name.
    #[error("{} image files are not named in {metadata}: {files}", files.count())]
    UnknownImages {
        /// Name of the metadata file.
        metadata: String,
        /// The files.
        files: Names,
    },
    /// Names that can be read in more than one way.
    #[error("{problem}: {files}")]
    Ambiguous {
        /// What can be read how, and what would settle it.
        problem: String,
        /// The files.
        files: Names,
    },
    /// Two uploaded files have the same name.
    #[error("image files with the same name: {0}")]
    SameName(Names),
    /// The file-name pattern given by the user cannot be used.
    #[error("file-name pattern '{pattern}': {problem}")]
    Regex {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// File names do not fit the pattern.
    #[error("{} file names do not match the pattern '{pattern}': {files}", files.count())]
    NameMismatch {
        /// The pattern.
        pattern: String,
        /// The files.
        files: Names,
    },
    /// A part of a file name matched but has no valid value.
    #[error("file {file}: {problem}")]
    NameValue {
        /// The file.
        file: String,
        /// The part, its value and what was wanted.
        problem: String,
    },
    /// A file with no page at all.
    #[error("image files without any image in them: {0}")]
    NoPages(Names),
    /// A file with several pages, whose meaning nothing tells.
    #[error("{} image files hold more than one page, wanted one page per file: {files}", files.count())]
    MultiPage {
        /// The files with their numbers of pages.
        files: Names,
    },
    /// Pixels that are not 8 or 16 bits deep.
    #[error("wanted 8 or 16 bits per pixel, got other depths in {} files: {files}", files.count())]
    UnsupportedBitDepth {
        /// The files with their depths.
        files: Names,
    },
    /// Images of different sizes or depths in one acquisition.
    #[error("all images of an acquisition must be alike: wanted {wanted} as in most, got {} others: {files}", files.count())]
    MixedImages {
        /// Size and depth of most images.
        wanted: String,
        /// The other files with their sizes and depths.
        files: Names,
    },
    /// Wells that the plate does not have.
    #[error("wells outside the {plate}: {wells}; files: {files}")]
    OutsidePlate {
        /// The plate format.
        plate: String,
        /// The wells.
        wells: Names,
        /// The files.
        files: Names,
    },
    /// Several files claim to be the same plane.
    #[error("several files for {plane}: {files}")]
    Duplicate {
        /// Well, site, channel, time point and focal plane.
        plane: String,
        /// The files.
        files: Names,
    },
    /// Nothing says how the sites of a well lie side by side.
    #[error(
        "no grid of sites: {reason}; give n_vertical and n_horizontal (rows and columns of sites in a well), \
         or upload the metadata files with the stage positions"
    )]
    NoGrid {
        /// What was looked for and not found.
        reason: String,
    },
    /// Two sites of a well have the same place in the grid.
    #[error(
        "well {well}: sites {first} and {second} have the same place (row {row}, column {column} of the grid) \
         by their stage positions; files: {files}"
    )]
    SamePlace {
        /// The well.
        well: String,
        /// Number of one site.
        first: u32,
        /// Number of the other.
        second: u32,
        /// Zero-based row in the grid.
        row: usize,
        /// Zero-based column in the grid.
        column: usize,
        /// One file of each.
        files: Names,
    },
    /// The layout arguments do not fit the sites.
    #[error(
        "{place}: wanted {rows} x {columns} = {wanted} sites (n_vertical x n_horizontal), got {got}{detail}"
    )]
    LayoutMismatch {
        /// The well, or wells.
        place: String,
        /// Wanted rows.
        rows: usize,
        /// Wanted columns.
        columns: usize,
        /// Wanted sites.
        wanted: usize,
        /// Sites found.
        got: usize,
        /// Which sites were found, or nothing.
        detail: String,
    },
    /// Layout arguments that make no grid.
    #[error("wanted n_vertical and n_horizontal both between 1 and {max}, got {got}")]
    LayoutArguments {
        /// Largest accepted number.
        max: usize,
        /// What was given.
        got: String,
    },
}
