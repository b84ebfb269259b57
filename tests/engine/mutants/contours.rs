//! Faults of `contours_*.wgsl`, `shared/label_band.wgsl` and `shared/scan.wgsl`.

use super::{Fault, fault};

/// Of the labels around a place, for every shader that imports `label_band`.
pub const LABELS: &[Fault] = &[
    fault("right edge sees the next row", "place.x >= params.columns", "place.x > params.columns"),
    fault("row above a band black", "return above[place.x];", "return 0u;"),
    fault("row below a band black", "return below[place.x];", "return 0u;"),
    fault("rows above and below exchanged", "return below[place.x];", "return above[place.x];"),
    fault("labels of the row before", "1u + pixel / params.columns", "pixel / params.columns"),
    fault("columns and rows exchanged", "(side & 1u) == 1u", "(side & 1u) == 0u"),
    fault("left for right and right for left", "side >= 2u", "side < 2u"),
];

/// Of the sides of each pixel, and of the edges before it.
pub const SIDES: &[Fault] = &[
    fault("background has edges", "if (label == 0u)", "if (label == 0xffffffffu)"),
    fault("label 1 is background", "if (label == 0u)", "if (label <= 1u)"),
    fault("no edges between objects", "beyond(side)) != label", "beyond(side)) == 0u"),
    fault("right sides not looked at", "side < 4u; side++", "side < 3u; side++"),
    fault("right sides lost", "| sides[index]", "| (sides[index] & 7u)"),
    fault("sides in the other order", "sides |= 1u << side", "sides |= 8u >> side"),
    fault("last pixel of a band has no edges", "    if (pixel >=", "    if (pixel + 1u >="),
    fault("last pixel of a band not written", "first + index < pixels", "first + index + 1u < pixels"),
    fault("pixels of a block overlap", "4u * invocation", "invocation"),
    fault("pixels off by one", "sides_of(first + index)", "sides_of(first + index + 1u)"),
    fault(
        "last of four pixels left out",
        "index < 4u; index++) {\n        sides",
        "index < 3u; index++) {\n        sides",
    ),
    fault("numbers begin anew with four pixels", "var start = scanned.x;", "var start = 0u;"),
    fault("numbers begin at the sum of the block", "var start = scanned.x;", "var start = scanned.y;"),
    fault("one edge for each pixel", "start += counts[index]", "start += 1u"),
    fault("every pixel counts like the first of four", "start += counts[index]", "start += counts[0]"),
    fault("numbers one bit too low", "(start << 4u)", "(start << 3u)"),
    fault("sum before the first pixel of a block for all of it", "= scanned.y;", "= scanned.x;"),
    fault("sums one word too early", "sums[1u + block]", "sums[block]"),
    fault("sums not written", "invocation == 0u && block", "invocation == 256u && block"),
    fault("sum without the last four pixels", "partial_sums[255]", "partial_sums[254]"),
    fault(
        "running sums include the own value",
        "partial_sums[invocation] - value",
        "partial_sums[invocation]",
    ),
    fault("running sums leave the first out", "invocation >= reach", "invocation > reach"),
    fault("running sums end half-way", "reach < 256u", "reach < 128u"),
    fault("running sums leave steps out", "reach *= 2u", "reach *= 4u"),
];

/// Of the sum over blocks.
pub const SCAN: &[Fault] = &[
    fault("blocks overlap", "4u * invocation", "invocation"),
    fault(
        "last of four blocks not counted",
        "index < 4u && first + index < params.blocks; index++) {\n            counts",
        "index < 3u && first + index < params.blocks; index++) {\n            counts",
    ),
    fault(
        "last of four blocks not numbered",
        "index < 4u && first + index < params.blocks; index++) {\n            sums",
        "index < 3u && first + index < params.blocks; index++) {\n            sums",
    ),
    fault("blocks of other invocations left out", "before + scanned.x", "before"),
    fault(
        "own blocks counted, too",
        "sums[1u + first + index] = sum;\n            sum += counts[index];",
        "sum += counts[index];\n            sums[1u + first + index] = sum;",
    ),
    fault("every block counts like the first of four", "sum += counts[index]", "sum += counts[0]"),
    fault("one edge too many", "sums[0] = before", "sums[0] = before + 1u"),
    fault("number of edges not written", "if (invocation == 0u)", "if (invocation == 256u)"),
    fault(
        "running sums include the own value",
        "partial_sums[invocation] - value",
        "partial_sums[invocation]",
    ),
    fault("running sums leave the first out", "invocation >= reach", "invocation > reach"),
];

/// Of the edges.
pub const EMIT: &[Fault] = &[
    fault("turns back instead of left", "(side + 1u) % 4u", "(side + 2u) % 4u"),
    fault("goes on instead of right", "(side + 3u) % 4u", "side"),
    fault("pinch points not marked", "select(0u, MARK, right_has_it)", "0u"),
    fault(
        "turns right at pinch points",
        "if (label_at(ahead) != label) {",
        "if (label_at(ahead) != label && !right_has_it) {",
    ),
    fault("stays on the same pixel", "edge_number(ahead, side)", "edge_number(place, side)"),
    fault(
        "row above a band taken for its own",
        "if (place.y == 0u || place.y > params.rows) {",
        "if (place.y > params.rows) {",
    ),
    fault(
        "row below a band taken for its own",
        "if (place.y == 0u || place.y > params.rows) {",
        "if (place.y == 0u) {",
    ),
    fault(
        "places in other bands not marked",
        "return packed(place, side) | MARK;",
        "return packed(place, side);",
    ),
    fault("own side counted, too", "(1u << side) - 1u", "(2u << side) - 1u"),
    fault("later outputs begin at the first edge", "first_edge(pixel) - params.first", "first_edge(pixel)"),
    fault("last edge of an output not written", "slot < params.room", "slot + 1u < params.room"),
    fault("every block begins at the first edge", "sums[1u + pixel / BLOCK] + (", "("),
    fault(
        "blocks begin where the one before does",
        "sums[1u + pixel / BLOCK]",
        "sums[max(pixel / BLOCK, 1u)]",
    ),
    fault("right sides left out", "starts[pixel] & 15u", "starts[pixel] & 7u"),
    fault("edges two apart", "slot++", "slot += 2u"),
    fault("half of a block left out", "index += 256u", "index += 512u"),
    fault("all objects are the first", "edge(place, side, labels[pixel])", "edge(place, side, 1u)"),
    fault(
        "last pixel of a band left out",
        "fn emit(pixel: u32) {\n    if (pixel >=",
        "fn emit(pixel: u32) {\n    if (pixel + 1u >=",
    ),
    fault(
        "places by column and row",
        "place.y * params.columns + place.x) +",
        "place.x * params.columns + place.y) +",
    ),
];
