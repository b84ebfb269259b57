//! Faults of `rescale.wgsl`.

use super::{Fault, fault};

/// Of all of it.
pub const RESCALE: &[Fault] = &[
    fault("value at the lower of two narrow limits white", "value <= params.lower", "value < params.lower"),
    fault("value above the lower limit black", "value <= params.lower", "value <= params.lower + 1u"),
    fault("narrow limits give black", "return 255u;", "return 0u;"),
    fault(
        "values above the upper limit not clamped",
        "min(value - params.lower, params.span)",
        "(value - params.lower)",
    ),
    fault(
        "values above the upper limit clamped after scaling, by wrapping",
        "255u * min(value - params.lower, params.span) / params.span",
        "(255u * (value - params.lower) / params.span) & 255u",
    ),
    fault(
        "rounded instead of truncated",
        "255u * min(value - params.lower, params.span) / params.span",
        "(255u * min(value - params.lower, params.span) + params.span / 2u) / params.span",
    ),
    fault("span one too long", "params.span) / params.span", "params.span) / (params.span + 1u)"),
    fault("white is 256", "255u * min", "256u * min"),
    fault("lower limit not taken off", "min(value - params.lower,", "min(value,"),
    fault("input rows of the output's width", "[y * params.source_words", "[y * params.output_words"),
    fault("16 bits: input words overlap", "source_word(2u * id.x, id.y)", "source_word(id.x, id.y)"),
    fault("16 bits: left word twice", "2u * id.x + 1u", "2u * id.x"),
    fault("16 bits: third pixel from the left word", "pixel(right, 0u)", "pixel(left, 0u)"),
    fault("16 bits: last pixel in the wrong place", "pixel(right, 1u)) << 24u", "pixel(right, 1u)) << 16u"),
    fault("16 bits: second pixel left out", " | (stretch(pixel(left, 1u)) << 8u)", ""),
    fault("8 bits: last pixel repeats the one before", "pixel(four, 3u)", "pixel(four, 2u)"),
    fault("8 bits: third pixel in the wrong place", "pixel(four, 2u)) << 16u", "pixel(four, 2u)) << 8u"),
    fault("8 bits taken for 16 and 16 for 8", "BITS == 16u", "BITS == 8u"),
    fault(
        "one column of words not written",
        "    output[id.y",
        "    if (id.x == 3u) {\n        return;\n    }\n    output[id.y",
    ),
    fault(
        "last word of a row not written",
        "id.x >= params.output_words",
        "id.x + 1u >= params.output_words",
    ),
    fault("last row not written", "id.y >= params.rows", "id.y + 1u >= params.rows"),
    fault(
        "last row of a band not written",
        "    output[id.y",
        "    if (params.rows == 4u && id.y == 3u) {\n        return;\n    }\n    output[id.y",
    ),
    fault("output rows of the input's width", "id.y * params.output_words", "id.y * params.source_words"),
];
