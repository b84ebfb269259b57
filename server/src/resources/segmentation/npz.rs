//! Label images in NumPy's `.npz` archives: the member `segmentation`, a two-dimensional array of integers.
//!
//! An archive is a ZIP file, a member a `.npy` file: a header in the form of a Python dictionary, then the
//! values. Values of any integer type, in either byte order, by rows or by columns. Nothing is ever unpickled, and
//! nothing is inflated beyond what the header promises, which must be the size that is wanted.

use std::io::{Cursor, Read};

use tm_engine::image::{Plane, Size};
use zip::ZipArchive;

use super::labels::{LabelError, check_size, not_a_label};

/// The member that holds the label image.
const MEMBER: &str = "segmentation.npy";
const MAGIC: &[u8] = b"\x93NUMPY";
/// Longest header; that of a plain array has about 100 bytes.
const HEADER_BYTES: usize = 16 << 10;
/// Values are read this many at a time.
const CHUNK: usize = 16 << 10;

/// The label image in an archive, which must have this size.
///
/// # Errors
/// [`LabelError`] for what is no such archive or damaged, another size, and values that are no labels (0 to
/// 2³¹ - 1).
pub fn read(archive: &[u8], wanted: Size) -> Result<Plane<i32>, LabelError> {
    let damaged =
        |error: &dyn std::fmt::Display| LabelError::new(format!("is no readable .npz archive: {error}"));
    let mut archive = ZipArchive::new(Cursor::new(archive)).map_err(|error| damaged(&error))?;
    let mut member = match archive.by_name(MEMBER) {
        Err(zip::result::ZipError::FileNotFound) => {
            return Err(LabelError::new("has no array named `segmentation`"));
        }
        member => member.map_err(|error| damaged(&error))?,
    };
    let broken = |error: std::io::Error| LabelError::new(format!("holds a damaged array: {error}"));
    let header = Header::read(&mut member)?;
    let [height, width] = header.shape[..] else {
        return Err(LabelError::new(format!(
            "must hold an array of 2 dimensions, got {}",
            header.shape.len()
        )));
    };
    check_size(Size::new(height, width), wanted)?;
    let labels = header.labels(&mut member, wanted).map_err(|problem| match problem {
        Problem::Read(error) => broken(error),
        Problem::Label { row, column, value } => not_a_label(&value, row, column),
    })?;
    // Reading to the end also compares the checksum.
    match member.read(&mut [0]).map_err(broken)? {
        0 => Ok(labels),
        _ => Err(LabelError::new("holds more values than its header says")),
    }
}

enum Problem {
    Read(std::io::Error),
    Label { row: usize, column: usize, value: i128 },
}

/// What a `.npy` file says of its values.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    kind: Integer,
    by_columns: bool,
    shape: Vec<usize>,
}

/// How an integer is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Integer {
    bytes: usize,
    signed: bool,
    big_endian: bool,
}

impl Integer {
    /// The type of a NumPy description such as `<i4`.
    fn find(description: &str) -> Option<Self> {
        let mut letters = description.chars();
        let order = letters.next()?;
        let signed = match letters.next()? {
            'i' => true,
            'u' => false,
            _ => return None,
        };
        let bytes = letters.as_str().parse().ok().filter(|bytes| [1, 2, 4, 8].contains(bytes))?;
        let big_endian = match order {
            '<' => false,
            '>' => true,
            '=' => cfg!(target_endian = "big"),
            '|' if bytes == 1 => false,
            _ => return None,
        };
        Some(Self { bytes, signed, big_endian })
    }

    fn value(self, stored: &[u8]) -> i128 {
        let fold = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        let bits = match self.big_endian {
            true => stored.iter().fold(0, fold),
            false => stored.iter().rev().fold(0, fold),
        };
        let unsigned = i128::from(bits);
        let limit = 1_i128 << (8 * self.bytes - 1);
        if self.signed && unsigned >= limit { unsigned - 2 * limit } else { unsigned }
    }
}

