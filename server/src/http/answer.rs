//! Success bodies: `{"data": …}` and `{"message": "ok"}`.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// `{"data": …}`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Data<T> {
    /// What was asked for.
    pub data: T,
}

/// `{"message": "ok"}`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Message {
    /// `ok`, or what happened instead.
    #[schema(example = "ok")]
    pub message: &'static str,
}

/// Wrap what was asked for.
pub fn data<T>(data: T) -> Json<Data<T>> {
    Json(Data { data })
}

/// Say that it was done.
pub fn ok() -> Json<Message> {
    Json(Message { message: "ok" })
}
