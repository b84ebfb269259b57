//! The keys of what is served: parsed, never joined to a path as they come.
//!
//! ```text
//! plates/<name>.ome.zarr/zarr.json                          plate
//!                       /B/zarr.json                        row
//!                       /B/03/zarr.json                     well
//!                       /B/03/0/zarr.json                   field image
//!                       /B/03/0/0/zarr.json                 array (t, c, z, y, x)
//!                       /B/03/0/0/c/<t>/<c>/<z>/0/0         one plane: one shard
//!                       /B/03/0/labels/zarr.json            which label images it has
//!                       /B/03/0/labels/<type>/zarr.json     label image of a type of objects
//!                       /B/03/0/labels/<type>/0/zarr.json   array (t, 1, z, y, x)
//!                       /B/03/0/labels/<type>/0/c/<t>/0/<z>/0/0
//! layers/<name>.ome.zarr/zarr.json                          layer
//!                       /<level>/zarr.json                  array (y, x)
//!                       /<level>/c/<y>/<x>                  chunk of level 0, shard of the others
//! ```
//!
//! A name is an id, or text for people, `-` and an id, as in `plate_one-17`: only the id counts, so that a URL
//! outlives a new name of the plate or channel. What is not exactly one of these keys is none.

use crate::microscopes::secure_filename;
use crate::storage::images::{DOCUMENT, LABELS, PlaneIndex, field_path, plane_path};

const SUFFIX: &str = ".ome.zarr";
/// Characters of the text for people.
const MAX_TEXT: usize = 60;

/// A key of a plate or layer of an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Row id of a plate, and a key inside it.
    Plate(i64, PlateKey),
    /// Row id of a layer, and a key inside it.
    Layer(i64, LayerKey),
}

/// A key inside a plate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlateKey {
    /// The plate's document.
    Plate,
    /// The document of a row of wells.
    Row(String),
    /// The document of a well.
    Well(WellPath),
    /// The document of a field image.
    Field(Field),
    /// The document of a field image's array.
    Array(Field),
    /// A plane.
    Plane(Field, PlaneIndex),
    /// The document that lists the label images of a field image.
    Labels(Field),
    /// Name of a label image of a field image (see [`super::names`]), and a key inside it.
    Label(Field, String, LabelKey),
}

/// A key inside a label image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelKey {
    /// The document of the label image.
    Image,
    /// The document of its array.
    Array,
    /// A plane: `c` is 0.
    Plane(PlaneIndex),
}

/// A key inside a layer. Full resolution is level 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKey {
    /// The layer's document.
    Layer,
    /// The document of a level.
    Level(usize),
    /// A chunk or shard.
    Chunk {
        /// Its level.
        level: usize,
        /// Row of the level's grid.
        y: usize,
        /// Column of the level's grid.
        x: usize,
    },
}

/// Row and column of a well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WellPath {
    row: String,
    column: String,
}

impl WellPath {
    /// Its name, such as `B03`.
    pub fn name(&self) -> String {
        format!("{}{}", self.row, self.column)
    }
}

/// A field image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its well.
    pub well: WellPath,
    index: usize,
}

impl Field {
    /// Where it is inside its plate; see [`field_path`].
    pub fn path(&self) -> String {
        field_path(&self.well.name(), self.index)
    }
}

impl Key {
    /// The key that a path below `…/zarr/` means, if any.
    pub fn parse(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.split('/').collect();
        let [kind, name, inside @ ..] = segments.as_slice() else { return None };
        let id = id_of(name)?;
        match *kind {
            "plates" => PlateKey::parse(inside).map(|key| Self::Plate(id, key)),
            "layers" => LayerKey::parse(inside).map(|key| Self::Layer(id, key)),
            _ => None,
        }
    }
}

impl PlateKey {
    fn parse(segments: &[&str]) -> Option<Self> {
        let well = |row: &str, column| Some(WellPath { row: self::row(row)?, column: self::column(column)? });
        let field = |row, column, index| Some(Field { well: well(row, column)?, index: number(index)? });
        Some(match segments {
            [DOCUMENT] => Self::Plate,
            [row, DOCUMENT] => Self::Row(self::row(row)?),
            [row, column, DOCUMENT] => Self::Well(well(row, column)?),
            [row, column, index, DOCUMENT] => Self::Field(field(row, column, index)?),
            [row, column, index, "0", DOCUMENT] => Self::Array(field(row, column, index)?),
            [row, column, index, "0", "c", t, c, z, "0", "0"] => {
                let at = PlaneIndex { t: number(t)?, c: number(c)?, z: number(z)? };
                Self::Plane(field(row, column, index)?, at)
            }
            [row, column, index, LABELS, DOCUMENT] => Self::Labels(field(row, column, index)?),
            [row, column, index, LABELS, name, inside @ ..] => {
                let name = is_plain(name).then(|| (*name).to_owned())?;
                Self::Label(field(row, column, index)?, name, LabelKey::parse(inside)?)
            }
            _ => return None,
        })
    }

