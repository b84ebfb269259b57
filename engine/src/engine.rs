//! The engine: one typed method per operation, on the backend chosen at start.
//!
//! It has more than 500 lines because every operation of the engine is found here, with its errors.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{EngineError, Result};
use crate::geometry::{MapOffset, Outline};
use crate::gpu::{self, AdapterInfo, Gpu, Phases};
use crate::image::{GreyPixel, GreyPlane, Histogram, Plane, PlaneRef, Size};
use crate::kernels::alignment::{self, Registration, Residues, RobustOptions, Shift};
use crate::kernels::downsample::{Filter, Label};
use crate::kernels::flatfield::{self, FlatfieldCorrection};
use crate::kernels::illumination::{self, Correction, IlluminationSums};
use crate::kernels::rescale::{self, Limits};
use crate::kernels::tile::{self, Placement};
use crate::kernels::{self, contours, downsample, histogram, projection, pyramid};
use crate::probe;

/// Which backend is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BackendChoice {
    /// A hardware GPU if there is one, otherwise the CPU.
    #[default]
    Auto,
    /// A GPU, a software driver included.
    Gpu,
    /// The CPU.
    Cpu,
}

impl std::str::FromStr for BackendChoice {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "gpu" => Ok(Self::Gpu),
            "cpu" => Ok(Self::Cpu),
            _ => Err(EngineError::Parameter {
                name: "backend",
                problem: format!("must be auto, gpu or cpu, not {text:?}"),
            }),
        }
    }
}

impl std::fmt::Display for BackendChoice {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Auto => "auto",
            Self::Gpu => "gpu",
            Self::Cpu => "cpu",
        })
    }
}

/// What computes pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    /// Compute shaders.
    Gpu,
    /// Vector loops on the processor.
    Cpu,
}

impl std::fmt::Display for Backend {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Gpu => "gpu",
            Self::Cpu => "cpu",
        })
    }
}

/// What an engine runs on, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// What was asked for.
    pub choice: BackendChoice,
    /// What is used.
    pub backend: Backend,
    /// Why, as a sentence.
    pub reason: String,
    /// The adapter that is used, if it is one.
    pub adapter: Option<AdapterInfo>,
    /// All adapters of this machine.
    pub adapters: Vec<AdapterInfo>,
    /// What each kernel runs on.
    pub kernels: Vec<KernelBackend>,
    /// Threads of the CPU backend.
    pub threads: usize,
}

/// What one kernel runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelBackend {
    /// Name of the kernel.
    pub name: &'static str,
    /// What it runs on.
    pub backend: Backend,
    /// Why it runs on the CPU although a GPU is used.
    pub note: Option<String>,
}

/// Computes pixels. Cheap to clone; clones share one device.
#[derive(Debug, Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    choice: BackendChoice,
    reason: String,
    gpu: Option<Gpu>,
    kernels: Vec<KernelBackend>,
    fallbacks: AtomicU64,
}

impl Engine {
    /// An engine on the backend asked for.
    ///
    /// Each GPU kernel is checked against its CPU twin first; one that is wrong on this device
    /// runs on the CPU.
    ///
    /// # Errors
    /// [`EngineError::NoAdapter`] or [`EngineError::Device`] when a GPU is asked for and there is
    /// none, or it cannot be opened.
    pub fn new(choice: BackendChoice) -> Result<Self> {
        match choice {
            BackendChoice::Cpu => Ok(Self::on_cpu(choice, "The CPU was asked for.".to_owned())),
            BackendChoice::Gpu => {
                let gpu = Gpu::open(true)?;
                let kind = if gpu.adapter().is_software() { ", a software driver" } else { "" };
                let reason = format!("A GPU was asked for; {}{kind} is the best one.", gpu.adapter().name);
                Ok(Self::on_gpu(choice, reason, gpu))
            }
            BackendChoice::Auto => Ok(match Gpu::open(false) {
                Ok(gpu) => {
                    let reason = format!("{} is a hardware GPU.", gpu.adapter().name);
                    Self::on_gpu(choice, reason, gpu)
                }
                Err(EngineError::NoAdapter(why)) => {
                    Self::on_cpu(choice, format!("There is no hardware GPU: {why}."))
                }
                Err(error) => {
                    tracing::warn!(%error, "the GPU cannot be opened; using the CPU");
                    Self::on_cpu(choice, format!("The GPU cannot be opened ({error})."))
                }
            }),
        }
    }

