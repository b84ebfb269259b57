// Several halvings by 2×2 means at once; the definition is engine/src/kernels/downsample/mod.rs.

#import pixels
#import levels

fn reduce(a: u32, b: u32, c: u32, d: u32) -> u32 {
    return (a + b + c + d + 2u) >> 2u;
}
