// A whitened plane times a window as complex numbers, zeros below and to the right of it; the
// definition is engine/src/kernels/alignment/mod.rs.

struct Params {
    height: u32,
    width: u32,
    padded_height: u32,
    padded_width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> row_window: array<f32>;
@group(0) @binding(2) var<storage, read> column_window: array<f32>;
@group(0) @binding(3) var<storage, read> source: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<vec2<f32>>;

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.padded_width || id.y >= params.padded_height) {
        return;
    }
    var value = 0.0;
    if (id.x < params.width && id.y < params.height) {
        value = source[id.y * params.width + id.x] * row_window[id.y] * column_window[id.x];
    }
    output[id.y * params.padded_width + id.x] = vec2<f32>(value, 0.0);
}
