//! `project`.

use std::sync::Arc;

use tm_engine::analysis::{Projection, project as project_planes};
use tm_engine::image::GreyPlane;

use super::Parameters;
use super::spec::{FIGURE, Input, Module, Output, PLOT, Preset, Takes};
use crate::jterator::run::{ModuleError, Work};
use crate::jterator::{HandleType, Value};

/// Makes one plane of a stack.
pub const PROJECT: Module = Module {
    name: "project",
    older_names: &[],
    version: "0.1.0",
    help: "Makes one plane of the focal planes of a time point.",
    inputs: &[
        Input::image("image", HandleType::IntensityImage, "Stack of focal planes."),
        Input::value(
            "method",
            HandleType::Character,
            Takes::Choice(&["max", "sum"]),
            Preset::Text("max"),
            "Brightest value of each pixel, or their sum, bounded by the depth.",
        ),
        PLOT,
        Input::compatible("Whether a sum beyond the depth begins at 0 again, as in version 0.5."),
    ],
    outputs: &[Output::image("projected_image", HandleType::IntensityImage, "The plane."), FIGURE],
    rules: &[],
    work: Work::Stack(project),
};

fn project(parameters: &Parameters, planes: &[Arc<Value>]) -> Result<Value, ModuleError> {
    let projection = match (parameters.text("method"), parameters.flag("compatible")) {
        ("sum", true) => Projection::WrappingSum,
        ("sum", false) => Projection::Sum,
        _ => Projection::Max,
    };
    let grey = |plane: &Arc<Value>| match &**plane {
        Value::Grey(plane) => Ok(plane.clone()),
        Value::Mask(_) | Value::Labels(_) => Err(ModuleError("`image` must have grey values".to_owned())),
    };
    let planes: Vec<GreyPlane> = planes.iter().map(grey).collect::<Result<_, _>>()?;
    Ok(Value::Grey(project_planes(&planes, projection)?))
}
