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
    /// Killed, and still on its way to a safe point.
    Terminating,
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
            Self::Terminating => "TERMINATING",
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
    /// How often a worker began it.
    #[sqlx(rename = "epoch")]
    pub attempts: i64,
    /// How many workers in a row vanished while they ran it.
    pub lost: i64,
    /// Why it failed the last time.
    pub reason: Option<String>,
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
    /// `NEW`, `SUBMITTED`, `RUNNING`, `TERMINATING` (killed, and not at its end yet) or `TERMINATED`.
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
    /// Processor time it took, of all threads; a collection's is the sum over its jobs. Null where that cannot be
    /// told: jobs that share the server's process share its threads.
    pub cpu_time: Option<String>,
    /// Most megabytes it had at once; a collection's is the sum over its jobs. Null where that cannot be told, as
    /// with `cpu_time`.
    pub memory: Option<i64>,
    /// How often it was begun, a job only; more than once after failures that may pass, and when it was run again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<i64>,
    /// Why it failed the last time, a job only; kept when another attempt succeeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
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
    /// How far it is, 0 to 100, and 100 only when it is over. Of a step and what is below it, the share of its jobs
    /// that have ended; of stages and the workflow, the mean over their steps, because how many jobs a step has is
    /// known when it is reached.
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
            live: [TaskState::Submitted, TaskState::Running, TaskState::Terminating]
                .iter()
                .any(|state| task.state == state.name()),
            done: task.is_terminated(),
            failed: task.exitcode.is_some_and(|code| code != 0),
            exitcode: task.exitcode,
            time: task.wall_time.map(format_interval),
            cpu_time: task.cpu_time.map(format_interval),
            memory: task.memory,
            attempts: task.is_job().then_some(task.attempts),
            reason: task.reason.clone(),
            created_at: format_time(task.created_at),
            updated_at: format_time(task.updated_at),
        }
    }
}

/// Sums over a task and everything below it.
#[derive(Default, Clone, Copy)]
struct Totals {
    jobs: usize,
    /// Jobs that ended by themselves, well or badly.
    ended: usize,
    steps: usize,
    /// Sum over the steps of their percentages.
    percent_of_steps: f64,
    wall_time: Option<i64>,
    cpu_time: Option<i64>,
    memory: Option<i64>,
}

impl Totals {
    fn percent(&self, over: bool) -> f64 {
        let percent = match (self.steps, self.jobs) {
            (0, 0) => 0.0,
            (0, jobs) => 100.0 * self.ended as f64 / jobs as f64,
            (steps, _) => self.percent_of_steps / steps as f64,
        };
        if over { percent } else { percent.min(MOST_UNFINISHED) }
    }
}

/// What is not over is not shown as more than this.
const MOST_UNFINISHED: f64 = 99.9;

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
        return Totals {
            jobs: 1,
            ended: usize::from(task.exitcode.is_some()),
            wall_time: task.wall_time,
            cpu_time: task.cpu_time,
            memory: task.memory,
            ..Totals::default()
        };
    }
    let mut sum = Totals::default();
    for child in children.iter().filter_map(|child| totals.get(&child.id)) {
        sum.jobs += child.jobs;
        sum.ended += child.ended;
        sum.steps += child.steps;
        sum.percent_of_steps += child.percent_of_steps;
        sum.wall_time = add(sum.wall_time, child.wall_time);
        sum.cpu_time = add(sum.cpu_time, child.cpu_time);
        sum.memory = add(sum.memory, child.memory);
    }
    if task.task_type == "WorkflowStep" {
        sum.percent_of_steps = sum.percent(task.is_terminated());
        sum.steps = 1;
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
        percent_done: sum.percent(task.is_terminated()),
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
pub fn format_time(microseconds: i64) -> String {
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
            attempts: 1,
            lost: 0,
            reason: None,
            created_at: 0,
            updated_at: 0,
        }
    }

    #[test]
    fn percent_counts_jobs_at_the_leaves_and_weighs_steps_alike() {
        let ended = |id, parent, wall_time| Task {
            exitcode: Some(0),
            ..task(id, Some(parent), "RunJob", TaskState::Terminated, Some(wall_time))
        };
        let tasks = [
            task(1, None, "Workflow", TaskState::Running, None),
            task(2, Some(1), "SequentialWorkflowStage", TaskState::Running, None),
            task(3, Some(2), "WorkflowStep", TaskState::Running, None),
            task(4, Some(2), "WorkflowStep", TaskState::New, None),
            task(5, Some(1), "SequentialWorkflowStage", TaskState::New, None),
            task(6, Some(5), "WorkflowStep", TaskState::New, None),
            task(7, Some(3), "InitPhase", TaskState::Terminated, None),
            task(8, Some(3), "SingleRunPhase", TaskState::Running, None),
            ended(9, 7, 1_500_000),
            ended(10, 8, 500_000),
            task(11, Some(8), "RunJob", TaskState::Running, None),
            // Killed: it did not come to its end.
            task(12, Some(8), "RunJob", TaskState::Terminated, None),
        ];
        let tree = tree(&tasks, 4).unwrap();
        let stage = &tree.subtasks[0];
        let step = &stage["subtasks"][0];
        assert_eq!(step["percent_done"], 50.0, "two of four jobs, wherever they are");
        assert_eq!(step["subtasks"][1]["percent_done"], 100.0 / 3.0);
        assert_eq!(stage["percent_done"], 25.0);
        assert_eq!(tree.percent_done, 50.0 / 3.0, "three steps, however many stages");
        assert_eq!(tree.status.time.as_deref(), Some("0:00:02"));
        assert_eq!(tree.status.cpu_time, None);
        assert_eq!(tree.n_subtasks, 2);
        let shallow = super::tree(&tasks, 1).unwrap();
        assert_eq!(shallow.subtasks[0]["subtasks"], serde_json::json!([null, null]));
    }

    #[test]
    fn percent_is_100_only_when_the_task_is_over() {
        let mut tasks = [
            task(1, None, "Workflow", TaskState::Running, None),
            task(2, Some(1), "WorkflowStep", TaskState::Running, None),
            task(3, Some(2), "RunJob", TaskState::Terminated, Some(1)),
        ];
        tasks[2].exitcode = Some(0);
        assert_eq!(tree(&tasks, 0).unwrap().percent_done, MOST_UNFINISHED);
        for task in &mut tasks[..2] {
            task.state = TaskState::Terminated.name().to_owned();
        }
        assert_eq!(tree(&tasks, 0).unwrap().percent_done, 100.0);
    }

    #[test]
    fn intervals_read_like_pythons() {
        assert_eq!(format_interval(41_250_000), "0:00:41.250000");
        assert_eq!(format_interval(86_400_000_000 + 1_000_000), "1 day, 0:00:01");
        assert_eq!(format_interval(2 * 86_400_000_000), "2 days, 0:00:00");
    }
}
