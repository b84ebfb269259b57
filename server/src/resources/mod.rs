//! One folder per resource of the API, named as in the API.
//!
//! In each: `mod.rs` (what it is, its rules), `handlers.rs` (HTTP: extract, authorise, call one thing,
//! map the answer; the wire types), `queries.rs` (SQL). A resource may use another's rules and
//! queries, never its handlers.
//!
//! Conventions of the API: ids are decimal strings on the wire; a creation answers 200 with the thing
//! made, a change or deletion `{"message": "ok"}`; an unknown child of a known experiment is 404; a
//! taken name is 409. Deletions remove rows in one transaction and files after the commit.
//!
//! A handler checks in this order: token, required keys, types and values that need no database, the right
//! on the experiment, the child. `tests/api/matrix` asks every route for it.

pub mod acquisition;
pub mod alignment;
pub mod channel;
pub mod cycle;
pub mod experiment;
pub mod feature;
pub mod file;
pub mod health;
pub mod image;
pub mod jterator;
pub mod layer;
pub mod mapobject;
pub mod plate;
pub mod segmentation;
pub mod share;
pub mod site;
pub mod tile;
pub mod tools;
pub mod user;
pub mod vector_tile;
pub mod viewer;
pub mod well;
pub mod workflow;
pub mod zarr;
