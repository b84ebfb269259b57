// A band of rows of a label image, with the row above and the row below it. Sides of a pixel have the
// numbers of engine/src/kernels/contours/side.rs: 0 top, 1 left, 2 bottom, 3 right.
//
// A *block* is 1024 pixels in raster order, the share of one workgroup of 256 invocations. A *place* is
// the column and row of a pixel; row 0 is the one above the band, so rows of the band count from 1.

const BLOCK: u32 = 1024u;

struct Params {
    columns: u32, // pixels of one row
    rows: u32, // of the band
    blocks: u32,
    groups: u32, // workgroups of one row of the dispatch
    first: u32, // edge that comes first in the output
    room: u32, // edges that the output holds
    unused_0: u32,
    unused_1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> above: array<u32>; // one row
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read> below: array<u32>; // one row

// Columns left of the first have wrapped around to large numbers.
fn label_at(place: vec2<u32>) -> u32 {
    if (place.x >= params.columns) {
        return 0u;
    }
    if (place.y == 0u) {
        return above[place.x];
    }
    if (place.y > params.rows) {
        return below[place.x];
    }
    return labels[(place.y - 1u) * params.columns + place.x];
}

fn place_of(pixel: u32) -> vec2<u32> {
    return vec2<u32>(pixel % params.columns, 1u + pixel / params.columns);
}

// Columns and rows to the pixel beyond a side; -1 is all bits.
fn beyond(side: u32) -> vec2<u32> {
    let step = select(0xffffffffu, 1u, side >= 2u);
    return select(vec2<u32>(0u, step), vec2<u32>(step, 0u), (side & 1u) == 1u);
}
