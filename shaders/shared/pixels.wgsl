// Grey values packed into 32-bit words: 4 of 8 bits, 2 of 16 bits or 1 label of 32 bits, the
// leftmost pixel in the lowest bits. Rows start at a word; bits beyond the last pixel of a row are 0.

// Bits of one pixel: 8, 16 or 32.
override BITS: u32 = 16u;

// The pixel at `index` (from the left) of a word.
fn pixel(word: u32, index: u32) -> u32 {
    return extractBits(word, index * BITS, BITS);
}
