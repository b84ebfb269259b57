//! SQL of workflows: the task tree, and what the steps read and write.

mod files;
mod images;
mod owned;
mod tasks;

pub use files::*;
pub use images::*;
pub use owned::*;
pub use tasks::*;
