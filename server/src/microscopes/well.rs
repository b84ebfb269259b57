//! Wells: where they lie on the plate and what they are called.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Letters of a row name.
const LETTERS: u16 = 26;
/// Rows with one or two letters: A to Z and AA to ZZ.
const MAX_ROWS: u16 = LETTERS + LETTERS * LETTERS;
/// Columns with two digits: 01 to 99.
const MAX_COLUMNS: u16 = 99;

/// A well by its place on the plate, written as one or two letters and two digits: `B03`, `AA12`.
///
/// Rows run A…Z, AA…AF (the largest plates have 32 rows). Wells sort by row, then column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct WellName {
    row: u16,
    column: u16,
}

impl WellName {
    /// The well in the corner, `A01`: the only one of a slide.
    pub const FIRST: Self = Self { row: 0, column: 0 };

    /// The well at a zero-based row and column, if such a name exists (rows below 702, columns below 99).
    pub const fn new(row: u16, column: u16) -> Option<Self> {
        if row < MAX_ROWS && column < MAX_COLUMNS { Some(Self { row, column }) } else { None }
    }

    /// Zero-based row on the plate: 0 for A, 26 for AA.
    pub const fn row(self) -> u16 {
        self.row
    }

    /// Zero-based column on the plate.
    pub const fn column(self) -> u16 {
        self.column
    }
}

impl fmt::Display for WellName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |number: u16| char::from(b'A' + u8::try_from(number).expect("below 26"));
        if self.row >= LETTERS {
            write!(f, "{}", letter(self.row / LETTERS - 1))?;
        }
        write!(f, "{}{:02}", letter(self.row % LETTERS), self.column + 1)
    }
}

/// The text is not a well name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a well name: wanted one or two capital letters and two digits, as in B03 or AA12")]
pub struct WellNameError(pub String);

impl From<WellName> for String {
    fn from(well: WellName) -> Self {
        well.to_string()
    }
}

impl TryFrom<String> for WellName {
    type Error = WellNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for WellName {
    type Err = WellNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || WellNameError(text.to_string());
        let bytes = text.as_bytes();
        let (letters, digits) = bytes.split_at_checked(bytes.len().saturating_sub(2)).ok_or_else(refuse)?;
        let letter = |byte: u8| byte.is_ascii_uppercase().then(|| u16::from(byte - b'A'));
        let digit = |byte: u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
        let row = match *letters {
            [one] => letter(one),
            [first, second] => letter(first).zip(letter(second)).map(|(a, b)| (a + 1) * LETTERS + b),
            _ => None,
        };
        let column = match *digits {
            [tens, ones] => digit(tens).zip(digit(ones)).map(|(a, b)| a * 10 + b),
            _ => None,
        };
        let column = column.and_then(|number| number.checked_sub(1));
        row.zip(column).and_then(|(row, column)| Self::new(row, column)).ok_or_else(refuse)
    }
}

/// Kinds of plates by their number of wells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlateFormat {
    /// A slide: one well, 1×1.
    Slide,
    /// 6 wells, 2×3.
    Wells6,
    /// 12 wells, 3×4.
    Wells12,
    /// 24 wells, 4×6.
    Wells24,
    /// 48 wells, 6×8.
    Wells48,
    /// 96 wells, 8×12.
    Wells96,
    /// 384 wells, 16×24.
    Wells384,
    /// 1536 wells, 32×48.
    Wells1536,
}

impl PlateFormat {
    /// All formats, smallest first.
    pub const ALL: &[Self] = &[
        Self::Slide,
        Self::Wells6,
        Self::Wells12,
        Self::Wells24,
        Self::Wells48,
        Self::Wells96,
        Self::Wells384,
        Self::Wells1536,
    ];

    /// The format with this number of wells, if there is one.
    pub fn from_wells(wells: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.wells() == wells)
    }

    /// Number of wells: 1, 6, 12, 24, 48, 96, 384 or 1536.
    pub const fn wells(self) -> u32 {
        self.rows() as u32 * self.columns() as u32
    }

    /// Number of rows of wells.
    pub const fn rows(self) -> u16 {
        match self {
            Self::Slide => 1,
            Self::Wells6 => 2,
            Self::Wells12 => 3,
            Self::Wells24 => 4,
            Self::Wells48 => 6,
            Self::Wells96 => 8,
            Self::Wells384 => 16,
            Self::Wells1536 => 32,
        }
    }

    /// Number of columns of wells.
    pub const fn columns(self) -> u16 {
        match self {
            Self::Slide => 1,
            Self::Wells6 => 3,
            Self::Wells12 => 4,
            Self::Wells24 => 6,
            Self::Wells48 => 8,
            Self::Wells96 => 12,
            Self::Wells384 => 24,
            Self::Wells1536 => 48,
        }
    }

    /// Whether the plate has this well.
    pub const fn contains(self, well: WellName) -> bool {
        well.row < self.rows() && well.column < self.columns()
    }
}

impl fmt::Display for PlateFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-well plate ({} rows, {} columns)", self.wells(), self.rows(), self.columns())
    }
}
