//! Faults of `illumination_apply.wgsl`, `flatfield_apply.wgsl` and `shared/shading.wgsl`.

use super::{Fault, fault};

/// Of the rule of `illumination_apply`.
pub const ILLUMINATION: &[Fault] = &[
    fault(
        "black brightened",
        "if (value == 0u ||",
        "if (value == 0u) {\n        return 2u;\n    }\n    if (",
    ),
    fault("single counts passed unchanged", "value == 0u ||", "value <= 1u ||"),
    fault("pixels without statistics corrected", "exponent < 0.0", "exponent < -2.0"),
    fault(
        "rounded instead of truncated",
        "u32(raise(logarithm(value), exponent, offset))",
        "u32(raise(logarithm(value), exponent, offset) + 0.5)",
    ),
    fault(
        "whole part of a logarithm off by one",
        "f32(bitcast<i32>(shifted) >> 23u)",
        "f32(bitcast<i32>(shifted) >> 23u) + 1.0",
    ),
    fault("a bit of the mantissa lost", "0x007fffffu", "0x003fffffu"),
    fault("a coefficient of the logarithm shortened", "0.48092253", "0.48"),
    fault("last coefficient of the logarithm left out", "fma(sum, t, 1.4426949)", "sum * t"),
    fault("a coefficient of the power shortened", "0.24022648", "0.24"),
    fault(
        "lower digits of the exponent lost",
        "(upper * log.x - k) + (exponent - upper) * log.x",
        "(upper * log.x - k)",
    ),
    fault("bright results clamped too early", "-1.0, 17.0)", "-1.0, 15.0)"),
    fault("dark results clamped too early", "-1.0, 17.0)", "4.0, 17.0)"),
    fault("negative fractions clamped", "-0.5, 0.5)", "0.0, 0.5)"),
    fault("fractions above a quarter clamped", "-0.5, 0.5)", "-0.5, 0.25)"),
    fault("power rounded down", "round(power)", "floor(power)"),
    fault("offset left out", "high + offset", "high"),
    fault("result halved", "i32(k))", "i32(k) - 1)"),
];

/// Of the rule of `flatfield_apply`.
pub const FLATFIELD: &[Fault] = &[
    fault("pixels without a profile corrected", "gain < 0.0", "gain < -2.0"),
    fault("truncated instead of rounded", "gain, 0.5)", "gain, 0.0)"),
    fault("rounded up", "gain, 0.5)", "gain, 1.0)"),
    fault("dark-field left out", "f32(value) - dark", "f32(value)"),
    fault("dark-field added", "f32(value) - dark", "f32(value) + dark"),
    fault(
        "dark-field multiplied, too",
        "fma(f32(value) - dark, gain, 0.5)",
        "fma(f32(value), gain, 0.5 - dark)",
    ),
    fault(
        "values below the dark-field mirrored",
        "clamp(fma(f32(value) - dark, gain, 0.5)",
        "clamp(abs(fma(f32(value) - dark, gain, 0.5))",
    ),
    fault(
        "values below the dark-field white",
        "if (gain < 0.0) {",
        "if (f32(value) < dark) {\n        return 65535u;\n    }\n    if (gain < 0.0) {",
    ),
    fault("bright results clamped too early", "0.0, 65535.0)", "0.0, 32767.0)"),
    fault("gain left out", "dark, gain,", "dark, 1.0,"),
];

/// Of what both share.
pub const SHADING: &[Fault] = &[
    fault(
        "first coefficient of a word for all its pixels",
        "first_plane[id.y * params.columns + column + index]",
        "first_plane[id.y * params.columns + column]",
    ),
    fault(
        "second coefficient of the pixel before",
        "second_plane[id.y * params.columns + column + index]",
        "second_plane[id.y * params.columns + column + max(index, 1u) - 1u]",
    ),
    fault(
        "rows of a plane as wide as those of an image",
        "second_plane[id.y * params.columns",
        "second_plane[id.y * params.row_words",
    ),
    fault("first row of a plane for all", "first_plane[id.y * params.columns", "first_plane[0u"),
    fault("planes exchanged", "first[index], second[index])", "second[index], first[index])"),
    fault(
        "last column without coefficients",
        "column + index < params.columns; index++) {\n        first[index]",
        "column + index + 1u < params.columns; index++) {\n        first[index]",
    ),
    fault(
        "last column black",
        "column + index < params.columns; index++) {\n            let corrected",
        "column + index + 1u < params.columns; index++) {\n            let corrected",
    ),
    fault("first image for all", "source[at]", "source[id.y * params.row_words + id.x]"),
    fault("all images into the first", "(image * params.rows + id.y)", "id.y"),
    fault("last image not written", "image < params.images", "image + 1u < params.images"),
    fault("first image not written", "var image = 0u;", "var image = 1u;"),
    fault(
        "results beyond the depth not clamped",
        "min(correct(pixel(pixels, index), first[index], second[index]), params.maximum)",
        "correct(pixel(pixels, index), first[index], second[index])",
    ),
    fault(
        "results beyond the depth wrap",
        "min(correct(pixel(pixels, index), first[index], second[index]), params.maximum)",
        "correct(pixel(pixels, index), first[index], second[index]) & params.maximum",
    ),
    fault(
        "pixels 16 bits apart, whatever their depth",
        "corrected << (index * BITS)",
        "corrected << (index * 16u)",
    ),
    fault("only the last pixel of a word kept", "word |= corrected", "word = corrected"),
    fault(
        "one column of words not written",
        "        output[at] = word;",
        "        if (id.x == 3u) {\n            return;\n        }\n        output[at] = word;",
    ),
    fault("last word of a row not written", "id.x >= params.row_words", "id.x + 1u >= params.row_words"),
    fault("last row not written", "id.y >= params.rows", "id.y + 1u >= params.rows"),
    fault(
        "last row of a band not written",
        "        output[at] = word;",
        "        if (params.rows == 2u && id.y == 1u && params.row_words > 2u) {\n            return;\n        }\n        output[at] = word;",
    ),
];
