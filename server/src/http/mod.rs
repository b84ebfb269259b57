//! What handlers share: who asks, ids, queries, bodies, answers; and the table of routes.

mod answer;
mod auth_user;
mod body;
mod conditional;
mod content;
mod detached;
mod disposition;
mod forwarded;
mod id;
mod leftover;
mod path;
mod query;
mod table;
pub mod trace;
mod upload;

pub use answer::{Data, Message, data, ok};
pub use auth_user::{AuthUser, TileUser, token_cookie};
pub use body::{Base64, JsonBody, LargeBody, RequestBody, integer, plain_text};
pub use conditional::{attachment, etag_of, not_modified, revalidated};
pub use content::{Content, Source};
pub use detached::to_its_end;
pub use forwarded::came_by_https;
pub use id::{emit_id, parse_id};
pub use leftover::read_leftover;
pub use path::Path;
pub use query::Query;
pub use table::{Route, RouteTable};
pub use upload::{FileUpload, discard};