    /// An engine on the CPU.
    pub fn cpu() -> Self {
        Self::on_cpu(BackendChoice::Cpu, "The CPU was asked for.".to_owned())
    }

    /// An engine on a device that is open already.
    pub fn with_gpu(gpu: Gpu) -> Self {
        let reason = format!("{} was given.", gpu.adapter().name);
        Self::on_gpu(BackendChoice::Gpu, reason, gpu)
    }

    /// Gives the device up, as a driver may at any time: for tests of the fallback.
    pub fn lose_device(&self) {
        if let Some(gpu) = &self.shared.gpu {
            gpu.destroy();
        }
    }

    fn on_cpu(choice: BackendChoice, reason: String) -> Self {
        let kernels = kernels::ALL
            .iter()
            .map(|kernel| KernelBackend { name: kernel.name, backend: Backend::Cpu, note: None })
            .collect();
        Self { shared: Arc::new(Shared { choice, reason, gpu: None, kernels, fallbacks: AtomicU64::new(0) }) }
    }

    fn on_gpu(choice: BackendChoice, reason: String, gpu: Gpu) -> Self {
        let kernels = kernels::ALL
            .iter()
            .map(|kernel| {
                let problem = if kernel.has_gpu() {
                    probe::probe(kernel, &gpu).err().map(|error| {
                        tracing::warn!(kernel = kernel.name, %error, "this kernel runs on the CPU");
                        error.to_string()
                    })
                } else {
                    Some("no GPU implementation yet".to_owned())
                };
                let backend = if problem.is_some() { Backend::Cpu } else { Backend::Gpu };
                KernelBackend { name: kernel.name, backend, note: problem }
            })
            .collect();
        let fallbacks = AtomicU64::new(0);
        Self { shared: Arc::new(Shared { choice, reason, gpu: Some(gpu), kernels, fallbacks }) }
    }

    /// What this engine uses.
    pub fn backend(&self) -> Backend {
        if self.shared.gpu.is_some() { Backend::Gpu } else { Backend::Cpu }
    }

    /// How often the CPU took over because the GPU failed.
    pub fn fallbacks(&self) -> u64 {
        self.shared.fallbacks.load(Ordering::Relaxed)
    }

    /// What each kernel runs on.
    pub fn kernels(&self) -> &[KernelBackend] {
        &self.shared.kernels
    }

    /// Where the time of GPU work went since this was last asked; nothing without a device that
    /// measures it ([`Gpu::with_stopwatch`]).
    pub fn take_phases(&self) -> Option<Phases> {
        self.shared.gpu.as_ref().and_then(Gpu::take_phases)
    }

    /// What this engine runs on and why; lists the adapters of this machine.
    pub fn info(&self) -> EngineInfo {
        EngineInfo {
            choice: self.shared.choice,
            backend: self.backend(),
            reason: self.shared.reason.clone(),
            adapter: self.shared.gpu.as_ref().map(|gpu| gpu.adapter().clone()),
            adapters: gpu::list_adapters(),
            kernels: self.shared.kernels.clone(),
            threads: rayon::current_num_threads(),
        }
    }

