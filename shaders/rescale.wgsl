// Stretching grey values to 8 bits; the definition is engine/src/kernels/rescale/mod.rs.
//
// One invocation makes one word of output: 4 pixels from one word of 8-bit or two of 16-bit input.

#import pixels

struct Params {
    source_words: u32, // words of one input row
    output_words: u32, // words of one output row
    rows: u32,
    lower: u32,
    span: u32, // upper - lower - 1
    unused_0: u32,
    unused_1: u32,
    unused_2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;

fn stretch(value: u32) -> u32 {
    if (value <= params.lower) {
        return 0u;
    }
    if (params.span == 0u) {
        return 255u;
    }
    return 255u * min(value - params.lower, params.span) / params.span;
}

fn source_word(x: u32, y: u32) -> u32 {
    if (x >= params.source_words) {
        return 0u;
    }
    return source[y * params.source_words + x];
}

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.output_words || id.y >= params.rows) {
        return;
    }
    var word = 0u;
    if (BITS == 16u) {
        let left = source_word(2u * id.x, id.y);
        let right = source_word(2u * id.x + 1u, id.y);
        word = stretch(pixel(left, 0u)) | (stretch(pixel(left, 1u)) << 8u)
            | (stretch(pixel(right, 0u)) << 16u) | (stretch(pixel(right, 1u)) << 24u);
    } else {
        let four = source_word(id.x, id.y);
        word = stretch(pixel(four, 0u)) | (stretch(pixel(four, 1u)) << 8u)
            | (stretch(pixel(four, 2u)) << 16u) | (stretch(pixel(four, 3u)) << 24u);
    }
    output[id.y * params.output_words + id.x] = word;
}
