//! What filters, thresholds and segmentation refuse, and planes without pixels.

use tm_engine::EngineError;
use tm_engine::analysis::{
    AdaptiveMethod, AdaptiveThreshold, BlobRules, ClumpRules, Connectivity, Disc, Extremum, Mask,
    ObjectFeature, SecondaryRules, Smoothing, SmoothingMethod, ThresholdBounds, above_otsu, borders,
    detect_blobs, expand_or_shrink, extremum, fill_holes, segment_secondary, select, separate_clumps,
    watershed,
};
use tm_engine::image::{GreyPlane, Plane, Size};

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let image = GreyPlane::from(Plane::new(Size::new(2, 2), vec![1u8, 2, 3, 4]).unwrap());
    let mask = Mask::empty(Size::new(2, 2));
    let labels = Plane::zeros(Size::new(2, 2));
    let none = ThresholdBounds::default();
    let nan = Some(f64::NAN);
    let smooth = |method, side| Smoothing::new(method, side, false).map(drop);
    let adaptive = |side| AdaptiveThreshold::new(AdaptiveMethod::Niblack, side, 0.0, none).map(drop);
    let blobs = |rules| detect_blobs(&image, &mask, &rules).map(drop);
    let refused = [
        ("filter_size", smooth(SmoothingMethod::Average, 0)),
        ("filter_size", smooth(SmoothingMethod::Average, 4)),
        ("filter_size", smooth(SmoothingMethod::Median, 257)),
        ("filter_size", smooth(SmoothingMethod::Bilateral, 2)),
        ("filter_size", smooth(SmoothingMethod::Gaussian, 1000)),
        ("kernel_size", adaptive(0)),
        ("kernel_size", adaptive(10)),
        ("kernel_size", adaptive(4097)),
        ("correction_factor", above_otsu(&image, -1.0, none).map(drop)),
        ("max_threshold", above_otsu(&image, 1.0, ThresholdBounds { max: nan, ..none }).map(drop)),
        ("radius", Disc::within(255 * 255 + 1).map(drop)),
        ("lower_threshold", select(&labels, ObjectFeature::Area, None, None, false).map(drop)),
        ("upper_threshold", select(&labels, ObjectFeature::Area, None, nan, false).map(drop)),
        ("threshold", blobs(BlobRules { threshold: 0.0, ..BlobRules::default() })),
        ("mean_area", blobs(BlobRules { mean_area: 1, ..BlobRules::default() })),
        ("percentile", blobs(BlobRules { clip_percentile: 101.0, ..BlobRules::default() })),
        (
            "min_area",
            separate_clumps(&mask, &ClumpRules { min_area: f64::NAN, ..ClumpRules::default() }).map(drop),
        ),
    ];
    for (wanted, result) in refused {
        match result {
            Err(EngineError::Parameter { name, .. }) => assert_eq!(name, wanted),
            other => panic!("{wanted}: {other:?}"),
        }
    }
    assert!(smooth(SmoothingMethod::Gaussian, 10).is_ok(), "a Gaussian has no window that could be even");
    let other = Plane::zeros(Size::new(1, 4));
    for result in
        [watershed(&image, &other, None), segment_secondary(&other, &image, &SecondaryRules::default())]
    {
        assert!(matches!(result, Err(EngineError::Shape { .. })), "{result:?}");
    }
}

#[test]
fn planes_without_pixels_pass_through_everything() {
    for size in [Size::new(0, 0), Size::new(0, 5), Size::new(5, 0)] {
        let image = GreyPlane::from(Plane::<u16>::zeros(size));
        let mask = Mask::empty(size);
        let labels = Plane::zeros(size);
        for method in [
            SmoothingMethod::Average,
            SmoothingMethod::Gaussian,
            SmoothingMethod::Median,
            SmoothingMethod::Bilateral,
        ] {
            for side in [1, 3, 7] {
                assert_eq!(Smoothing::new(method, side, false).unwrap().apply(&image), image);
            }
        }
        for method in [AdaptiveMethod::Niblack, AdaptiveMethod::CrossCorrelation] {
            let threshold = AdaptiveThreshold::new(method, 3, 0.0, ThresholdBounds::default()).unwrap();
            assert_eq!(threshold.apply(&image).unwrap(), mask);
        }
        assert_eq!(above_otsu(&image, 1.0, ThresholdBounds::default()).unwrap().0, mask);
        assert_eq!(fill_holes(&mask, Connectivity::Eight), mask);
        assert_eq!(borders(&labels, Connectivity::Eight), mask);
        assert_eq!(extremum(&image, Disc::within(24).unwrap(), Extremum::Max), image);
        assert_eq!(watershed(&image, &labels, Some(&mask)).unwrap(), labels);
        assert_eq!(separate_clumps(&mask, &ClumpRules::default()).unwrap(), labels);
        assert_eq!(segment_secondary(&labels, &image, &SecondaryRules::default()).unwrap(), labels);
        assert_eq!(detect_blobs(&image, &mask, &BlobRules::default()).unwrap().blobs, labels);
        assert_eq!(expand_or_shrink(&labels, 3, false), labels);
        assert_eq!(expand_or_shrink(&labels, -3, false), labels);
    }
}
