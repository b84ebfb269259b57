//! What projects look like in the API document; they are read and written by [`crate::jterator::project`].

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::ToSchema;

/// An image-analysis project.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON in the API document")]
pub struct JtProject {
    /// What runs, in which order.
    pipeline: JtPipeline,
    /// The handles of each module, by its name in the pipeline.
    handles: BTreeMap<String, JtHandles>,
}

/// What a pipeline takes, runs and saves.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON in the API document")]
pub struct JtPipeline {
    /// What it is for.
    #[schema(example = "nuclei and their cells")]
    description: Option<String>,
    /// Its version.
    #[schema(example = "0.0.1")]
    version: Option<String>,
    /// What it takes from the experiment.
    input: Option<JtInput>,
    /// What it saves.
    output: Option<JtOutput>,
    /// The modules that it runs, in this order.
    pipeline: Vec<JtItem>,
}

/// What a pipeline takes from the experiment, each under its name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON in the API document")]
pub struct JtInput {
    /// Channels.
    channels: Option<Vec<JtChannel>>,
    /// Types of objects.
    objects: Option<Vec<JtObjects>>,
}

/// A channel that a pipeline takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON in the API document")]
pub struct JtChannel {
    /// Name.
    #[schema(example = "wavelength-1")]
    name: String,
    /// Whether to correct its images for uneven illumination; true when left out.
    #[schema(example = true)]
    correct: Option<bool>,
}

/// A type of objects that a pipeline takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON in the API document")]
pub struct JtObjects {
    /// Name.
    #[schema(example = "Nuclei")]
    name: String,
}

/// What a pipeline saves.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON in the API document")]
pub struct JtOutput {
    /// Types of objects, with all that is measured of them.
    objects: Option<Vec<JtSavedObjects>>,
}

/// A type of objects that a pipeline saves.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON in the API document")]
pub struct JtSavedObjects {
    /// Name: the key under which a module registered them.
    #[schema(example = "Cells")]
    name: String,
    /// Whether to save outlines, or only a point for each; true when left out.
    #[schema(example = true)]
    as_polygons: Option<bool>,
}

/// A module in a pipeline.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON in the API document")]
pub struct JtItem {
    /// What an editor calls it.
    #[schema(example = "smooth_dapi")]
    name: Option<String>,
    /// Its name in the pipeline, as the file of its handles.
    #[schema(example = "handles/smooth_dapi.handles.yaml")]
    handles: String,
    /// Name of the module, with the ending of a file or without.
    #[schema(example = "smooth.py")]
    source: String,
    /// Whether it runs; true when left out.
    #[schema(example = true)]
    active: Option<bool>,
}

/// The handles of a module: what goes in and what comes out.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON in the API document")]
pub struct JtHandles {
    /// The version of the module that they were written for.
    #[schema(example = "0.1.0")]
    version: String,
    /// What goes in.
    input: Option<Vec<JtInputHandle>>,
    /// What comes out.
    output: Option<Vec<JtOutputHandle>>,
}

/// An input of a module: with `key` if its type is an image, with `value` otherwise.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON in the API document")]
pub struct JtInputHandle {
    /// Name.
    #[schema(example = "filter_size")]
    name: String,
    /// `Scalar`, `Boolean`, `Numeric`, `Character`, `Sequence`, `Set`, `Plot`, `Image`, `IntensityImage`, `MaskImage`,
    /// `LabelImage`, `BinaryImage` or `SegmentedObjects`.
    #[schema(example = "Scalar")]
    r#type: String,
    /// What it means.
    #[schema(example = "Side of the window in pixels.")]
    help: Option<String>,
    /// What a module before made, or the name of a channel.
    #[schema(example = "smooth_dapi.smoothed_image")]
    key: Option<String>,
    /// A number, text, truth value, null, or a list of numbers and texts.
    #[schema(example = 5)]
    value: Option<Value>,
    /// The values to choose from.
    options: Option<Vec<Value>>,
}

/// An output of a module: with `key` if its type is an image, with `objects`, `objects_ref` and `channel_ref` if it is
/// `Measurement`, without either if it is `Figure`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON in the API document")]
pub struct JtOutputHandle {
    /// Name.
    #[schema(example = "smoothed_image")]
    name: String,
    /// `Image`, `IntensityImage`, `MaskImage`, `LabelImage`, `BinaryImage`, `SegmentedObjects`, `Measurement` or
    /// `Figure`.
    #[schema(example = "IntensityImage")]
    r#type: String,
    /// What it is.
    #[schema(example = "Smoothed image.")]
    help: Option<String>,
    /// What it is called from then on.
    #[schema(example = "smooth_dapi.smoothed_image")]
    key: Option<String>,
    /// Name of the input with the objects that the rows are about.
    #[schema(example = "assign_objects")]
    objects: Option<String>,
    /// Name of the input with the objects that are measured.
    #[schema(example = "extract_objects")]
    objects_ref: Option<String>,
    /// Name of the input with the image that is measured in.
    #[schema(example = "intensity_image")]
    channel_ref: Option<String>,
}

/// A small project: the bright objects of a channel, and how bright they are.
pub fn example() -> Value {
    let item = |name: &str| json!({"handles": format!("handles/{name}.handles.yaml"), "source": format!("{name}.py")});
    json!({
        "pipeline": {
            "description": "bright objects of a channel",
            "input": {"channels": [{"name": "1", "correct": true}]},
            "output": {"objects": [{"name": "Nuclei", "as_polygons": true}]},
            "pipeline": [item("threshold_otsu"), item("register_objects"), item("measure_intensity")],
        },
        "handles": {
            "threshold_otsu": {
                "version": "0.0.2",
                "input": [
                    {"name": "image", "type": "IntensityImage", "key": "1"},
                    {"name": "correction_factor", "type": "Scalar", "value": 1.1},
                ],
                "output": [{"name": "mask", "type": "BinaryImage", "key": "threshold_otsu.mask"}],
            },
            "register_objects": {
                "version": "0.1.0",
                "input": [{"name": "mask", "type": "MaskImage", "key": "threshold_otsu.mask"}],
                "output": [{"name": "objects", "type": "SegmentedObjects", "key": "Nuclei"}],
            },
            "measure_intensity": {
                "version": "0.1.1",
                "input": [
                    {"name": "extract_objects", "type": "SegmentedObjects", "key": "Nuclei"},
                    {"name": "assign_objects", "type": "SegmentedObjects", "key": "Nuclei"},
                    {"name": "intensity_image", "type": "IntensityImage", "key": "1"},
                ],
                "output": [{
                    "name": "measurements", "type": "Measurement",
                    "objects": "assign_objects", "objects_ref": "extract_objects", "channel_ref": "intensity_image",
                }],
            },
        },
    })
}
