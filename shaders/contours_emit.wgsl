// Outlines, 3 of 3: the edges in raster order, each with the one that comes next on its ring; the
// definition is engine/src/kernels/contours/mod.rs.

#import label_band

@group(0) @binding(4) var<storage, read> starts: array<u32>; // as contours_sides makes them
@group(0) @binding(5) var<storage, read> sums: array<u32>; // edges before each block, from the second word on
// Of each edge:
// * 4 times its pixel, counted from the row above the band, plus its side; the uppermost bit says that it
//   ends at a pinch point;
// * the number of the next edge within the band; or the same of its pixel and side, and the uppermost bit,
//   if that pixel is in the row above or below the band.
@group(0) @binding(6) var<storage, read_write> edges: array<vec2<u32>>;

const MARK: u32 = 0x80000000u;

fn packed(place: vec2<u32>, side: u32) -> u32 {
    return 4u * (place.y * params.columns + place.x) + side;
}

// The number of the first edge of a pixel, or of the edge after it where it has none.
fn first_edge(pixel: u32) -> u32 {
    return sums[1u + pixel / BLOCK] + (starts[pixel] >> 4u);
}

fn edge_number(place: vec2<u32>, side: u32) -> u32 {
    if (place.y == 0u || place.y > params.rows) {
        return packed(place, side) | MARK;
    }
    let pixel = (place.y - 1u) * params.columns + place.x;
    return first_edge(pixel) + countOneBits(starts[pixel] & ((1u << side) - 1u));
}

// The edge along a side that is one, by the labels of the other pixels at its end.
fn edge(place: vec2<u32>, side: u32, label: u32) -> vec2<u32> {
    let left_turn = (side + 1u) % 4u;
    let right_turn = (side + 3u) % 4u;
    let ahead = place + beyond(left_turn);
    let ahead_right = ahead + beyond(side);
    let right_has_it = label_at(ahead_right) == label;
    let this_one = packed(place, side);
    if (label_at(ahead) != label) {
        return vec2<u32>(this_one | select(0u, MARK, right_has_it), edge_number(place, left_turn));
    }
    if (right_has_it) {
        return vec2<u32>(this_one, edge_number(ahead_right, right_turn));
    }
    return vec2<u32>(this_one, edge_number(ahead, side));
}

fn emit(pixel: u32) {
    if (pixel >= params.columns * params.rows) {
        return;
    }
    let sides = starts[pixel] & 15u;
    if (sides == 0u) {
        return;
    }
    let place = place_of(pixel);
    // Edges before the first of this output have wrapped around to large numbers.
    var slot = first_edge(pixel) - params.first;
    for (var side = 0u; side < 4u; side++) {
        if (((sides >> side) & 1u) == 1u) {
            if (slot < params.room) {
                edges[slot] = edge(place, side, labels[pixel]);
            }
            slot++;
        }
    }
}

@compute @workgroup_size(256, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    let first = (group.y * params.groups + group.x) * BLOCK + invocation;
    for (var index = 0u; index < BLOCK; index += 256u) {
        emit(first + index);
    }
}
