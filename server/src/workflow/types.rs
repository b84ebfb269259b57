//! Workflow types: their stages and the steps of each stage, as data.

/// A stage of a workflow type.
#[derive(Debug, Clone, Copy)]
pub struct StageType {
    /// Name on the wire.
    pub name: &'static str,
    /// Names of its steps.
    pub steps: &'static [&'static str],
    /// Whether every step needs those before it; otherwise their order is free.
    pub in_order: bool,
    /// Stages that must come before it.
    pub after: &'static [&'static str],
}

/// The stages of all types, which differ in how images are prepared.
const fn stages(preprocessing: &'static [&'static str]) -> [StageType; 4] {
    [
        StageType {
            name: "image_conversion",
            steps: &["metaextract", "metaconfig", "imextract"],
            in_order: true,
            after: &[],
        },
        StageType {
            name: "image_preprocessing",
            steps: preprocessing,
            in_order: false,
            after: &["image_conversion"],
        },
        StageType {
            name: "pyramid_creation",
            steps: &["illuminati"],
            in_order: false,
            after: &["image_conversion", "image_preprocessing"],
        },
        StageType {
            name: "image_analysis",
            steps: &["jterator"],
            in_order: false,
            after: &["image_conversion", "image_preprocessing"],
        },
    ]
}

/// A kind of workflow.
#[derive(Debug, Clone, Copy)]
pub struct WorkflowType {
    name: &'static str,
    stages: &'static [StageType],
}

impl WorkflowType {
    /// All types.
    pub const ALL: &[Self] = &[
        Self { name: "canonical", stages: &stages(&["corilla"]) },
        Self { name: "multiplexing", stages: &stages(&["corilla", "align"]) },
    ];

    /// The type of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|kind| kind.name == name)
    }

    /// Name on the wire.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its stages, in order.
    pub const fn stages(&self) -> &'static [StageType] {
        self.stages
    }

    /// The stage of this name.
    pub fn stage(&self, name: &str) -> Option<&'static StageType> {
        self.stages.iter().find(|stage| stage.name == name)
    }
}
