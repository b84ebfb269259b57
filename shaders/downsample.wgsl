// Halving an image by 2×2 means; the definition is engine/src/kernels/downsample/mod.rs.

#import pixels
#import halving

fn reduce(a: u32, b: u32, c: u32, d: u32) -> u32 {
    return (a + b + c + d + 2u) >> 2u;
}
