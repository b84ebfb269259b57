//! Query parameters, read by the rules of the API: the first value wins, unknown ones are ignored.

use std::collections::HashMap;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::error::{ApiError, ApiResult, ErrorKind};

/// The query parameters of a request.
#[derive(Debug, Default)]
pub struct Query(HashMap<String, String>);

impl Query {
    /// The text of a parameter, if given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The text of the first of several spellings that is given.
    pub fn text_of(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.text(name))
    }

    /// A number, if given.
    ///
    /// # Errors
    /// 400 when the text is not such a number.
    pub fn number<T: FromStr>(&self, name: &str) -> ApiResult<Option<T>> {
        self.number_of(&[name])
    }

    /// A number under the first of several spellings that is given.
    ///
    /// # Errors
    /// 400 when the text is not such a number.
    pub fn number_of<T: FromStr>(&self, names: &[&str]) -> ApiResult<Option<T>> {
        let Some(text) = self.text_of(names) else { return Ok(None) };
        let wrong = || {
            ApiError::malformed(format!(
                "query parameter `{}` must be an integer in range, got \"{text}\"",
                names[0]
            ))
        };
        text.trim().parse().map(Some).map_err(|_| wrong())
    }

    /// A truth value under the first of several spellings: `true`, `yes`, `1`, `on` in any case. Absent is false.
    pub fn flag(&self, names: &[&str]) -> bool {
        self.text_of(names)
            .is_some_and(|text| ["true", "yes", "1", "on"].iter().any(|yes| text.eq_ignore_ascii_case(yes)))
    }

    /// Check that all of these are given; an inner list holds the spellings of one parameter.
    ///
    /// # Errors
    /// 400 naming every missing one.
    pub fn require(&self, parameters: &[&[&str]]) -> ApiResult<()> {
        let missing: Vec<_> = parameters
            .iter()
            .filter(|names| self.text_of(names).is_none())
            .map(|names| format!("`{}`", names[0]))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(ApiError::new(
            ErrorKind::MissingGetParameter,
            format!("missing query parameter(s): {}", missing.join(", ")),
        ))
    }

    /// A required number; call [`Query::require`] first so that all missing ones are named at once.
    ///
    /// # Errors
    /// 400 when it is missing or not such a number.
    pub fn required_number<T: FromStr>(&self, names: &[&str]) -> ApiResult<T> {
        self.require(&[names])?;
        self.number_of(names)?.ok_or_else(|| ApiError::malformed(format!("`{}` is missing", names[0])))
    }

    /// A required text; call [`Query::require`] first so that all missing ones are named at once.
    ///
    /// # Errors
    /// 400 when it is missing.
    pub fn required_text(&self, names: &[&str]) -> ApiResult<&str> {
        self.require(&[names])?;
        self.text_of(names).ok_or_else(|| ApiError::malformed(format!("`{}` is missing", names[0])))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        let axum::extract::Query(pairs) =
            axum::extract::Query::<Vec<(String, String)>>::from_request_parts(parts, state)
                .await
                .map_err(|error| ApiError::malformed(format!("query string: {error}")))?;
        let mut first = HashMap::with_capacity(pairs.len());
        for (name, value) in pairs {
            // Nothing stored holds one, and PostgreSQL takes none.
            if value.contains('\0') {
                return Err(ApiError::malformed(format!(
                    "query parameter `{name}` holds the character U+0000"
                )));
            }
            first.entry(name).or_insert(value);
        }
        Ok(Self(first))
    }
}
