// Correcting shading by two planes. The shader that imports this imports `pixels` too and defines
// `correct(value, first, second)`, the corrected value of a pixel from its values in the planes,
// which may exceed the maximum of the depth.
//
// One invocation corrects one word of several images: the planes are read once for all of them.

struct Params {
    columns: u32, // pixels of one row
    row_words: u32, // words of one row of an image
    rows: u32,
    images: u32,
    maximum: u32, // of the depth
    unused_0: u32,
    unused_1: u32,
    unused_2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> first_plane: array<f32>;
@group(0) @binding(2) var<storage, read> second_plane: array<f32>;
@group(0) @binding(3) var<storage, read> source: array<u32>;
@group(0) @binding(4) var<storage, read_write> output: array<u32>;

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.row_words || id.y >= params.rows) {
        return;
    }
    let per_word = 32u / BITS;
    let column = id.x * per_word;
    var first = vec4<f32>(0.0);
    var second = vec4<f32>(0.0);
    for (var index = 0u; index < per_word && column + index < params.columns; index++) {
        first[index] = first_plane[id.y * params.columns + column + index];
        second[index] = second_plane[id.y * params.columns + column + index];
    }
    for (var image = 0u; image < params.images; image++) {
        let at = (image * params.rows + id.y) * params.row_words + id.x;
        let pixels = source[at];
        var word = 0u;
        for (var index = 0u; index < per_word && column + index < params.columns; index++) {
            let corrected = min(correct(pixel(pixels, index), first[index], second[index]), params.maximum);
            word |= corrected << (index * BITS);
        }
        output[at] = word;
    }
}
