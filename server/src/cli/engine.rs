//! `tmserver engine info`: what computes pixels on this machine, and why.

use clap::Subcommand;
use serde_json::json;
use tm_engine::Engine;

use crate::config::Config;

/// Commands about what computes pixels.
#[derive(Debug, Subcommand)]
pub enum EngineCommand {
    /// List the GPU adapters; say which backend is used, and why
    Info {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// Run one of the commands.
pub fn engine(config: &Config, command: &EngineCommand) -> anyhow::Result<()> {
    let EngineCommand::Info { json } = command;
    let info = Engine::new(config.backend)?.info();
    if *json {
        let adapters: Vec<_> = info
            .adapters
            .iter()
            .map(|adapter| {
                json!({
                    "name": adapter.name,
                    "kind": adapter.kind.to_string(),
                    "api": adapter.api,
                    "driver": adapter.driver,
                    "software": adapter.is_software(),
                })
            })
            .collect();
        let kernels: Vec<_> = info
            .kernels
            .iter()
            .map(|kernel| json!({ "name": kernel.name, "backend": kernel.backend.to_string() }))
            .collect();
        let report = json!({
            "choice": info.choice.to_string(),
            "backend": info.backend.to_string(),
            "reason": info.reason,
            "adapters": adapters,
            "kernels": kernels,
        });
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    println!("backend  {} (asked for: {})", info.backend, info.choice);
    println!("reason   {}", info.reason);
    println!("adapters {}", if info.adapters.is_empty() { "none" } else { "" });
    for adapter in &info.adapters {
        println!("  {adapter}");
    }
    println!("kernels");
    for kernel in &info.kernels {
        println!("  {:<24} {}", kernel.name, kernel.backend);
    }
    Ok(())
}
