//! Reads what a handler left of a request's body before the answer goes out.
//!
//! A client that is still sending when the connection closes sees a broken pipe instead of the answer that
//! says why. So a refusal waits for a good part of the body; whoever sends more than that is cut off.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::{StreamExt, stream};

/// Most that is read of a body that nobody wants, in bytes.
const READ_AT_MOST: usize = 64 << 20;
/// Longest that it is read.
const READ_FOR: Duration = Duration::from_secs(10);

type Shared = Arc<Mutex<BodyDataStream>>;

/// The layer that does it.
pub async fn read_leftover(request: Request, next: Next) -> Response {
    // Who waits to be told to send has nothing under way.
    if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let shared: Shared = Arc::new(Mutex::new(body.into_data_stream()));
    let response = next.run(Request::from_parts(parts, Body::from_stream(chunks(&shared)))).await;
    // Whoever fell silent has nothing under way either.
    if response.status() == StatusCode::REQUEST_TIMEOUT {
        return response;
    }
    let mut left = Box::pin(chunks(&shared));
    let reading = async {
        let mut read = 0;
        while let Some(Ok(chunk)) = left.next().await {
            read += chunk.len();
            if read > READ_AT_MOST {
                break;
            }
        }
    };
    // Whether or not it came to the end: the answer is what it is.
    let _ = tokio::time::timeout(READ_FOR, reading).await;
    response
}

/// What is left of a body; nothing once it has ended or failed.
fn chunks(
    body: &Shared,
) -> impl stream::Stream<Item = Result<axum::body::Bytes, axum::Error>> + Send + 'static + use<> {
    let body = Arc::clone(body);
    let mut ended = false;
    stream::poll_fn(move |context| {
        if ended {
            return Poll::Ready(None);
        }
        let polled = body.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context);
        ended = matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    })
}
