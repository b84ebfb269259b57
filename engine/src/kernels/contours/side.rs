//! The sides of a pixel, and how a ring goes from one to the next.

/// A side of a pixel, in the order in which a ring that turns left comes to them.
///
/// Shaders know the sides by these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Top,
    Left,
    Bottom,
    Right,
}

impl Side {
    /// The sides by number.
    pub(super) const ALL: [Self; 4] = [Self::Top, Self::Left, Self::Bottom, Self::Right];

    /// Rows and columns to the pixel ahead, for an edge along this side.
    pub(super) const fn ahead(self) -> (isize, isize) {
        self.after_left_turn().beyond()
    }

    /// Rows and columns to the pixel beyond this side.
    pub(super) const fn beyond(self) -> (isize, isize) {
        match self {
            Self::Top => (-1, 0),
            Self::Left => (0, -1),
            Self::Bottom => (1, 0),
            Self::Right => (0, 1),
        }
    }

    pub(super) const fn after_left_turn(self) -> Self {
        match self {
            Self::Top => Self::Left,
            Self::Left => Self::Bottom,
            Self::Bottom => Self::Right,
            Self::Right => Self::Top,
        }
    }

    pub(super) const fn after_right_turn(self) -> Self {
        match self {
            Self::Top => Self::Right,
            Self::Left => Self::Top,
            Self::Bottom => Self::Left,
            Self::Right => Self::Bottom,
        }
    }

    /// Row and column of the lattice corner where the edge along this side ends, from its pixel.
    pub(super) const fn end(self) -> (usize, usize) {
        match self {
            Self::Top => (0, 0),
            Self::Left => (1, 0),
            Self::Bottom => (1, 1),
            Self::Right => (0, 1),
        }
    }
}
