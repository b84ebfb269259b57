//! The backends that a test runs on: the CPU always, and every GPU adapter of this machine.

use tm_engine::Engine;
use tm_engine::gpu::Gpu;

/// Every adapter of this machine, opened. Software drivers such as llvmpipe count.
///
/// Without any, says `SKIPPED: no adapter`, and fails instead when `TMSERVER_TEST_REQUIRE_GPU=1`.
pub fn gpus() -> Vec<Gpu> {
    let gpus = Gpu::open_all().expect("every adapter opens");
    if gpus.is_empty() {
        let required = std::env::var("TMSERVER_TEST_REQUIRE_GPU").is_ok_and(|value| value == "1");
        assert!(!required, "TMSERVER_TEST_REQUIRE_GPU=1, but there is no adapter");
        eprintln!("SKIPPED: no adapter");
    }
    gpus
}

/// An engine on each backend, the CPU first.
pub fn engines() -> Vec<Engine> {
    std::iter::once(Engine::cpu()).chain(gpus().into_iter().map(Engine::with_gpu)).collect()
}
