//! Image-analysis pipelines: from pixels to objects, from objects to numbers.
//!
//! A [`Project`] says what to do with every site of an experiment: which modules run in which order, and how each is
//! set. The [`modules`] are ours and few, and a registry lists them. What a module makes is kept under a key, and
//! later modules ask for it by that key; the images of channels are there under the channels' names.
//!
//! A project is kept as its user wrote it. Before it is kept, and again before it runs, [`check`] looks whether every
//! key is made before it is asked for, every [type](HandleType) fits and every number is in its range, so that a
//! mistake shows at once and not after an hour of work; a [`CheckedProject`] has every default filled in.

mod handle_type;
pub mod modules;
pub mod project;
pub mod run;
mod value;

pub use handle_type::HandleType;
pub use project::check::{Surroundings, check};
pub use project::{CheckedProject, Problem, Problems, Project};
pub use value::Value;
