//! The settings of a module, checked.

use std::collections::BTreeMap;

use super::spec::Preset;

/// A value of a setting.
#[derive(Debug, Clone, PartialEq)]
pub enum Parameter {
    /// No value.
    Null,
    /// True or false.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// A number.
    Number(f64),
    /// Text.
    Text(String),
    /// Whole numbers, none twice.
    Wholes(Vec<i64>),
}

impl Parameter {
    /// The value of a setting that was not given; `None` where one must be.
    pub fn of_preset(preset: Preset) -> Option<Self> {
        Some(match preset {
            Preset::Required => return None,
            Preset::Null => Self::Null,
            Preset::Flag(flag) => Self::Flag(flag),
            Preset::Whole(number) => Self::Whole(number),
            Preset::Number(number) => Self::Number(number),
            Preset::Text(text) => Self::Text(text.to_owned()),
            Preset::Wholes(numbers) => Self::Wholes(numbers.to_vec()),
        })
    }
}

/// The settings of a module by name, every one of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parameters(BTreeMap<&'static str, Parameter>);

impl Parameters {
    /// Set one.
    pub fn set(&mut self, name: &'static str, value: Parameter) {
        self.0.insert(name, value);
    }

    /// A truth value; false where there is none.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Parameter::Flag(true)))
    }

    /// A number, whole or not, unless it has no value.
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.0.get(name) {
            // Whole numbers are within ranges far below 2⁵³.
            Some(Parameter::Whole(number)) => Some(*number as f64),
            Some(Parameter::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// A whole number, unless it has no value.
    pub fn whole(&self, name: &str) -> Option<i64> {
        match self.0.get(name) {
            Some(Parameter::Whole(number)) => Some(*number),
            _ => None,
        }
    }

    /// A whole number of pixels or the like; 0 where there is none.
    pub fn size(&self, name: &str) -> usize {
        self.whole(name).and_then(|number| usize::try_from(number).ok()).unwrap_or_default()
    }

    /// A text; empty where there is none.
    pub fn text(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(Parameter::Text(text)) => text,
            _ => "",
        }
    }

    /// A list of whole numbers; empty where there is none.
    pub fn wholes(&self, name: &str) -> &[i64] {
        match self.0.get(name) {
            Some(Parameter::Wholes(numbers)) => numbers,
            _ => &[],
        }
    }
}
