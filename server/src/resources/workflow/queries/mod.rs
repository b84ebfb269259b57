//! SQL of workflows: the task tree, and what the steps read and write.

mod configuration;
mod files;
mod images;
mod owned;
mod tasks;

pub use configuration::*;
pub use files::*;
pub use images::*;
pub use owned::*;
pub use tasks::*;
