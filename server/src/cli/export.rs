//! `tmserver export`: an experiment as ordinary directories, also while it is served.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;

use super::check::open_to_compute;
use super::progress::{self, Progress};
use crate::config::Config;
use crate::export::{self, Report};
use crate::resources::experiment::sharing::described;
use crate::tally::Tally;

/// What, and where to.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Id of the experiment, or its name if no other has it, or OWNER/NAME
    #[arg(value_name = "EXPERIMENT")]
    experiment: String,
    /// Directory to make; it must not exist or be empty
    #[arg(value_name = "DIR")]
    target: PathBuf,
}

/// Make the export, and say what it holds.
pub async fn export(config: Config, args: ExportArgs) -> anyhow::Result<()> {
    let environment = open_to_compute(&config).await?;
    let tally = Arc::new(Tally::default());
    let work = export::run(&environment, &config, &args.experiment, &args.target, &tally);
    let report = progress::watch(Progress::start("export"), &tally, work).await?;
    environment.db.close().await;
    let Report { experiment, plates, layers, planes, labels, types, missing } = report;
    for what in &missing {
        println!("{what}");
    }
    println!(
        "exported {plates} plates with {planes} channel images and {labels} label images, {layers} layers, and tables of \
         {types} types of objects of {} to {}",
        described(&experiment),
        args.target.display()
    );
    if !missing.is_empty() {
        bail!("the export is made, but what is listed above is not in it");
    }
    Ok(())
}
