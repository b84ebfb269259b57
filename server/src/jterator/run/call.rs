//! What a module is given and gives back.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use tm_engine::EngineError;
use tm_engine::analysis::{Mask, Measurements, Regions};
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
    /// A plane that was there already.
    Same(Arc<Value>),
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

/// Most label images whose objects are remembered: those of the planes of a site, but not of a long time series.
const MOST_FOUND: usize = 16;

/// The objects of label images, found once for all modules that measure them.
#[derive(Debug, Default)]
pub struct FoundRegions {
    found: RefCell<Vec<(Weak<Value>, Arc<Regions>)>>,
}

impl FoundRegions {
    /// The objects of a plane; `None` for one without labels.
    pub fn of(&self, plane: &Arc<Value>) -> Option<Arc<Regions>> {
        let Value::Labels(labels) = &**plane else { return None };
        let mut found = self.found.borrow_mut();
        // A weak reference keeps the address of a plane that is gone from being another's.
        if let Some((_, regions)) = found.iter().find(|(known, _)| known.as_ptr() == Arc::as_ptr(plane)) {
            return Some(Arc::clone(regions));
        }
        if found.len() == MOST_FOUND {
            found.remove(0);
        }
        let regions = Arc::new(Regions::of(labels));
        found.push((Arc::downgrade(plane), Arc::clone(&regions)));
        Some(regions)
    }

    /// Forgets those of planes that are gone.
    pub fn forget(&mut self) {
        self.found.get_mut().retain(|(plane, _)| plane.strong_count() > 0);
    }
}

/// The inputs of a module for one plane.
#[derive(Debug)]
pub struct Call<'a> {
    parameters: &'a Parameters,
    images: BTreeMap<&'static str, &'a Arc<Value>>,
    regions: &'a FoundRegions,
}

impl<'a> Call<'a> {
    /// A call with these settings and planes, by the names of inputs.
    pub fn new(
        parameters: &'a Parameters,
        images: BTreeMap<&'static str, &'a Arc<Value>>,
        regions: &'a FoundRegions,
    ) -> Self {
        Self { parameters, images, regions }
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
        self.shared(name).map(|image| &**image)
    }

    /// A plane of any kind, to keep.
    ///
    /// # Errors
    /// When the module has no such input.
    pub fn shared(&self, name: &str) -> Result<&'a Arc<Value>, ModuleError> {
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

    /// The objects of a plane of labels.
    ///
    /// # Errors
    /// When it is something else.
    pub fn regions(&self, name: &str) -> Result<Arc<Regions>, ModuleError> {
        let image = self.shared(name)?;
        self.regions.of(image).ok_or_else(|| wrong_kind(name, HandleType::LabelImage, image))
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
