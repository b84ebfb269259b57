//! The comparisons themselves: each must fail when it should.

use tm_engine::image::{Plane, Size};
use tm_engine::kernels::Tolerance;
use tm_tests::compare::{close, relative_rms, same};

const ONE_COUNT: Tolerance = Tolerance::Counts { most: 1.0, equal_share: 0.5, because: "a test" };

#[test]
fn a_flipped_pixel_on_either_side_is_found() {
    let values = [1.0, 2.0, 3.0, 4.0];
    let flipped = [1.0, 2.0, 3.0, 6.0];
    for tolerance in [Tolerance::Exact, ONE_COUNT] {
        tolerance.compare(&values, &values).expect("equal values are equal");
        tolerance.compare(&values, &flipped).expect_err("the last value differs");
        tolerance.compare(&flipped, &values).expect_err("the last value differs");
    }
    let plane = Plane::new(Size::new(2, 2), vec![1u8, 2, 3, 4]).expect("four pixels");
    let other = Plane::new(Size::new(2, 2), vec![1u8, 2, 3, 5]).expect("four pixels");
    same(&plane, &plane).expect("a plane equals itself");
    assert!(same(&plane, &other).expect_err("one pixel differs").contains("row 1, column 1"));
    close(&values, &flipped, 1.9).expect_err("the difference is 2");
    close(&values, &flipped, 2.0).expect("the difference is 2");
}

#[test]
fn too_few_equal_values_are_found_though_each_is_within_one_count() {
    ONE_COUNT.compare(&[1.0, 2.0, 3.0, 4.0], &[2.0, 3.0, 3.0, 4.0]).expect("half of the values are equal");
    ONE_COUNT.compare(&[1.0, 2.0, 3.0, 4.0], &[2.0, 3.0, 4.0, 4.0]).expect_err("a quarter is equal");
}

#[test]
fn nan_equals_nan_only() {
    for tolerance in [Tolerance::Exact, ONE_COUNT] {
        tolerance.compare(&[f64::NAN], &[f64::NAN]).expect("both are NaN");
        tolerance.compare(&[0.0], &[f64::NAN]).expect_err("NaN is not 0");
        tolerance.compare(&[f64::NAN], &[0.0]).expect_err("0 is not NaN");
    }
    close(&[0.0], &[f64::NAN], 1.0).expect_err("NaN is not 0");
    close(&[f64::NAN], &[0.0], 1.0).expect_err("0 is not NaN");
}

#[test]
fn nothing_and_results_of_another_length_are_not_equal() {
    Tolerance::Exact.compare(&[], &[]).expect_err("nothing was compared");
    Tolerance::Exact.compare(&[1.0], &[1.0, 1.0]).expect_err("one value is missing");
    close(&[], &[], 1.0).expect_err("nothing was compared");
    close(&[1.0, 1.0], &[1.0], 1.0).expect_err("one value is missing");
    let wide = Plane::<u8>::zeros(Size::new(1, 4));
    same(&wide, &Plane::zeros(Size::new(2, 2))).expect_err("the sizes differ");
}

#[test]
fn relative_differences_are_counted_and_nothing_is_no_agreement() {
    let plane = |values: &[f64]| Plane::new(Size::new(1, values.len()), values.to_vec()).expect("one row");
    assert!((relative_rms(&plane(&[1.0, 10.0]), &plane(&[1.0, 12.0])) - 0.02f64.sqrt()).abs() < 1e-12);
    assert!(relative_rms(&plane(&[]), &plane(&[])).is_nan());
    assert!(relative_rms(&plane(&[1.0]), &plane(&[1.0, 1.0])).is_nan());
    assert!(relative_rms(&plane(&[1.0]), &plane(&[f64::NAN])).is_nan());
}
