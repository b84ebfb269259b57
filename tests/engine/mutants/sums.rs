//! Faults of `illumination_sums.wgsl`.

use super::{Fault, fault};

/// Of all of it.
pub const SUMS: &[Fault] = &[
    fault("carry lost", "select(0u, 1u, lower < low)", "0u"),
    fault("carry where there is none", "lower < low)", "lower <= low)"),
    fault("upper word of a sum lost", "sum.y + high +", "high +"),
    fault("upper word of a number lost", "sum.y + high +", "sum.y +"),
    fault("halves of a number overlap", "value >> 16u", "value >> 15u"),
    fault("a bit of the lower half lost", "value & 0xffffu", "value & 0x7fffu"),
    fault("middle term once", "2u * a * b", "a * b"),
    fault("middle term without its upper half", "middle >> 16u", "0u"),
    fault("middle term shifted too little", "middle << 16u", "middle << 15u"),
    fault("squares of the upper half lost", "vec2<u32>(b * b, a * a)", "vec2<u32>(b * b, 0u)"),
    fault("last image left out", "image < params.images", "image + 1u < params.images"),
    fault("first image left out", "var image = 0u;", "var image = 1u;"),
    fault("first image for all", "source[image * params.words + at]", "source[at]"),
    fault("images one word too close", "image * params.words", "image * (params.words - 1u)"),
    fault(
        "black and 1 count like 2",
        "sum = add(sum, logarithm, 0u)",
        "sum = add(sum, max(logarithm, 315653u), 0u)",
    ),
    fault("logarithms one step too large", "let logarithm = logarithms[", "let logarithm = 1u + logarithms["),
    fault(
        "pixels of a word exchanged",
        "sums[at * per_word + index]",
        "sums[at * per_word + per_word - 1u - index]",
    ),
    fault("sums of words overlap", "sums[at * per_word + index]", "sums[at + index]"),
    fault("sums and squares exchanged", "vec4<u32>(sum, squares)", "vec4<u32>(squares, sum)"),
    fault("words of two pixels, whatever the depth", "let per_word = 32u / BITS;", "let per_word = 2u;"),
    fault("last word not written", "at >= params.words", "at + 1u >= params.words"),
    fault("one column not written", "id.x >= params.columns", "id.x == 3u"),
    fault("last column of the dispatch not written", "id.x >= params.columns", "id.x + 1u >= params.columns"),
    fault("rows of the dispatch overlap", "id.y * params.columns", "id.y * (params.columns / 2u)"),
    fault("second row of the dispatch not written", "at >= params.words", "at >= params.words || id.y == 1u"),
];
