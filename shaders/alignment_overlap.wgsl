// Sums of products of two planes where they overlap after each of several shifts; the definition is
// engine/src/kernels/alignment/mod.rs.

#import sums

struct Params {
    width: u32, // of both planes
    unused_0: u32,
    unused_1: u32,
    unused_2: u32,
}

struct Overlap {
    rows: u32,
    columns: u32,
    reference_y: u32, // where it begins in the reference
    reference_x: u32,
    moved_y: u32, // where it begins in the target
    moved_x: u32,
    unused_0: u32,
    unused_1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> overlaps: array<Overlap>;
@group(0) @binding(2) var<storage, read> reference: array<f32>;
@group(0) @binding(3) var<storage, read> moved: array<f32>;
// Of each shift, one of each workgroup: Σ r·t, Σ r², Σ t².
@group(0) @binding(4) var<storage, read_write> sums: array<vec4<f32>>;

@compute @workgroup_size(64, 4, 1)
fn main(
    @builtin(local_invocation_id) local_id: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let overlap = overlaps[workgroup.z];
    let column = workgroup.x * 64u + local_id.x;
    var sum = vec3<f32>(0.0);
    for (var index = local_id.y; index < SUM_ROWS; index += 4u) {
        let row = workgroup.y * SUM_ROWS + index;
        if (row < overlap.rows && column < overlap.columns) {
            let r = reference[(overlap.reference_y + row) * params.width + overlap.reference_x + column];
            let t = moved[(overlap.moved_y + row) * params.width + overlap.moved_x + column];
            sum += vec3<f32>(r * t, r * r, t * t);
        }
    }
    sum = workgroup_sum(local, sum);
    if (local == 0u) {
        sums[(workgroup.z * workgroups.y + workgroup.y) * workgroups.x + workgroup.x] = vec4<f32>(sum, 0.0);
    }
}
