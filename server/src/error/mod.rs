//! The one error that leaves the server, and its JSON envelope.
//!
//! Lower layers have their own errors, sorted by what a caller can do about them; this module maps
//! them to statuses. An error is logged here, once, if it is the server's fault; the client then
//! learns no internals.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::auth::password::TooManyLogins;
use crate::resources::file::FileError;
use crate::resources::file::linking::LinkError;
use crate::storage::uploads::ReceiveError;
use crate::storage::{StorageError, is_full};
use crate::store::StoreError;

/// The stable `type` of an error, and its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// 400: the request is not understood.
    MalformedRequest,
    /// 400: a required query parameter is absent.
    MissingGetParameter,
    /// 400: a required key of a POST body is absent.
    MissingPostParameter,
    /// 400: a required key of a PUT body is absent.
    MissingPutParameter,
    /// 401: no token, or one that does not count.
    NotAuthorized,
    /// 403: the user has no such right on the experiment.
    Forbidden,
    /// 404: no such thing, or not within this experiment.
    ResourceNotFound,
    /// 405: the path exists, the method does not.
    MethodNotAllowed,
    /// 409: the name is taken, or the state does not allow it.
    Integrity,
    /// 413: the body is larger than configured.
    PayloadTooLarge,
    /// 416: the range lies beyond the end.
    RangeNotSatisfiable,
    /// 500: the server's fault.
    InternalServer,
    /// 503: the server is stopping, or has too much to do.
    ServiceUnavailable,
    /// 507: no space left.
    InsufficientStorage,
}

impl ErrorKind {
    /// The `type` on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MalformedRequest => "MalformedRequestError",
            Self::MissingGetParameter => "MissingGETParameterError",
            Self::MissingPostParameter => "MissingPOSTParameterError",
            Self::MissingPutParameter => "MissingPUTParameterError",
            Self::NotAuthorized => "NotAuthorizedError",
            Self::Forbidden => "ForbiddenError",
            Self::ResourceNotFound => "ResourceNotFoundError",
            Self::MethodNotAllowed => "MethodNotAllowedError",
            Self::Integrity => "IntegrityError",
            Self::PayloadTooLarge => "PayloadTooLargeError",
            Self::RangeNotSatisfiable => "RangeNotSatisfiableError",
            Self::InternalServer => "InternalServerError",
            Self::ServiceUnavailable => "ServiceUnavailableError",
            Self::InsufficientStorage => "InsufficientStorageError",
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::MalformedRequest
            | Self::MissingGetParameter
            | Self::MissingPostParameter
            | Self::MissingPutParameter => StatusCode::BAD_REQUEST,
            Self::NotAuthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::ResourceNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Integrity => StatusCode::CONFLICT,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::InternalServer => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::InsufficientStorage => StatusCode::INSUFFICIENT_STORAGE,
        }
    }
}

/// An error as the client sees it.
#[derive(Debug, Clone)]
pub struct ApiError {
    kind: ErrorKind,
    message: String,
}

/// Result of a handler.
pub type ApiResult<T> = std::result::Result<T, ApiError>;

impl ApiError {
    /// An error of a kind, with a message that names the field and what was wanted.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// 400: the request is not understood.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::MalformedRequest, message)
    }

    /// 401: no token, or one that does not count.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotAuthorized, message)
    }

    /// 403: the user may not do this to the experiment.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden, message)
    }

    /// 404: `what` ("plate 17") does not exist here.
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(ErrorKind::ResourceNotFound, format!("{what} not found"))
    }

    /// 409: the name is taken, or the state does not allow it.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Integrity, message)
    }

    /// 500: logs the cause and tells the client nothing of it.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(ErrorKind::InternalServer, "internal server error; the server's log has the cause")
    }

    /// 507: no room; logs where.
    pub fn no_space(cause: impl std::fmt::Display) -> Self {
        tracing::warn!(%cause, "no space left");
        Self::new(ErrorKind::InsufficientStorage, "no space left on the server; nothing was stored")
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What the client is told.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// A unique violation becomes a conflict with this message; other errors stay what they are.
    pub fn on_conflict(error: StoreError, message: impl Into<String>) -> Self {
        match error {
            StoreError::Conflict(_) => Self::conflict(message),
            other => other.into(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.kind.status();
        let mut body = json!({
            "error": {
                "error": true,
                "message": self.message,
                "status_code": status.as_u16(),
                "type": self.kind.name(),
            }
        });
        if status == StatusCode::UNAUTHORIZED {
            // Old clients read these two beside the envelope.
            body["status_code"] = json!(401);
            body["description"] = json!(self.message);
        }
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("JWT realm=\"Login Required\""));
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(_) => Self::conflict("such a thing exists already"),
            StoreError::Reference(_) => Self::not_found("something the request refers to"),
            StoreError::Full(_) => Self::no_space(error),
            StoreError::InUse | StoreError::Corrupt(_) | StoreError::Migration(_) | StoreError::Driver(_) => {
                Self::internal(error)
            }
        }
    }
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        if error.is_storage_full() { Self::no_space(error) } else { Self::internal(error) }
    }
}

impl From<TooManyLogins> for ApiError {
    fn from(error: TooManyLogins) -> Self {
        Self::new(ErrorKind::ServiceUnavailable, error.to_string())
    }
}

impl From<LinkError> for ApiError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Directory(message) => Self::malformed(message),
            LinkError::Outside(message) => Self::forbidden(message),
            LinkError::Occupied(message) => Self::conflict(message),
        }
    }
}

impl From<FileError> for ApiError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::UnknownAcquisition(id) => Self::not_found(format!("acquisition {id}")),
            FileError::Link(error) => error.into(),
            FileError::Name(message) => Self::malformed(message),
            FileError::Store(error) => error.into(),
            FileError::Storage(error) => error.into(),
            FileError::Receive(error) => error.into(),
        }
    }
}

impl From<ReceiveError> for ApiError {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Write(error) | ReceiveError::Source(error) if is_full(&error) => {
                Self::no_space(error)
            }
            ReceiveError::Source(_) => Self::malformed(error.to_string()),
            ReceiveError::TooLarge { .. } => Self::new(ErrorKind::PayloadTooLarge, error.to_string()),
            ReceiveError::Write(_) => Self::internal(error),
        }
    }
}
