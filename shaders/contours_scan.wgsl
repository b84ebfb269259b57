// Outlines, 2 of 3: from the number of edges of each block to the number of edges before it.
//
// One workgroup goes through all blocks, 1024 at a time: there are few.

#import scan

struct Params {
    blocks: u32,
    unused_0: u32,
    unused_1: u32,
    unused_2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// The number of all edges; and of each block its number, which the number before it replaces.
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;

@compute @workgroup_size(256, 1, 1)
fn main(@builtin(local_invocation_index) invocation: u32) {
    var before = 0u;
    for (var start = 0u; start < params.blocks; start += 1024u) {
        let first = start + 4u * invocation;
        var counts = vec4<u32>(0u);
        for (var index = 0u; index < 4u && first + index < params.blocks; index++) {
            counts[index] = sums[1u + first + index];
        }
        let scanned = scan(invocation, counts.x + counts.y + counts.z + counts.w);
        var sum = before + scanned.x;
        for (var index = 0u; index < 4u && first + index < params.blocks; index++) {
            sums[1u + first + index] = sum;
            sum += counts[index];
        }
        before += scanned.y;
    }
    if (invocation == 0u) {
        sums[0] = before;
    }
}
