// A list of the maxima from a threshold on, in no order; the definition is
// engine/src/kernels/alignment/mod.rs.

#import maxima

struct List {
    count: atomic<u32>, // also of those that have no room
    unused: u32,
    entries: array<vec2<u32>>, // index and bits of the score
}

@group(0) @binding(2) var<storage, read_write> list: List;

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!is_maximum(id.x, id.y)) {
        return;
    }
    let at = id.y * params.columns + id.x;
    let score = scores[at];
    if (score >= params.threshold) {
        let entry = atomicAdd(&list.count, 1u);
        if (entry < params.capacity) {
            list.entries[entry] = vec2<u32>(at, bitcast<u32>(score));
        }
    }
}
