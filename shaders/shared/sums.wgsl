// Sums over the invocations of a workgroup of 64×4, always in the same order.

// Rows of one workgroup: each invocation adds up every fourth of them.
const SUM_ROWS: u32 = 64u;

var<workgroup> shared_sums: array<vec3<f32>, 256>;

// The sum of `value` over the workgroup, for the invocation of index 0; the others get some part.
fn workgroup_sum(local: u32, value: vec3<f32>) -> vec3<f32> {
    shared_sums[local] = value;
    for (var half = 128u; half > 0u; half >>= 1u) {
        workgroupBarrier();
        if (local < half) {
            shared_sums[local] += shared_sums[local + half];
        }
    }
    return shared_sums[local];
}
