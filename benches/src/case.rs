//! One thing to measure: what runs on the CPU, what runs on an engine, and what it gives.

use tm_engine::geometry::{Outline, Ring};
use tm_engine::image::{GreyPlane, Histogram, Plane};
use tm_engine::kernels::alignment::{Registration, Shift};
use tm_engine::{Engine, Result};

/// A kernel or chain with an input.
pub struct Case {
    /// Name of the kernel in the engine's registry.
    pub kernel: &'static str,
    /// What it is given.
    pub input: &'static str,
    /// Pixels of input of one run.
    pub pixels: usize,
    /// Bytes per pixel of input that have to cross memory.
    pub bytes_per_pixel: f64,
    /// Does it once on the CPU; the argument counts runs.
    pub run: Box<dyn FnMut(usize) -> Result<()> + Send>,
    /// Does it once on an engine, where the engine has the operation.
    pub on: Option<Box<dyn OnEngine>>,
}

impl Case {
    /// Kernel and input.
    pub fn name(&self) -> String {
        format!("{} {}", self.kernel, self.input)
    }

    /// A case that an engine runs, on the CPU too.
    pub fn of_engine<O: Values>(
        kernel: &'static str,
        input: &'static str,
        pixels: usize,
        bytes_per_pixel: f64,
        run_on: impl Fn(&Engine, usize) -> Result<O> + Send + Sync + Clone + 'static,
    ) -> Self {
        let (cpu, run) = (Engine::cpu(), run_on.clone());
        Self {
            kernel,
            input,
            pixels,
            bytes_per_pixel,
            run: Box::new(move |turn| run(&cpu, turn).map(drop)),
            on: Some(Box::new(run_on)),
        }
    }

    /// The same case, which the CPU does in another way: into memory that exists already.
    #[must_use]
    pub fn on_cpu(self, run: impl FnMut(usize) -> Result<()> + Send + 'static) -> Self {
        Self { run: Box::new(run), ..self }
    }
}

/// Does something on an engine.
pub trait OnEngine: Send + Sync {
    /// Does it once; `turn` counts runs.
    ///
    /// # Errors
    /// Those of the engine.
    fn run(&self, engine: &Engine, turn: usize) -> Result<()>;

    /// Does it once, and gives all values of the result in a fixed order.
    ///
    /// # Errors
    /// Those of the engine.
    fn values(&self, engine: &Engine) -> Result<Vec<f64>>;
}

impl<O: Values, F: Fn(&Engine, usize) -> Result<O> + Send + Sync> OnEngine for F {
    fn run(&self, engine: &Engine, turn: usize) -> Result<()> {
        self(engine, turn).map(drop)
    }

    fn values(&self, engine: &Engine) -> Result<Vec<f64>> {
        let mut values = Vec::new();
        self(engine, 0)?.add_to(&mut values);
        Ok(values)
    }
}

/// A result as numbers in a fixed order.
pub trait Values {
    /// Adds all numbers.
    fn add_to(&self, values: &mut Vec<f64>);
}

macro_rules! values_of_planes {
    ($($pixel:ty),*) => {$(
        impl Values for Plane<$pixel> {
            fn add_to(&self, values: &mut Vec<f64>) {
                values.extend(self.pixels().iter().map(|value| f64::from(*value)));
            }
        }
    )*};
}
values_of_planes!(u8, u16, i32);

impl<T: Values> Values for Vec<T> {
    fn add_to(&self, values: &mut Vec<f64>) {
        for part in self {
            part.add_to(values);
        }
    }
}

impl Values for GreyPlane {
    fn add_to(&self, values: &mut Vec<f64>) {
        match self {
            Self::U8(plane) => plane.add_to(values),
            Self::U16(plane) => plane.add_to(values),
        }
    }
}

impl Values for Histogram {
    fn add_to(&self, values: &mut Vec<f64>) {
        values.extend(self.counts().iter().map(|count| *count as f64));
    }
}

impl Values for Shift {
    fn add_to(&self, values: &mut Vec<f64>) {
        values.extend([f64::from(self.y), f64::from(self.x)]);
    }
}

impl Values for Registration {
    fn add_to(&self, values: &mut Vec<f64>) {
        values.extend([self.subpixel.y, self.subpixel.x, self.quality, self.threshold]);
    }
}

impl Values for Outline {
    fn add_to(&self, values: &mut Vec<f64>) {
        values.extend([f64::from(self.label), self.parts.len() as f64]);
        for vertex in self.rings().flat_map(Ring::vertices) {
            values.extend([f64::from(vertex.x), f64::from(vertex.y)]);
        }
    }
}
