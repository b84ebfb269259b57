//! Which backend is chosen, and what happens when a device fails.

use tm_engine::gpu::Caps;
use tm_engine::image::Size;
use tm_engine::kernels::{ALL, Noise, SampleBackend};
use tm_engine::{Backend, BackendChoice, Engine, EngineError};
use tm_tests::backends::gpus;
use tm_tests::compare::assert_same;

#[test]
fn choices_are_read_and_written_by_name() {
    for (name, choice) in
        [("auto", BackendChoice::Auto), ("gpu", BackendChoice::Gpu), ("cpu", BackendChoice::Cpu)]
    {
        assert_eq!(name.parse::<BackendChoice>().expect("a known name"), choice);
        assert_eq!(choice.to_string(), name);
    }
    assert!("GPU".parse::<BackendChoice>().is_err());
}

#[test]
fn auto_takes_hardware_only_and_gives_a_reason() {
    let engine = Engine::new(BackendChoice::Auto).expect("auto always works");
    let info = engine.info();
    let has_hardware = info.adapters.iter().any(|adapter| !adapter.is_software());
    assert_eq!(engine.backend(), if has_hardware { Backend::Gpu } else { Backend::Cpu });
    assert!(info.reason.ends_with('.'), "{}", info.reason);
    assert_eq!(info.kernels.len(), ALL.len());
}

#[test]
fn gpu_takes_a_software_driver_too_and_fails_when_there_is_none() {
    match Engine::new(BackendChoice::Gpu) {
        Ok(engine) => {
            assert_eq!(engine.backend(), Backend::Gpu);
            let info = engine.info();
            assert!(info.adapter.is_some());
            for kernel in &info.kernels {
                assert!(kernel.backend == Backend::Gpu || kernel.note.is_some(), "{kernel:?}");
            }
            let shaded = ALL.iter().filter(|kernel| kernel.has_gpu()).count();
            let on_gpu = info.kernels.iter().filter(|kernel| kernel.backend == Backend::Gpu).count();
            assert_eq!(on_gpu, shaded, "every shader passes the probe: {:?}", info.kernels);
        }
        Err(EngineError::NoAdapter(_)) => assert!(gpus().is_empty()),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_lost_device_is_an_error_inside_and_the_engine_falls_back_to_the_cpu() {
    for gpu in gpus() {
        gpu.destroy();
        for kernel in ALL.iter().filter(|kernel| kernel.has_gpu()) {
            let result = (kernel.sample)(1, Size::new(8, 8), SampleBackend::Gpu(&gpu));
            assert!(matches!(result, Err(EngineError::Device(_))), "{}: {result:?}", kernel.name);
        }
    }
    for gpu in gpus() {
        let engine = Engine::with_gpu(gpu);
        let plane = Noise::new(3).plane::<u16>(Size::new(30, 50));
        let before = engine.downsample(&plane).expect("the device works");
        engine.lose_device();
        let after = engine.downsample(&plane).expect("the CPU takes over");
        assert_same("after the loss", &before, &after);
    }
}

#[test]
fn a_row_that_does_not_fit_the_device_is_left_to_the_cpu() {
    for gpu in gpus() {
        let gpu = gpu.with_caps(Caps { binding_bytes: 1024, workgroups: 65_535 });
        let plane = Noise::new(4).plane::<u16>(Size::new(3, 2000));
        let engine = Engine::with_gpu(gpu);
        let expected = Engine::cpu().downsample(&plane).expect("the CPU has no such limit");
        assert_same("a wide row", &expected, &engine.downsample(&plane).expect("the CPU takes over"));
    }
}
