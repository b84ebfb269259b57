//! Values of settings: whether a module takes them, and whether they go together.

use serde_json::Value;
use tm_engine::EngineError;

use crate::jterator::modules::{Input, MOST_NUMBERS, Module, Parameter, Parameters, Preset, Rule, Takes};
use crate::jterator::project::reading::{quoted, shown, wrong_type};
use crate::jterator::project::suggest::suggest;

/// Largest whole number that floating-point numbers hold exactly.
const MOST_EXACT: f64 = 9e15;

/// The value that an input takes.
///
/// # Errors
/// What was wanted, as the rest of a sentence.
pub fn accept(input: &Input, value: &Value) -> Result<Parameter, String> {
    if value.is_null() {
        return match input.default {
            Preset::Null => Ok(Parameter::Null),
            Preset::Required => Err(format!("must be {}, and has no value yet", wanted(input.takes))),
            _ => Err(wrong_type(&wanted(input.takes), value)),
        };
    }
    let accepted = match input.takes {
        // Planes have keys.
        Takes::Image => None,
        Takes::Flag => value.as_bool().map(Parameter::Flag),
        Takes::Whole { min, max } => whole(value, min, max).map(Parameter::Whole),
        Takes::Odd { min, max } => {
            whole(value, min, max).filter(|number| number % 2 == 1).map(Parameter::Whole)
        }
        Takes::Number { min, max } => {
            value.as_f64().filter(|number| (min..=max).contains(number)).map(Parameter::Number)
        }
        Takes::Choice(choices) => {
            let chosen = value.as_str().filter(|text| choices.contains(text));
            chosen.map(|text| Parameter::Text(text.to_owned()))
        }
        Takes::WholeChoice(choices) => {
            whole(value, i64::MIN, i64::MAX).filter(|number| choices.contains(number)).map(Parameter::Whole)
        }
        Takes::Wholes { min, max } => wholes(value, min, max).map(Parameter::Wholes),
    };
    accepted.ok_or_else(|| {
        let hint = match (input.takes, value) {
            (Takes::Choice(choices), Value::String(given)) => suggest(given, choices.iter().copied()),
            _ => String::new(),
        };
        format!("{}{hint}", wrong_type(&wanted(input.takes), value))
    })
}

/// What an input takes, as a message says it.
fn wanted(takes: Takes) -> String {
    match takes {
        Takes::Image => "a key".to_owned(),
        Takes::Flag => "true or false".to_owned(),
        Takes::Whole { min, max } => format!("a whole number from {min} to {max}"),
        Takes::Odd { min, max } => format!("an odd number from {min} to {max}"),
        Takes::Number { min, max } => format!("a number from {min} to {max}"),
        Takes::Choice(choices) => format!("one of {}", quoted(choices)),
        Takes::WholeChoice(choices) => {
            let choices: Vec<_> = choices.iter().map(i64::to_string).collect();
            choices.join(" or ")
        }
        Takes::Wholes { min, max } => {
            format!("a list of {MOST_NUMBERS} whole numbers at most, each from {min} to {max}")
        }
    }
}

fn whole(value: &Value, min: i64, max: i64) -> Option<i64> {
    let exact = |number: &f64| number.fract() == 0.0 && number.abs() <= MOST_EXACT;
    let number = value.as_i64().or_else(|| value.as_f64().filter(exact).map(|number| number as i64));
    number.filter(|number| (min..=max).contains(number))
}

/// The numbers of a list, none twice, in their order.
fn wholes(value: &Value, min: i64, max: i64) -> Option<Vec<i64>> {
    let entries = value.as_array().filter(|entries| entries.len() <= MOST_NUMBERS)?;
    let mut numbers = Vec::new();
    for entry in entries {
        let number = whole(entry, min, max)?;
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    Some(numbers)
}

/// Whether a value is among the options that its handle has; without options every value is.
///
/// # Errors
/// What was wanted, as the rest of a sentence.
pub fn check_options(value: &Value, options: &[Value]) -> Result<(), String> {
    let same = |option: &Value| {
        option == value || option.as_f64().is_some_and(|number| value.as_f64() == Some(number))
    };
    if options.is_empty() || value.is_null() || options.iter().any(same) {
        return Ok(());
    }
    let options: Vec<_> = options.iter().take(10).map(shown).collect();
    Err(wrong_type(&format!("one of its options {}", options.join(", ")), value))
}

/// The rules that the settings of a module break: the input to blame, and the rest of a sentence.
pub fn broken_rules(module: &Module, parameters: &Parameters) -> Vec<(&'static str, String)> {
    module.rules.iter().filter_map(|rule| broken(rule, parameters)).collect()
}

fn broken(rule: &Rule, parameters: &Parameters) -> Option<(&'static str, String)> {
    match *rule {
        Rule::Ordered(low, high) => {
            let (least, most) = (parameters.number(low)?, parameters.number(high)?);
            (least > most).then(|| {
                (low, format!("must not be larger than `{high}`, and {least} is larger than {most}"))
            })
        }
        Rule::AnyOf(names) => {
            let first = *names.first()?;
            let nothing = names.iter().all(|name| parameters.number(name).is_none());
            nothing.then(|| (first, format!("has no value, and one of {} must have one", quoted(names))))
        }
        Rule::Accepted(check) => match check(parameters) {
            Err(EngineError::Parameter { name, problem }) => Some((name, problem)),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jterator::modules::ALL;

    #[test]
    fn every_default_is_a_value_that_its_input_takes() {
        for module in ALL {
            let mut parameters = Parameters::default();
            for input in module.inputs.iter().filter(|input| input.takes != Takes::Image) {
                let value = match input.default {
                    Preset::Required => continue,
                    Preset::Null => Value::Null,
                    Preset::Flag(flag) => json!(flag),
                    Preset::Whole(number) => json!(number),
                    Preset::Number(number) => json!(number),
                    Preset::Text(text) => json!(text),
                    Preset::Wholes(numbers) => json!(numbers),
                };
                let accepted = accept(input, &value).ok();
                assert_eq!(
                    accepted,
                    Parameter::of_preset(input.default),
                    "{} of {}",
                    input.name,
                    module.name
                );
                parameters.set(input.name, accepted.unwrap_or(Parameter::Null));
            }
            // Only `filter` needs one of two values that it has no default for, and `smooth` a size.
            assert_eq!(
                broken_rules(module, &parameters).is_empty(),
                !["filter", "smooth"].contains(&module.name),
                "{}",
                module.name
            );
        }
    }
}
