//! Reading what file names say, by a pattern with named groups.

use regex::{Regex, RegexBuilder};

use super::error::PlanError;
use super::well::WellName;

/// Longest pattern a user may give, in bytes.
const MAX_PATTERN_LENGTH: usize = 1000;
/// Largest compiled pattern, in bytes.
const MAX_COMPILED_SIZE: usize = 4 << 20;
/// Deepest nesting of groups in a pattern.
const MAX_NESTING: u32 = 50;

/// The groups a pattern may have: well, time point, site, focal plane, channel.
pub const GROUPS: [&str; 5] = ["w", "t", "s", "z", "c"];

/// What a file name says; `None` where the pattern has no such group or it did not take part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameFields {
    /// Well, group `w`.
    pub well: Option<WellName>,
    /// Time point, group `t`.
    pub t: Option<u32>,
    /// Site, group `s`.
    pub site: Option<u32>,
    /// Focal plane, group `z`.
    pub z: Option<u32>,
    /// Channel as written, group `c`.
    pub channel: Option<String>,
    /// Step of the protocol, for the one microscope type that writes it.
    pub action: Option<u32>,
}

/// A pattern for file names: searched for anywhere in the name, case-sensitive.
#[derive(Debug, Clone)]
pub struct NamePattern {
    regex: Regex,
}

impl NamePattern {
    /// A microscope type's own pattern.
    ///
    /// # Panics
    /// If the pattern is not a valid regular expression: it is part of the program.
    pub fn built_in(pattern: &str) -> Self {
        Self { regex: Regex::new(pattern).expect("built-in patterns are valid") }
    }

    /// A pattern from a user, as `(?P<w>[A-Z][0-9]{2})_s(?P<s>[0-9]+)`.
    ///
    /// # Errors
    /// [`PlanError::Regex`] if it is too long or too large, is no regular expression (look-around and
    /// back-references are not supported), or has groups with names other than `w`, `t`, `s`, `z`, `c`.
    pub fn user(pattern: &str) -> Result<Self, PlanError> {
        let refuse = |problem: String| PlanError::Regex { pattern: abridged(pattern), problem };
        if pattern.len() > MAX_PATTERN_LENGTH {
            return Err(refuse(format!("longer than {MAX_PATTERN_LENGTH} bytes: it has {}", pattern.len())));
        }
        let regex = RegexBuilder::new(pattern)
            .size_limit(MAX_COMPILED_SIZE)
            .dfa_size_limit(MAX_COMPILED_SIZE)
            .nest_limit(MAX_NESTING)
            .build()
            .map_err(|error| refuse(error.to_string()))?;
        let unknown: Vec<&str> =
            regex.capture_names().flatten().filter(|name| !GROUPS.contains(name)).collect();
        if !unknown.is_empty() {
            return Err(refuse(format!(
                "unknown group names {}: wanted only {}",
                unknown.join(", "),
                GROUPS.join(", ")
            )));
        }
        Ok(Self { regex })
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// Whether the name fits.
    pub fn matches(&self, name: &str) -> bool {
        self.regex.is_match(name)
    }

    /// What the name says, or `None` if it does not fit the pattern.
    ///
    /// # Errors
    /// [`PlanError::NameValue`] if a group matched something that is no well name or no number.
    pub fn read(&self, name: &str) -> Result<Option<NameFields>, PlanError> {
        let Some(found) = self.regex.captures(name) else { return Ok(None) };
        let text = |group: &str| found.name(group).map(|m| m.as_str()).filter(|text| !text.is_empty());
        let refuse = |problem: String| PlanError::NameValue { file: name.to_string(), problem };
        let number = |group: &str, what: &str| {
            text(group)
                .map(|text| {
                    text.parse::<u32>().map_err(|_| {
                        refuse(format!("{what} (group {group}) is '{text}', wanted a number below 2^32"))
                    })
                })
                .transpose()
        };
        Ok(Some(NameFields {
            well: text("w")
                .map(|text| text.parse::<WellName>().map_err(|error| refuse(error.to_string())))
                .transpose()?,
            t: number("t", "the time point")?,
            site: number("s", "the site")?,
            z: number("z", "the focal plane")?,
            channel: text("c").map(str::to_string),
            action: None,
        }))
    }
}

/// A text short enough for a message.
fn abridged(text: &str) -> String {
    const SHOWN: usize = 200;
    if text.chars().count() <= SHOWN {
        return text.to_string();
    }
    text.chars().take(SHOWN).chain("…".chars()).collect()
}
