//! Results of data-analysis tools ([`crate::tools`]): a label for each object of a type.

pub mod handlers;
pub mod labels;
pub mod queries;

use serde_json::Value;

use crate::error::{ApiError, ApiResult};
use crate::store::Tx;

/// Name of the program of tool submissions.
pub const PROGRAM: &str = "tool";
/// Longest name of a result.
const NAME_CHARS: usize = 50;

/// A result as stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ToolResult {
    /// Row id.
    pub id: i64,
    /// The type of the objects it is about.
    pub mapobject_type_id: i64,
    /// Name of that type.
    pub mapobject_type_name: String,
    /// The submission that made it.
    pub submission_id: Option<i64>,
    /// Name, unique among the results for a type.
    pub name: String,
    /// Name of the tool.
    pub tool_name: String,
    /// Name of a [`ResultKind`].
    #[sqlx(rename = "type")]
    pub kind: String,
    /// What is needed to show it, a JSON object.
    pub attributes: String,
    /// Goes up with every change of its labels.
    pub version: i64,
}

/// How a result is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResultKind {
    /// Labels are few whole numbers: clusters.
    Scalar,
    /// Labels are classes, written `0.0`, `1.0` and so on.
    SupervisedClassifier,
    /// Labels are any numbers.
    Continuous,
    /// Labels are the values of a feature.
    Heatmap,
}

impl ResultKind {
    /// All kinds.
    pub const ALL: &[Self] = &[Self::Scalar, Self::SupervisedClassifier, Self::Continuous, Self::Heatmap];

    /// Name on the wire and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "ScalarToolResult",
            Self::SupervisedClassifier => "SupervisedClassifierToolResult",
            Self::Continuous => "ContinuousToolResult",
            Self::Heatmap => "HeatmapToolResult",
        }
    }

    /// The kind of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// A label as text; clients compare it with the result's attributes.
    pub fn label_text(self, value: f64) -> String {
        match self {
            _ if value.is_nan() => "nan".to_owned(),
            Self::SupervisedClassifier if value.fract() == 0.0 => format!("{value:.1}"),
            Self::Scalar | Self::SupervisedClassifier | Self::Continuous | Self::Heatmap => value.to_string(),
        }
    }
}

impl ToolResult {
    /// A label as text.
    pub fn label_text(&self, value: f64) -> String {
        ResultKind::find(&self.kind).unwrap_or(ResultKind::Continuous).label_text(value)
    }

    /// Whether it shows the values of a feature itself: then it is nothing without it.
    pub fn shows_feature(&self, feature: i64) -> bool {
        let attributes: Value = serde_json::from_str(&self.attributes).unwrap_or_default();
        ResultKind::find(&self.kind) == Some(ResultKind::Heatmap) && attributes["feature_id"] == feature
    }
}

/// Which results of an experiment to list; what is not given does not matter.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResultFilter<'a> {
    /// Only those of submissions of this user.
    pub user: Option<i64>,
    /// Only that of this submission.
    pub submission: Option<i64>,
    /// Only those with this name.
    pub name: Option<&'a str>,
}

/// Which jobs of tools to list; what is not given does not matter.
#[derive(Debug, Clone, Copy, Default)]
pub struct JobFilter<'a> {
    /// Only that of this submission.
    pub submission: Option<i64>,
    /// Only those of this tool.
    pub tool: Option<&'a str>,
    /// Only those in this state.
    pub state: Option<&'a str>,
    /// Only those with this name.
    pub name: Option<&'a str>,
}

/// Check the name of a result, which clients put into URLs as it is.
///
/// # Errors
/// 400 when it is empty, longer than 50 characters or has others than letters, digits, `-` and `_`.
pub fn check_result_name(name: &str) -> ApiResult<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > NAME_CHARS || !name.chars().all(plain) {
        return Err(ApiError::malformed(format!(
            "`name` must have 1 to {NAME_CHARS} letters, digits, hyphens and underscores"
        )));
    }
    Ok(name.to_owned())
}

/// One result of an experiment.
///
/// # Errors
/// 404 when the experiment has none of this id.
pub async fn get(tx: &mut Tx, experiment: i64, id: i64) -> ApiResult<ToolResult> {
    queries::find_result(tx, experiment, id).await?.ok_or_else(|| unknown(id))
}

/// 404 for a result.
pub fn unknown(id: i64) -> ApiError {
    ApiError::not_found(format!("tool result {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_read_as_clients_compare_them() {
        for (kind, value, text) in [
            (ResultKind::Scalar, 3.0, "3"),
            (ResultKind::SupervisedClassifier, 3.0, "3.0"),
            (ResultKind::Continuous, 0.25, "0.25"),
            (ResultKind::Heatmap, f64::NAN, "nan"),
        ] {
            assert_eq!(kind.label_text(value), text);
        }
    }
}
