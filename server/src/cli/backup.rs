//! `tmserver backup`: a consistent copy of a data directory, also while it is served.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;

use super::check::open_existing;
use super::progress::{self, Progress};
use crate::backup;
use crate::config::Config;
use crate::tally::Tally;

/// Where to.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// Directory to make; it must not exist or be empty
    #[arg(value_name = "DIR")]
    target: PathBuf,
}

/// Make the copy, and say what it holds.
pub async fn backup(config: Config, args: BackupArgs) -> anyhow::Result<()> {
    let environment = open_existing(config).await?;
    let tally = Arc::new(Tally::default());
    let work = backup::run(&environment.db, &environment.data, &args.target, &tally);
    let report = progress::watch(Progress::start("backup"), &tally, work).await?;
    environment.db.close().await;
    for problem in &report.problems {
        println!("{problem}");
    }
    println!(
        "copied the database and {} files of {:.1} MB to {}",
        report.files,
        report.bytes as f64 / 1e6,
        args.target.display()
    );
    if !report.problems.is_empty() {
        bail!("the copy is made, but it has the problems above, as the data directory has");
    }
    Ok(())
}
