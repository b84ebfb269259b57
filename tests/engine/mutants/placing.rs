//! Faults of `place.wgsl`.

use super::{Fault, fault};

/// Of all of it but the rule of the correction.
pub const PLACE: &[Fault] = &[
    fault("last word of a row not written", "id.x >= params.words", "id.x + 1u >= params.words"),
    fault("last row not written", "id.y >= params.rows", "id.y + 1u >= params.rows"),
    fault(
        "one column of words not written",
        "    canvas[at] = word;",
        "    if (id.x == 3u) {\n        return;\n    }\n    canvas[at] = word;",
    ),
    fault("placed at the first row", "params.first_row + id.y", "id.y"),
    fault("placed at the first word", "params.canvas_words + params.first_word", "params.canvas_words"),
    fault("columns counted from the first word", "(params.first_word + id.x) * per_word", "id.x * per_word"),
    fault("first column left out", "column >= params.left", "column > params.left"),
    fault("last column left out", "column - params.left < params", "column - params.left + 1u < params"),
    fault("one column too many", "column - params.left < params", "column - params.left <= params"),
    fault("what was there before erased", "var word = canvas[at];", "var word = 0u;"),
    fault(
        "pixels of the first word repeated",
        "value_at(id.y, column - params.left)",
        "value_at(id.y, index)",
    ),
    fault("first row repeated", "value_at(id.y, column - params.left)", "value_at(0u, column - params.left)"),
    fault("input rows of the canvas's width", "row * params.source_words", "row * params.canvas_words"),
    fault("first pixel of a word for all", "column % per_word", "0u"),
    fault(
        "corrected where it should not be",
        "if (params.is_corrected == 0u)",
        "if (params.is_corrected == 1u)",
    ),
    fault("never corrected", "if (params.is_corrected == 0u)", "if (params.is_corrected < 2u)"),
    fault("windows of the planes from their beginning", "params.planes_start + row", "row"),
    fault(
        "rows of the planes as wide as the placement",
        "row * params.planes_columns",
        "row * params.columns",
    ),
    fault("planes exchanged", "exponents[at], offsets[at]", "offsets[at], exponents[at]"),
    fault(
        "results beyond the depth wrap",
        "min(correct(value, exponents[at], offsets[at]), params.maximum)",
        "correct(value, exponents[at], offsets[at]) & params.maximum",
    ),
];

/// Of what only 16-bit images meet.
pub const SIXTEEN: &[Fault] = &[fault(
    "16 bits: pixels 8 bits apart",
    "params.left), index * BITS, BITS)",
    "params.left), index * 8u, BITS)",
)];