    /// The field image that it belongs to, if it belongs to one.
    pub fn field(&self) -> Option<&Field> {
        match self {
            Self::Plate | Self::Row(_) | Self::Well(_) => None,
            Self::Field(field)
            | Self::Array(field)
            | Self::Plane(field, _)
            | Self::Labels(field)
            | Self::Label(field, ..) => Some(field),
        }
    }

    /// The path of its file below the plate's directory; label images have none there.
    pub fn path(&self) -> String {
        match self {
            Self::Plate => DOCUMENT.to_owned(),
            Self::Row(row) => format!("{row}/{DOCUMENT}"),
            Self::Well(WellPath { row, column }) => format!("{row}/{column}/{DOCUMENT}"),
            Self::Field(field) => format!("{}/{DOCUMENT}", field.path()),
            Self::Array(field) => format!("{}/0/{DOCUMENT}", field.path()),
            Self::Plane(field, at) => format!("{}/{}", field.path(), plane_path(*at)),
            Self::Labels(field) => format!("{}/{LABELS}/{DOCUMENT}", field.path()),
            Self::Label(field, name, key) => format!("{}/{LABELS}/{name}/{}", field.path(), key.path()),
        }
    }
}

impl LabelKey {
    fn parse(segments: &[&str]) -> Option<Self> {
        Some(match segments {
            [DOCUMENT] => Self::Image,
            ["0", DOCUMENT] => Self::Array,
            ["0", "c", t, "0", z, "0", "0"] => Self::Plane(PlaneIndex { t: number(t)?, c: 0, z: number(z)? }),
            _ => return None,
        })
    }

    fn path(self) -> String {
        match self {
            Self::Image => DOCUMENT.to_owned(),
            Self::Array => format!("0/{DOCUMENT}"),
            Self::Plane(at) => plane_path(at),
        }
    }
}

impl LayerKey {
    fn parse(segments: &[&str]) -> Option<Self> {
        Some(match segments {
            [DOCUMENT] => Self::Layer,
            [level, DOCUMENT] => Self::Level(number(level)?),
            [level, "c", y, x] => Self::Chunk { level: number(level)?, y: number(y)?, x: number(x)? },
            _ => return None,
        })
    }

    /// The path of its file below the layer's directory; level 0 has none.
    pub fn path(self) -> String {
        match self {
            Self::Layer => DOCUMENT.to_owned(),
            Self::Level(level) => format!("{level}/{DOCUMENT}"),
            Self::Chunk { level, y, x } => format!("{level}/c/{y}/{x}"),
        }
    }
}

/// Text for people and an id as one segment of a URL.
pub fn segment(text: &str, id: i64) -> String {
    let mut text = plain(text);
    text.truncate(MAX_TEXT);
    if text.is_empty() { format!("{id}{SUFFIX}") } else { format!("{text}-{id}{SUFFIX}") }
}

/// A name in letters, digits, `_`, `.` and `-` of ASCII; may be empty.
pub fn plain(name: &str) -> String {
    secure_filename(name)
}

/// Whether it is a name in these characters.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && plain(name) == name
}

/// What people call a layer, before it is made [`plain`].
pub fn layer_name(channel: &str, tpoint: i64, zplane: i64) -> String {
    format!("{channel} t{tpoint} z{zplane}")
}

fn id_of(segment: &str) -> Option<i64> {
    let name = segment.strip_suffix(SUFFIX)?;
    let id = name.rsplit('-').next()?;
    id.parse().ok().filter(|number: &i64| number.to_string() == id)
}

/// A number without leading zeros, small enough for every grid.
fn number(text: &str) -> Option<usize> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then(|| usize::try_from(number).ok()).flatten()
}

fn row(text: &str) -> Option<String> {
    let is_row = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_uppercase());
    is_row.then(|| text.to_owned())
}

