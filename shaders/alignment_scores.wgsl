// The correlation at each lag that counts, times a factor; the definition is
// engine/src/kernels/alignment/mod.rs.
//
// A lag of a circular correlation is the sum of up to two lags of a padded one along each axis.

struct Params {
    columns: u32, // lags
    rows: u32,
    width: u32, // values of one row of the correlation
    unused: u32,
}

struct Lag {
    first: u32, // index into the correlation
    second: u32, // another one, or ABSENT
    factor: f32,
    unused: u32,
}

const ABSENT: u32 = 0xffffffffu;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> row_lags: array<Lag>;
@group(0) @binding(2) var<storage, read> column_lags: array<Lag>;
@group(0) @binding(3) var<storage, read> correlation: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> scores: array<f32>;

fn row_sum(row: u32, column: Lag) -> f32 {
    var sum = correlation[row * params.width + column.first].x;
    if (column.second != ABSENT) {
        sum += correlation[row * params.width + column.second].x;
    }
    return sum;
}

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.columns || id.y >= params.rows) {
        return;
    }
    let row = row_lags[id.y];
    let column = column_lags[id.x];
    var sum = row_sum(row.first, column);
    if (row.second != ABSENT) {
        sum += row_sum(row.second, column);
    }
    scores[id.y * params.columns + id.x] = sum * row.factor * column.factor;
}
