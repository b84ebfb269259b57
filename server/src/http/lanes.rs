//! How many requests are answered at the same time, and how long one may take.
//!
//! Requests go in lanes, each with places of its own: a hundred uploads that take hours must not keep a person
//! from a tile. Who finds no place is told to come back at once (503 with `Retry-After`): a queue would only hide
//! that there is too much to do. A place is taken until the last byte of the answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Config;
use crate::error::{ApiError, ErrorKind};

/// What kind of request it is, for how long it may take and beside how many others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Answered soon, and limited in number and time.
    Ordinary,
    /// A file comes in: limited in number; who falls silent is given up by those who store it.
    Upload,
    /// Events go out: those who send them count the clients.
    Events,
    /// Asked by those who watch the server, most of all when it has too much to do.
    Watching,
}

impl Lane {
    /// The ends of the paths that are not [`Lane::Ordinary`].
    pub const ENDS: &[(&str, Self)] = &[
        ("/microscope-file", Self::Upload),
        ("/workflow/events", Self::Events),
        ("/healthz", Self::Watching),
        ("/metrics", Self::Watching),
    ];

    /// The lane of a route, by its pattern.
    pub fn of(path: &str) -> Self {
        let lane = Self::ENDS.iter().find(|(end, _)| path.ends_with(end));
        lane.map_or(Self::Ordinary, |(_, lane)| *lane)
    }
}

/// The places of all lanes; cheap to clone.
#[derive(Debug, Clone)]
pub struct Lanes {
    ordinary: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    longest: Duration,
}

impl Lanes {
    /// As many places as the settings say.
    pub fn new(config: &Config) -> Self {
        Self {
            ordinary: Arc::new(Semaphore::new(config.max_requests)),
            uploads: Arc::new(Semaphore::new(config.max_uploads)),
            longest: config.request_timeout,
        }
    }

    /// A place for a request.
    fn place(&self, lane: Lane) -> Result<Option<OwnedSemaphorePermit>, ApiError> {
        let (places, what) = match lane {
            Lane::Ordinary => (&self.ordinary, "requests"),
            Lane::Upload => (&self.uploads, "uploads"),
            Lane::Events | Lane::Watching => return Ok(None),
        };
        Arc::clone(places).try_acquire_owned().map(Some).map_err(|_| {
            let message = format!("the server is busy with as many {what} as it takes at once");
            ApiError::new(ErrorKind::ServiceUnavailable, message).retry_after(1)
        })
    }

    /// The layer that gives places to requests.
    pub async fn answer(self, request: Request, next: Next) -> Response {
        let path = request.extensions().get::<MatchedPath>();
        let lane = path.map_or(Lane::Ordinary, |path| Lane::of(path.as_str()));
        let place = match self.place(lane) {
            Ok(place) => place,
            Err(error) => return error.into_response(),
        };
        let response = match lane {
            Lane::Ordinary => {
                tokio::time::timeout(self.longest, next.run(request)).await.unwrap_or_else(|_| {
                    let message = format!("no answer within {} s", self.longest.as_secs());
                    ApiError::new(ErrorKind::ServiceUnavailable, message).into_response()
                })
            }
            Lane::Upload | Lane::Events | Lane::Watching => next.run(request).await,
        };
        match place {
            Some(place) => response.map(|body| Body::new(Placed { body, _place: place })),
            None => response,
        }
    }
}

/// The body of an answer whose request has a place.
struct Placed {
    body: Body,
    _place: OwnedSemaphorePermit,
}

impl HttpBody for Placed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}
