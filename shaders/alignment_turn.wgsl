// The inverse transform of each column at positions between rows; the definition is
// engine/src/kernels/alignment/mod.rs.

#import complex

struct Params {
    height: u32, // of the spectrum
    width: u32,
    columns: u32, // those that are wanted
    positions: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// exp(2πi·frequency·position): those of a row for all positions, row after row.
@group(0) @binding(1) var<storage, read> turns: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> spectrum: array<vec2<f32>>;
// A row for each position.
@group(0) @binding(3) var<storage, read_write> output: array<vec2<f32>>;

// Rows that are added up apart, so that sums of thousands keep their digits.
const BLOCK: u32 = 64u;

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.columns || id.y >= params.positions) {
        return;
    }
    var sum = vec2<f32>(0.0);
    for (var first = 0u; first < params.height; first += BLOCK) {
        var part = vec2<f32>(0.0);
        for (var row = first; row < min(first + BLOCK, params.height); row++) {
            let value = spectrum[row * params.width + id.x];
            part += times(value, turns[row * params.positions + id.y]);
        }
        sum += part;
    }
    output[id.y * params.columns + id.x] = sum;
}
