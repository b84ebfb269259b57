//! A part of a long list: `limit` and `offset`, an extension of the API.

use super::Query;
use crate::error::{ApiError, ApiResult};
use crate::store::Page;

/// The part of a list that a query asks for: `limit` things at most, after the first `offset`.
///
/// # Errors
/// 400 when either is no number, or `limit` is 0.
pub fn page(query: &Query) -> ApiResult<Page> {
    let number = |name, least: i64| match query.number::<i64>(name)? {
        Some(number) if number < least => Err(ApiError::malformed(format!(
            "query parameter `{name}` must be at least {least}, got {number}"
        ))),
        number => Ok(number.map(|number| number.min(Page::MOST))),
    };
    let Page { limit, offset } = Page::ALL;
    Ok(Page { limit: number("limit", 1)?.unwrap_or(limit), offset: number("offset", 0)?.unwrap_or(offset) })
}