fn column(text: &str) -> Option<String> {
    let is_column = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_column.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_the_files_they_were_made_of() {
        for path in [
            "zarr.json",
            "B/zarr.json",
            "AA/03/zarr.json",
            "B/03/12/zarr.json",
            "B/03/0/0/zarr.json",
            "B/03/0/0/c/1/20/3/0/0",
            "B/03/0/labels/zarr.json",
            "B/03/0/labels/Cells-2/zarr.json",
            "B/03/0/labels/c/0/zarr.json",
            "B/03/0/labels/Cells/0/c/4/0/2/0/0",
        ] {
            let Some(Key::Plate(7, key)) = Key::parse(&format!("plates/any-7.ome.zarr/{path}")) else {
                panic!("{path}")
            };
            assert_eq!(key.path(), path);
        }
        for path in ["zarr.json", "0/zarr.json", "12/zarr.json", "0/c/0/17", "3/c/5/0"] {
            let Some(Key::Layer(7, key)) = Key::parse(&format!("layers/7.ome.zarr/{path}")) else {
                panic!("{path}")
            };
            assert_eq!(key.path(), path);
        }
    }

    #[test]
    fn only_the_id_of_a_name_counts() {
        for name in ["7", "plate_one-7", "a-b-7", "3-7", "-7"] {
            let key = Key::parse(&format!("plates/{name}.ome.zarr/zarr.json"));
            assert_eq!(key, Some(Key::Plate(7, PlateKey::Plate)), "{name}");
        }
        assert_eq!(segment("plate  one/é", 7), "plate_one_e-7.ome.zarr");
        assert_eq!(segment("プレート", 7), "7.ome.zarr");
        assert_eq!(segment(&"x".repeat(300), 7).len(), MAX_TEXT + "-7.ome.zarr".len());
    }

    #[test]
    fn what_is_no_key_names_no_file() {
        for path in [
            "",
            "plates",
            "plates/7.ome.zarr",
            "plates/7.ome.zarr/",
            "plates/7/zarr.json",
            "plates/7.zarr/zarr.json",
            "plates/x.ome.zarr/zarr.json",
            "plates/07.ome.zarr/zarr.json",
            "plates/+7.ome.zarr/zarr.json",
            "plates/99999999999999999999.ome.zarr/zarr.json",
            "plates/7-1.ome.zarr/../7-1.ome.zarr/zarr.json",
            "plates/../plates/7.ome.zarr/zarr.json",
            "plates/7.ome.zarr/../../secret",
            "plates/7.ome.zarr//zarr.json",
            "plates/7.ome.zarr/./zarr.json",
            "plates/7.ome.zarr/../zarr.json",
            "plates/7.ome.zarr/..\\zarr.json",
            "plates/7.ome.zarr/b/03/zarr.json",
            "plates/7.ome.zarr/B/3/zarr.json",
            "plates/7.ome.zarr/B/03/-1/zarr.json",
            "plates/7.ome.zarr/B/03/00/zarr.json",
            "plates/7.ome.zarr/B/03/0/1/zarr.json",
            "plates/7.ome.zarr/B/03/0/0/c/0/0/0/0/1",
            "plates/7.ome.zarr/B/03/0/0/c/0/0/../0/0",
            "plates/7.ome.zarr/.zattrs",
            "plates/7.ome.zarr/labels/zarr.json",
            "plates/7.ome.zarr/B/03/0/labels",
            "plates/7.ome.zarr/B/03/0/labels/../zarr.json",
            "plates/7.ome.zarr/B/03/0/labels//zarr.json",
            "plates/7.ome.zarr/B/03/0/labels/a b/zarr.json",
            "plates/7.ome.zarr/B/03/0/labels/..\\x/zarr.json",
            "plates/7.ome.zarr/B/03/0/labels/Cells/1/zarr.json",
            "plates/7.ome.zarr/B/03/0/labels/Cells/0/c/0/1/0/0/0",
            "plates/7.ome.zarr/B/03/0/labels/Cells/0/c/0/0/0/0/1",
            "layers/7.ome.zarr/.complete",
            "layers/7.ome.zarr/0/c/0",
            "layers/7.ome.zarr/0/c/0/00",
            "layers/7.ome.zarr/0/c/0/4294967296",
            "layers/7.ome.zarr/labels/zarr.json",
            "uploads/7.ome.zarr/zarr.json",
        ] {
            assert_eq!(Key::parse(path), None, "{path}");
        }
    }
}
