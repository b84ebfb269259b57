//! Data-analysis tools: what can be asked about the objects of a type and their features.

/// A tool, as clients see it.
pub trait Tool: Send + Sync {
    /// Name on the wire.
    fn name(&self) -> &'static str;

    /// Three letters that stand for it.
    fn icon(&self) -> &'static str;

    /// What it does.
    fn description(&self) -> &'static str;

    /// Names of the methods to choose from; none where there is only one way.
    fn methods(&self) -> &'static [&'static str];
}

/// All tools.
pub const ALL: &[&dyn Tool] = &[];