    /// Halves a plane: 2×2 means, ties up; see [`downsample`].
    ///
    /// # Errors
    /// None at present; kernels of the GPU that fail are repeated on the CPU.
    pub fn downsample<T: GreyPixel>(&self, plane: &Plane<T>) -> Result<Plane<T>> {
        self.run(
            downsample::SPEC.name,
            |gpu| downsample::gpu::downsample(gpu, plane.view()),
            || Ok(downsample::cpu::downsample(plane.view())),
        )
    }

    /// Halves a plane: 2×2 maxima, so that small bright spots stay visible; see [`downsample`].
    ///
    /// # Errors
    /// As [`downsample`](Self::downsample).
    pub fn downsample_max<T: GreyPixel>(&self, plane: &Plane<T>) -> Result<Plane<T>> {
        self.run(
            downsample::MAX.name,
            |gpu| downsample::gpu::downsample_max(gpu, plane.view()),
            || Ok(downsample::cpu::downsample_max(plane.view())),
        )
    }

    /// Halves a label image: the label most frequent in 2×2 pixels; see [`downsample`].
    ///
    /// # Errors
    /// As [`downsample`](Self::downsample).
    pub fn downsample_labels<T: Label>(&self, labels: &Plane<T>) -> Result<Plane<T>> {
        self.run(
            downsample::MODE.name,
            |gpu| downsample::gpu::downsample_labels(gpu, labels.view()),
            || Ok(downsample::cpu::downsample_labels(labels.view())),
        )
    }

    /// Halves a plane again and again: its levels 1 to `levels`; see [`downsample`].
    ///
    /// # Errors
    /// [`EngineError::Parameter`] for more than 32 levels.
    pub fn downsample_levels<T: GreyPixel>(
        &self,
        plane: &Plane<T>,
        filter: Filter,
        levels: usize,
    ) -> Result<Vec<Plane<T>>> {
        self.run(
            downsample::LEVELS.name,
            |gpu| downsample::levels::downsample_levels(gpu, plane.view(), filter, levels),
            || downsample::cpu::downsample_levels(plane.view(), filter, levels),
        )
    }

    /// Halves a plane of either depth; see [`downsample`].
    ///
    /// # Errors
    /// As [`downsample`](Self::downsample).
    pub fn downsample_grey(&self, plane: &GreyPlane) -> Result<GreyPlane> {
        match plane {
            GreyPlane::U8(plane) => self.downsample(plane).map(GreyPlane::U8),
            GreyPlane::U16(plane) => self.downsample(plane).map(GreyPlane::U16),
        }
    }

    /// Counts how often each grey value occurs; see [`histogram`].
    ///
    /// # Errors
    /// As [`downsample`](Self::downsample).
    pub fn histogram<T: GreyPixel>(&self, plane: &Plane<T>) -> Result<Histogram> {
        self.run(
            histogram::SPEC.name,
            |gpu| histogram::gpu::histogram(gpu, plane.view()),
            || Ok(histogram::cpu::histogram(plane.view())),
        )
    }

    /// Stretches grey values between two limits to 8 bits; see [`rescale`].
    ///
    /// # Errors
    /// [`EngineError::Parameter`] when the limits are not in order.
    pub fn rescale<T: GreyPixel>(&self, plane: &Plane<T>, limits: Limits) -> Result<Plane<u8>> {
        self.run(
            rescale::SPEC.name,
            |gpu| rescale::gpu::rescale(gpu, plane.view(), limits),
            || rescale::cpu::rescale(plane.view(), limits),
        )
    }

    /// Corrects uneven illumination; see [`illumination`].
    ///
    /// # Errors
    /// [`EngineError::Shape`] when plane and correction differ in size.
    pub fn correct<T: GreyPixel>(&self, plane: &Plane<T>, correction: &Correction) -> Result<Plane<T>> {
        let corrected = self.correct_all(&[plane.view()], correction)?;
        Ok(corrected.into_iter().next().expect("one plane gives one plane"))
    }

