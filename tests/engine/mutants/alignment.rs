//! Faults of `alignment_*.wgsl` and of the fragments that only they import.

use super::{Fault, fault};

/// Of `alignment_apply.wgsl`.
pub const APPLY: &[Fault] = &[
    fault(
        "last word of a row not written",
        "id.x >= params.output_words",
        "id.x + 1u >= params.output_words",
    ),
    fault("last row not written", "id.y >= params.output_rows", "id.y + 1u >= params.output_rows"),
    fault("last row of the window left out", "row < params.source_rows", "row + 1u < params.source_rows"),
    fault(
        "last column of the window left out",
        "if (column < params.columns)",
        "if (column + 1u < params.columns)",
    ),
    fault("one column too many", "if (column < params.columns)", "if (column <= params.columns)"),
    fault("moved the wrong way along rows", "let row = id.y - params.y;", "let row = id.y + params.y;"),
    fault("moved the wrong way along columns", "+ index - params.x;", "+ index + params.x;"),
    fault(
        "window from the first column",
        "let source_column = params.source_x + column;",
        "let source_column = column;",
    ),
    fault(
        "input rows of the output's width",
        "source[row * params.source_words +",
        "source[row * params.output_words +",
    ),
    fault("first pixel of a word for all", "pixel(pixels, source_column % per_word)", "pixel(pixels, 0u)"),
    fault("pixels of a word in the wrong order", "<< (index * BITS)", "<< ((per_word - 1u - index) * BITS)"),
    fault(
        "words of two pixels, whatever the depth",
        "let column = id.x * per_word",
        "let column = id.x * 2u",
    ),
];

/// Of `alignment_load.wgsl`.
pub const LOAD: &[Fault] = &[
    fault(
        "next row where zeros belong",
        "if (id.x < params.width && id.y < params.height)",
        "if (id.y < params.height)",
    ),
    fault("padding grey", "var value = 0.0;", "var value = 1000.0;"),
    fault("last column left out", "if (id.x < params.width &&", "if (id.x + 1u < params.width &&"),
    fault("first pixel of a word for all", "pixel(pixels, id.x % per_word)", "pixel(pixels, 0u)"),
    fault("last padded row not written", "id.y >= params.padded_height", "id.y + 1u >= params.padded_height"),
];

/// Of `alignment_fourier.wgsl`.
pub const FOURIER: &[Fault] = &[
    fault("last values of a line not written", "at >= params.count", "at + 1u >= params.count"),
    fault("last line not written", "line >= params.lines", "line + 1u >= params.lines"),
    fault("turned by the wrong value", "index * within * params.turn", "index * within * params.span"),
    fault("never turned back", "select(turn.y, -turn.y, params.inverse == 1u)", "turn.y"),
    fault(
        "never turned back by a quarter",
        "select(vec2<f32>(value.y, -value.x), vec2<f32>(-value.y, value.x), params.inverse == 1u)",
        "vec2<f32>(value.y, -value.x)",
    ),
    fault(
        "values left in the order of the input",
        "let first = (at - within) * RADIX + within;",
        "let first = at;",
    ),
    fault("radix 3: wrong sine", "const SINE_60: f32 = 0.8660254;", "const SINE_60: f32 = 0.5;"),
    fault("radix 3: wrong sign", "let middle = v[0] - 0.5 * sum;", "let middle = v[0] + 0.5 * sum;"),
    fault("radix 4: wrong sign", "let even_rest = a - c;", "let even_rest = a + c;"),
    fault(
        "radix 5: wrong cosine",
        "let second = v[0] + COSINE_144 * outer",
        "let second = v[0] + COSINE_72 * outer",
    ),
    fault(
        "radix 8: wrong sign",
        "ROOT_HALF * (quarter(odd[3]) - odd[3])",
        "ROOT_HALF * (quarter(odd[3]) + odd[3])",
    ),
];

/// Of `alignment_multiply.wgsl`.
pub const MULTIPLY: &[Fault] = &[
    fault("convolved instead of correlated", "conjugate(moved[at])", "moved[at]"),
    fault(
        "reference and target exchanged",
        "times(reference[at], conjugate(moved[at]))",
        "times(conjugate(reference[at]), moved[at])",
    ),
    fault("last row not written", "id.y >= params.height", "id.y + 1u >= params.height"),
];

/// Of `alignment_scores.wgsl`.
pub const SCORES: &[Fault] = &[
    fault(
        "imaginary part",
        "var sum = correlation[row * params.width + column.first].x;",
        "var sum = correlation[row * params.width + column.first].y;",
    ),
    fault(
        "rows and columns exchanged",
        "scores[id.y * params.columns + id.x]",
        "scores[id.x * params.rows + id.y]",
    ),
];

/// Of `alignment_scores.wgsl` in circular correlations only.
pub const FOLDED: &[Fault] = &[
    fault("last lag along rows not written", "id.y >= params.rows", "id.y + 1u >= params.rows"),
    fault(
        "lags beyond half of the columns left out",
        "if (column.second != ABSENT)",
        "if (column.second == 0u)",
    ),
    fault("lags beyond half of the rows left out", "if (row.second != ABSENT)", "if (row.second == 0u)"),
];

