// Correcting uneven illumination; the definition is engine/src/kernels/illumination/mod.rs.
//
// One invocation corrects one word of several images: the planes of the correction are read once.
// Logarithm and power are the polynomials of engine/src/kernels/illumination/cpu.rs, where their
// coefficients are explained: those of devices lose half a digit that truncation turns into counts.

#import pixels

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
@group(0) @binding(1) var<storage, read> exponents: array<f32>;
@group(0) @binding(2) var<storage, read> offsets: array<f32>;
@group(0) @binding(3) var<storage, read> source: array<u32>;
@group(0) @binding(4) var<storage, read_write> output: array<u32>;

// Bits of the square root of ½: subtracting them rounds the exponent so that the mantissa is
// around 1.
const SQRT_HALF: u32 = 0x3f3504f3u;

// Binary logarithm of a whole number from 1 on: its whole part, and a rest between -½ and ½.
fn logarithm(value: u32) -> vec2<f32> {
    let shifted = bitcast<u32>(f32(value)) - SQRT_HALF;
    let whole = f32(bitcast<i32>(shifted) >> 23u);
    let t = bitcast<f32>((shifted & 0x007fffffu) + SQRT_HALF) - 1.0;
    var sum = 0.12541242;
    sum = fma(sum, t, -0.21030332);
    sum = fma(sum, t, 0.21737938);
    sum = fma(sum, t, -0.23851944);
    sum = fma(sum, t, 0.2876567);
    sum = fma(sum, t, -0.3607212);
    sum = fma(sum, t, 0.48092253);
    sum = fma(sum, t, -0.72134713);
    sum = fma(sum, t, 1.4426949);
    return vec2<f32>(whole, sum * t);
}

// exp2(exponent · logarithm + offset) for results from ½ to 2^16; anything smaller or larger gives
// some number below 1 or above 65535.
fn raise(log: vec2<f32>, exponent: f32, offset: f32) -> f32 {
    let power = clamp(fma(exponent, log.x + log.y, offset), -1.0, 17.0);
    let k = round(power);
    // The upper half of the digits times a number below 17 is exact, fused or not.
    let upper = bitcast<f32>(bitcast<u32>(exponent) & 0xfffff000u);
    let high = (upper * log.x - k) + (exponent - upper) * log.x;
    let fraction = clamp(fma(exponent, log.y, high + offset), -0.5, 0.5);
    var sum = 0.00015353362;
    sum = fma(sum, fraction, 0.0013398874);
    sum = fma(sum, fraction, 0.009618437);
    sum = fma(sum, fraction, 0.055503325);
    sum = fma(sum, fraction, 0.24022648);
    sum = fma(sum, fraction, 0.6931472);
    return ldexp(fma(sum, fraction, 1.0), i32(k));
}

fn correct(value: u32, exponent: f32, offset: f32) -> u32 {
    if (value == 0u || exponent < 0.0) {
        return value;
    }
    return min(u32(raise(logarithm(value), exponent, offset)), params.maximum);
}

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.row_words || id.y >= params.rows) {
        return;
    }
    let per_word = 32u / BITS;
    let first = id.x * per_word;
    // Beyond the row a pixel is 0 and stays 0.
    var exponent = vec4<f32>(0.0);
    var offset = vec4<f32>(0.0);
    for (var index = 0u; index < per_word && first + index < params.columns; index++) {
        exponent[index] = exponents[id.y * params.columns + first + index];
        offset[index] = offsets[id.y * params.columns + first + index];
    }
    for (var image = 0u; image < params.images; image++) {
        let at = (image * params.rows + id.y) * params.row_words + id.x;
        let pixels = source[at];
        var word = 0u;
        for (var index = 0u; index < per_word; index++) {
            word |= correct(pixel(pixels, index), exponent[index], offset[index]) << (index * BITS);
        }
        output[at] = word;
    }
}
