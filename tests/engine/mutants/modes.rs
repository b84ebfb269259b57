//! Faults of `downsample_mode.wgsl`.

use super::{Fault, fault};

/// Of all of it.
pub const MODE: &[Fault] = &[
    fault("odd right edge votes for black", "min(x, params.source_columns - 1u)", "x"),
    fault(
        "odd right edge votes for the pixel before",
        "min(x, params.source_columns - 1u)",
        "min(x, max(params.source_columns, 2u) - 2u)",
    ),
    fault(
        "odd bottom edge votes for the row before",
        "min(y, params.source_rows - 1u)",
        "min(y, max(params.source_rows, 2u) - 2u)",
    ),
    fault("last row votes for the first", "min(y, params.source_rows - 1u)", "y % params.source_rows"),
    fault("first pixel of a word for all", "column % per_word", "0u"),
    fault("words of two pixels, whatever the depth", "column / per_word", "column / 2u"),
    fault("upper left and lower right no majority", "a == b || a == c || a == d", "a == b || a == c"),
    fault("upper left and lower left no majority", "a == b || a == c || a == d", "a == b || a == d"),
    fault("right column no majority", "b == c || b == d", "b == c"),
    fault("rising diagonal no majority", "b == c || b == d", "b == d"),
    fault("lower row no majority", "select(a, c, c == d)", "a"),
    fault("the last of four different labels", "select(a, c, c == d)", "select(d, c, c == d)"),
    fault("the largest of four different labels", "select(a, c, c == d)", "select(max(a, d), c, c == d)"),
    fault(
        "labels without their upper half",
        "return pixel(source[row * params.source_words + column / per_word], column % per_word);",
        "return pixel(source[row * params.source_words + column / per_word], column % per_word) & 0xffffu;",
    ),
    fault("upper row twice", "label_at(x, y + 1u)", "label_at(x, y)"),
    fault("left column twice", "label_at(x + 1u, y)", "label_at(x, y)"),
    fault("input rows overlap", "let y = 2u * id.y;", "let y = id.y;"),
    fault("input columns overlap", "let x = 2u * (first + index);", "let x = first + index;"),
    fault("last pixel of a row black", "first + index < params", "first + index + 1u < params"),
    fault("labels 8 bits apart, whatever their depth", "label << (index * BITS)", "label << (index * 8u)"),
    fault("only the last label of a word kept", "word |= label", "word = label"),
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
    fault(
        "last row of a band not written",
        "    output[id.y",
        "    if (params.source_rows == 4u && id.y == 1u) {\n        return;\n    }\n    output[id.y",
    ),
];
