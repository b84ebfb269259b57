// Outlines, 1 of 3: which sides of each pixel are edges, and how many edges there are before it in its
// block; the definition is engine/src/kernels/contours/mod.rs.

#import scan
#import label_band

// Of each pixel: its sides that are edges in the lower 4 bits, the edges before it in its block above.
@group(0) @binding(4) var<storage, read_write> starts: array<u32>;
// Edges of each block, from the second word on.
@group(0) @binding(5) var<storage, read_write> sums: array<u32>;

// The sides of a pixel that are edges, one bit each; none beyond the band.
fn sides_of(pixel: u32) -> u32 {
    if (pixel >= params.columns * params.rows) {
        return 0u;
    }
    let label = labels[pixel];
    if (label == 0u) {
        return 0u;
    }
    let place = place_of(pixel);
    var sides = 0u;
    for (var side = 0u; side < 4u; side++) {
        if (label_at(place + beyond(side)) != label) {
            sides |= 1u << side;
        }
    }
    return sides;
}

@compute @workgroup_size(256, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    let block = group.y * params.groups + group.x;
    let first = block * BLOCK + 4u * invocation;
    var sides = vec4<u32>(0u);
    for (var index = 0u; index < 4u; index++) {
        sides[index] = sides_of(first + index);
    }
    let counts = countOneBits(sides);
    let scanned = scan(invocation, counts.x + counts.y + counts.z + counts.w);
    var start = scanned.x;
    let pixels = params.columns * params.rows;
    for (var index = 0u; index < 4u && first + index < pixels; index++) {
        starts[first + index] = (start << 4u) | sides[index];
        start += counts[index];
    }
    if (invocation == 0u && block < params.blocks) {
        sums[1u + block] = scanned.y;
    }
}
