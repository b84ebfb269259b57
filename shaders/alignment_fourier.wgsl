// One pass of a Fourier transform of many lines; the definition is
// engine/src/kernels/alignment/mod.rs.
//
// Stockham's order (Govindaraju et al., High performance discrete Fourier transforms on graphics
// processors, 2008): a pass of radix R turns transforms of `span` values, of which R belong together,
// into transforms of R·span values. Nothing is sorted. The passes of one line multiply to its length.
//
// One invocation makes R values of one line.

#import complex

override RADIX: u32 = 2u;

struct Params {
    count: u32, // length of a line / RADIX
    lines: u32,
    line_stride: u32, // from line to line
    stride: u32, // from value to value
    span: u32,
    turn: u32, // length of a line / (RADIX · span)
    across: u32, // 1 where neighbouring invocations take neighbouring lines
    inverse: u32, // 1 for the inverse transform
}

@group(0) @binding(0) var<uniform> params: Params;
// exp(-2πi·k / length) for k < length.
@group(0) @binding(1) var<storage, read> turns: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> source: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> output: array<vec2<f32>>;

const SINE_60: f32 = 0.8660254;
const SINE_72: f32 = 0.95105654;
const SINE_144: f32 = 0.58778524;
const COSINE_72: f32 = 0.309017;
const COSINE_144: f32 = -0.809017;
const ROOT_HALF: f32 = 0.70710677;

// A quarter turn in the direction of the transform.
fn quarter(value: vec2<f32>) -> vec2<f32> {
    return select(vec2<f32>(value.y, -value.x), vec2<f32>(-value.y, value.x), params.inverse == 1u);
}

fn turned(value: vec2<f32>, index: u32) -> vec2<f32> {
    let turn = turns[index];
    return times(value, vec2<f32>(turn.x, select(turn.y, -turn.y, params.inverse == 1u)));
}

fn transform_4(a: vec2<f32>, b: vec2<f32>, c: vec2<f32>, d: vec2<f32>) -> array<vec2<f32>, 4> {
    let even = a + c;
    let odd = b + d;
    let even_rest = a - c;
    let odd_rest = quarter(b - d);
    return array<vec2<f32>, 4>(even + odd, even_rest + odd_rest, even - odd, even_rest - odd_rest);
}

fn transform(v: array<vec2<f32>, 8>) -> array<vec2<f32>, 8> {
    var result: array<vec2<f32>, 8>;
    if (RADIX == 2u) {
        result[0] = v[0] + v[1];
        result[1] = v[0] - v[1];
    } else if (RADIX == 3u) {
        let sum = v[1] + v[2];
        let middle = v[0] - 0.5 * sum;
        let side = SINE_60 * quarter(v[1] - v[2]);
        result[0] = v[0] + sum;
        result[1] = middle + side;
        result[2] = middle - side;
    } else if (RADIX == 4u) {
        let four = transform_4(v[0], v[1], v[2], v[3]);
        result[0] = four[0];
        result[1] = four[1];
        result[2] = four[2];
        result[3] = four[3];
    } else if (RADIX == 5u) {
        let outer = v[1] + v[4];
        let inner = v[2] + v[3];
        let outer_rest = v[1] - v[4];
        let inner_rest = v[2] - v[3];
        let first = v[0] + COSINE_72 * outer + COSINE_144 * inner;
        let second = v[0] + COSINE_144 * outer + COSINE_72 * inner;
        let first_side = quarter(SINE_72 * outer_rest + SINE_144 * inner_rest);
        let second_side = quarter(SINE_144 * outer_rest - SINE_72 * inner_rest);
        result[0] = v[0] + outer + inner;
        result[1] = first + first_side;
        result[2] = second + second_side;
        result[3] = second - second_side;
        result[4] = first - first_side;
    } else {
        let even = transform_4(v[0], v[2], v[4], v[6]);
        let odd = transform_4(v[1], v[3], v[5], v[7]);
        let turned = array<vec2<f32>, 4>(
            odd[0],
            ROOT_HALF * (odd[1] + quarter(odd[1])),
            quarter(odd[2]),
            ROOT_HALF * (quarter(odd[3]) - odd[3]),
        );
        for (var index = 0u; index < 4u; index++) {
            result[index] = even[index] + turned[index];
            result[index + 4u] = even[index] - turned[index];
        }
    }
    return result;
}

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let line = select(id.y, id.x, params.across == 1u);
    let at = select(id.x, id.y, params.across == 1u);
    if (line >= params.lines || at >= params.count) {
        return;
    }
    let start = line * params.line_stride;
    let within = at % params.span;
    var values: array<vec2<f32>, 8>;
    for (var index = 0u; index < RADIX; index++) {
        let value = source[start + (at + index * params.count) * params.stride];
        values[index] = turned(value, index * within * params.turn);
    }
    values = transform(values);
    let first = (at - within) * RADIX + within;
    for (var index = 0u; index < RADIX; index++) {
        output[start + (first + index * params.span) * params.stride] = values[index];
    }
}
