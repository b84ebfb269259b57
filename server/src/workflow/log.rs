//! What a job writes: one file for what it did, one for warnings and errors.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::storage::DataDir;
use crate::store::Clock;

/// The two log files of a job.
#[derive(Debug)]
pub struct JobLog {
    out: Mutex<File>,
    err: Mutex<File>,
    clock: Arc<dyn Clock>,
}

impl JobLog {
    /// Start the log of a job, empty: a job that runs again starts anew.
    ///
    /// # Errors
    /// When the files cannot be created.
    pub fn create(data: &DataDir, experiment: i64, task: i64, clock: Arc<dyn Clock>) -> io::Result<Self> {
        Self::open(data, experiment, task, clock, OpenOptions::new().write(true).create(true).truncate(true))
    }

    /// Go on with the log of a job, of which an attempt failed.
    ///
    /// # Errors
    /// When the files cannot be opened.
    pub fn append(data: &DataDir, experiment: i64, task: i64, clock: Arc<dyn Clock>) -> io::Result<Self> {
        Self::open(data, experiment, task, clock, OpenOptions::new().append(true).create(true))
    }

    fn open(
        data: &DataDir,
        experiment: i64,
        task: i64,
        clock: Arc<dyn Clock>,
        how: &OpenOptions,
    ) -> io::Result<Self> {
        let out = data.log(experiment, task, "out");
        if let Some(directory) = out.parent() {
            fs::create_dir_all(directory)?;
        }
        let open = |path| how.open(path).map(Mutex::new);
        Ok(Self { out: open(out)?, err: open(data.log(experiment, task, "err"))?, clock })
    }

    /// Something was done.
    pub fn info(&self, message: impl AsRef<str>) {
        self.write(&self.out, "INFO", message.as_ref());
    }

    /// Something is odd, but the job goes on.
    pub fn warn(&self, message: impl AsRef<str>) {
        self.write(&self.err, "WARNING", message.as_ref());
    }

    /// The last line of a job that succeeded.
    pub fn completed(&self) {
        self.write(&self.out, "INFO", "JOB COMPLETED");
    }

    /// The last lines of a job that did not.
    pub fn failed(&self, reason: &str) {
        self.write(&self.err, "ERROR", &format!("JOB FAILED: {reason}"));
    }

    fn write(&self, file: &Mutex<File>, level: &str, message: &str) {
        let time = jiff::Timestamp::from_microsecond(self.clock.now_us())
            .map(|time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
            .unwrap_or_default();
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that cannot be written must not fail the job.
        let _ = writeln!(file, "{time} | {level:7} | {message}");
    }
}
