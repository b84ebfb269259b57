//! What a module says of itself: its inputs, its outputs, and which values it takes.

use super::Parameters;
use crate::jterator::HandleType;
use crate::jterator::run::Work;

/// A module: a step of a pipeline.
#[derive(Debug, Clone, Copy)]
pub struct Module {
    /// Name, as `source` of a pipeline's item says it.
    pub name: &'static str,
    /// Names it had in older projects.
    pub older_names: &'static [&'static str],
    /// Version, `x.y.z`.
    pub version: &'static str,
    /// What it does.
    pub help: &'static str,
    /// What it takes.
    pub inputs: &'static [Input],
    /// What it makes.
    pub outputs: &'static [Output],
    /// What its values must be to each other.
    pub rules: &'static [Rule],
    /// How it works.
    pub work: Work,
}

/// An input of a module.
#[derive(Debug, Clone, Copy)]
pub struct Input {
    /// Name.
    pub name: &'static str,
    /// Type in handles.
    pub kind: HandleType,
    /// What it means.
    pub help: &'static str,
    /// Which values it takes.
    pub takes: Takes,
    /// Its value when handles leave it out.
    pub default: Preset,
}

/// Which values an input takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Takes {
    /// What lies under a key.
    Image,
    /// True or false.
    Flag,
    /// A whole number from `min` to `max`.
    Whole {
        /// Smallest value allowed.
        min: i64,
        /// Largest value allowed.
        max: i64,
    },
    /// An odd number from `min` to `max`.
    Odd {
        /// Smallest value allowed.
        min: i64,
        /// Largest value allowed.
        max: i64,
    },
    /// A number from `min` to `max`.
    Number {
        /// Smallest value allowed.
        min: f64,
        /// Largest value allowed.
        max: f64,
    },
    /// One of some texts.
    Choice(&'static [&'static str]),
    /// One of some whole numbers.
    WholeChoice(&'static [i64]),
    /// A list of whole numbers from `min` to `max`, as many as [`MOST_NUMBERS`].
    Wholes {
        /// Smallest value allowed.
        min: i64,
        /// Largest value allowed.
        max: i64,
    },
}

/// Most numbers in a list that a module takes.
pub const MOST_NUMBERS: usize = 32;

/// The value of an input that handles leave out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Preset {
    /// None: handles must give one.
    Required,
    /// No value, which handles may also say.
    Null,
    /// True or false.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// A number.
    Number(f64),
    /// Text.
    Text(&'static str),
    /// A list of whole numbers.
    Wholes(&'static [i64]),
}

/// An output of a module.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Name.
    pub name: &'static str,
    /// Names it had in older projects.
    pub older_names: &'static [&'static str],
    /// Type in handles.
    pub kind: HandleType,
    /// What it is.
    pub help: &'static str,
    /// What it is made of, as far as that is known before it runs.
    pub makes: Makes,
}

/// What an output is.
#[derive(Debug, Clone, Copy)]
pub enum Makes {
    /// A plane of this type, which may be more special than the output's in handles.
    Image(HandleType),
    /// A plane of the type that this input is given.
    Like(&'static str),
    /// A plane of the type that this input is given, except that labels become yes and no.
    Inverse(&'static str),
    /// Numbers about objects.
    Measurement(Measures),
    /// A drawing.
    Figure,
}

/// What is measured: names of inputs, and the columns.
#[derive(Debug, Clone, Copy)]
pub struct Measures {
    /// The objects that the rows are about.
    pub objects: &'static str,
    /// The objects that are measured.
    pub objects_ref: &'static str,
    /// The image in which they are.
    pub channel_ref: Option<&'static str>,
    /// Names of the columns for these settings, without prefix and suffix, in their order.
    pub columns: fn(&Parameters) -> Vec<String>,
}

/// What values of a module must be to each other.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// The first is not larger than the second, if both have a value.
    Ordered(&'static str, &'static str),
    /// Not all of them are without a value.
    AnyOf(&'static [&'static str]),
    /// The engine takes them; its error names the input.
    Accepted(fn(&Parameters) -> tm_engine::error::Result<()>),
}

/// The switch that every module had for drawing figures.
pub const PLOT: Input = Input {
    name: "plot",
    kind: HandleType::Plot,
    help: "Whether to draw a figure; in test runs only.",
    takes: Takes::Flag,
    default: Preset::Flag(false),
};

/// The figure that every module had.
pub const FIGURE: Output = Output {
    name: "figure",
    older_names: &[],
    kind: HandleType::Figure,
    help: "Drawing of what the module did.",
    makes: Makes::Figure,
};

impl Module {
    /// The input of this name.
    pub fn input(&self, name: &str) -> Option<&'static Input> {
        self.inputs.iter().find(|input| input.name == name)
    }

    /// The output that has this name, or had it in older projects.
    pub fn output(&self, name: &str) -> Option<&'static Output> {
        self.outputs.iter().find(|output| output.name == name || output.older_names.contains(&name))
    }
}

impl Input {
    /// A plane that handles must name by its key.
    pub const fn image(name: &'static str, kind: HandleType, help: &'static str) -> Self {
        Self { name, kind, help, takes: Takes::Image, default: Preset::Required }
    }

    /// A value.
    pub const fn value(
        name: &'static str,
        kind: HandleType,
        takes: Takes,
        default: Preset,
        help: &'static str,
    ) -> Self {
        Self { name, kind, help, takes, default }
    }

    /// A truth value.
    pub const fn flag(name: &'static str, default: bool, help: &'static str) -> Self {
        Self::value(name, HandleType::Boolean, Takes::Flag, Preset::Flag(default), help)
    }

    /// Whether to follow the rule of TissueMAPS 0.5, where ours differs.
    pub const fn compatible(help: &'static str) -> Self {
        Self::flag("compatible", false, help)
    }

    /// Whether to put measurements of objects together for the objects that contain them.
    pub const fn aggregate() -> Self {
        Self::flag(
            "aggregate",
            false,
            "Whether to put the measurements together for the objects they are assigned to: count, mean, \
             standard deviation, sum.",
        )
    }
}

impl Output {
    /// A plane of exactly this type.
    pub const fn image(name: &'static str, kind: HandleType, help: &'static str) -> Self {
        Self { name, older_names: &[], kind, help, makes: Makes::Image(kind) }
    }

    /// A plane that is more than its type in handles says.
    pub const fn made(name: &'static str, kind: HandleType, makes: Makes, help: &'static str) -> Self {
        Self { name, older_names: &[], kind, help, makes }
    }

    /// Numbers about objects.
    pub const fn measurements(measures: Measures) -> Self {
        Self {
            name: "measurements",
            older_names: &[],
            kind: HandleType::Measurement,
            help: "Numbers about the objects, a row each.",
            makes: Makes::Measurement(measures),
        }
    }
}
