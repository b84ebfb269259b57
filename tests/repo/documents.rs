//! What the documents say is what is there.

use std::fs;

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

#[test]
fn every_setting_is_in_the_readme() {
    let readme = document("README.md");
    let config = document("server/src/config/mod.rs");
    let settings = config.split("pub struct Settings {").nth(1).unwrap().split("\n}").next().unwrap();
    let names: Vec<_> =
        settings.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split(':').next()).collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        assert!(readme.contains(&format!("`{name}`")), "README.md does not explain the setting {name}");
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
    for name in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "Cargo.toml", ".ci/run", ".ci/setup"] {
        texts.push((name.to_owned(), document(name)));
    }
    // Written apart, so that this file does not find itself.
    for path in [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")] {
        for (name, text) in &texts {
            assert!(!text.contains(path), "{name} names a path of one machine: {path}");
        }
    }
}
