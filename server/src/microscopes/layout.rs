//! Places of sites from the order in which they were taken.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::PlanError;
use super::grid::GridPosition;

/// Order in which the stage visited the sites of a well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StitchLayout {
    /// Row by row, every row from left to right.
    #[default]
    Horizontal,
    /// Row by row; rows 1, 3, … (zero-based) from right to left.
    ZigzagHorizontal,
    /// Column by column, every column from top to bottom.
    Vertical,
    /// Column by column; columns 1, 3, … (zero-based) from bottom to top.
    ZigzagVertical,
}

impl StitchLayout {
    /// All layouts.
    pub const ALL: [Self; 4] =
        [Self::Horizontal, Self::ZigzagHorizontal, Self::Vertical, Self::ZigzagVertical];

    /// Name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Horizontal => "horizontal",
            Self::ZigzagHorizontal => "zigzag_horizontal",
            Self::Vertical => "vertical",
            Self::ZigzagVertical => "zigzag_vertical",
        }
    }
}

impl fmt::Display for StitchLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for StitchLayout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|layout| layout.name() == text).ok_or_else(|| {
            let wanted = Self::ALL.map(Self::name).join(", ");
            format!("unknown stitch layout '{text}': wanted one of {wanted}")
        })
    }
}

/// A full rectangle of sites, and the order in which they were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiteLayout {
    order: StitchLayout,
    rows: usize,
    columns: usize,
}

impl SiteLayout {
    /// Most rows or columns of sites in a well.
    pub const MAX: usize = 10_000;

    /// A layout of `rows` (n_vertical) by `columns` (n_horizontal) sites; `None` if neither is given.
    ///
    /// # Errors
    /// [`PlanError::LayoutArguments`] if only one is given, or a number is 0 or above [`Self::MAX`].
    pub fn new(
        order: StitchLayout,
        rows: Option<usize>,
        columns: Option<usize>,
    ) -> Result<Option<Self>, PlanError> {
        let valid = |number: &usize| (1..=Self::MAX).contains(number);
        match (rows, columns) {
            (None, None) => Ok(None),
            (Some(rows), Some(columns)) if valid(&rows) && valid(&columns) => {
                Ok(Some(Self { order, rows, columns }))
            }
            _ => {
                let text = |number: Option<usize>| number.map_or("nothing".to_string(), |n| n.to_string());
                let got = format!("n_vertical {} and n_horizontal {}", text(rows), text(columns));
                Err(PlanError::LayoutArguments { max: Self::MAX, got })
            }
        }
    }

    /// Rows of sites.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of sites.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// Number of sites.
    pub const fn sites(&self) -> usize {
        self.rows * self.columns
    }

    /// Place of the site that was taken as number `k`, counted from zero.
    ///
    /// For 2×3 and `zigzag_horizontal`: (0,0) (0,1) (0,2) (1,2) (1,1) (1,0), as (y,x).
    pub const fn position(&self, k: usize) -> GridPosition {
        let (row_wise, column_wise) = ((k / self.columns, k % self.columns), (k % self.rows, k / self.rows));
        match self.order {
            StitchLayout::Horizontal => GridPosition { y: row_wise.0, x: row_wise.1 },
            StitchLayout::ZigzagHorizontal if row_wise.0 % 2 == 1 => {
                GridPosition { y: row_wise.0, x: self.columns - 1 - row_wise.1 }
            }
            StitchLayout::ZigzagHorizontal => GridPosition { y: row_wise.0, x: row_wise.1 },
            StitchLayout::ZigzagVertical if column_wise.1 % 2 == 1 => {
                GridPosition { y: self.rows - 1 - column_wise.0, x: column_wise.1 }
            }
            StitchLayout::Vertical | StitchLayout::ZigzagVertical => {
                GridPosition { y: column_wise.0, x: column_wise.1 }
            }
        }
    }
}
