//! Workflow descriptions: what a client asks for, checked against the workflow type and its steps.

use serde_json::{Map, Value, json};

use super::arguments::Arguments;
use super::steps::{self, Step};
use super::types::{StageType, WorkflowType};

/// A workflow as described by a client, every name and value checked.
#[derive(Debug, Clone)]
pub struct WorkflowDescription {
    /// Its type.
    pub kind: &'static WorkflowType,
    /// Its stages, in the order in which they run.
    pub stages: Vec<StageDescription>,
}

/// A stage of a described workflow.
#[derive(Debug, Clone)]
pub struct StageDescription {
    /// Name on the wire.
    pub name: &'static str,
    /// How its steps run.
    pub mode: StageMode,
    /// Whether it runs.
    pub active: bool,
    /// Its steps, in the order in which they run.
    pub steps: Vec<StepDescription>,
}

/// A step of a described workflow.
#[derive(Debug, Clone)]
pub struct StepDescription {
    /// What it does.
    pub step: &'static dyn Step,
    /// Whether it runs.
    pub active: bool,
    /// How its work is split and done.
    pub batch_args: Arguments,
    /// What its jobs may use.
    pub submission_args: Arguments,
}

/// How the steps of a stage run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageMode {
    /// One after the other; a failed one stops the workflow.
    Sequential,
    /// All at once.
    Parallel,
}

impl StageMode {
    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Parallel => "parallel",
        }
    }

    /// Task type of such a stage.
    pub const fn task_type(self) -> &'static str {
        match self {
            Self::Sequential => "SequentialWorkflowStage",
            Self::Parallel => "ParallelWorkflowStage",
        }
    }
}

impl WorkflowDescription {
    /// All stages and steps of a type, active, with their defaults.
    pub fn default_of(kind: &'static WorkflowType) -> Self {
        let stages = kind.stages().iter().map(StageDescription::default_of).collect();
        Self { kind, stages }
    }

    /// Read and check a description.
    ///
    /// # Errors
    /// A sentence that names the offending part and what was wanted.
    pub fn parse(value: &Value) -> Result<Self, String> {
        Self::read(value, true)
    }

    /// Read what [`active`](Self::active) left of a description: steps may lack those that they need.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn parse_active(value: &Value) -> Result<Self, String> {
        Self::read(value, false)
    }

    fn read(value: &Value, whole: bool) -> Result<Self, String> {
        let object = value.as_object().ok_or("the description must be an object with `type` and `stages`")?;
        check_keys("the description", object, &["type", "stages"])?;
        let type_name = text(object, "type").ok_or("the description needs a `type`")?;
        let kind = WorkflowType::find(type_name).ok_or_else(|| {
            let known: Vec<_> = WorkflowType::ALL.iter().map(WorkflowType::name).collect();
            format!("unknown workflow type \"{type_name}\"; known: {}", known.join(", "))
        })?;
        let stages = match object.get("stages") {
            None | Some(Value::Null) => return Ok(Self::default_of(kind)),
            Some(Value::Array(stages)) => stages,
            Some(_) => return Err("`stages` must be a list".to_owned()),
        };
        let mut described: Vec<&'static str> = Vec::new();
        let mut parsed = Vec::new();
        for stage in stages {
            let stage_type = StageDescription::type_of(kind, stage)?;
            let name = stage_type.name;
            if described.contains(&name) {
                return Err(format!("stage `{name}` is described twice"));
            }
            // Only the order of the stages that are described is checked: a later submission may do the rest.
            for later in stage_type.after {
                let comes_later = stages
                    .iter()
                    .skip(described.len() + 1)
                    .any(|other| other.get("name").and_then(Value::as_str) == Some(later));
                if comes_later {
                    return Err(format!("stage `{name}` must come after `{later}`"));
                }
            }
            described.push(name);
            parsed.push(StageDescription::parse(stage_type, stage, whole)?);
        }
        Ok(Self { kind, stages: parsed })
    }

    /// The description as clients see it, with the help and defaults of every argument.
    pub fn to_json(&self) -> Value {
        json!({
            "type": self.kind.name(),
            "stages": self.stages.iter().map(StageDescription::to_json).collect::<Vec<_>>(),
        })
    }

    /// Only what is active: what a submission runs.
    ///
    /// # Errors
    /// When nothing is active, an active stage has no active step, or one lacks a required argument.
    pub fn active(&self) -> Result<Self, String> {
        let mut stages = Vec::new();
        for stage in self.stages.iter().filter(|stage| stage.active) {
            let mut stage = stage.clone();
            stage.steps.retain(|step| step.active);
            if stage.steps.is_empty() {
                return Err(format!("stage `{}` is active but none of its steps is", stage.name));
            }
            for step in &stage.steps {
                step.complete().map_err(|error| format!("stage `{}`, {error}", stage.name))?;
            }
            stages.push(stage);
        }
        if stages.is_empty() {
            return Err("no stage is active: there is nothing to do".to_owned());
        }
        Ok(Self { kind: self.kind, stages })
    }
}

impl StageDescription {
    fn default_of(stage_type: &'static StageType) -> Self {
        let steps = stage_type.steps.iter().map(|name| StepDescription::default_of(registered(name)));
        Self { name: stage_type.name, mode: StageMode::Sequential, active: true, steps: steps.collect() }
    }

