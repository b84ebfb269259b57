// Sums of logarithms over images and of their squares; the definition is
// engine/src/kernels/illumination/mod.rs.
//
// Images are taken as one run of pixels; one invocation sums one word of all of them. There are no
// 64-bit integers here: a sum is two words, the upper one counting the carries of the lower one.

#import pixels

struct Params {
    words: u32, // words of one image
    images: u32,
    columns: u32, // invocations of one row of the dispatch
    unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// rint(log10(value) · 2^20) of every value, 0 for 0: less than 2^23.
@group(0) @binding(1) var<storage, read> logarithms: array<u32>;
@group(0) @binding(2) var<storage, read> source: array<u32>;
// Of each pixel: sum (lower word, upper word), sum of squares (lower, upper).
@group(0) @binding(3) var<storage, read_write> sums: array<vec4<u32>>;

// A sum of two words and a number of two words.
fn add(sum: vec2<u32>, low: u32, high: u32) -> vec2<u32> {
    let lower = sum.x + low;
    return vec2<u32>(lower, sum.y + high + select(0u, 1u, lower < low));
}

// value² for value < 2^23, by halves: (a·2^16 + b)² = a²·2^32 + 2ab·2^16 + b².
fn square(value: u32) -> vec2<u32> {
    let a = value >> 16u;
    let b = value & 0xffffu;
    let middle = 2u * a * b;
    return add(vec2<u32>(b * b, a * a), middle << 16u, middle >> 16u);
}

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.y * params.columns + id.x;
    if (id.x >= params.columns || at >= params.words) {
        return;
    }
    let per_word = 32u / BITS;
    for (var index = 0u; index < per_word; index++) {
        var sum = vec2<u32>(0u);
        var squares = vec2<u32>(0u);
        for (var image = 0u; image < params.images; image++) {
            let logarithm = logarithms[pixel(source[image * params.words + at], index)];
            let squared = square(logarithm);
            sum = add(sum, logarithm, 0u);
            squares = add(squares, squared.x, squared.y);
        }
        sums[at * per_word + index] = vec4<u32>(sum, squares);
    }
}
