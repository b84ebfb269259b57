//! A part of a long list, for `limit` and `offset` of a query.

/// Which part of a list is wanted; all of it by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// So many rows at most.
    pub limit: i64,
    /// After the first so many.
    pub offset: i64,
}

impl Page {
    /// More rows than any list has; limit and offset may be added up.
    pub const MOST: i64 = i64::MAX / 2;
    /// The whole list.
    pub const ALL: Self = Self { limit: Self::MOST, offset: 0 };
}
