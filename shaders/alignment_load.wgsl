// Pixels less their mean as complex numbers, zeros below and to the right of them; the definition is
// engine/src/kernels/alignment/mod.rs.

#import pixels

struct Params {
    source_words: u32, // words of one input row
    height: u32,
    width: u32,
    mean: u32,
    padded_height: u32,
    padded_width: u32,
    unused_0: u32,
    unused_1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<vec2<f32>>;

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.padded_width || id.y >= params.padded_height) {
        return;
    }
    var value = 0.0;
    if (id.x < params.width && id.y < params.height) {
        let per_word = 32u / BITS;
        let pixels = source[id.y * params.source_words + id.x / per_word];
        value = f32(i32(pixel(pixels, id.x % per_word)) - i32(params.mean));
    }
    output[id.y * params.padded_width + id.x] = vec2<f32>(value, 0.0);
}
