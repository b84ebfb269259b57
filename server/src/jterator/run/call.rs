//! What a module is given and gives back.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use tm_engine::EngineError;
use tm_engine::analysis::{Mask, Measurements};
use tm_engine::image::{GreyPlane, Plane};

use crate::jterator::modules::Parameters;
use crate::jterator::{HandleType, Value};

/// How a module works.
#[derive(Debug, Clone, Copy)]
pub enum Work {
    /// On one plane after the other.
    Plane(fn(&Call<'_>) -> Result<Vec<Made>, ModuleError>),
    /// On all focal planes of a time point together, ascending; it makes one plane of them.
    Stack(fn(&Parameters, &[Arc<Value>]) -> Result<Value, ModuleError>),
}

/// Something that a module made of a plane, in the order of its outputs.
#[derive(Debug, Clone)]
pub enum Made {
    /// A plane.
    Image(Value),
    /// Numbers about objects.
    Table(Measurements),
}

/// Why a module gave up, as a sentence about its inputs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ModuleError(pub String);

impl From<EngineError> for ModuleError {
    fn from(error: EngineError) -> Self {
        Self(error.to_string())
    }
}

/// The inputs of a module for one plane.
#[derive(Debug)]
pub struct Call<'a> {
    parameters: &'a Parameters,
    images: BTreeMap<&'static str, &'a Value>,
}

impl<'a> Call<'a> {
    /// A call with these settings and planes, by the names of inputs.
    pub fn new(parameters: &'a Parameters, images: BTreeMap<&'static str, &'a Value>) -> Self {
        Self { parameters, images }
    }

    /// The settings.
    pub fn parameters(&self) -> &'a Parameters {
        self.parameters
    }

    /// A plane of any kind.
    ///
    /// # Errors
    /// When the module has no such input.
    pub fn image(&self, name: &str) -> Result<&'a Value, ModuleError> {
        self.images.get(name).copied().ok_or_else(|| ModuleError(format!("has no input `{name}`")))
    }

    /// A plane of grey values.
    ///
    /// # Errors
    /// When it is something else.
    pub fn grey(&self, name: &str) -> Result<&'a GreyPlane, ModuleError> {
        match self.image(name)? {
            Value::Grey(plane) => Ok(plane),
            other => Err(wrong_kind(name, HandleType::IntensityImage, other)),
        }
    }

    /// The one plane of grey values of a module that takes no other plane.
    ///
    /// # Errors
    /// When it takes none, or something else.
    pub fn only_grey(&self) -> Result<&'a GreyPlane, ModuleError> {
        let name = self.images.keys().next().ok_or_else(|| ModuleError("takes no image".to_owned()))?;
        self.grey(name)
    }

    /// A plane of labels.
    ///
    /// # Errors
    /// When it is something else.
    pub fn labels(&self, name: &str) -> Result<&'a Plane<i32>, ModuleError> {
        match self.image(name)? {
            Value::Labels(labels) => Ok(labels),
            other => Err(wrong_kind(name, HandleType::LabelImage, other)),
        }
    }

    /// A plane of yes and no: a mask, or where labels are.
    ///
    /// # Errors
    /// When it is something else.
    pub fn mask(&self, name: &str) -> Result<Cow<'a, Mask>, ModuleError> {
        match self.image(name)? {
            Value::Mask(mask) => Ok(Cow::Borrowed(mask)),
            Value::Labels(labels) => Ok(Cow::Owned(Mask::of_labels(labels))),
            other => Err(wrong_kind(name, HandleType::MaskImage, other)),
        }
    }
}

fn wrong_kind(name: &str, wanted: HandleType, got: &Value) -> ModuleError {
    ModuleError(format!("`{name}` must be of type {wanted}, and is of type {}", got.handle_type()))
}
