// The transform of a correlation, reference · conj(target); the definition is
// engine/src/kernels/alignment/mod.rs.

#import complex

struct Params {
    width: u32,
    height: u32,
    unused_0: u32,
    unused_1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> reference: array<vec2<f32>>;
// `target` is a word that WGSL keeps for itself.
@group(0) @binding(2) var<storage, read> moved: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> output: array<vec2<f32>>;

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.width || id.y >= params.height) {
        return;
    }
    let at = id.y * params.width + id.x;
    output[at] = times(reference[at], conjugate(moved[at]));
}
