//! `cargo bench --bench kernels`: the kernels on all cores, followed over time by criterion.

use std::time::Duration;

use criterion::{Criterion, Throughput};
use tm_bench::cases;
use tm_bench::kernels::CAMERA;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let mut group = criterion.benchmark_group("kernels");
    for mut case in cases::all(CAMERA).expect("the cases are valid") {
        group.throughput(Throughput::Elements(case.pixels as u64));
        let mut turn = 0;
        group.bench_function(case.name(), |bencher| {
            bencher.iter(|| {
                turn += 1;
                (case.run)(turn).expect("the case runs")
            });
        });
    }
    group.finish();
    criterion.final_summary();
}