/// Of `alignment_highest.wgsl` and `shared/maxima.wgsl`.
pub const HIGHEST: &[Fault] = &[fault(
    "the lowest",
    "max(shared_scores[local], shared_scores[local + half])",
    "min(shared_scores[local], shared_scores[local + half])",
)];

/// Of `alignment_collect.wgsl`.
pub const COLLECT: &[Fault] = &[
    fault(
        "places of the wrong rows",
        "let at = id.y * params.columns + id.x;",
        "let at = id.y * params.rows + id.x;",
    ),
    fault("what is below the threshold", "if (score >= params.threshold)", "if (score < params.threshold)"),
];

/// Of `alignment_whiten_columns.wgsl`.
pub const WHITEN_COLUMNS: &[Fault] = &[
    fault("last tap left out", "tap <= 2u * params.radius", "tap < 2u * params.radius"),
    fault(
        "nearly everything clipped",
        "min(pixel(pixels, id.x % per_word), params.limit)",
        "min(pixel(pixels, id.x % per_word), params.least + 9u)",
    ),
    fault("first pixel of a word for all", "pixel(pixels, id.x % per_word)", "pixel(pixels, 0u)"),
    fault("last row not written", "id.y >= params.height", "id.y + 1u >= params.height"),
];

/// Of `alignment_whiten_rows.wgsl`.
pub const WHITEN_ROWS: &[Fault] = &[
    fault("last tap left out", "tap <= 2u * params.radius", "tap < 2u * params.radius"),
    fault(
        "second derivative along rows left out",
        "weights.y * value.x + weights.x * value.y",
        "weights.x * value.y",
    ),
];

/// Of `shared/reflect.wgsl`.
pub const REFLECT: &[Fault] = &[
    fault("wraps at borders", "return min(inside, period - 1u - inside);", "return inside % length;"),
    fault(
        "reflects without repeating the edge",
        "period - 1u - inside",
        "max(period - 1u - inside, 1u) - 1u",
    ),
];

/// Of `alignment_window.wgsl`.
pub const WINDOW: &[Fault] = &[
    fault("padding grey", "var value = 0.0;", "var value = 1000.0;"),
    fault("rows windowed only", "* row_window[id.y] * column_window[id.x]", "* row_window[id.y]"),
];

/// Of `alignment_power.wgsl`.
pub const POWER: &[Fault] = &[
    fault("amplitudes instead of powers", "dot(r, r), dot(t, t)", "length(r), length(t)"),
    fault("last row left out", "row < params.height &&", "row + 1u < params.height &&"),
    fault(
        "wrong powers multiplied",
        "vec3<f32>(powers.x * powers.y, powers)",
        "vec3<f32>(powers.x * powers.x, powers)",
    ),
];

/// Of `shared/sums.wgsl`.
pub const SUMS: &[Fault] = &[
    fault("half of each workgroup left out", "var half = 128u;", "var half = 64u;"),
    fault("most rows left out", "const SUM_ROWS: u32 = 64u;", "const SUM_ROWS: u32 = 16u;"),
];

/// Of `alignment_overlap.wgsl`.
pub const OVERLAP: &[Fault] = &[
    fault("overlap from the first row of the target", "(overlap.moved_y + row)", "row"),
    fault("overlap from the first column of the reference", "overlap.reference_x + column", "column"),
    fault("every shift compared like the first", "overlaps[workgroup.z]", "overlaps[0]"),
    fault("sums of all shifts in one place", "(workgroup.z * workgroups.y + workgroup.y)", "workgroup.y"),
    fault("wrong squares", "vec3<f32>(r * t, r * r, t * t)", "vec3<f32>(r * t, r * r, r * r)"),
];

/// Of `alignment_turn.wgsl`.
pub const TURN: &[Fault] = &[
    fault(
        "last row of the spectrum left out",
        "min(first + BLOCK, params.height)",
        "min(first + BLOCK, params.height - 1u)",
    ),
    fault("all rows of a block but the last left out", "sum += part;", "sum = part;"),
    fault(
        "turned by the wrong position",
        "turns[row * params.positions + id.y]",
        "turns[row * params.positions]",
    ),
    fault("first column for all", "spectrum[row * params.width + id.x]", "spectrum[row * params.width]"),
];

/// Of `alignment_fourier.wgsl` for sizes that only circular correlations have.
pub const RADIX_2: &[Fault] =
    &[fault("radix 2: wrong sign", "result[1] = v[0] - v[1];", "result[1] = v[1] - v[0];")];

/// Of `alignment_highest.wgsl` where the threshold decides what is found.
pub const PART: &[Fault] = &[fault("of a quarter of each workgroup", "var half = 128u;", "var half = 32u;")];

/// Of `alignment_collect.wgsl` where there are several maxima.
pub const ENTRIES: &[Fault] = &[fault("all in one entry", "list.entries[entry]", "list.entries[0]")];
