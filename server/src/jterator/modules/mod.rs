//! The modules that pipelines are made of.
//!
//! Names, versions, inputs and outputs are those of the library that came with TissueMAPS, so that projects written for
//! it run here. Where a rule of that library was wrong, ours differs, and `compatible` brings the old numbers back.
//!
//! There is no single module that finds the primary objects: a chain does, `smooth` → `threshold_*` → `fill` →
//! `separate_clumps` → `filter` → `label` → `register_objects`.

mod assignment;
pub mod columns;
mod detect_blobs;
mod expand_or_shrink;
mod filter;
mod intensities;
mod labelling;
mod masking;
mod measure_intensity;
mod measure_morphology;
mod measure_point_pattern;
mod measure_texture;
mod parameters;
mod project;
mod registration;
mod segment_secondary;
mod separate_clumps;
mod smooth;
mod spec;
mod thresholds;

pub use parameters::{Parameter, Parameters};
pub use spec::{Input, MOST_NUMBERS, Makes, Measures, Module, Output, Preset, Rule, Takes};

/// All modules, in the order in which pipelines tend to have them.
pub const ALL: &[&Module] = &[
    &smooth::SMOOTH,
    &intensities::COMBINE_CHANNELS,
    &intensities::INVERT,
    &intensities::RESCALE,
    &project::PROJECT,
    &thresholds::THRESHOLD_MANUAL,
    &thresholds::THRESHOLD_OTSU,
    &thresholds::THRESHOLD_ADAPTIVE,
    &labelling::FILL,
    &separate_clumps::SEPARATE_CLUMPS,
    &filter::FILTER,
    &labelling::LABEL,
    &labelling::RELABEL,
    &segment_secondary::SEGMENT_SECONDARY,
    &detect_blobs::DETECT_BLOBS,
    &masking::CLIP,
    &masking::APPLY_MASK,
    &masking::COMBINE_MASKS,
    &expand_or_shrink::EXPAND_OR_SHRINK,
    &registration::REGISTER_OBJECTS,
    &registration::REGISTER_OBJECTS_CHANNEL,
    &registration::USE_LABEL_IMAGE,
    &measure_intensity::MEASURE_INTENSITY,
    &measure_morphology::MEASURE_MORPHOLOGY,
    &measure_texture::MEASURE_TEXTURE,
    &measure_point_pattern::MEASURE_POINT_PATTERN,
];

/// The module that has this name, or had it in older projects.
pub fn find(name: &str) -> Option<&'static Module> {
    ALL.iter().copied().find(|module| module.name == name || module.older_names.contains(&name))
}