    fn type_of(kind: &'static WorkflowType, value: &Value) -> Result<&'static StageType, String> {
        let object = value.as_object().ok_or("every stage must be an object with a `name`")?;
        check_keys("a stage", object, &["name", "mode", "active", "steps"])?;
        let name = text(object, "name").ok_or("every stage needs a `name`")?;
        kind.stage(name).ok_or_else(|| {
            let known: Vec<_> = kind.stages().iter().map(|stage| stage.name).collect();
            format!("unknown stage \"{name}\" of a {} workflow; known: {}", kind.name(), known.join(", "))
        })
    }

    fn parse(stage_type: &'static StageType, value: &Value, whole: bool) -> Result<Self, String> {
        let name = stage_type.name;
        let active = flag(value, "active").map_err(|error| format!("stage `{name}`: {error}"))?;
        let mode = match value.get("mode") {
            None | Some(Value::Null) => StageMode::Sequential,
            Some(Value::String(mode)) if mode == "sequential" => StageMode::Sequential,
            Some(Value::String(mode)) if mode == "parallel" => StageMode::Parallel,
            Some(other) => {
                return Err(format!("stage `{name}`: `mode` must be sequential or parallel, got {other}"));
            }
        };
        let steps = match value.get("steps") {
            None | Some(Value::Null) => {
                return Ok(Self { mode, active, ..Self::default_of(stage_type) });
            }
            Some(Value::Array(steps)) => steps,
            Some(_) => return Err(format!("stage `{name}`: `steps` must be a list")),
        };
        let mut described: Vec<&str> = Vec::new();
        let mut parsed = Vec::new();
        for step in steps {
            let step_name = step
                .get("name")
                .and_then(Value::as_str)
                .ok_or(format!("stage `{name}`: every step needs a `name`"))?;
            let position =
                stage_type.steps.iter().position(|known| *known == step_name).ok_or_else(|| {
                    format!(
                        "unknown step \"{step_name}\" of stage `{name}`; known: {}",
                        stage_type.steps.join(", ")
                    )
                })?;
            if described.contains(&step_name) {
                return Err(format!("step `{step_name}` is described twice"));
            }
            let needed = if whole && stage_type.in_order { &stage_type.steps[..position] } else { &[] };
            if let Some(needed) = needed.iter().find(|needed| !described.contains(needed)) {
                return Err(format!("step `{step_name}` needs `{needed}` before it in stage `{name}`"));
            }
            described.push(step_name);
            let step = StepDescription::parse(step_name, step, active);
            parsed.push(step.map_err(|error| format!("stage `{name}`, {error}"))?);
        }
        Ok(Self { name, mode, active, steps: parsed })
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "mode": self.mode.name(),
            "active": self.active,
            "steps": self.steps.iter().map(StepDescription::to_json).collect::<Vec<_>>(),
        })
    }
}

impl StepDescription {
    fn default_of(step: &'static dyn Step) -> Self {
        Self {
            step,
            active: true,
            batch_args: Arguments::defaults(step.batch_arguments()),
            submission_args: Arguments::defaults(steps::SUBMISSION_ARGUMENTS),
        }
    }

    fn parse(name: &str, value: &Value, stage_active: bool) -> Result<Self, String> {
        let inside = |error: String| format!("step `{name}`: {error}");
        let active = flag(value, "active").map_err(inside)?;
        let step = registered(name);
        let batch_args = arguments(value, "batch_args").map_err(inside)?;
        let submission_args = arguments(value, "submission_args").map_err(inside)?;
        let described = Self {
            step,
            active,
            batch_args: Arguments::accept(step.batch_arguments(), &batch_args).map_err(inside)?,
            submission_args: Arguments::accept(steps::SUBMISSION_ARGUMENTS, &submission_args)
                .map_err(inside)?,
        };
        if active && stage_active {
            described.complete()?;
        }
        Ok(described)
    }

    /// Check that everything required has a value.
    fn complete(&self) -> Result<(), String> {
        self.batch_args
            .complete(self.step.batch_arguments())
            .map_err(|error| format!("step `{}`: {error}", self.step.name()))
    }

    fn to_json(&self) -> Value {
        let describe = |specs: &[super::arguments::Argument], values: &Arguments| {
            let mut specs: Vec<_> = specs.iter().collect();
            specs.sort_by_key(|spec| spec.name);
            specs.iter().map(|spec| spec.describe(values)).collect::<Vec<_>>()
        };
        json!({
            "name": self.step.name(),
            "fullname": self.step.full_name(),
            "help": self.step.help(),
            "active": self.active,
            "batch_args": describe(self.step.batch_arguments(), &self.batch_args),
            "submission_args": describe(steps::SUBMISSION_ARGUMENTS, &self.submission_args),
        })
    }
}

/// The step of this name of a workflow type.
fn registered(name: &str) -> &'static dyn Step {
    steps::find(name).expect("a test holds that every step of a type is registered")
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

/// A truth value; true when absent.
fn flag(value: &Value, key: &str) -> Result<bool, String> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(true),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => Err(format!("`{key}` must be true or false, got {other}")),
    }
}

/// A required list of `{name, value}`.
fn arguments(step: &Value, key: &str) -> Result<Vec<(String, Value)>, String> {
    let list = step
        .get(key)
        .and_then(Value::as_array)
        .ok_or_else(|| format!("`{key}` must be a list of {{name, value}}, possibly empty"))?;
    list.iter()
        .map(|argument| {
            let name = argument.get("name").and_then(Value::as_str);
            let value = argument.get("value");
            match (name, value) {
                (Some(name), Some(value)) => Ok((name.to_owned(), value.clone())),
                _ => Err(format!("every entry of `{key}` needs `name` and `value`")),
            }
        })
        .collect()
}

fn check_keys(what: &str, object: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("{what} has an unknown key `{key}`; known: {}", known.join(", "))),
        None => Ok(()),
    }
}
