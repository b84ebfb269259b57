//! Everything that is a file: uploads, channel images and layers (OME-Zarr), statistics, feature values, logs.
//!
//! Nothing here knows of the database or of HTTP, and everything here blocks: callers run it off the
//! async threads.

pub mod atomic;
pub mod copy;
pub mod data_dir;
pub mod encode;
pub mod error;
pub mod images;
mod import_roots;
pub mod readers;
mod space;
pub mod staging;
pub mod statistics;
pub mod tables;
pub mod target;
pub mod uploads;

pub use data_dir::DataDir;
pub use error::{StorageError, is_full};
pub use import_roots::{ImportError, ImportRoots};
pub use space::{Space, Watched};
