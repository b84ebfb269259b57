// Placing pixels on a canvas, corrected where asked; the definition is engine/src/kernels/tile/mod.rs.
//
// One invocation owns one word of the canvas; what the placement does not cover of it stays.

#import pixels
#import illumination

struct Params {
    canvas_words: u32, // words of one row of the canvas
    first_word: u32, // of a row of the canvas that the placement touches
    first_row: u32, // of the canvas that the placement touches
    words: u32, // of a row of the canvas that the placement touches
    rows: u32, // of the placement
    left: u32, // column of the canvas on which its first column falls
    columns: u32, // of the placement
    source_words: u32, // words of one row of the placement
    planes_start: u32, // where its first pixel lies in the planes of the correction
    planes_columns: u32, // pixels of one row of the planes
    is_corrected: u32,
    maximum: u32, // of the depth
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> exponents: array<f32>;
@group(0) @binding(2) var<storage, read> offsets: array<f32>;
@group(0) @binding(3) var<storage, read> source: array<u32>;
@group(0) @binding(4) var<storage, read_write> canvas: array<u32>;

fn value_at(row: u32, column: u32) -> u32 {
    let per_word = 32u / BITS;
    let value = pixel(source[row * params.source_words + column / per_word], column % per_word);
    if (params.is_corrected == 0u) {
        return value;
    }
    let at = params.planes_start + row * params.planes_columns + column;
    return min(correct(value, exponents[at], offsets[at]), params.maximum);
}

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.words || id.y >= params.rows) {
        return;
    }
    let at = (params.first_row + id.y) * params.canvas_words + params.first_word + id.x;
    let per_word = 32u / BITS;
    let first = (params.first_word + id.x) * per_word;
    var word = canvas[at];
    for (var index = 0u; index < per_word; index++) {
        let column = first + index;
        if (column >= params.left && column - params.left < params.columns) {
            word = insertBits(word, value_at(id.y, column - params.left), index * BITS, BITS);
        }
    }
    canvas[at] = word;
}
