//! What is wrong with a project.

use std::fmt;

/// Most problems that are noted: nobody reads more.
const MOST: usize = 200;

/// Something that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: `pipeline.input.channels[1].correct`, `handles.smooth_dapi.input[2].value`.
    pub position: String,
    /// What was wanted, as the rest of a sentence that begins with the position.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.position, self.message)
    }
}

/// All that is wrong with a project, in the order of the project; written a line each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems {
    noted: Vec<Problem>,
    others: usize,
}

impl Problems {
    /// Just one.
    pub fn one(position: impl Into<String>, message: impl Into<String>) -> Self {
        Self { noted: vec![Problem { position: position.into(), message: message.into() }], others: 0 }
    }

    /// Note one more.
    pub fn add(&mut self, position: impl Into<String>, message: impl Into<String>) {
        if self.noted.len() < MOST {
            self.noted.push(Problem { position: position.into(), message: message.into() });
        } else {
            self.others += 1;
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.noted.len() + self.others
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.noted.is_empty()
    }

    /// The first of them, a line each, and how many there are beside them.
    pub fn first(&self, most: usize) -> String {
        let mut lines: Vec<_> = self.noted.iter().take(most).map(Problem::to_string).collect();
        let left = self.len() - lines.len();
        if left > 0 {
            lines.push(format!("and {left} more"));
        }
        lines.join("\n")
    }

    /// Whether anything is wrong.
    ///
    /// # Errors
    /// These problems, if there are any.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.first(MOST))
    }
}

impl std::error::Error for Problems {}
