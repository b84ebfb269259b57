// Outlines, 3 of 4: of each pixel, which of its sides are edges and how many edges there are before it.

#import scan
#import sides

@group(0) @binding(4) var<storage, read> sums: array<u32>; // edges before each block, from the second word on
// The number of edges before a pixel in the upper 28 bits, its sides in the lower 4.
@group(0) @binding(5) var<storage, read_write> starts: array<u32>;

@compute @workgroup_size(256, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    let block = group.y * params.groups + group.x;
    let first = block * BLOCK + 4u * invocation;
    var sides = vec4<u32>(0u);
    var count = 0u;
    for (var index = 0u; index < 4u; index++) {
        sides[index] = sides_of(first + index);
        count += countOneBits(sides[index]);
    }
    let before = scan(invocation, count).x;
    if (block >= params.blocks) {
        return;
    }
    var start = sums[1u + block] + before;
    let pixels = params.columns * params.rows;
    for (var index = 0u; index < 4u && first + index < pixels; index++) {
        starts[first + index] = (start << 4u) | sides[index];
        start += countOneBits(sides[index]);
    }
}
