// Scores of lags, and which of them are maxima: all of them, or those that are above 0 and that no
// neighbour exceeds.

// 1 for local maxima only.
override LOCAL: u32 = 0u;

struct Params {
    columns: u32,
    rows: u32,
    threshold: f32,
    capacity: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> scores: array<f32>;

fn is_maximum(x: u32, y: u32) -> bool {
    if (x >= params.columns || y >= params.rows) {
        return false;
    }
    if (LOCAL == 0u) {
        return true;
    }
    let score = scores[y * params.columns + x];
    if (score <= 0.0) {
        return false;
    }
    for (var row = max(y, 1u) - 1u; row < min(y + 2u, params.rows); row++) {
        for (var column = max(x, 1u) - 1u; column < min(x + 2u, params.columns); column++) {
            if (scores[row * params.columns + column] > score) {
                return false;
            }
        }
    }
    return true;
}
