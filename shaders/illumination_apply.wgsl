// Correcting uneven illumination; the definition is engine/src/kernels/illumination/mod.rs.
//
// The planes are those of exponents and of offsets.

#import pixels
#import illumination
#import shading
