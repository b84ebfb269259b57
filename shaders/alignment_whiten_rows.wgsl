// The second half of whitening: the sum of the second derivatives along both axes; the definition is
// engine/src/kernels/alignment/mod.rs.

#import reflect

struct Params {
    height: u32,
    width: u32,
    radius: u32,
    unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> taps: array<vec2<f32>>;
// Along columns: smoothed, and the second derivative.
@group(0) @binding(2) var<storage, read> source: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.width || id.y >= params.height) {
        return;
    }
    var sum = 0.0;
    for (var tap = 0u; tap <= 2u * params.radius; tap++) {
        let column = reflected(id.x + tap, params.radius, params.width);
        let weights = taps[tap];
        let value = source[id.y * params.width + column];
        sum += weights.y * value.x + weights.x * value.y;
    }
    output[id.y * params.width + id.x] = sum;
}
