//! Registries list everything there is.

use std::collections::BTreeSet;

use tm_server::workflow::{WorkflowType, steps};

use crate::sources::files;

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
