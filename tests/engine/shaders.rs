//! Every shader in `shaders/`, as the engine would compile it, against naga's rules and ours.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tm_engine::{kernels, shader};
use wgpu::naga;

fn shader_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shaders");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder of shaders can be read")
        .map(|entry| entry.expect("the folder of shaders can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wgsl"))
        .collect();
    files.sort();
    files
}

/// What is wrong with a shader, if anything.
pub fn problem(source: &str) -> Option<String> {
    let stitched = match shader::stitch(source) {
        Ok(stitched) => stitched,
        Err(error) => return Some(error.to_string()),
    };
    let module = match naga::front::wgsl::parse_str(&stitched) {
        Ok(module) => module,
        Err(error) => return Some(error.emit_to_string(&stitched)),
    };
    let flags = naga::valid::ValidationFlags::all();
    if let Err(error) =
        naga::valid::Validator::new(flags, naga::valid::Capabilities::empty()).validate(&module)
    {
        return Some(error.emit_to_string(&stitched));
    }
    let entry_points: Vec<&str> = module.entry_points.iter().map(|entry| entry.name.as_str()).collect();
    if entry_points != ["main"] {
        return Some(format!("entry points are {entry_points:?}, not just main"));
    }
    let first_binding = module
        .global_variables
        .iter()
        .find(|(_, variable)| variable.binding.as_ref().is_some_and(|at| (at.group, at.binding) == (0, 0)))
        .and_then(|(_, variable)| variable.name.clone());
    match first_binding.as_deref() {
        Some("params") => None,
        other => Some(format!("binding 0 is {other:?}, not params")),
    }
}

#[test]
fn every_shader_is_valid_and_has_one_entry_point_and_its_parameters_first() {
    let files = shader_files();
    assert!(!files.is_empty(), "no shader was found");
    let problems: Vec<String> = files
        .iter()
        .filter_map(|path| {
            let source = std::fs::read_to_string(path).expect("a shader can be read");
            problem(&source).map(|problem| format!("{}: {problem}", path.display()))
        })
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_broken_shader_is_found() {
    let good = "@group(0) @binding(0) var<uniform> params: u32;\n@compute @workgroup_size(1) fn main() { _ = params; }";
    assert_eq!(problem(good), None);
    for broken in [
        good.replace("fn main", "fn other"),
        good.replace("@binding(0)", "@binding(1)"),
        good.replace("u32", "u23"),
        good.replace("_ = params;", "let sum: u32 = params + 1.5;"),
        good.replace("var<uniform>", "var<storage, read_write>")
            .replace("_ = params;", "_ = workgroupBarrier();"),
        format!("#import nothing\n{good}"),
    ] {
        assert!(problem(&broken).is_some(), "{broken}");
    }
}

#[test]
fn every_shader_belongs_to_a_kernel_and_is_what_the_kernel_compiles() {
    let registered: HashMap<&str, &str> = kernels::ALL
        .iter()
        .flat_map(|kernel| kernel.shaders)
        .map(|shader| (shader.name, shader.source))
        .collect();
    let files = shader_files();
    assert_eq!(files.len(), registered.len(), "each shader belongs to a kernel");
    for path in files {
        let stem = path.file_stem().expect("a shader has a name").to_string_lossy().into_owned();
        let source = std::fs::read_to_string(&path).expect("a shader can be read");
        assert_eq!(registered.get(stem.as_str()), Some(&source.as_str()), "{}", path.display());
    }
}
