// Halving a label image by 2×2 majorities; the definition is engine/src/kernels/downsample/mod.rs.
//
// One invocation makes one word of output: 4 labels of 8 bits, 2 of 16 bits or 1 of 32 bits.

#import pixels

struct Params {
    source_words: u32, // words of one input row
    source_rows: u32,
    output_words: u32, // words of one output row
    output_rows: u32,
    source_columns: u32, // pixels of one input row
    output_columns: u32,
    unused_0: u32,
    unused_1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;

// A pixel beyond the edge repeats the last one, which changes no majority.
fn label_at(x: u32, y: u32) -> u32 {
    let column = min(x, params.source_columns - 1u);
    let row = min(y, params.source_rows - 1u);
    let per_word = 32u / BITS;
    return pixel(source[row * params.source_words + column / per_word], column % per_word);
}

fn mode(a: u32, b: u32, c: u32, d: u32) -> u32 {
    if (a == b || a == c || a == d) {
        return a;
    }
    if (b == c || b == d) {
        return b;
    }
    return select(a, c, c == d);
}

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.output_words || id.y >= params.output_rows) {
        return;
    }
    let per_word = 32u / BITS;
    let first = id.x * per_word;
    let y = 2u * id.y;
    var word = 0u;
    for (var index = 0u; index < per_word && first + index < params.output_columns; index++) {
        let x = 2u * (first + index);
        let label = mode(label_at(x, y), label_at(x + 1u, y), label_at(x, y + 1u), label_at(x + 1u, y + 1u));
        word |= label << (index * BITS);
    }
    output[id.y * params.output_words + id.x] = word;
}
