//! Arguments of steps: what they are called, which values they take, what they are when not given.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::machine;

/// Which values an argument takes.
#[derive(Debug, Clone, Copy)]
pub enum ArgumentKind {
    /// A whole number of at least `min`.
    Integer {
        /// Smallest value allowed.
        min: i64,
    },
    /// A number from `min` to `max`.
    Number {
        /// Smallest value allowed.
        min: f64,
        /// Largest value allowed.
        max: f64,
    },
    /// Text; one of `choices` if there are any.
    Text {
        /// The values on offer; empty for free text.
        choices: &'static [&'static str],
    },
    /// True or false.
    Flag,
    /// A time: `HH:MM:SS`, `DD:HH:MM:SS`, `1d 2h 4m`, or seconds as a number.
    Duration,
}

/// The value of an argument that is not given.
#[derive(Debug, Clone, Copy)]
pub enum Default {
    /// No value.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// Text.
    Text(&'static str),
    /// True or false.
    Flag(bool),
    /// The machine's memory divided by its cores, in megabytes.
    MemoryPerCore,
}

impl Default {
    fn value(self) -> Value {
        match self {
            Self::MemoryPerCore => json!(machine::memory_per_core_mb()),
            Self::Null => Value::Null,
            Self::Integer(value) => json!(value),
            Self::Number(value) => json!(value),
            Self::Text(value) => json!(value),
            Self::Flag(value) => json!(value),
        }
    }
}

/// An argument of a step.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    /// Name on the wire.
    pub name: &'static str,
    /// Which values it takes.
    pub kind: ArgumentKind,
    /// Its value when not given.
    pub default: Default,
    /// Whether a value must be given.
    pub required: bool,
    /// What it means.
    pub help: &'static str,
}

impl Argument {
    /// An argument that need not be given.
    pub const fn optional(
        name: &'static str,
        kind: ArgumentKind,
        default: Default,
        help: &'static str,
    ) -> Self {
        Self { name, kind, default, required: false, help }
    }

    /// An argument that must be given.
    pub const fn required(name: &'static str, kind: ArgumentKind, help: &'static str) -> Self {
        Self { name, kind, default: Default::Null, required: true, help }
    }

    /// The argument with its value, as clients see it.
    pub fn describe(&self, values: &Arguments) -> Value {
        let choices = match self.kind {
            ArgumentKind::Text { choices } if !choices.is_empty() => json!(choices),
            ArgumentKind::Flag => json!([true, false]),
            _ => Value::Null,
        };
        json!({
            "name": self.name,
            "help": self.help,
            "default": self.default.value(),
            "required": self.required,
            "disabled": false,
            "value": values.get(self.name),
            "choices": choices,
        })
    }

    /// The value a client gave, brought to its type.
    ///
    /// # Errors
    /// What was wanted, as a sentence that names the argument.
    fn accept(&self, given: &Value) -> Result<Value, String> {
        // Web forms send an empty text for "no value".
        let given = match given {
            Value::String(text) if text.trim().is_empty() => &Value::Null,
            other => other,
        };
        if given.is_null() {
            return Ok(Value::Null);
        }
        let wrong = |wanted: &str| Err(format!("argument `{}` must be {wanted}, got {given}", self.name));
        match self.kind {
            ArgumentKind::Integer { min } => match integer(given) {
                Some(value) if value >= min => Ok(json!(value)),
                _ => wrong(&format!("a whole number of at least {min}")),
            },
            ArgumentKind::Number { min, max } => {
                let number = given.as_f64().or_else(|| given.as_str()?.trim().parse().ok());
                match number {
                    Some(value) if (min..=max).contains(&value) => Ok(json!(value)),
                    _ => wrong(&format!("a number from {min} to {max}")),
                }
            }
            ArgumentKind::Text { choices } => {
                let text = match given {
                    Value::String(text) => text.clone(),
                    Value::Number(number) => number.to_string(),
                    _ => return wrong("text"),
                };
                if !choices.is_empty() && !choices.contains(&text.as_str()) {
                    return wrong(&format!("one of {}", choices.join(", ")));
                }
                Ok(json!(text))
            }
            ArgumentKind::Flag => match given {
                Value::Bool(flag) => Ok(json!(flag)),
                Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(json!(true)),
                Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(json!(false)),
                _ => wrong("true or false"),
            },
            ArgumentKind::Duration => match duration_seconds(given) {
                Some(seconds) if seconds > 0 => Ok(json!(format_duration(seconds))),
                _ => wrong("a time like 06:00:00 or 1d 2h, longer than 0"),
            },
        }
    }
}

