//! What was probably meant.

/// Names longer than this are not compared.
const LONGEST: usize = 100;
/// How many names are compared.
const MOST: usize = 1000;

/// `; did you mean \`name\`?` with the name nearest to the given one, or nothing where none is near.
pub fn suggest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(given, names) {
        Some(name) => format!("; did you mean `{name}`?"),
        None => String::new(),
    }
}

/// The name nearest to the given one: a third of the characters may be wrong, and case does not count.
fn nearest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = given.to_lowercase();
    let allowed = (wanted.chars().count() / 3).max(1);
    names
        .into_iter()
        .take(MOST)
        .filter(|name| name.len() <= LONGEST && given.len() <= LONGEST && *name != given)
        .map(|name| (distance(&wanted, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// How many characters are wrong; a name that was not written to its end is as good as right.
fn distance(given: &str, name: &str) -> usize {
    if given.len() >= 3 && name.starts_with(given) { 1 } else { strsim::osa_distance(given, name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_none_that_is_far() {
        let names = ["smooth", "label", "relabel"];
        assert_eq!(suggest("smoth", names), "; did you mean `smooth`?");
        assert_eq!(suggest("Labels", names), "; did you mean `label`?");
        assert_eq!(suggest("watershed", names), "");
        assert_eq!(suggest(&"x".repeat(1000), names), "");
    }
}
