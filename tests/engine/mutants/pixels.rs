//! Faults of `shaders/shared/pixels.wgsl`: grey values packed into words.

use super::{Fault, fault};

/// For every shader that imports `pixels`.
pub const PIXELS: &[Fault] = &[
    fault(
        "pixels of a word from the right",
        "extractBits(word, index * BITS, BITS)",
        "extractBits(word, 32u - BITS - index * BITS, BITS)",
    ),
    fault(
        "pixels of a word 8 bits apart, whatever their depth",
        "extractBits(word, index * BITS, BITS)",
        "extractBits(word, index * 8u, BITS)",
    ),
    fault(
        "pixels without their highest bit",
        "extractBits(word, index * BITS, BITS)",
        "extractBits(word, index * BITS, BITS - 1u)",
    ),
    fault(
        "last pixel of a word replaced by the one before",
        "extractBits(word, index * BITS, BITS)",
        "extractBits(word, select(index, index - 1u, index > 0u && (index + 1u) * BITS == 32u) * BITS, BITS)",
    ),
    fault(
        "pixels of the brighter half black",
        "return extractBits(word, index * BITS, BITS);",
        "return u32(max(extractBits(bitcast<i32>(word), index * BITS, BITS), 0));",
    ),
];