fn integer(given: &Value) -> Option<i64> {
    given
        .as_i64()
        .or_else(|| {
            given
                .as_f64()
                .filter(|value| value.fract() == 0.0 && value.abs() < 9e15)
                .map(|value| value as i64)
        })
        .or_else(|| given.as_str()?.trim().parse().ok())
}

/// Seconds of `HH:MM:SS`, `DD:HH:MM:SS`, `1d 2h 4m 5s`, or of a bare number.
fn duration_seconds(given: &Value) -> Option<u64> {
    if let Some(seconds) = given.as_u64() {
        // YAML 1.1 readers turn an unquoted 12:00:00 into seconds.
        return Some(seconds);
    }
    let text = given.as_str()?.trim();
    if text.contains(':') {
        let parts: Vec<u64> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let (days, hours, minutes, seconds) = match parts[..] {
            [hours, minutes, seconds] => (0, hours, minutes, seconds),
            [days, hours, minutes, seconds] => (days, hours, minutes, seconds),
            _ => return None,
        };
        return days
            .checked_mul(86_400)?
            .checked_add(hours.checked_mul(3600)?)?
            .checked_add(minutes.checked_mul(60)?)?
            .checked_add(seconds);
    }
    text.split_whitespace().try_fold(0_u64, |total, part| {
        let (number, unit) = part.split_at(part.find(|c: char| !c.is_ascii_digit())?);
        let scale = match unit {
            "d" => 86_400,
            "h" => 3600,
            "m" => 60,
            "s" => 1,
            _ => return None,
        };
        total.checked_add(number.parse::<u64>().ok()?.checked_mul(scale)?)
    })
}

fn format_duration(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let time = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    if days == 0 { time } else { format!("{days:02}:{time}") }
}

