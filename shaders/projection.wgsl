// Maximum projection; the definition is engine/src/kernels/projection/mod.rs.
//
// Planes lie one after the other; one invocation makes one word of output from one word of each.

#import pixels

struct Params {
    words: u32, // words of one plane
    planes: u32,
    columns: u32, // invocations of one row of the dispatch
    unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.y * params.columns + id.x;
    if (id.x >= params.columns || at >= params.words) {
        return;
    }
    let per_word = 32u / BITS;
    var word = source[at];
    for (var plane = 1u; plane < params.planes; plane++) {
        let other = source[plane * params.words + at];
        for (var index = 0u; index < per_word; index++) {
            let value = max(pixel(word, index), pixel(other, index));
            word = insertBits(word, value, index * BITS, BITS);
        }
    }
    output[at] = word;
}
