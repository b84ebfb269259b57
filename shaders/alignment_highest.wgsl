// The highest maximum of the scores of each workgroup; the definition is
// engine/src/kernels/alignment/mod.rs.

#import maxima

@group(0) @binding(2) var<storage, read_write> highest: array<f32>;

var<workgroup> shared_scores: array<f32, 256>;

@compute @workgroup_size(64, 4, 1)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    // The lowest number there is, where there is no maximum.
    var score = -3.4028234e38;
    if (is_maximum(id.x, id.y)) {
        score = scores[id.y * params.columns + id.x];
    }
    shared_scores[local] = score;
    for (var half = 128u; half > 0u; half >>= 1u) {
        workgroupBarrier();
        if (local < half) {
            shared_scores[local] = max(shared_scores[local], shared_scores[local + half]);
        }
    }
    if (local == 0u) {
        highest[workgroup.y * workgroups.x + workgroup.x] = shared_scores[0];
    }
}
