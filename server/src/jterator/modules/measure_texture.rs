//! `measure_texture`.

use tm_engine::analysis::texture;

use super::assignment::assigned;
use super::spec::{FIGURE, Input, Measures, Module, Output, PLOT, Preset, Takes};
use super::{Parameters, columns};
use crate::jterator::HandleType;
use crate::jterator::run::{Call, Made, ModuleError, Work};

/// How grey values vary within objects.
pub const MEASURE_TEXTURE: Module = Module {
    name: "measure_texture",
    older_names: &[],
    version: "0.3.1",
    help: "Measures how grey values vary within objects.",
    inputs: &[
        Input::image("extract_objects", HandleType::SegmentedObjects, "Objects to measure."),
        Input::image("assign_objects", HandleType::SegmentedObjects, "Objects to assign the values to."),
        Input::image("intensity_image", HandleType::IntensityImage, "Image to measure in."),
        Input::aggregate(),
        Input::value(
            "frequencies",
            HandleType::Set,
            Takes::Wholes { min: 1, max: 10_000 },
            Preset::Wholes(&[1, 5, 10]),
            "Wavelengths of the Gabor filters in pixels.",
        ),
        Input::flag("measure_TAS", false, "Whether to measure threshold adjacency statistics."),
        Input::flag("measure_LBP", false, "Whether to count local binary patterns."),
        Input::value(
            "radii",
            HandleType::Set,
            Takes::Wholes { min: 1, max: 100 },
            Preset::Wholes(&[1, 5, 10]),
            "Radii of the local binary patterns in pixels.",
        ),
        Input::flag("measure_haralick", false, "Whether to measure Haralick's features, which takes long."),
        Input::value(
            "scales",
            HandleType::Set,
            Takes::Wholes { min: 1, max: 100 },
            Preset::Wholes(&[1, 2]),
            "Distances in pixels at which Haralick's features compare grey values.",
        ),
        PLOT,
        Input::compatible("Whether to count and stretch as version 0.5 did."),
    ],
    outputs: &[
        Output::measurements(Measures {
            objects: "assign_objects",
            objects_ref: "extract_objects",
            channel_ref: Some("intensity_image"),
            columns: columns::texture,
        }),
        FIGURE,
    ],
    rules: &[],
    work: Work::Plane(measure_texture),
};

/// What the engine is asked for.
pub(super) fn options(parameters: &Parameters) -> texture::Options {
    let numbers = |name| {
        // Checked to be small before the pipeline runs.
        parameters.wholes(name).iter().filter_map(|number| u32::try_from(*number).ok()).collect()
    };
    texture::Options {
        frequencies: numbers("frequencies"),
        measure_tas: parameters.flag("measure_TAS"),
        measure_lbp: parameters.flag("measure_LBP"),
        radii: numbers("radii"),
        measure_haralick: parameters.flag("measure_haralick"),
        scales: numbers("scales"),
        compatible: parameters.flag("compatible"),
    }
}

fn measure_texture(call: &Call<'_>) -> Result<Vec<Made>, ModuleError> {
    let regions = call.regions("extract_objects")?;
    let table = texture::measure(&regions, call.grey("intensity_image")?, &options(call.parameters()))?;
    assigned(call, &regions, table)
}
