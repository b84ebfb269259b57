//! Faults of `projection.wgsl` and `histogram.wgsl`.

use super::{Fault, fault};

/// Of all of `projection`.
pub const PROJECTION: &[Fault] = &[
    fault(
        "minimum instead of maximum",
        "max(pixel(word, index), pixel(other, index))",
        "min(pixel(word, index), pixel(other, index))",
    ),
    fault("last plane wins", "max(pixel(word, index), pixel(other, index))", "pixel(other, index)"),
    fault(
        "brightest value wraps to black",
        "max(pixel(word, index), pixel(other, index))",
        "max(pixel(word, index), pixel(other, index)) % 0xffffu",
    ),
    fault("first plane left out", "var word = source[at];", "var word = 0u;"),
    fault("second plane left out", "var plane = 1u;", "var plane = 2u;"),
    fault("last plane left out", "plane < params.planes", "plane + 1u < params.planes"),
    fault("first plane for all", "plane * params.words + at", "at"),
    fault("planes one word too close", "plane * params.words", "plane * (params.words - 1u)"),
    fault("last pixel of a word left out", "index < per_word", "index + 1u < per_word"),
    fault("first pixel of a word left out", "var index = 0u;", "var index = 1u;"),
    fault(
        "pixels 8 bits apart, whatever their depth",
        "value, index * BITS, BITS)",
        "value, index * 8u, BITS)",
    ),
    fault("words of two pixels, whatever the depth", "let per_word = 32u / BITS;", "let per_word = 2u;"),
    fault("last word not written", "at >= params.words", "at + 1u >= params.words"),
    fault("one column not written", "at >= params.words", "at >= params.words || id.x == 3u"),
    fault("last column of the dispatch not written", "id.x >= params.columns", "id.x + 1u >= params.columns"),
    fault("rows of the dispatch overlap", "id.y * params.columns", "id.y * (params.columns / 2u)"),
    fault("second row of the dispatch not written", "at >= params.words", "at >= params.words || id.y == 1u"),
];

/// Of all of `histogram`.
pub const HISTOGRAM: &[Fault] = &[
    fault("every pixel counts twice", "index)], 1u)", "index)], 2u)"),
    fault("a value counts once at most", "atomicAdd(&counts", "atomicMax(&counts"),
    fault("values off by one", "counts[pixel(word, index)]", "counts[pixel(word, index) + 1u]"),
    fault(
        "neighbouring values together",
        "counts[pixel(word, index)]",
        "counts[pixel(word, index) & 0xfffeu]",
    ),
    fault(
        "brightest value counts as the one before",
        "counts[pixel(word, index)]",
        "counts[min(pixel(word, index), 65534u)]",
    ),
    fault("last column not counted", "+ index < params.columns", "+ index + 1u < params.columns"),
    fault(
        "padding counted as black",
        "index < per_word && id.x * per_word + index < params.columns",
        "index < per_word",
    ),
    fault("first pixel of a word not counted", "var index = 0u;", "var index = 1u;"),
    fault("columns counted in words", "id.x * per_word + index", "id.x + index"),
    fault("last word of a row not counted", "id.x >= params.row_words", "id.x + 1u >= params.row_words"),
    fault("one column of words not counted", "id.y >= params.rows", "id.y >= params.rows || id.x == 3u"),
    fault("last row not counted", "id.y >= params.rows", "id.y + 1u >= params.rows"),
    fault(
        "last row of a band not counted",
        "id.y >= params.rows",
        "id.y >= params.rows || (params.rows == 4u && id.y == 3u)",
    ),
    fault("first row for all", "id.y * params.row_words + id.x", "id.x"),
    fault("input rows as wide in words as in pixels", "id.y * params.row_words", "id.y * params.columns"),
];
