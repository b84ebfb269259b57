//! Tasks: the nodes of a submitted workflow, and what a client sees of them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// State of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TaskState {
    /// Not reached yet.
    New,
    /// Waiting for a place to run.
    Submitted,
    /// Running.
    Running,
    /// Over, whatever the outcome.
    Terminated,
}

impl TaskState {
    /// Name on the wire and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Submitted => "SUBMITTED",
            Self::Running => "RUNNING",
            Self::Terminated => "TERMINATED",
        }
    }
}

/// A task as stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Task {
    /// Row id.
    pub id: i64,
    /// The submission it belongs to.
    pub submission_id: i64,
    /// The task it is part of; null for the workflow itself.
    pub parent_id: Option<i64>,
    /// `metaextract_run_0000001`, and so on.
    pub name: String,
    /// `RunJob`, `WorkflowStep`, and so on.
    #[sqlx(rename = "type")]
    pub task_type: String,
    /// Name of a [`TaskState`].
    pub state: String,
    /// Null until terminated; 0 is success.
    pub exitcode: Option<i64>,
    /// Microseconds it ran; null for collections and until it ended.
    pub wall_time: Option<i64>,
    /// Microseconds of processor time; null where not measured.
    pub cpu_time: Option<i64>,
    /// Megabytes; null where not measured.
    pub memory: Option<i64>,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// Microseconds since 1970.
    pub updated_at: i64,
}

impl Task {
    /// Whether it is a job, and not a collection of tasks.
    pub fn is_job(&self) -> bool {
        self.task_type.ends_with("Job")
    }

    fn is_terminated(&self) -> bool {
        self.state == TaskState::Terminated.name()
    }
}

/// A task as clients see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TaskStatus {
    /// Id; of a job, usable in `jobs/{id}/log`.
    pub id: String,
    /// Name.
    pub name: String,
    /// Type: `Workflow`, `SequentialWorkflowStage`, `WorkflowStep`, `SingleRunPhase`, `RunJob` and so on.
    #[serde(rename = "type")]
    pub task_type: String,
    /// `NEW`, `SUBMITTED`, `RUNNING` or `TERMINATED`.
    pub state: String,
    /// Whether it is under way.
    pub live: bool,
    /// Whether it is over.
    pub done: bool,
    /// Whether it is over and did not succeed.
    pub failed: bool,
    /// 0 is success; null until it is over.
    pub exitcode: Option<i64>,
    /// Time it took, `H:MM:SS.ffffff`; a collection's is the sum over its jobs.
    pub time: Option<String>,
    /// Processor time it took; null where not measured.
    pub cpu_time: Option<String>,
    /// Megabytes it used; null where not measured.
    pub memory: Option<i64>,
    /// `YYYY-MM-DD HH:MM:SS` in the server's time zone.
    pub created_at: String,
    /// `YYYY-MM-DD HH:MM:SS` in the server's time zone.
    pub updated_at: String,
}

/// A task with the tasks it is made of.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TaskTree {
    /// The task itself.
    #[serde(flatten)]
    pub status: TaskStatus,
    /// How far it is, 0 to 100: the mean over the tasks it is made of.
    pub percent_done: f64,
    /// Number of tasks it is made of.
    pub n_subtasks: usize,
    /// The tasks it is made of; null entries below the requested depth.
    #[schema(value_type = Vec<Object>)]
    pub subtasks: Vec<Value>,
}

impl TaskStatus {
    /// What clients see of one task, its times as stored.
    pub fn of(task: &Task) -> Self {
        Self {
            id: task.id.to_string(),
            name: task.name.clone(),
            task_type: task.task_type.clone(),
            state: task.state.clone(),
            live: task.state == TaskState::Submitted.name() || task.state == TaskState::Running.name(),
            done: task.is_terminated(),
            failed: task.exitcode.is_some_and(|code| code != 0),
            exitcode: task.exitcode,
            time: task.wall_time.map(format_interval),
            cpu_time: task.cpu_time.map(format_interval),
            memory: task.memory,
            created_at: format_time(task.created_at),
            updated_at: format_time(task.updated_at),
        }
    }
}

/// Sums over a task and everything below it.
#[derive(Default, Clone, Copy)]
struct Totals {
    percent: f64,
    wall_time: Option<i64>,
    cpu_time: Option<i64>,
    memory: Option<i64>,
}

