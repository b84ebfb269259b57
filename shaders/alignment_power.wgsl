// Sums over two power spectra: of their product, and of each; the definition is
// engine/src/kernels/alignment/mod.rs.

#import sums

struct Params {
    height: u32,
    width: u32,
    unused_0: u32,
    unused_1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> reference: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> moved: array<vec2<f32>>;
// One of each workgroup.
@group(0) @binding(3) var<storage, read_write> sums: array<vec4<f32>>;

@compute @workgroup_size(64, 4, 1)
fn main(
    @builtin(local_invocation_id) local_id: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let column = workgroup.x * 64u + local_id.x;
    var sum = vec3<f32>(0.0);
    for (var index = local_id.y; index < SUM_ROWS; index += 4u) {
        let row = workgroup.y * SUM_ROWS + index;
        if (row < params.height && column < params.width) {
            let r = reference[row * params.width + column];
            let t = moved[row * params.width + column];
            let powers = vec2<f32>(dot(r, r), dot(t, t));
            sum += vec3<f32>(powers.x * powers.y, powers);
        }
    }
    sum = workgroup_sum(local, sum);
    if (local == 0u) {
        sums[workgroup.y * workgroups.x + workgroup.x] = vec4<f32>(sum, 0.0);
    }
}