/// The values of a step's arguments, all checked.
#[derive(Debug, Clone, PartialEq, std::default::Default)]
pub struct Arguments(BTreeMap<&'static str, Value>);

impl Arguments {
    /// The defaults of `specs`; what is required has no value yet.
    pub fn defaults(specs: &'static [Argument]) -> Self {
        Self(specs.iter().map(|spec| (spec.name, spec.default.value())).collect())
    }

    /// The values of `specs` from a list of `{name, value}`; what is not listed has its default.
    ///
    /// # Errors
    /// A sentence that names the argument and what was wanted. Unknown names are ignored, as clients
    /// expect; what is required is [`Self::complete`]'s to say.
    pub fn accept(specs: &'static [Argument], given: &[(String, Value)]) -> Result<Self, String> {
        let mut values = BTreeMap::new();
        for spec in specs {
            let value = match given.iter().find(|(name, _)| name == spec.name) {
                Some((_, value)) => spec.accept(value)?,
                None => spec.default.value(),
            };
            values.insert(spec.name, value);
        }
        Ok(Self(values))
    }

    /// Check that everything required has a value.
    ///
    /// # Errors
    /// A sentence that names the argument.
    pub fn complete(&self, specs: &[Argument]) -> Result<(), String> {
        match specs.iter().find(|spec| spec.required && self.get(spec.name).is_null()) {
            Some(missing) => Err(format!("argument `{}` is required", missing.name)),
            None => Ok(()),
        }
    }

    /// The value of an argument; null without one.
    pub fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    /// A whole number, if it has one.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.get(name).as_i64()
    }

    /// A count of at least one; 1 if it has none.
    pub fn count(&self, name: &str) -> usize {
        self.integer(name).and_then(|value| usize::try_from(value).ok()).unwrap_or(1).max(1)
    }

    /// A number, if it has one.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name).as_f64()
    }

    /// A time, if it has one.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        duration_seconds(self.get(name)).map(Duration::from_secs)
    }

    /// Text, if it has one.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).as_str()
    }

    /// Whether a flag is set.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).as_bool().unwrap_or(false)
    }

    /// The values as `{name: value}`.
    pub fn to_json(&self) -> Value {
        self.0
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// The values of `specs` from `{name: value}`, as [`Arguments::to_json`] writes it.
    ///
    /// # Errors
    /// A sentence that names the argument and what was wanted.
    pub fn from_json(specs: &'static [Argument], stored: &Value) -> Result<Self, String> {
        let given: Vec<_> = stored
            .as_object()
            .map(|object| object.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
            .unwrap_or_default();
        Self::accept(specs, &given)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SPECS: &[Argument] = &[
        Argument::optional("batch_size", ArgumentKind::Integer { min: 1 }, Default::Integer(100), ""),
        Argument::optional("mip", ArgumentKind::Flag, Default::Flag(false), ""),
        Argument::optional("layout", ArgumentKind::Text { choices: &["a", "b"] }, Default::Text("a"), ""),
        Argument::optional("duration", ArgumentKind::Duration, Default::Text("06:00:00"), ""),
    ];

    fn accept(name: &str, value: Value) -> Result<Value, String> {
        Arguments::accept(SPECS, &[(name.to_owned(), value)]).map(|values| values.get(name).clone())
    }

    #[test]
    fn values_are_brought_to_their_type() {
        assert_eq!(accept("batch_size", json!("7")).unwrap(), json!(7));
        assert_eq!(accept("mip", json!("False")).unwrap(), json!(false));
        assert_eq!(accept("layout", json!("b")).unwrap(), json!("b"));
        assert_eq!(accept("layout", json!("")).unwrap(), Value::Null);
        assert_eq!(accept("duration", json!(43_200)).unwrap(), json!("12:00:00"));
        assert_eq!(accept("duration", json!("")).unwrap(), Value::Null);
    }

    #[test]
    fn a_duration_has_many_forms_and_hours_with_minutes_alone_are_refused() {
        for (given, seconds) in [
            (json!("06:00:00"), 21_600),
            (json!("1:02:03:04"), 93_784),
            (json!("1d 2h 4m"), 93_840),
            (json!("90m"), 5_400),
            (json!("45s"), 45),
            (json!(43_200), 43_200),
        ] {
            let values = Arguments::accept(SPECS, &[("duration".to_owned(), given.clone())]).unwrap();
            assert_eq!(values.duration("duration"), Some(Duration::from_secs(seconds)), "{given}");
        }
        for wrong in [
            json!("12:00"),
            json!("1:2:3:4:5"),
            json!("an hour"),
            json!("2x"),
            json!(0),
            json!(-5),
            json!(1.5),
        ] {
            assert!(accept("duration", wrong.clone()).unwrap_err().contains("06:00:00"), "{wrong}");
        }
    }

    #[test]
    fn what_is_required_may_wait_until_the_step_is_to_run() {
        const REQUIRED: &[Argument] = &[Argument {
            required: true,
            ..Argument::optional("ref_cycle", ArgumentKind::Integer { min: 0 }, Default::Null, "")
        }];
        for missing in [vec![], vec![("ref_cycle".to_owned(), json!(""))]] {
            let values = Arguments::accept(REQUIRED, &missing).unwrap();
            assert_eq!(values.complete(REQUIRED).unwrap_err(), "argument `ref_cycle` is required");
        }
        let given = Arguments::accept(REQUIRED, &[("ref_cycle".to_owned(), json!("0"))]).unwrap();
        assert_eq!(given.complete(REQUIRED), Ok(()));
        assert!(Arguments::defaults(REQUIRED).complete(REQUIRED).is_err());
    }

    #[test]
    fn a_wrong_value_names_the_argument_and_what_was_wanted() {
        for (name, value) in [
            ("batch_size", json!(0)),
            ("batch_size", json!("many")),
            ("mip", json!(1)),
            ("layout", json!("c")),
            ("duration", json!("12:00")),
            ("duration", json!("99999999999999999999:00:00")),
        ] {
            let message = accept(name, value.clone()).unwrap_err();
            assert!(message.contains(name), "{value}: {message}");
        }
    }
}
