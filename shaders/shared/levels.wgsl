// Up to four halvings of an image in one dispatch. The shader that imports this imports `pixels` too
// and defines `reduce`, the rule on 2×2 pixels. Pixels beyond the right and bottom edge are 0.
//
// A workgroup makes what 64×64 pixels become at every level, each level from the rounded values of the
// one before. After four halvings four pixels of a row are left, which fill at least one word: no two
// workgroups write to the same one.

const BLOCK: u32 = 64u;
const INVOCATIONS: u32 = 256u;

struct Level {
    start: u32, // of this level in the output, in words
    words: u32, // words of one row
    rows: u32,
    unused: u32,
}

struct Params {
    source_start: u32, // in words
    source_words: u32, // words of one row
    source_rows: u32,
    levels: u32,
    outputs: array<Level, 4>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;

// Pixels of the odd and of the even levels of this block, one in each word.
var<workgroup> odd: array<u32, 1024>;
var<workgroup> even: array<u32, 256>;

fn source_word(x: u32, y: u32) -> u32 {
    if (x >= params.source_words || y >= params.source_rows) {
        return 0u;
    }
    return source[params.source_start + y * params.source_words + x];
}

// The pixel of the first level at a position of the block.
fn first_level(block: vec2<u32>, x: u32, y: u32) -> u32 {
    let per_word = 32u / BITS;
    let column = block.x * BLOCK + 2u * x;
    let row = block.y * BLOCK + 2u * y;
    let top = source_word(column / per_word, row);
    let bottom = source_word(column / per_word, row + 1u);
    let left = column % per_word;
    return reduce(pixel(top, left), pixel(top, left + 1u), pixel(bottom, left), pixel(bottom, left + 1u));
}

// The pixel of a later level, whose block has `side` pixels, from the level before.
fn next_level(level: u32, side: u32, x: u32, y: u32) -> u32 {
    let at = 2u * y * (2u * side) + 2u * x;
    if (level % 2u == 1u) {
        return reduce(odd[at], odd[at + 1u], odd[at + 2u * side], odd[at + 2u * side + 1u]);
    }
    return reduce(even[at], even[at + 1u], even[at + 2u * side], even[at + 2u * side + 1u]);
}

@compute @workgroup_size(256, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let per_word = 32u / BITS;
    var side = BLOCK;
    for (var level = 0u; level < params.levels; level++) {
        side /= 2u;
        let words = side / per_word;
        let target_level = params.outputs[level];
        for (var index = local; index < words * side; index += INVOCATIONS) {
            let x = index % words;
            let y = index / words;
            var word = 0u;
            for (var nth = 0u; nth < per_word; nth++) {
                let column = x * per_word + nth;
                var value = 0u;
                if (level == 0u) {
                    value = first_level(group.xy, column, y);
                } else {
                    value = next_level(level, side, column, y);
                }
                if (level % 2u == 0u) {
                    odd[y * side + column] = value;
                } else {
                    even[y * side + column] = value;
                }
                word = insertBits(word, value, nth * BITS, BITS);
            }
            let output_word = group.x * words + x;
            let output_row = group.y * side + y;
            if (output_word < target_level.words && output_row < target_level.rows) {
                output[target_level.start + output_row * target_level.words + output_word] = word;
            }
        }
        workgroupBarrier();
    }
}
