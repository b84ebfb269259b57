//! The command line of `tmserver`: one file per command.
//!
//! Results go to standard output, progress and logs to standard error. The exit status is 0 only if
//! everything asked for was done.

// Printing results is what a command does.
#![allow(clippy::print_stdout)]

mod backup;
mod check;
pub mod demo;
mod engine;
mod export;
mod job;
mod process;
mod progress;
mod serve;
mod sources;
mod user;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{ArgAction, Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, Settings};
use crate::openapi;

/// The configuration file that is read when none is named, if it exists.
const DEFAULT_CONFIG_FILE: &str = "tmserver.toml";
/// How long threads may go on when a command has ended.
const LAST_WORK: Duration = Duration::from_secs(1);

/// TissueMAPS server: plates of microscope images in, zoomable maps out.
#[derive(Debug, Parser)]
#[command(name = "tmserver", version, about)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command; they override variables `TMSERVER_*`, which override the configuration file.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
struct GlobalArgs {
    /// Directory that holds everything the server stores [default: tmserver-data; of demo: tmserver-demo]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// PostgreSQL URL [default: a database embedded in the data directory]
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// Configuration file [default: tmserver.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What computes pixels: auto, gpu or cpu [default: auto]
    #[arg(long, global = true, value_name = "BACKEND")]
    backend: Option<String>,
    /// Log more; twice for even more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

/// Flags of the commands that serve.
#[derive(Debug, Default, Clone, Args)]
struct ServeArgs {
    /// Address to listen on [default: 127.0.0.1:8002]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Path below which everything is served, such as /tissuemaps: for a reverse proxy that passes it on
    #[arg(long, value_name = "PATH")]
    base_path: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API
    Serve(ServeArgs),
    /// Make a synthetic plate, process it over the API, serve it
    Demo(ServeArgs),
    /// Process directories of microscope files without HTTP
    Process(process::ProcessArgs),
    /// Manage the people who can log in
    #[command(subcommand)]
    User(user::UserCommand),
    /// Copy everything to a new data directory, also while a server runs
    ///
    /// The copy is consistent, and complete but for uploads under way. It is checked before it appears, and
    /// `tmserver serve --data-dir DIR` runs on it. It always holds an embedded database, also of data that are in
    /// PostgreSQL. Exit status 1 means that there is no copy, or that it has problems that the data directory has.
    Backup(backup::BackupArgs),
    /// Write an experiment as OME-Zarr and Parquet with plain names, also while a server runs
    ///
    /// Complete plates with the label images of their objects, layers with all levels, full resolution included, and a
    /// table of every type of objects: ordinary directories that napari, Fractal and every other NGFF tool, pandas,
    /// polars and DuckDB open without a server. Nothing is changed. The export appears whole or not at all. Exit status
    /// 1 means that there is none, or that images or labels which should be in it are missing: each is named.
    Export(export::ExportArgs),
    /// Compare the database with the files, also while a server runs
    ///
    /// Prints a line for every problem: files that are missing, damaged or of the wrong size, and, if no server
    /// runs, files that nothing in the database names. Changes nothing. Exit status 1 if there is a problem.
    Check(check::CheckArgs),
    /// Work on single jobs, as executors do
    #[command(subcommand)]
    Job(job::JobCommand),
    /// What computes pixels
    #[command(subcommand)]
    Engine(engine::EngineCommand),
    /// Print the API document (OpenAPI 3.1, JSON)
    Openapi,
}

/// Run the program with the arguments it was started with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging(cli.global.verbose);
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", message(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes, each said once: some errors repeat their cause in their own text.
fn message(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn start_logging(verbose: u8) {
    let default = match verbose {
        0 => "warn",
        1 => "info,wgpu_core=warn,wgpu_hal=warn,naga=warn",
        _ => "debug,hyper=info,wgpu_core=warn,wgpu_hal=warn,naga=warn,sqlx=info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let serving = match &cli.command {
        Command::Serve(args) | Command::Demo(args) => args.clone(),
        _ => ServeArgs::default(),
    };
    let mut settings = settings(&cli.global, serving)?;
    if matches!(cli.command, Command::Demo(_)) {
        // The demo must not mix with real data unless told to.
        settings.data_dir.get_or_insert_with(|| demo::DATA_DIR.into());
    }
    let config = settings.finish()?;
    match cli.command {
        Command::Serve(_) => block_on(&config, serve::serve(config.clone())),
        Command::Demo(_) => block_on(&config, demo::demo(config.clone())),
        Command::Process(args) => block_on(&config, process::process(config.clone(), args)),
        Command::User(command) => block_on(&config, user::user(config.clone(), command)),
        Command::Backup(args) => block_on(&config, backup::backup(config.clone(), args)),
        Command::Export(args) => block_on(&config, export::export(config.clone(), args)),
        Command::Check(args) => block_on(&config, check::check(config.clone(), args)),
        Command::Job(command) => block_on(&config, job::job(config.clone(), command)),
        Command::Engine(command) => engine::engine(&config, &command),
        Command::Openapi => {
            println!("{}", serde_json::to_string_pretty(&openapi::document(&config.base_path))?);
            Ok(())
        }
    }
}

/// Flags before variables before the file.
fn settings(args: &GlobalArgs, serving: ServeArgs) -> anyhow::Result<Settings> {
    let flags = Settings {
        data_dir: args.data_dir.clone(),
        database_url: args.database_url.clone(),
        listen: serving.listen,
        base_path: serving.base_path,
        backend: args.backend.clone(),
        ..Settings::default()
    };
    let file = match &args.config {
        Some(path) => Settings::from_file(path)?,
        None if PathBuf::from(DEFAULT_CONFIG_FILE).exists() => {
            Settings::from_file(DEFAULT_CONFIG_FILE.as_ref())?
        }
        None => Settings::default(),
    };
    let variables = Settings::from_variables(std::env::vars())?;
    Ok(flags.or(variables).or(file))
}

fn block_on(config: &Config, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(config.cores)
        .build_global()
        .context("cannot start the threads that compute pixels")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(work);
    // Work that was given back may still compute; its results would be nobody's.
    runtime.shutdown_timeout(LAST_WORK);
    outcome
}
