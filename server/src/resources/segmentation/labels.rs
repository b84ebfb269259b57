//! Label images as clients send them: nested lists, read into pixels without anything in between.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use tm_engine::image::{Plane, Size};

/// Why a label image cannot be used; the text says what was wanted and follows the name of the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LabelError(String);

impl LabelError {
    /// An error with this text.
    pub fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

/// Checks the size of a label image.
///
/// # Errors
/// [`LabelError`] naming both sizes.
pub fn check_size(got: Size, wanted: Size) -> Result<(), LabelError> {
    if got == wanted {
        return Ok(());
    }
    Err(LabelError::new(format!(
        "must be {} pixels high and {} wide, got {} and {}",
        wanted.height, wanted.width, got.height, got.width
    )))
}

/// What is said of a value that is no label.
pub fn not_a_label(value: &dyn fmt::Display, row: usize, column: usize) -> LabelError {
    LabelError::new(format!(
        "must hold labels from 0 to {}, got {value} at row {row}, column {column}",
        i32::MAX
    ))
}

/// A label image in a body: a list of rows, all of one length, each a list of labels.
#[derive(Debug)]
pub struct LabelRows(pub Plane<i32>);

impl<'de> Deserialize<'de> for LabelRows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(RowsVisitor)
    }
}

/// What was read so far.
#[derive(Default)]
struct Rows {
    labels: Vec<i32>,
    height: usize,
    width: usize,
}

struct RowsVisitor;

impl<'de> Visitor<'de> for RowsVisitor {
    type Value = LabelRows;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a label image: a list of rows, each a list of labels")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<LabelRows, A::Error> {
        let mut rows = Rows::default();
        while list.next_element_seed(RowSeed(&mut rows))?.is_some() {}
        let plane = Plane::new(Size::new(rows.height, rows.width), rows.labels);
        plane.map(LabelRows).map_err(A::Error::custom)
    }
}

struct RowSeed<'a>(&'a mut Rows);

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a list of labels as row {} of the label image", self.0.height)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let rows = self.0;
        let mut column = 0;
        while let Some(label) = list.next_element_seed(LabelSeed { row: rows.height, column })? {
            rows.labels.push(label);
            column += 1;
        }
        if rows.height == 0 {
            rows.width = column;
        } else if column != rows.width {
            return Err(A::Error::custom(format!(
                "row {} of the label image has {column} labels, those before it have {}",
                rows.height, rows.width
            )));
        }
        rows.height += 1;
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct LabelSeed {
    row: usize,
    column: usize,
}

impl LabelSeed {
    fn check<N: TryInto<i32> + fmt::Display + Copy, E: Error>(self, value: N) -> Result<i32, E> {
        let label = value.try_into().ok().filter(|label| *label >= 0);
        label.ok_or_else(|| {
            E::custom(format!("the label image {}", not_a_label(&value, self.row, self.column)))
        })
    }
}

impl<'de> DeserializeSeed<'de> for LabelSeed {
    type Value = i32;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<i32, D::Error> {
        deserializer.deserialize_i64(self)
    }
}

impl Visitor<'_> for LabelSeed {
    type Value = i32;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a whole number as the label at row {}, column {}", self.row, self.column)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<i32, E> {
        self.check(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<i32, E> {
        self.check(value)
    }
}
