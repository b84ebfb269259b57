//! Faults of `shaders/shared/pixels.wgsl`: grey values packed into words.

use super::{Fault, fault};

/// For every shader that imports `pixels`.
pub const PIXELS: &[Fault] = &[
    fault("pixels of a word from the right", "index * BITS, BITS)", "32u - BITS - index * BITS, BITS)"),
    fault("pixels of a word 8 bits apart, whatever their depth", "index * BITS, BITS)", "index * 8u, BITS)"),
    fault("pixels without their highest bit", "index * BITS, BITS)", "index * BITS, BITS - 1u)"),
    fault(
        "last pixel of a word replaced by the one before",
        "index * BITS, BITS)",
        "select(index, index - 1u, index > 0u && (index + 1u) * BITS == 32u) * BITS, BITS)",
    ),
    fault(
        "bright pixels taken for negative ones",
        "extractBits(word, index * BITS, BITS)",
        "bitcast<u32>(extractBits(bitcast<i32>(word), index * BITS, BITS)) & 0x7fffffffu",
    ),
];
