//! The check of polygons finds what is wrong with them.

use tm_engine::geometry::{Invalid, Polygon, Ring, Vertex};

fn ring(corners: &[(i32, i32)]) -> Ring {
    Ring::new(corners.iter().map(|(x, y)| Vertex::new(*x, *y)).collect()).expect("a ring")
}

fn check(shell: &[(i32, i32)], holes: &[&[(i32, i32)]]) -> Result<(), Invalid> {
    Polygon { shell: ring(shell), holes: holes.iter().map(|hole| ring(hole)).collect() }.check()
}

const SQUARE: [(i32, i32); 4] = [(0, 0), (9, 0), (9, 9), (0, 9)];

#[test]
fn a_square_with_two_holes_that_touch_each_other_and_the_shell_is_valid() {
    let (first, second): (&[_], &[_]) = (&[(0, 9), (4, 5), (1, 5)], &[(4, 5), (6, 6), (6, 2)]);
    assert_eq!(check(&SQUARE, &[first, second]), Ok(()));
}

#[test]
fn a_ring_that_comes_twice_to_a_vertex_is_not_valid() {
    let eight = [(0, 0), (2, 0), (1, 1), (2, 2), (0, 2), (1, 1)];
    assert_eq!(check(&eight, &[]), Err(Invalid::Repeated(Vertex::new(1, 1))));
}

#[test]
fn a_ring_that_crosses_or_touches_itself_is_not_valid() {
    assert!(matches!(check(&[(0, 0), (2, 2), (2, 0), (0, 2)], &[]), Err(Invalid::MeetsItself(_))));
    // (4, 0) lies on the lower edge.
    let touching = [(0, 0), (9, 0), (9, 9), (4, 0), (0, 9)];
    assert!(matches!(check(&touching, &[]), Err(Invalid::MeetsItself(_))));
    // A spike: out and back along one line.
    let spike = [(0, 0), (9, 0), (12, 0), (9, 0), (9, 9)];
    assert!(matches!(check(&spike, &[]), Err(Invalid::Repeated(_))));
    let spike = [(0, 0), (12, 0), (9, 0), (9, 9)];
    assert!(matches!(check(&spike, &[]), Err(Invalid::MeetsItself(_))));
}

#[test]
fn rings_that_run_the_wrong_way_are_not_valid() {
    let mut clockwise = SQUARE;
    clockwise.reverse();
    assert!(matches!(check(&clockwise, &[]), Err(Invalid::Orientation(_))));
    let counter_clockwise: &[_] = &[(2, 2), (3, 2), (3, 3)];
    assert_eq!(check(&SQUARE, &[counter_clockwise]), Err(Invalid::Orientation(Vertex::new(2, 2))));
}

#[test]
fn holes_that_are_outside_within_each_other_or_cross_are_not_valid() {
    let outside: &[_] = &[(20, 20), (20, 22), (22, 20)];
    assert_eq!(check(&SQUARE, &[outside]), Err(Invalid::HoleOutside(Vertex::new(20, 20))));
    // Outside, though each of its vertices touches the shell.
    let bay = [(0, 0), (9, 0), (9, 9), (5, 4), (0, 9)];
    let above: &[_] = &[(0, 9), (9, 9), (5, 4)];
    assert!(matches!(check(&bay, &[above]), Err(Invalid::RingsCross(_) | Invalid::HoleOutside(_))));
    let (large, small): (&[_], &[_]) = (&[(1, 1), (1, 8), (8, 1)], &[(2, 2), (2, 3), (3, 2)]);
    assert_eq!(check(&SQUARE, &[large, small]), Err(Invalid::HoleInHole(Vertex::new(2, 2))));
    let crossing: &[_] = &[(2, 0), (0, 2), (8, 8)];
    assert!(matches!(check(&SQUARE, &[large, crossing]), Err(Invalid::RingsCross(_))));
    let through: &[_] = &[(5, 5), (5, 12), (6, 5)];
    assert!(matches!(check(&SQUARE, &[through]), Err(Invalid::RingsCross(_))));
}

#[test]
fn reasons_say_where() {
    let problem = check(&[(0, 0), (0, 2), (2, 0)], &[]).expect_err("clockwise");
    assert_eq!(problem.to_string(), "the ring from (0, 0) has the wrong orientation");
}
