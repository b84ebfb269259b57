//! The parameters in a path.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::{ApiError, ApiResult};

/// The parameters in a path, as text; see [`super::parse_id`].
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    /// 404 for what is no text once decoded: nothing has such an id.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(parameters)) => Ok(Self(parameters)),
            Err(rejection) if rejection.status().is_client_error() => {
                Err(ApiError::not_found(format!("\"{}\"", parts.uri.path())))
            }
            Err(rejection) => Err(ApiError::internal(rejection)),
        }
    }
}
