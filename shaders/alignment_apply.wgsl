// Moving a window of an image by whole pixels; the definition is engine/src/kernels/alignment/mod.rs.
//
// One invocation gathers one word of output from the pixels that go there; the others are 0.

#import pixels

struct Params {
    source_words: u32, // words of one input row
    source_rows: u32,
    output_words: u32, // words of one output row
    output_rows: u32,
    y: u32, // output row that the first input row goes to
    x: u32, // output column that the first column of the window goes to
    source_x: u32, // first column of the window
    columns: u32, // of the window
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.output_words || id.y >= params.output_rows) {
        return;
    }
    let per_word = 32u / BITS;
    var word = 0u;
    // Positions before the window wrap to numbers beyond it.
    let row = id.y - params.y;
    for (var index = 0u; index < per_word && row < params.source_rows; index++) {
        let column = id.x * per_word + index - params.x;
        if (column < params.columns) {
            let source_column = params.source_x + column;
            let pixels = source[row * params.source_words + source_column / per_word];
            word |= pixel(pixels, source_column % per_word) << (index * BITS);
        }
    }
    output[id.y * params.output_words + id.x] = word;
}
