//! What handlers share: who asks, ids, queries, bodies, answers; and the table of routes.

mod answer;
mod auth_user;
mod body;
mod browsers;
mod conditional;
mod connections;
mod content;
mod detached;
mod disposition;
mod document;
mod forwarded;
mod id;
mod lanes;
mod leftover;
mod measured;
mod page;
mod path;
mod query;
mod table;
pub mod trace;
mod upload;

pub use answer::{Data, Message, data, ok};
pub use auth_user::{AuthUser, TileUser, token_cookie};
pub use body::{
    Base64, JsonBody, LargeBody, RequestBody, integer, optional_integer, optional_text, plain_text,
};
pub use browsers::{compression, cross_origin, fused, weakened};
pub use conditional::{FileName, attachment, etag_of, not_modified, revalidated};
pub use connections::Connections;
pub use content::{Content, Source};
pub use detached::to_its_end;
pub use document::Document;
pub use forwarded::{ClientAddress, came_by_https};
pub use id::{emit_id, parse_id};
pub use lanes::{Lane, Lanes};
pub use leftover::read_leftover;
pub use measured::measured;
pub use page::page;
pub use path::Path;
pub use query::Query;
pub use table::{Route, RouteTable};
pub use upload::{FileUpload, discard};
