//! Faults of `downsample.wgsl`, `downsample_max.wgsl` and `shared/halving.wgsl`; the rules are those of
//! `downsample_levels.wgsl` and `downsample_levels_max.wgsl`, too.

use super::{Fault, fault};

/// Of the rule of `downsample`.
pub const MEAN: &[Fault] = &[
    fault("means rounded down", "(a + b + c + d + 2u)", "(a + b + c + d)"),
    fault("ties of means rounded down", "(a + b + c + d + 2u)", "(a + b + c + d + 1u)"),
    fault("means rounded up", "(a + b + c + d + 2u)", "(a + b + c + d + 3u)"),
    fault(
        "ties of means rounded to even",
        "(a + b + c + d + 2u)",
        "(a + b + c + d + 1u + (((a + b + c + d) >> 2u) & 1u))",
    ),
    fault("carry of a sum lost", "(a + b + c + d + 2u)", "((a + b + c + d + 2u) & 0xffffu)"),
    fault("upper left pixel twice", "(a + b + c + d + 2u)", "(a + a + c + d + 2u)"),
    fault("lower right pixel left out", "(a + b + c + d + 2u)", "(a + b + c + c + 2u)"),
];

/// Of the rule of `downsample_max`.
pub const MAX: &[Fault] = &[
    fault("lower row left out", "max(max(a, b), max(c, d))", "max(a, b)"),
    fault("upper left pixel left out", "max(max(a, b), max(c, d))", "max(b, max(c, d))"),
    fault("lower right pixel left out", "max(max(a, b), max(c, d))", "max(max(a, b), c)"),
    fault("minimum of the lower row", "max(max(a, b), max(c, d))", "max(max(a, b), min(c, d))"),
    fault("minimum of the maxima", "max(max(a, b), max(c, d))", "min(max(a, b), max(c, d))"),
    fault(
        "brightest value of 8 bits wraps to black",
        "max(max(a, b), max(c, d))",
        "max(max(a, b), max(c, d)) % 0xffu",
    ),
];

/// Of the bottom edge, for means only: to a maximum a black row and one seen already are the same.
pub const EDGE: &[Fault] = &[fault(
    "odd bottom edge repeats the last row",
    " || y >= params.source_rows) {\n        return 0u;\n    }\n    return source[y *",
    ") {\n        return 0u;\n    }\n    return source[min(y, params.source_rows - 1u) *",
)];

/// Of what both share.
pub const HALVING: &[Fault] = &[
    fault("first input row left out", "let y = 2u * id.y;", "let y = 2u * id.y + 1u;"),
    fault("input rows overlap", "let y = 2u * id.y;", "let y = id.y;"),
    fault("input words overlap", "let x = 2u * id.x;", "let x = id.x;"),
    fault("input word off by one", "source_words + x];", "source_words + x + 1u];"),
    fault("input rows of the output's width", "[y * params.source_words", "[y * params.output_words"),
    fault("upper row of a left word twice", "source_word(x, y + 1u)", "source_word(x, y)"),
    fault("upper row of a right word twice", "source_word(x + 1u, y + 1u)", "source_word(x + 1u, y)"),
    fault("upper half of a word repeats the lower one", "(right << 16u)", "(left << 16u)"),
    fault("upper half of a word black", "left | (right << 16u)", "left"),
    fault("8 bits: second pixel in the wrong place", "2u) << 8u)", "2u) << 16u)"),
    fault("8 bits: second pixel from the wrong columns", "bottom, 2u)", "bottom, 1u)"),
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
    fault("last row not written", "id.y >= params.output_rows", "id.y + 1u >= params.output_rows"),
    fault("rows beyond the first workgroup not written", "id.y >= params.output_rows", "id.y >= 4u"),
    fault(
        "last row of a band not written",
        "    output[id.y",
        "    if (params.source_rows == 4u && id.y == 1u) {\n        return;\n    }\n    output[id.y",
    ),
    fault("output rows of the input's width", "id.y * params.output_words", "id.y * params.source_words"),
];
