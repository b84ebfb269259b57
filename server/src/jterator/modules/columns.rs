//! Names of the columns that modules measure, without the prefix and suffix that say of what and where.

use super::Parameters;

/// `Group_feature` for each of the features.
fn columns(group: &str, features: impl IntoIterator<Item = impl std::fmt::Display>) -> Vec<String> {
    features.into_iter().map(|feature| format!("{group}_{feature}")).collect()
}

/// The columns themselves, or with `aggregate` what is made of them for the objects around.
fn perhaps_aggregated(parameters: &Parameters, columns: Vec<String>) -> Vec<String> {
    if !parameters.flag("aggregate") {
        return columns;
    }
    let mut aggregated = vec![COUNT.to_owned()];
    for column in columns {
        aggregated.extend(["Mean", "Std", "Sum"].map(|statistic| format!("{statistic}_{column}")));
    }
    aggregated
}

/// The column of aggregated measurements that says how many objects there are, whatever is measured of them.
pub const COUNT: &str = "Count";

/// Columns of `measure_intensity`.
pub fn intensity(parameters: &Parameters) -> Vec<String> {
    perhaps_aggregated(parameters, columns("Intensity", ["max", "mean", "min", "sum", "std"]))
}

/// Columns of `measure_morphology`.
pub fn morphology(parameters: &Parameters) -> Vec<String> {
    let mut names = columns(
        "Morphology",
        [
            "Local_Centroid_x",
            "Local_Centroid_y",
            "Area",
            "Perimeter",
            "Eccentricity",
            "Extent",
            "Convexity",
            "Circularity",
            "Roundness",
            "Elongation",
            "Equivalent_Diameter",
            "Major_Axis_Length",
            "Minor_Axis_Length",
            "Maximum_Radius",
            "Mean_Radius",
        ],
    );
    if parameters.flag("measure_zernike") {
        for n in 0..=12 {
            names.extend((n % 2..=n).step_by(2).map(|m| format!("Morphology_Zernike-{n}-{m}")));
        }
    }
    perhaps_aggregated(parameters, names)
}

/// The statistics of co-occurring grey values.
const HARALICK: [&str; 13] = [
    "angular-second-moment",
    "contrast",
    "correlation",
    "sum-of-squares",
    "inverse-diff-moment",
    "sum-avg",
    "sum-var",
    "sum-entropy",
    "entropy",
    "diff-var",
    "diff-entropy",
    "info-measure-corr-1",
    "info-measure-corr-2",
];

/// Columns of `measure_texture`.
pub fn texture(parameters: &Parameters) -> Vec<String> {
    let mut features: Vec<String> = Vec::new();
    features.extend(parameters.wholes("frequencies").iter().map(|f| format!("Gabor-frequency-{f}")));
    if parameters.flag("measure_TAS") {
        for neighbours in 0..9 {
            let kinds = ["center", "n-center", "mu-margin", "n-mu-margin", "mu", "n-mu"];
            features.extend(kinds.map(|kind| format!("TAS-{kind}-{neighbours}")));
        }
    }
    features.extend((0..7).map(|invariant| format!("Hu-{invariant}")));
    if parameters.flag("measure_LBP") {
        for radius in parameters.wholes("radii") {
            features.extend((0..36).map(|pattern| format!("LBP-radius-{radius}-{pattern}")));
        }
    }
    if parameters.flag("measure_haralick") {
        for name in HARALICK {
            features
                .extend(parameters.wholes("scales").iter().map(|scale| format!("Haralick-{name}-{scale}")));
        }
    }
    perhaps_aggregated(parameters, columns("Texture", features))
}

/// Columns of `measure_point_pattern`.
pub fn point_pattern(parameters: &Parameters) -> Vec<String> {
    let features = [
        "absolute-distance-to-border",
        "relative-distance-to-border",
        "absolute-distance-to-nearest-neighbor",
        "relative-distance-to-nearest-neighbor",
        "mean-absolute-distance-to-neighbors",
        "mean-relative-distance-to-neighbors",
        "std-absolute-distance-to-neighbors",
        "std-relative-distance-to-neighbors",
    ];
    perhaps_aggregated(parameters, columns("PointPattern", features))
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
