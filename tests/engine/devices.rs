//! Which backend is chosen, and what happens when a device fails.

use std::process::Command;
use std::sync::Barrier;

use tm_engine::gpu::Caps;
use tm_engine::image::Size;
use tm_engine::kernels::downsample::Filter;
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

#[test]
fn a_device_that_is_lost_in_the_middle_of_work_changes_no_result() {
    for gpu in gpus() {
        let engine = Engine::with_gpu(gpu);
        let plane = Noise::new(5).plane::<u16>(Size::new(300, 700));
        let expected = Engine::cpu().downsample_levels(&plane, Filter::Mean, 6).expect("it works");
        let started = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                started.wait();
                engine.lose_device();
            });
            for turn in 0..20 {
                if turn == 2 {
                    started.wait();
                }
                let levels = engine.downsample_levels(&plane, Filter::Mean, 6).expect("the CPU takes over");
                for (expected, actual) in expected.iter().zip(&levels) {
                    assert_same(&format!("turn {turn}"), expected, actual);
                }
            }
        });
    }
}

/// Set in the process that runs out of memory.
const LITTLE_MEMORY: &str = "TM_TEST_LITTLE_MEMORY";
/// Address space of that process in KiB.
const ADDRESS_SPACE_KIB: u64 = 8 << 20;

#[test]
fn full_memory_of_a_device_is_an_error_inside_and_the_cpu_takes_over() {
    if std::env::var_os(LITTLE_MEMORY).is_some() {
        return use_a_device_without_memory();
    }
    // A software driver takes its memory from the address space of the process, which a shell limits.
    let program = std::env::current_exe().expect("the test has a file");
    let test = "devices::full_memory_of_a_device_is_an_error_inside_and_the_cpu_takes_over";
    let output = Command::new("sh")
        .args(["-c", "ulimit -v $0 && exec \"$@\"", &ADDRESS_SPACE_KIB.to_string()])
        .arg(program)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(LITTLE_MEMORY, "1")
        .output()
        .expect("a shell is there");
    let report = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && report.contains("1 passed"), "{report}");
}

fn use_a_device_without_memory() {
    for (gpu, bare) in gpus().into_iter().zip(gpus()).filter(|(gpu, _)| gpu.adapter().is_software()) {
        let plane = Noise::new(6).plane::<u16>(Size::new(8190, 8192));
        let expected = Engine::cpu().downsample(&plane).expect("there is memory yet");
        let engine = Engine::with_gpu(gpu);
        assert_same("with memory", &expected, &engine.downsample(&plane).expect("there is memory yet"));
        // All but some 64 MiB of the address space, none of it touched.
        let mut taken: Vec<Vec<u8>> = Vec::new();
        loop {
            let mut part = Vec::new();
            if part.try_reserve_exact(64 << 20).is_err() {
                break;
            }
            taken.push(part);
        }
        taken.pop();
        match bare.copy_bytes_per_second(128 << 20, 1) {
            Err(EngineError::Device(problem)) => println!("{}: {problem}", bare.adapter()),
            copied => panic!("{}: {copied:?} without memory", bare.adapter()),
        }
        assert_same("without memory", &expected, &engine.downsample(&plane).expect("the CPU takes over"));
        drop(taken);
        assert_same("with memory again", &expected, &engine.downsample(&plane).expect("it works"));
    }
}