    /// Corrects uneven illumination of several planes of one channel; see [`illumination`]. On a
    /// GPU this is faster than one by one: the correction crosses the bus and memory once.
    ///
    /// # Errors
    /// As [`correct`](Self::correct), when one of the planes has another size.
    pub fn correct_all<T: GreyPixel>(
        &self,
        planes: &[PlaneRef<'_, T>],
        correction: &Correction,
    ) -> Result<Vec<Plane<T>>> {
        self.run(
            illumination::APPLY.name,
            |gpu| illumination::gpu::correct_all(gpu, planes, correction),
            || illumination::cpu::correct_all(planes, correction),
        )
    }

    /// Adds several images to the illumination statistics of their channel; see [`illumination`].
    /// Bit for bit what [`IlluminationSums::add_all`] does.
    ///
    /// # Errors
    /// As [`IlluminationSums::add_all`]; nothing is added then.
    pub fn add_to_statistics(&self, sums: &mut IlluminationSums, images: &[&GreyPlane]) -> Result<()> {
        let (size, depth) = (sums.size(), sums.depth());
        let summed = self.on_gpu_if_usable(illumination::SUMS.name, |gpu| {
            illumination::gpu::sum_images(gpu, size, depth, images)
        });
        match summed {
            Some(summed) => sums.merge(&summed?),
            None => sums.add_all(images),
        }
    }

    /// Corrects planes of one channel by its flat-field; see [`flatfield`].
    ///
    /// # Errors
    /// [`EngineError::Shape`] when a plane and the correction differ in size.
    pub fn apply_flatfield<T: GreyPixel>(
        &self,
        planes: &[PlaneRef<'_, T>],
        correction: &FlatfieldCorrection,
    ) -> Result<Vec<Plane<T>>> {
        self.run(
            flatfield::SPEC.name,
            |gpu| flatfield::gpu::apply_all(gpu, planes, correction),
            || flatfield::cpu::apply_all(planes, correction),
        )
    }

    /// Corrects uneven illumination of a plane of either depth; see [`illumination`].
    ///
    /// # Errors
    /// As [`correct`](Self::correct).
    pub fn correct_grey(&self, plane: &GreyPlane, correction: &Correction) -> Result<GreyPlane> {
        match plane {
            GreyPlane::U8(plane) => self.correct(plane, correction).map(GreyPlane::U8),
            GreyPlane::U16(plane) => self.correct(plane, correction).map(GreyPlane::U16),
        }
    }

    /// Places pixels, corrected where asked, at their stored depth; see [`tile`].
    ///
    /// # Errors
    /// [`EngineError::Shape`] when a correction window does not have the size of its pixels.
    pub fn compose<T: GreyPixel>(&self, size: Size, placements: &[Placement<'_, T>]) -> Result<Plane<T>> {
        self.run(
            tile::SPEC.name,
            |gpu| tile::gpu::compose(gpu, size, placements),
            || tile::cpu::compose(size, placements),
        )
    }

    /// Places pixels, corrected where asked, and makes the levels 1 to `levels` of the canvas; see
    /// [`pyramid`].
    ///
    /// # Errors
    /// As [`compose`](Self::compose); [`EngineError::Parameter`] for more than 32 levels.
    pub fn build_levels<T: GreyPixel>(
        &self,
        size: Size,
        placements: &[Placement<'_, T>],
        filter: Filter,
        levels: usize,
    ) -> Result<Vec<Plane<T>>> {
        self.run(
            pyramid::SPEC.name,
            |gpu| pyramid::gpu::build_levels(gpu, size, placements, filter, levels),
            || pyramid::cpu::build_levels(size, placements, filter, levels),
        )
    }

    /// Places pixels, corrected where asked, and stretches them to 8 bits; see [`tile`].
    ///
    /// # Errors
    /// [`EngineError::Shape`] when a correction window does not have the size of its pixels;
    /// [`EngineError::Parameter`] for limits out of order, or none for 16-bit pixels.
    pub fn render_tile<T: GreyPixel>(
        &self,
        size: Size,
        placements: &[Placement<'_, T>],
        limits: Option<Limits>,
    ) -> Result<Plane<u8>> {
        self.run(
            tile::SPEC.name,
            |gpu| tile::gpu::render_tile(gpu, size, placements, limits),
            || tile::cpu::render_tile(size, placements, limits),
        )
    }

    /// The pixel-wise maximum of planes of one size and depth; see [`projection`].
    ///
    /// # Errors
    /// [`EngineError::Parameter`] for no planes; [`EngineError::Shape`] when they differ.
    pub fn project_max(&self, planes: &[GreyPlane]) -> Result<GreyPlane> {
        self.run(
            projection::SPEC.name,
            |gpu| projection::gpu::project_max(gpu, planes),
            || projection::cpu::project_max(planes),
        )
    }

    /// Traces the pixel-edge outlines of all objects of a label image; see [`contours`].
    ///
    /// # Errors
    /// [`EngineError::Parameter`] for negative labels, and for a site off the map.
    pub fn trace_outlines(&self, labels: &Plane<i32>, offset: MapOffset) -> Result<Vec<Outline>> {
        self.run(
            contours::SPEC.name,
            |gpu| contours::gpu::trace(gpu, labels.view(), offset),
            || contours::cpu::trace(labels.view(), offset),
        )
    }

    /// Moves a plane by whole pixels; what comes from outside is 0. See [`alignment`].
    ///
    /// # Errors
    /// None at present.
    pub fn shift<T: GreyPixel>(&self, plane: &Plane<T>, shift: Shift) -> Result<Plane<T>> {
        self.run(
            alignment::APPLY.name,
            |gpu| alignment::gpu::shift(gpu, plane.view(), shift),
            || Ok(alignment::cpu::shift(plane.view(), shift)),
        )
    }

    /// Cuts what every cycle of a site has out of a shifted plane; see [`alignment`].
    ///
    /// # Errors
    /// [`EngineError::Parameter`] when the residues were not made with this shift among others.
    pub fn align_crop<T: GreyPixel>(
        &self,
        plane: &Plane<T>,
        shift: Shift,
        residues: Residues,
    ) -> Result<Plane<T>> {
        self.run(
            alignment::APPLY.name,
            |gpu| alignment::gpu::crop(gpu, plane.view(), shift, residues),
            || alignment::cpu::crop(plane.view(), shift, residues),
        )
    }

    /// Cuts what every cycle of a site has out of a shifted plane of either depth; see [`alignment`].
    ///
    /// # Errors
    /// As [`align_crop`](Self::align_crop).
    pub fn align_crop_grey(&self, plane: &GreyPlane, shift: Shift, residues: Residues) -> Result<GreyPlane> {
        match plane {
            GreyPlane::U8(plane) => self.align_crop(plane, shift, residues).map(GreyPlane::U8),
            GreyPlane::U16(plane) => self.align_crop(plane, shift, residues).map(GreyPlane::U16),
        }
    }

    /// As [`align_crop`](Self::align_crop), at the size of the plane with zeros around.
    ///
    /// # Errors
    /// As [`align_crop`](Self::align_crop).
    pub fn align_pad<T: GreyPixel>(
        &self,
        plane: &Plane<T>,
        shift: Shift,
        residues: Residues,
    ) -> Result<Plane<T>> {
        self.run(
            alignment::APPLY.name,
            |gpu| alignment::gpu::pad(gpu, plane.view(), shift, residues),
            || alignment::cpu::pad(plane.view(), shift, residues),
        )
    }

    /// The shifts of targets by circular correlation, as TissueMAPS; see [`alignment`].
    ///
    /// # Errors
    /// [`EngineError::Shape`] when a target has another size than the reference, or for sides of 2³¹
    /// or 2³² pixels and more.
    pub fn register_compatible<T: GreyPixel>(
        &self,
        reference: &Plane<T>,
        targets: &[&Plane<T>],
    ) -> Result<Vec<Shift>> {
        let targets: Vec<_> = targets.iter().map(|target| target.view()).collect();
        self.run(
            alignment::COMPATIBLE.name,
            |gpu| alignment::gpu::register_compatible(gpu, reference.view(), &targets),
            || {
                let reference = alignment::cpu::CompatibleReference::new(reference.view())?;
                targets.iter().map(|target| reference.register(*target)).collect()
            },
        )
    }

    /// The shifts of targets by whitened correlation, with their quality; see [`alignment`].
    ///
    /// # Errors
    /// As [`register_compatible`](Self::register_compatible), and [`EngineError::Parameter`] for
    /// options out of range.
    pub fn register_robust<T: GreyPixel>(
        &self,
        reference: &Plane<T>,
        targets: &[&Plane<T>],
        options: &RobustOptions,
    ) -> Result<Vec<Registration>> {
        let targets: Vec<_> = targets.iter().map(|target| target.view()).collect();
        self.run(
            alignment::ROBUST.name,
            |gpu| alignment::gpu::register_robust(gpu, reference.view(), &targets, options),
            || {
                let reference = alignment::cpu::RobustReference::new(reference.view(), options)?;
                targets.iter().map(|target| reference.register(*target)).collect()
            },
        )
    }

    /// Judges one shift for each target that was found in another way, such as
    /// [`register_compatible`](Self::register_compatible): how much the whitened planes have in common
    /// after it, and how much chance reaches. The sub-pixel shift is the shift itself. See [`alignment`].
    ///
    /// # Errors
    /// As [`register_robust`](Self::register_robust); [`EngineError::Parameter`] for another number of
    /// shifts than of targets.
    pub fn judge_shifts<T: GreyPixel>(
        &self,
        reference: &Plane<T>,
        targets: &[&Plane<T>],
        shifts: &[Shift],
        options: &RobustOptions,
    ) -> Result<Vec<Registration>> {
        if shifts.len() != targets.len() {
            return Err(EngineError::Parameter {
                name: "shifts",
                problem: format!("must be one for each of {} targets, got {}", targets.len(), shifts.len()),
            });
        }
        let pairs: Vec<_> = targets.iter().map(|target| target.view()).zip(shifts.iter().copied()).collect();
        self.run(
            alignment::ROBUST.name,
            |gpu| alignment::gpu::judge_shifts(gpu, reference.view(), &pairs, options),
            || {
                let reference = alignment::cpu::RobustReference::new(reference.view(), options)?;
                pairs.iter().map(|(target, shift)| reference.judge(*target, *shift)).collect()
            },
        )
    }

    /// Runs a kernel on its backend; what the device cannot do, the CPU does.
    fn run<R>(
        &self,
        kernel: &'static str,
        on_gpu: impl FnOnce(&Gpu) -> Result<R>,
        on_cpu: impl FnOnce() -> Result<R>,
    ) -> Result<R> {
        self.on_gpu_if_usable(kernel, on_gpu).unwrap_or_else(on_cpu)
    }

    /// Runs a kernel on the GPU; `None` where that is not possible and the CPU is to do it.
    fn on_gpu_if_usable<R>(
        &self,
        kernel: &'static str,
        on_gpu: impl FnOnce(&Gpu) -> Result<R>,
    ) -> Option<Result<R>> {
        let usable = |entry: &KernelBackend| entry.name == kernel && entry.backend == Backend::Gpu;
        let gpu = self.shared.gpu.as_ref().filter(|_| self.shared.kernels.iter().any(usable))?;
        match on_gpu(gpu) {
            Err(EngineError::Device(problem)) => {
                if self.shared.fallbacks.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!(kernel, problem, "the GPU failed; the CPU takes over where it does");
                }
                None
            }
            result => Some(result),
        }
    }
}
