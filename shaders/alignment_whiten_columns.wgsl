// The first half of whitening: clipped pixels, filtered along columns; the definition is
// engine/src/kernels/alignment/mod.rs.

#import pixels
#import reflect

struct Params {
    source_words: u32, // words of one input row
    height: u32,
    width: u32,
    radius: u32,
    limit: u32, // what brighter pixels count as
    least: u32, // what is subtracted
    scale: f32,
    unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// Of each tap from -radius to radius: of the Gaussian, and of its second derivative.
@group(0) @binding(1) var<storage, read> taps: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> source: array<u32>;
// Smoothed, and the second derivative.
@group(0) @binding(3) var<storage, read_write> output: array<vec2<f32>>;

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.width || id.y >= params.height) {
        return;
    }
    let per_word = 32u / BITS;
    var sum = vec2<f32>(0.0);
    for (var tap = 0u; tap <= 2u * params.radius; tap++) {
        let row = reflected(id.y + tap, params.radius, params.height);
        let pixels = source[row * params.source_words + id.x / per_word];
        let value = min(pixel(pixels, id.x % per_word), params.limit) - params.least;
        sum += taps[tap] * f32(value);
    }
    output[id.y * params.width + id.x] = sum * params.scale;
}