/// The tree of a submission's tasks down to `depth` levels below the root; `None` without tasks.
///
/// `tasks` are in id order, parents before their children.
pub fn tree(tasks: &[Task], depth: usize) -> Option<TaskTree> {
    let root = tasks.iter().find(|task| task.parent_id.is_none())?;
    let mut children: BTreeMap<i64, Vec<&Task>> = BTreeMap::new();
    for task in tasks {
        if let Some(parent) = task.parent_id {
            children.entry(parent).or_default().push(task);
        }
    }
    // Children have larger ids than their parents, so one pass from the end sees every child first.
    let mut totals: BTreeMap<i64, Totals> = BTreeMap::new();
    for task in tasks.iter().rev() {
        let below = children.get(&task.id).map(Vec::as_slice).unwrap_or_default();
        totals.insert(task.id, totals_of(task, below, &totals));
    }
    Some(node(root, depth, &children, &totals))
}

fn totals_of(task: &Task, children: &[&Task], totals: &BTreeMap<i64, Totals>) -> Totals {
    if task.is_job() {
        let percent = if task.is_terminated() { 100.0 } else { 0.0 };
        return Totals { percent, wall_time: task.wall_time, cpu_time: task.cpu_time, memory: task.memory };
    }
    let mut sum = Totals::default();
    for child in children.iter().filter_map(|child| totals.get(&child.id)) {
        sum.percent += child.percent / children.len() as f64;
        sum.wall_time = add(sum.wall_time, child.wall_time);
        sum.cpu_time = add(sum.cpu_time, child.cpu_time);
        sum.memory = add(sum.memory, child.memory);
    }
    sum
}

fn add(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    }
}

fn node(
    task: &Task,
    depth: usize,
    children: &BTreeMap<i64, Vec<&Task>>,
    totals: &BTreeMap<i64, Totals>,
) -> TaskTree {
    let below = children.get(&task.id).map(Vec::as_slice).unwrap_or_default();
    let sum = totals.get(&task.id).copied().unwrap_or_default();
    let subtasks = below
        .iter()
        .map(|child| match depth {
            0 => Value::Null,
            _ => serde_json::to_value(node(child, depth - 1, children, totals)).unwrap_or(Value::Null),
        })
        .collect();
    TaskTree {
        status: TaskStatus {
            time: sum.wall_time.map(format_interval),
            cpu_time: sum.cpu_time.map(format_interval),
            memory: sum.memory,
            ..TaskStatus::of(task)
        },
        percent_done: sum.percent,
        n_subtasks: below.len(),
        subtasks,
    }
}

/// `H:MM:SS`, with `.ffffff` unless the time is whole seconds, and `N day(s), ` before it from one day on.
fn format_interval(microseconds: i64) -> String {
    let microseconds = microseconds.max(0);
    let (seconds, fraction) = (microseconds / 1_000_000, microseconds % 1_000_000);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let mut text = match days {
        0 => String::new(),
        1 => "1 day, ".to_owned(),
        days => format!("{days} days, "),
    };
    text += &format!("{}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    if fraction != 0 {
        text += &format!(".{fraction:06}");
    }
    text
}

/// `YYYY-MM-DD HH:MM:SS` in the server's time zone.
fn format_time(microseconds: i64) -> String {
    jiff::Timestamp::from_microsecond(microseconds)
        .map(|time| {
            time.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
        })
        .unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn task(
        id: i64,
        parent_id: Option<i64>,
        task_type: &str,
        state: TaskState,
        wall_time: Option<i64>,
    ) -> Task {
        Task {
            id,
            submission_id: 1,
            parent_id,
            name: format!("task {id}"),
            task_type: task_type.to_owned(),
            state: state.name().to_owned(),
            exitcode: None,
            wall_time,
            cpu_time: None,
            memory: None,
            created_at: 0,
            updated_at: 0,
        }
    }

    #[test]
    fn percent_is_the_mean_over_subtasks_and_times_are_summed() {
        let tasks = [
            task(1, None, "Workflow", TaskState::Running, None),
            task(2, Some(1), "WorkflowStep", TaskState::Running, None),
            task(3, Some(1), "WorkflowStep", TaskState::New, None),
            task(4, Some(2), "RunJob", TaskState::Terminated, Some(1_500_000)),
            task(5, Some(2), "RunJob", TaskState::Terminated, Some(500_000)),
        ];
        let tree = tree(&tasks, 1).unwrap();
        assert_eq!(tree.percent_done, 50.0);
        assert_eq!(tree.status.time.as_deref(), Some("0:00:02"));
        assert_eq!(tree.n_subtasks, 2);
        assert_eq!(tree.subtasks[0]["n_subtasks"], 2);
        assert_eq!(tree.subtasks[0]["subtasks"], serde_json::json!([null, null]));
    }

    #[test]
    fn intervals_read_like_pythons() {
        assert_eq!(format_interval(41_250_000), "0:00:41.250000");
        assert_eq!(format_interval(86_400_000_000 + 1_000_000), "1 day, 0:00:01");
        assert_eq!(format_interval(2 * 86_400_000_000), "2 days, 0:00:00");
    }
}
