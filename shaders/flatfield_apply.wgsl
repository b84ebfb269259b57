// Flat-field correction; the definition is engine/src/kernels/flatfield/mod.rs.
//
// The planes are those of gains and of the dark-field.

#import pixels
#import shading

fn correct(value: u32, gain: f32, dark: f32) -> u32 {
    if (gain < 0.0) {
        return value;
    }
    return u32(clamp(fma(f32(value) - dark, gain, 0.5), 0.0, 65535.0));
}
