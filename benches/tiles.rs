//! `cargo bench --bench tiles`: rendering tiles of a stored map without HTTP, followed over time by
//! criterion.

use std::time::Duration;

use criterion::{Criterion, Throughput};
use tm_bench::kernels::CAMERA;
use tm_bench::made_up_plate::MadeUpPlate;
use tm_bench::tiles::{CASES, Case, Wanted};
use tm_engine::BackendChoice;
use tm_server::resources::tile::{self, TileFormat, TileRequest};

const SITES: usize = 4;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let plate = runtime.block_on(async {
        let plate = MadeUpPlate::make(SITES, CAMERA, BackendChoice::Auto).await.expect("a plate");
        plate.build_pyramid(plate.plain_layer).await.expect("a pyramid");
        plate
    });
    let mut group = criterion.benchmark_group("tiles");
    group.throughput(Throughput::Elements(256 * 256));
    for case in &CASES {
        // Goes on over samples, so that no tile is asked for twice with the same limits.
        let mut number = 0;
        group.bench_function(case.name, |bencher| {
            bencher.iter(|| {
                number += 1;
                runtime.block_on(render(&plate, case, number))
            });
        });
    }
    group.finish();
    criterion.final_summary();
}

/// The number of bytes of the tile that request `number` asks for.
async fn render(plate: &MadeUpPlate, case: &Case, number: usize) -> usize {
    let Wanted { z, y, x, limits } = case.wanted(plate, number);
    let request = TileRequest {
        z: z as u64,
        y: y as u64,
        x: x as u64,
        format: TileFormat::Jpeg,
        min: limits.map(|(lower, _)| lower),
        max: limits.map(|(_, upper)| upper),
    };
    let app = &plate.server.app;
    let layer = case.layer(plate);
    let tile = tile::get(&app.environment, &app.tiles, plate.experiment, layer, &request).await;
    tile.expect("the tile is rendered").bytes.len()
}
