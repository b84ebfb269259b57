//! What handlers share: who asks, ids, queries, bodies, answers.

mod answer;
mod auth_user;
mod body;
mod conditional;
mod detached;
mod disposition;
mod id;
mod query;
pub mod trace;
mod upload;

pub use answer::{Data, Message, data, ok};
pub use auth_user::{AuthUser, TileUser, token_cookie};
pub use body::{JsonBody, RequestBody};
pub use conditional::{attachment, not_modified};
pub use detached::to_its_end;
pub use id::{emit_id, parse_id};
pub use query::Query;
pub use upload::{FileUpload, discard};
