//! Registries list everything there is.

use std::collections::BTreeSet;

use tm_server::jterator::modules;
use tm_server::workflow::{WorkflowType, steps};

use crate::sources::{files, root};

#[test]
fn every_step_is_a_file_or_folder_and_is_registered() {
    let registered: BTreeSet<_> = steps::ALL.iter().map(|step| step.name().to_owned()).collect();
    let helpers = ["mod", "source"];
    let folder = "server/src/workflow/steps";
    let written: BTreeSet<_> = files(folder, "rs")
        .into_iter()
        .map(|(path, _)| {
            path[folder.len() + 1..].split('/').next().unwrap().trim_end_matches(".rs").to_owned()
        })
        .filter(|name| !helpers.contains(&name.as_str()))
        .collect();
    assert_eq!(registered, written);
}

#[test]
fn the_steps_of_workflow_types_are_the_registered_ones() {
    let registered: BTreeSet<_> = steps::ALL.iter().map(|step| step.name()).collect();
    let stages = WorkflowType::ALL.iter().flat_map(WorkflowType::stages);
    let used: BTreeSet<_> = stages.flat_map(|stage| stage.steps).copied().collect();
    assert_eq!(registered, used);
}

#[test]
fn every_shader_belongs_to_a_registered_kernel() {
    let registered: BTreeSet<_> =
        tm_engine::kernels::ALL.iter().flat_map(|kernel| kernel.shaders).map(|shader| shader.name).collect();
    for (path, _) in files("shaders", "wgsl") {
        if path.starts_with("shaders/shared/") {
            continue;
        }
        let stem = path.rsplit('/').next().unwrap().trim_end_matches(".wgsl");
        assert!(registered.contains(stem), "{path} is not among the shaders of kernels: {registered:?}");
    }
}

#[test]
fn every_module_of_image_analysis_is_registered_once() {
    let registered: Vec<_> = modules::ALL.iter().map(|module| module.name).collect();
    assert_eq!(registered.iter().collect::<BTreeSet<_>>().len(), registered.len(), "{registered:?}");
    let mut written = 0;
    for (path, text) in files("server/src/jterator/modules", "rs") {
        for constant in text.lines().filter(|line| line.ends_with(": Module = Module {")) {
            let name = constant.trim_start_matches("pub const ").split(':').next().unwrap().to_lowercase();
            assert!(registered.contains(&name.as_str()), "{path}: {name} is not in `ALL`");
            written += 1;
        }
    }
    assert_eq!(written, registered.len());
}

#[test]
fn the_page_about_pipelines_has_a_row_for_every_module_and_no_other() {
    let page = std::fs::read_to_string(root().join("server/docs/pipelines.md")).unwrap();
    let (_, table) = page.split_once("## Modules").expect("a section with the modules");
    let (table, _) = table.split_once("\n\nTheir inputs").expect("a table");
    let listed: BTreeSet<&str> = table.lines().filter_map(|line| line.split('`').nth(1)).collect();
    let registered: BTreeSet<&str> = modules::ALL.iter().map(|module| module.name).collect();
    assert_eq!(listed, registered);
}
