// Counting grey values; the definition is engine/src/kernels/histogram/mod.rs.
//
// One invocation counts the pixels of one word.

#import pixels

struct Params {
    row_words: u32, // words of one row
    rows: u32,
    columns: u32, // pixels of one row
    unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>;

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.row_words || id.y >= params.rows) {
        return;
    }
    let per_word = 32u / BITS;
    let word = source[id.y * params.row_words + id.x];
    for (var index = 0u; index < per_word && id.x * per_word + index < params.columns; index++) {
        atomicAdd(&counts[pixel(word, index)], 1u);
    }
}
