// Halving an image by a rule on 2×2 pixels. The shader that imports this imports `pixels` too and
// defines `reduce`, the rule. Pixels beyond the right and bottom edge are 0.
//
// One invocation makes one word of output from two words of two input rows.

struct Params {
    source_words: u32, // words of one input row
    source_rows: u32,
    output_words: u32, // words of one output row
    output_rows: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;

fn source_word(x: u32, y: u32) -> u32 {
    if (x >= params.source_words || y >= params.source_rows) {
        return 0u;
    }
    return source[y * params.source_words + x];
}

fn reduce_at(top: u32, bottom: u32, first: u32) -> u32 {
    return reduce(pixel(top, first), pixel(top, first + 1u), pixel(bottom, first), pixel(bottom, first + 1u));
}

// Half a word of output from one word of each row.
fn halve(top: u32, bottom: u32) -> u32 {
    if (BITS == 16u) {
        return reduce_at(top, bottom, 0u);
    }
    return reduce_at(top, bottom, 0u) | (reduce_at(top, bottom, 2u) << 8u);
}

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.output_words || id.y >= params.output_rows) {
        return;
    }
    let x = 2u * id.x;
    let y = 2u * id.y;
    let left = halve(source_word(x, y), source_word(x, y + 1u));
    let right = halve(source_word(x + 1u, y), source_word(x + 1u, y + 1u));
    output[id.y * params.output_words + id.x] = left | (right << 16u);
}
