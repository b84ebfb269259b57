//! What flows from module to module.

use tm_engine::analysis::Mask;
use tm_engine::image::{GreyPlane, Plane, Size};

use super::HandleType;

/// A plane under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Grey values of 8 or 16 bits.
    Grey(GreyPlane),
    /// Yes and no.
    Mask(Mask),
    /// Labels; 0 is background.
    Labels(Plane<i32>),
}

impl Value {
    /// What it is.
    pub const fn handle_type(&self) -> HandleType {
        match self {
            Self::Grey(_) => HandleType::IntensityImage,
            Self::Mask(_) => HandleType::BinaryImage,
            Self::Labels(_) => HandleType::LabelImage,
        }
    }

    /// Height and width in pixels.
    pub fn size(&self) -> Size {
        match self {
            Self::Grey(plane) => plane.size(),
            Self::Mask(mask) => mask.size(),
            Self::Labels(labels) => labels.size(),
        }
    }
}
