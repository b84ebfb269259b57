//! What the documents say is what is there.

use std::fs;

use tm_server::config::Settings;

use crate::sources::{files_if_any, root};

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn the_architecture_has_a_row_for_every_module() {
    let architecture = document("ARCHITECTURE.md");
    let mut missing = Vec::new();
    for folder in ["engine/src", "server/src"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            let module = name.trim_end_matches(".rs");
            if !["lib", "main"].contains(&module) && !architecture.contains(&format!("`{module}`")) {
                missing.push(format!("{folder}/{module}"));
            }
        }
    }
    assert!(missing.is_empty(), "ARCHITECTURE.md has no row for: {}", missing.join(", "));
}

/// The names of all settings, from the source.
fn settings() -> Vec<String> {
    let config = document("server/src/config/mod.rs");
    let settings = config.split("pub struct Settings {").nth(1).unwrap().split("\n}").next().unwrap();
    let names: Vec<_> = settings
        .lines()
        .filter_map(|line| Some(line.trim().strip_prefix("pub ")?.split(':').next()?.to_owned()))
        .collect();
    assert!(names.len() > 5, "{names:?}");
    names
}

#[test]
fn every_setting_is_in_the_readme() {
    let readme = document("README.md");
    for name in settings() {
        assert!(readme.contains(&format!("| `{name}` |")), "README.md does not explain the setting {name}");
    }
}

#[test]
fn the_example_of_a_configuration_file_has_every_setting_and_is_accepted() {
    const EXAMPLE: &str = "server/deploy/tmserver.toml";
    // What is commented out is a setting where no space follows the mark.
    let taken_in: String = document(EXAMPLE)
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if setting.starts_with(|first: char| first.is_ascii_lowercase()) => setting,
            _ => line,
        })
        .map(|line| format!("{line}\n"))
        .collect();
    for name in settings() {
        assert!(
            taken_in.lines().any(|line| line.starts_with(&format!("{name} = "))),
            "{EXAMPLE} lacks {name}"
        );
    }
    let directory = tempfile::TempDir::new().unwrap();
    for (name, text) in [("as_it_is.toml", document(EXAMPLE)), ("all_taken_in.toml", taken_in)] {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        Settings::from_file(&path)
            .and_then(Settings::finish)
            .unwrap_or_else(|error| panic!("{EXAMPLE}: {error}"));
    }
}

#[test]
fn the_example_of_a_configuration_file_shows_the_defaults() {
    let shown = document("server/deploy/tmserver.toml");
    let defaults = Settings::default().finish().unwrap();
    for line in [
        format!("#listen = \"{}\"", defaults.listen),
        format!("#token_lifetime_hours = {}", defaults.token_lifetime.as_secs() / 3600),
        format!("#max_body_mb = {}", defaults.max_body_bytes / 1_000_000),
        format!("#max_upload_mb = {}", defaults.max_upload_bytes / 1_000_000),
        format!("#tile_cache_mb = {}", defaults.tile_cache_bytes / 1_000_000),
        format!("#reserve_mb = {}", defaults.reserve_bytes / 1_000_000),
        format!("#metrics = \"{}\"", defaults.metrics.name()),
        format!("#login_attempts = {}", defaults.login_attempts),
        format!("#max_list_items = {}", defaults.max_list_items),
        format!("#max_requests = {}", defaults.max_requests),
        format!("#max_uploads = {}", defaults.max_uploads),
        format!("#max_connections = {}", defaults.max_connections),
        format!("#head_timeout_s = {}", defaults.head_timeout.as_secs()),
        format!("#silence_timeout_s = {}", defaults.silence_timeout.as_secs()),
        format!("#request_timeout_s = {}", defaults.request_timeout.as_secs()),
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is the default");
    }
}

#[test]
fn the_readme_names_the_commands_that_ci_runs() {
    let readme = document("README.md");
    for mark in ["<!-- run command -->", "<!-- test command -->"] {
        let block = readme.split(mark).nth(1).unwrap_or_else(|| panic!("no {mark} in README.md"));
        assert!(block.trim_start().starts_with("```"), "{mark} is not followed by a code block");
    }
}

#[test]
fn no_document_or_source_names_a_machine() {
    let mut texts = Vec::new();
    for folder in ["engine", "server", "tests", "benches", "shaders", "migrations"] {
        for extension in ["rs", "py", "wgsl", "sql", "md", "toml"] {
            texts.extend(files_if_any(folder, extension));
        }
    }
    for name in
        ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "Cargo.toml", ".ci/run", ".ci/setup", ".ci/postgres"]
    {
        texts.push((name.to_owned(), document(name)));
    }
    // Written apart, so that this file does not find itself.
    for path in [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")] {
        for (name, text) in &texts {
            assert!(!text.contains(path), "{name} names a path of one machine: {path}");
        }
    }
}
