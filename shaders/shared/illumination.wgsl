// Correcting uneven illumination; the definition is engine/src/kernels/illumination/mod.rs.
//
// Logarithm and power are the polynomials of engine/src/kernels/illumination/cpu.rs, where their
// coefficients are explained: what a device has built in may lose digits that truncation turns into
// counts.

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
    return u32(raise(logarithm(value), exponent, offset));
}
