//! WGSL sources, and the one thing that is done to them: `#import name` lines are replaced by
//! the fragment of that name.

use crate::error::{EngineError, Result};

/// A shader: one entry point, `main`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shader {
    /// Name of its file in `shaders/`, without the ending.
    pub name: &'static str,
    /// WGSL before stitching.
    pub source: &'static str,
}

/// The [`Shader`] of a name.
macro_rules! shader {
    ($name:literal) => {
        $crate::shader::Shader {
            name: $name,
            source: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../shaders/", $name, ".wgsl")),
        }
    };
}
pub(crate) use shader;

/// Fragments that shaders may import, by name: the files of `shaders/shared`.
pub const FRAGMENTS: &[(&str, &str)] = &[
    ("complex", include_str!("../../shaders/shared/complex.wgsl")),
    ("halving", include_str!("../../shaders/shared/halving.wgsl")),
    ("illumination", include_str!("../../shaders/shared/illumination.wgsl")),
    ("label_band", include_str!("../../shaders/shared/label_band.wgsl")),
    ("levels", include_str!("../../shaders/shared/levels.wgsl")),
    ("maxima", include_str!("../../shaders/shared/maxima.wgsl")),
    ("pixels", include_str!("../../shaders/shared/pixels.wgsl")),
    ("reflect", include_str!("../../shaders/shared/reflect.wgsl")),
    ("scan", include_str!("../../shaders/shared/scan.wgsl")),
    ("shading", include_str!("../../shaders/shared/shading.wgsl")),
    ("sums", include_str!("../../shaders/shared/sums.wgsl")),
];

/// Replaces every `#import name` line of a shader by its fragment, once each.
///
/// # Errors
/// [`EngineError::Device`] when a fragment does not exist: better than a shader without it.
pub fn stitch(source: &str) -> Result<String> {
    let mut stitched = String::with_capacity(2 * source.len());
    let mut imported = Vec::new();
    for line in source.lines() {
        let Some(name) = line.trim().strip_prefix("#import ").map(str::trim) else {
            stitched.push_str(line);
            stitched.push('\n');
            continue;
        };
        if imported.contains(&name) {
            continue;
        }
        let fragment = FRAGMENTS.iter().find(|(fragment, _)| *fragment == name);
        let (_, text) = fragment
            .ok_or_else(|| EngineError::Device(format!("shader imports unknown fragment {name:?}")))?;
        stitched.push_str(text);
        imported.push(name);
    }
    Ok(stitched)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_replaced_once_and_an_unknown_one_is_an_error() {
        let stitched = stitch("#import pixels\n#import pixels\nfn f() {}\n").expect("the fragment exists");
        assert_eq!(stitched.matches("override BITS").count(), 1);
        assert!(stitched.ends_with("fn f() {}\n") && !stitched.contains("#import"));
        assert!(stitch("#import nothing\n").is_err());
    }
}
