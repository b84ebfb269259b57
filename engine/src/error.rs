//! What can go wrong in the engine, sorted by what the caller can do about it.

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The pixels do not fit the stated size, or two inputs do not fit each other: fix the input.
    #[error("{what}: expected {expected}, got {actual}")]
    Shape {
        /// The input that does not fit.
        what: &'static str,
        /// The size that was wanted.
        expected: String,
        /// The size that was given.
        actual: String,
    },
    /// A parameter is outside its range: fix the parameter.
    #[error("{name} {problem}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// What is wrong with it, as the rest of a sentence.
        problem: String,
    },
    /// The GPU cannot do this (lost, out of memory, limits, validation): use the CPU for this job.
    #[error("GPU: {0}")]
    Device(String),
    /// No GPU adapter fits the request.
    #[error("no GPU adapter: {0}")]
    NoAdapter(String),
}

/// Result of an engine operation.
pub type Result<T> = std::result::Result<T, EngineError>;
