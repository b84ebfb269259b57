//! Work that does not stop when the client goes away.

use crate::error::{ApiError, ApiResult};

/// Do all of `work`, also when whoever waits for it stops waiting: what a transaction commits must be
/// followed by its files.
///
/// # Errors
/// Those of `work`; 500 when it panicked.
pub async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = ApiResult<T>> + Send + 'static,
) -> ApiResult<T> {
    tokio::spawn(work).await.unwrap_or_else(|panic| Err(ApiError::internal(panic)))
}
