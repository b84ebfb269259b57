//! Which jobs of a submission a client wants to see.

use super::task::Task;

/// A choice among the jobs of one step.
#[derive(Debug, Clone)]
pub struct JobFilter<'a> {
    step: &'a str,
    phase: Option<&'a str>,
    name: Option<&'a str>,
    window: Option<(i64, usize)>,
}

impl<'a> JobFilter<'a> {
    /// Jobs of `step`; of one `phase`, or with one `name`, or a window of `batch_size` jobs from `index` on.
    ///
    /// # Errors
    /// A sentence that says which of them do not go together.
    pub fn new(
        step: &'a str,
        phase: Option<&'a str>,
        name: Option<&'a str>,
        index: Option<i64>,
        batch_size: Option<u32>,
    ) -> Result<Self, String> {
        let window = match (index, batch_size) {
            (Some(index), Some(size)) => Some((index, size as usize)),
            (None, None) => None,
            _ => return Err("`index` and `batch_size` can only be given together".to_owned()),
        };
        if name.is_some() && (phase.is_some() || window.is_some()) {
            return Err("`name` cannot be given with `phase`, `index` or `batch_size`".to_owned());
        }
        if let Some(phase) = phase
            && !["init", "run", "collect"].contains(&phase)
        {
            return Err(format!("`phase` must be init, run or collect, got \"{phase}\""));
        }
        Ok(Self { step, phase, name, window })
    }

    /// The jobs among a submission's tasks, by name.
    pub fn jobs<'t>(&self, tasks: &'t [Task]) -> Vec<&'t Task> {
        let prefix = match self.phase {
            Some(phase) => format!("{}_{phase}", self.step),
            None => format!("{}_", self.step),
        };
        let mut jobs: Vec<_> = tasks
            .iter()
            .filter(|task| task.is_job() && task.name.starts_with(&prefix))
            .filter(|task| self.name.is_none_or(|name| task.name == name))
            .collect();
        jobs.sort_by(|a, b| a.name.cmp(&b.name));
        match self.window {
            None => jobs,
            Some((index, size)) if index >= 0 => {
                jobs.into_iter().skip(usize::try_from(index).unwrap_or(usize::MAX)).take(size).collect()
            }
            // A scroller that starts before the first job asks for what is left of its window.
            Some((index, size)) => {
                let before = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
                jobs.into_iter().take(size.saturating_sub(before)).collect()
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn job(name: &str) -> Task {
        Task {
            id: 1,
            submission_id: 1,
            parent_id: Some(0),
            name: name.to_owned(),
            task_type: "RunJob".to_owned(),
            state: "NEW".to_owned(),
            exitcode: None,
            wall_time: None,
            cpu_time: None,
            memory: None,
            attempts: 0,
            lost: 0,
            reason: None,
            created_at: 0,
            updated_at: 0,
        }
    }

    #[test]
    fn a_window_may_start_before_the_first_job() {
        let tasks: Vec<_> =
            (1..=5).map(|n| job(&format!("a_run_{n:07}"))).chain([job("b_run_0000001")]).collect();
        let names = |index, size| {
            let filter = JobFilter::new("a", Some("run"), None, Some(index), Some(size)).unwrap();
            filter.jobs(&tasks).iter().map(|task| task.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(1, 2), ["a_run_0000002", "a_run_0000003"]);
        assert_eq!(names(-1, 3), ["a_run_0000001", "a_run_0000002"]);
        assert!(names(-3, 3).is_empty());
    }

    #[test]
    fn choices_that_do_not_go_together_are_refused() {
        assert!(JobFilter::new("a", None, None, Some(1), None).is_err());
        assert!(JobFilter::new("a", Some("run"), Some("x"), None, None).is_err());
        assert!(JobFilter::new("a", Some("walk"), None, None, None).is_err());
    }
}