impl Header {
    fn read(source: &mut impl Read) -> Result<Self, LabelError> {
        let damaged = |_| LabelError::new("holds an array without a readable header");
        let mut start = [0; 8];
        source.read_exact(&mut start).map_err(damaged)?;
        if !start.starts_with(MAGIC) {
            return Err(LabelError::new("holds a `segmentation` that is no .npy array"));
        }
        let length = match start[6] {
            1 => {
                let mut length = [0; 2];
                source.read_exact(&mut length).map_err(damaged)?;
                usize::from(u16::from_le_bytes(length))
            }
            2 | 3 => {
                let mut length = [0; 4];
                source.read_exact(&mut length).map_err(damaged)?;
                usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX)
            }
            version => return Err(LabelError::new(format!("holds an array in version {version} of .npy"))),
        };
        if length > HEADER_BYTES {
            return Err(LabelError::new(format!("holds an array with a header of {length} bytes")));
        }
        let mut text = vec![0; length];
        source.read_exact(&mut text).map_err(damaged)?;
        Self::parse(&String::from_utf8_lossy(&text))
    }

    /// Reads the dictionary: `{'descr': '<i4', 'fortran_order': False, 'shape': (3, 4), }`.
    fn parse(text: &str) -> Result<Self, LabelError> {
        let unreadable = || LabelError::new(format!("holds an array with the header {:?}", text.trim()));
        let after = |key: &str| {
            let quoted = [format!("'{key}'"), format!("\"{key}\"")];
            let rest = quoted.iter().find_map(|key| text.split_once(key.as_str()))?.1;
            rest.trim_start().strip_prefix(':').map(str::trim_start)
        };
        let description = after("descr").ok_or_else(unreadable)?;
        let quote = description.chars().next().filter(|quote| ['\'', '"'].contains(quote));
        let name = quote.and_then(|quote| description[1..].split(quote).next());
        let kind = name.and_then(Integer::find).ok_or_else(|| {
            LabelError::new(format!("must hold integers, got values of type {}", name.unwrap_or("object")))
        })?;
        let order = after("fortran_order").ok_or_else(unreadable)?;
        let by_columns = match (order.starts_with("True"), order.starts_with("False")) {
            (true, _) => true,
            (_, true) => false,
            _ => return Err(unreadable()),
        };
        let shape = after("shape")
            .and_then(|shape| shape.strip_prefix('(')?.split_once(')'))
            .ok_or_else(unreadable)?
            .0;
        let sides = shape.split(',').map(str::trim).filter(|side| !side.is_empty());
        // Python 2 wrote long integers with an L.
        let shape = sides.map(|side| side.trim_end_matches('L').parse().ok()).collect::<Option<_>>();
        Ok(Self { kind, by_columns, shape: shape.ok_or_else(unreadable)? })
    }

    /// Reads the values of an image whose size is that of the header.
    fn labels(&self, source: &mut impl Read, size: Size) -> Result<Plane<i32>, Problem> {
        let mut labels = Plane::zeros(size);
        let inner = if self.by_columns { size.height } else { size.width };
        let mut stored = vec![0; CHUNK * self.kind.bytes];
        let mut next = 0;
        while next < size.area() {
            let count = CHUNK.min(size.area() - next);
            let chunk = &mut stored[..count * self.kind.bytes];
            source.read_exact(chunk).map_err(Problem::Read)?;
            for (index, value) in (next..).zip(chunk.chunks_exact(self.kind.bytes)) {
                let (outer, inner) = (index / inner, index % inner);
                let (row, column) = if self.by_columns { (inner, outer) } else { (outer, inner) };
                let value = self.kind.value(value);
                let label = i32::try_from(value).ok().filter(|label| *label >= 0);
                labels.row_mut(row)[column] = label.ok_or(Problem::Label { row, column, value })?;
            }
            next += count;
        }
        Ok(labels)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_in_every_width_and_order() {
        for (description, stored, value) in [
            ("|u1", &[200][..], 200),
            ("|i1", &[200], -56),
            ("<i2", &[0, 1], 256),
            (">i2", &[0xff, 0xfe], -2),
            ("<u4", &[0xff; 4], 0xffff_ffff),
            (">i8", &[0x80, 0, 0, 0, 0, 0, 0, 0], -(1 << 63)),
            ("<u8", &[0xff; 8], (1 << 64) - 1),
        ] {
            assert_eq!(Integer::find(description).unwrap().value(stored), value, "{description}");
        }
        for other in ["", "<", "<f4", "|b1", "|O", "|i4", "<i3", "<i16", "é4", "<U4"] {
            assert_eq!(Integer::find(other), None, "{other}");
        }
    }

    #[test]
    fn headers_are_read_however_they_are_spaced_and_refused_with_a_reason() {
        let header =
            Header::parse("{'descr': '<i4', 'fortran_order': False, 'shape': (3, 4), }   \n").unwrap();
        assert_eq!((header.by_columns, &header.shape[..]), (false, &[3, 4][..]));
        let header = Header::parse(r#"{"shape":(7L,),"fortran_order":True,"descr":">u2"}"#).unwrap();
        assert_eq!((header.by_columns, &header.shape[..]), (true, &[7][..]));
        for other in [
            "",
            "{}",
            "{'descr': '|O', 'fortran_order': False, 'shape': (3, 4)}",
            "{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (3, 4)}",
            "{'descr': '<i4', 'fortran_order': Maybe, 'shape': (3, 4)}",
            "{'descr': '<i4', 'fortran_order': False, 'shape': 3}",
            "{'descr': '<i4', 'fortran_order': False, 'shape': (3, -4)}",
            "{'descr': '<i4', 'fortran_order': False, 'shape': (99999999999999999999999,)}",
            "{'descr': 'é', 'fortran_order'",
        ] {
            assert!(Header::parse(other).is_err(), "{other}");
        }
    }
}
