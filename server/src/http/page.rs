//! A part of a long list: `limit` and `offset`, an extension of the API.

use super::Query;
use crate::error::{ApiError, ApiResult};

/// Which part of a list a client wants; all of it by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    offset: usize,
    limit: Option<usize>,
}

impl Page {
    /// The part that a query asks for: `limit` things at most, after the first `offset`.
    ///
    /// # Errors
    /// 400 when either is no number, or `limit` is 0.
    pub fn of(query: &Query) -> ApiResult<Self> {
        let number = |name, least: i64| match query.number::<i64>(name)? {
            Some(number) if number < least => Err(ApiError::malformed(format!(
                "query parameter `{name}` must be at least {least}, got {number}"
            ))),
            // No list is longer than memory.
            number => Ok(number.map(|number| usize::try_from(number).unwrap_or(usize::MAX))),
        };
        Ok(Self { limit: number("limit", 1)?, offset: number("offset", 0)?.unwrap_or(0) })
    }

    /// That part of a list in its final order.
    pub fn cut<T>(self, list: Vec<T>) -> impl Iterator<Item = T> {
        list.into_iter().skip(self.offset).take(self.limit.unwrap_or(usize::MAX))
    }
}
