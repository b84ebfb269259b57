//! Names of the columns that modules measure, without the prefix and suffix that say of what and where: those of the
//! engine.

pub use tm_engine::analysis::aggregate::COUNT;
use tm_engine::analysis::{aggregate, intensity as brightness, point_pattern as pattern, shape, zernike};

use super::Parameters;
use super::measure_texture::options;

/// The columns themselves, or with `aggregate` what is made of them for the objects around.
fn perhaps_aggregated(
    parameters: &Parameters,
    columns: impl IntoIterator<Item = impl Into<String>>,
) -> Vec<String> {
    let columns: Vec<String> = columns.into_iter().map(Into::into).collect();
    if parameters.flag("aggregate") {
        aggregate::columns(columns.iter().map(String::as_str))
    } else {
        columns
    }
}

/// Columns of `measure_intensity`.
pub fn intensity(parameters: &Parameters) -> Vec<String> {
    perhaps_aggregated(parameters, brightness::COLUMNS)
}

/// Columns of `measure_morphology`.
pub fn morphology(parameters: &Parameters) -> Vec<String> {
    let mut columns: Vec<String> = shape::COLUMNS.map(str::to_owned).into();
    if parameters.flag("measure_zernike") {
        columns.extend(zernike::columns());
    }
    perhaps_aggregated(parameters, columns)
}

/// Columns of `measure_texture`.
pub fn texture(parameters: &Parameters) -> Vec<String> {
    perhaps_aggregated(parameters, options(parameters).columns())
}

/// Columns of `measure_point_pattern`.
pub fn point_pattern(parameters: &Parameters) -> Vec<String> {
    perhaps_aggregated(parameters, pattern::COLUMNS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jterator::modules::Parameter;

    #[test]
    fn all_columns_of_texture_and_morphology_are_there_once() {
        let mut parameters = Parameters::default();
        for flag in ["measure_zernike", "measure_TAS", "measure_LBP", "measure_haralick"] {
            parameters.set(flag, Parameter::Flag(true));
        }
        parameters.set("frequencies", Parameter::Wholes(vec![1, 5, 10]));
        parameters.set("radii", Parameter::Wholes(vec![1, 5]));
        parameters.set("scales", Parameter::Wholes(vec![1, 2]));
        assert_eq!(morphology(&parameters).len(), 15 + 49);
        assert_eq!(texture(&parameters).len(), 3 + 54 + 7 + 2 * 36 + 2 * 13);
        assert!(morphology(&parameters).contains(&"Morphology_Zernike-12-0".to_owned()));
        assert!(morphology(&parameters).contains(&"Morphology_Zernike-3-1".to_owned()));
        assert!(texture(&parameters).contains(&"Texture_TAS-n-mu-margin-8".to_owned()));
        assert!(texture(&parameters).contains(&"Texture_Haralick-sum-avg-2".to_owned()));
        parameters.set("aggregate", Parameter::Flag(true));
        assert_eq!(point_pattern(&parameters).len(), 1 + 3 * 8);
        assert_eq!(intensity(&parameters)[..2], ["Count", "Mean_Intensity_max"]);
    }
}
