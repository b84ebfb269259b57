//! `tmserver check`: whether the database and the files agree.

use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use tm_engine::BackendChoice;

use super::progress::{self, Progress};
use crate::check::{self, Report};
use crate::config::Config;
use crate::environment::Environment;
use crate::storage::DataDir;
use crate::tally::Tally;

/// How closely to look.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Decode every stored pixel instead of looking at sizes and indexes only
    #[arg(long)]
    deep: bool,
}

/// Say what is wrong, one line each, and how much was looked at.
pub async fn check(config: Config, args: CheckArgs) -> anyhow::Result<()> {
    let environment = open_existing(config).await?;
    let tally = Arc::new(Tally::default());
    let work = check::run(&environment.db, &environment.data, args.deep, &tally);
    let report = progress::watch(Progress::start("check"), &tally, work).await?;
    environment.db.close().await;
    if tally.is_stopped() {
        bail!("interrupted");
    }
    for problem in &report.problems {
        println!("{problem}");
    }
    let Report { uploads, planes, layers, statistics, problems } = report;
    let count = match problems.len() {
        0 => "no problems".to_owned(),
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    println!(
        "{uploads} uploaded files, {planes} channel images, {layers} layers, {statistics} sets of statistics: {count}"
    );
    if !problems.is_empty() {
        bail!("the database and the files do not agree: {count}");
    }
    Ok(())
}

/// Open a data directory that is there already, for a command that computes no pixels: no GPU is woken up.
///
/// # Errors
/// When there is none: a command that only looks must not make one.
pub async fn open_existing(config: Config) -> anyhow::Result<Environment> {
    open_to_compute(&Config { backend: BackendChoice::Cpu, ..config }).await
}

/// The same for a command that computes pixels.
///
/// # Errors
/// When there is no data directory.
pub async fn open_to_compute(config: &Config) -> anyhow::Result<Environment> {
    let data = DataDir::new(&config.data_dir);
    std::fs::read_dir(data.root())
        .with_context(|| format!("there is no data directory at {}", data.root().display()))?;
    if config.database_url.is_none() && !data.database().exists() {
        bail!("there is no database in the data directory {}", data.root().display());
    }
    Ok(Environment::open(config).await?)
}
