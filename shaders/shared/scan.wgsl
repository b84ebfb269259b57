// Running sums over the 256 invocations of a workgroup; all of them call `scan` together.

var<workgroup> partial_sums: array<u32, 256>;

// The sum of the values of the invocations before this one, and the sum of all.
fn scan(invocation: u32, value: u32) -> vec2<u32> {
    workgroupBarrier(); // sums of the call before may still be read
    partial_sums[invocation] = value;
    workgroupBarrier();
    for (var reach = 1u; reach < 256u; reach *= 2u) {
        var before = 0u;
        if (invocation >= reach) {
            before = partial_sums[invocation - reach];
        }
        workgroupBarrier();
        partial_sums[invocation] += before;
        workgroupBarrier();
    }
    return vec2<u32>(partial_sums[invocation] - value, partial_sums[255]);
}
