//! What handlers share: who asks, ids, queries, bodies, answers; and the table of routes.

mod answer;
mod auth_user;
mod body;
mod browsers;
mod conditional;
mod connections;
mod detached;
mod disposition;
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
pub use body::{JsonBody, RequestBody};
pub use browsers::{compression, cross_origin};
pub use conditional::{attachment, etag_of, not_modified};
pub use connections::Connections;
pub use detached::to_its_end;
pub use forwarded::{ClientAddress, came_by_https};
pub use id::{emit_id, parse_id};
pub use lanes::{Lane, Lanes};
pub use leftover::read_leftover;
pub use measured::measured;
pub use page::Page;
pub use path::Path;
pub use query::Query;
pub use table::{Route, RouteTable};
pub use upload::{FileUpload, discard};
