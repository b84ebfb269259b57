//! metaextract: reads the headers of the uploaded image files.
//!
//! The first step, so everything that can be said early is said here: registered files that were not
//! uploaded, metadata that cannot be read or name other files than there are, image files that are
//! damaged or of a kind that is not supported.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Argument, ArgumentKind, Default, Step, StepError, StepResult, parse_batch, source, to_batch};
use crate::failpoint;
use crate::microscopes::{HeaderFacts, Names, check_files, read_description};
use crate::resources::workflow::queries;
use crate::storage::readers::{ReadLimits, inspect};
use crate::workflow::job::JobContext;

use super::source::{SourceDirectory, StoredHeader};

/// How many broken files a message names.
const NAMED_FILES: usize = 10;
/// How many broken files the log names.
const LOGGED_FILES: usize = 20;

/// The step.
#[derive(Debug)]
pub struct Metaextract;

#[derive(Debug, Serialize, Deserialize)]
struct Batch {
    acquisition: i64,
    /// Row id and name.
    files: Vec<(i64, String)>,
}

impl Step for Metaextract {
    fn name(&self) -> &'static str {
        "metaextract"
    }

    fn full_name(&self) -> &'static str {
        "Extraction of image metadata"
    }

    fn help(&self) -> &'static str {
        "Reads the headers of the image files: size, depth, number of planes."
    }

    fn batch_arguments(&self) -> &'static [Argument] {
        const ARGUMENTS: &[Argument] = &[Argument::optional(
            "batch_size",
            ArgumentKind::Integer { min: 1 },
            Default::Integer(100),
            "number of image files per job",
        )];
        ARGUMENTS
    }

    fn init<'a>(&'a self, job: &'a JobContext) -> BoxFuture<'a, StepResult<Vec<Value>>> {
        init(job).boxed()
    }

    fn run<'a>(&'a self, job: &'a JobContext, batch: &'a Value) -> BoxFuture<'a, StepResult<()>> {
        run(job, batch).boxed()
    }
}

async fn init(job: &JobContext) -> StepResult<Vec<Value>> {
    let environment = &job.environment;
    let experiment = job.experiment.id;
    let microscope = source::microscope(job)?;
    let acquisitions = queries::acquisitions_of(&mut environment.db.read().await?, experiment).await?;
    if acquisitions.is_empty() {
        return Err(StepError::Input("the experiment has no acquisition".to_owned()));
    }
    let mut batches = Vec::new();
    for acquisition in &acquisitions {
        let files = source::image_files(environment, acquisition.id, &acquisition.name).await?;
        let metadata = source::metadata_files(environment, experiment, acquisition).await?;
        let names: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
        environment
            .compute
            .batch(move |_| check_files(microscope, &names, &metadata))
            .await?
            .map_err(|error| StepError::Input(format!("acquisition \"{}\": {error}", acquisition.name)))?;
        for chunk in files.chunks(job.arguments.count("batch_size")) {
            let files = chunk.iter().map(|file| (file.id, file.name.clone())).collect();
            batches.push(to_batch(&Batch { acquisition: acquisition.id, files })?);
        }
    }
    let mut tx = job.write().await?;
    queries::clear_headers(&mut tx, experiment).await?;
    tx.commit().await?;
    Ok(batches)
}

async fn run(job: &JobContext, batch: &Value) -> StepResult<()> {
    let environment = &job.environment;
    let Batch { acquisition, files } = parse_batch(batch)?;
    let directories = source::directories(environment, job.experiment.id).await?;
    let directory = source::directory_of(&directories, acquisition)?.clone();
    let stop = job.stop.clone();
    let headers: Vec<Header> = environment
        .compute
        .each_file(files, move |_, (id, name)| {
            stop.check()?;
            Ok(Header::read(&directory, id, &name))
        })
        .await?
        .into_iter()
        .collect::<StepResult<_>>()?;
    let mut read = Vec::with_capacity(headers.len());
    let (mut broken, mut unclear) = (Vec::new(), Vec::new());
    for header in headers {
        unclear.extend(header.unclear);
        match header.read {
            Ok(stored) => read.push((header.id, stored)),
            Err(StepError::Input(problem)) => {
                if broken.len() < LOGGED_FILES {
                    job.log.warn(&problem);
                }
                broken.push(problem);
            }
            // Of this machine, and not of the file.
            Err(other) => return Err(other),
        }
    }
    if broken.len() > LOGGED_FILES {
        job.log.warn(format!("and {} more files", broken.len() - LOGGED_FILES));
    }
    if !broken.is_empty() {
        let shown = &broken[..broken.len().min(NAMED_FILES)];
        return Err(StepError::Input(format!(
            "{} file(s) cannot be used: {}",
            broken.len(),
            shown.join("; ")
        )));
    }
    let unclear: Names = unclear.into_iter().collect();
    if unclear.count() > 0 {
        job.log.warn(format!("descriptions of {} files cannot be read: {unclear}", unclear.count()));
    }
    let mut tx = job.write().await?;
    let now = environment.now();
    let (count, mut pages) = (read.len(), 0);
    for (id, header) in read {
        let text = serde_json::to_string(&header).map_err(|error| StepError::Internal(error.to_string()))?;
        queries::set_header(&mut tx, id, &text, now).await?;
        pages += header.pages.len();
    }
    tx.commit().await?;
    failpoint::reached("metaextract committed");
    job.log.info(format!("read the headers of {count} files with {pages} planes"));
    Ok(())
}

/// What was read of one file.
struct Header {
    id: i64,
    read: StepResult<StoredHeader>,
    /// What is wrong with a description that cannot be read: the pixels can.
    unclear: Option<String>,
}

impl Header {
    fn read(directory: &SourceDirectory, id: i64, name: &str) -> Self {
        let mut unclear = None;
        let inspected = directory
            .file(name)
            .and_then(|path| inspect(&path, &ReadLimits::default()).map_err(source::unreadable));
        let read = inspected.map(|info| {
            let facts = read_description(name, &info.description.unwrap_or_default());
            let facts = facts.unwrap_or_else(|problem| {
                unclear = Some(format!("{name} {problem}"));
                HeaderFacts::default()
            });
            StoredHeader { pages: info.pages, facts }
        });
        Self { id, read, unclear }
    }
}
