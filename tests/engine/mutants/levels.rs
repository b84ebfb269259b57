//! Faults of `shared/levels.wgsl`: several halvings at once.

use super::{Fault, fault};

/// Of what every filter and depth meets.
pub const LEVELS: &[Fault] = &[
    fault("input columns overlap", "block.x * BLOCK + 2u * x", "block.x * BLOCK + x"),
    fault("first input row left out", "block.y * BLOCK + 2u * y", "block.y * BLOCK + 2u * y + 1u"),
    fault("every block reads the leftmost", "block.x * BLOCK", "0u"),
    fault("upper row twice", "row + 1u", "row"),
    fault("lower right pixel left out", "pixel(bottom, left + 1u)", "pixel(bottom, left)"),
    fault("rows of later levels overlap", "2u * y * (2u * side)", "2u * y * side"),
    fault("levels taken from the one before the last", "if (level % 2u == 1u)", "if (level % 2u == 0u)"),
    fault("second level: lower right pixel left out", "odd[at + 2u * side + 1u]", "odd[at + 2u * side]"),
    fault("third level: upper right pixel left out", "even[at + 1u]", "even[at]"),
    fault("pixels of a word kept in one place", "odd[y * side + column]", "odd[y * side + x]"),
    fault("blocks of a row written over each other", "group.x * words + x", "x"),
    fault("rows placed by the column of the block", "group.y * side + y", "group.x * side + y"),
    fault("last word of a row not written", "if (output_word <", "if (output_word + 1u <"),
    fault("last row not written", "output_row < target_level.rows", "output_row + 1u < target_level.rows"),
    fault("levels written over each other", "target_level.start + output_row", "output_row"),
    fault("output rows as wide as a block", "output_row * target_level.words", "output_row * words"),
    fault("last level not made", "level < params.levels", "level + 1u < params.levels"),
    fault("blocks of half the side", "const BLOCK: u32 = 64u;", "const BLOCK: u32 = 32u;"),
    fault(
        "one invocation of a workgroup writes nothing",
        "if (output_word < target_level.words",
        "if (local != 5u && output_word < target_level.words",
    ),
];

/// Of what only 8-bit images meet.
pub const EIGHT: &[Fault] =
    &[fault("8 bits: first pixels of a word for all", "let left = column % per_word;", "let left = 0u;")];

/// Of what only 16-bit images meet.
pub const SIXTEEN: &[Fault] = &[
    fault("16 bits: half of a block left out", "index += INVOCATIONS", "index += 2u * INVOCATIONS"),
    fault("16 bits: pixels 8 bits apart", "value, nth * BITS, BITS)", "value, nth * 8u, BITS)"),
];

/// Of the bottom edge, for means only.
pub const EDGE: &[Fault] = &[fault(
    "odd bottom edge repeats the last row",
    " || y >= params.source_rows) {\n        return 0u;\n    }\n    return source[params.source_start + y *",
    ") {\n        return 0u;\n    }\n    return source[params.source_start + min(y, params.source_rows - 1u) *",
)];

/// Of a second dispatch, which begins at the last level of the first.
pub const SECOND: &[Fault] =
    &[fault("second dispatch begins at the first level", "params.source_start + y", "y")];
