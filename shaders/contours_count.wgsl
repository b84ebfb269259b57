// Outlines, 1 of 4: the number of edges of each block.

#import scan
#import sides

@group(0) @binding(4) var<storage, read_write> sums: array<u32>; // from the second word on

@compute @workgroup_size(256, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    let block = group.y * params.groups + group.x;
    let first = block * BLOCK + 4u * invocation;
    var count = 0u;
    for (var index = 0u; index < 4u; index++) {
        count += countOneBits(sides_of(first + index));
    }
    let sum = scan(invocation, count).y;
    if (invocation == 0u && block < params.blocks) {
        sums[1u + block] = sum;
    }
}
