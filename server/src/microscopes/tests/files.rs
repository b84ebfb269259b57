//! Classification of names, secured names, wells and plate formats.

use crate::microscopes::{ALL, FileKinds, PlateFormat, WellName, find, natural, secure_filename};

#[test]
fn names_are_secured_as_clients_know_it() {
    let table = [
        ("My cool movie.mov", "My_cool_movie.mov"),
        ("../../../etc/passwd", "etc_passwd"),
        ("a  b\t.tif", "a_b_.tif"),
        (".hidden", "hidden"),
        ("ü é.png", "u_e.png"),
        ("ﬁ.png", "fi.png"),
        ("A01 (2).tif", "A01_2.tif"),
        ("100%_A01.tif", "100_A01.tif"),
        ("__x__.png", "x__.png"),
        ("a\\b.png", "ab.png"),
        ("日本.png", "png"),
        ("...", ""),
        ("", ""),
        ("a\u{1c}b", "a_b"),
        ("a\0b", "ab"),
    ];
    for (raw, secured) in table {
        assert_eq!(secure_filename(raw), secured, "{raw:?}");
        assert_eq!(secure_filename(secured), secured, "securing {raw:?} twice");
    }
}

#[test]
fn microscope_types_are_offered_and_found_by_their_exact_names() {
    assert_eq!(ALL.iter().map(|m| m.name()).collect::<Vec<_>>(), ["cellvoyager", "metamorph", "visiview"]);
    assert!(find("cellvoyager").is_some());
    assert!(find("CellVoyager").is_none());
    assert!(find("axio").is_none());
}

#[test]
fn files_are_classified_by_a_case_sensitive_search() {
    let cellvoyager = find("cellvoyager").expect("registered");
    let image = FileKinds { image: true, metadata: false };
    let metadata = FileKinds { image: false, metadata: true };
    let neither = FileKinds::default();
    let table = [
        ("exp_D03_T0001F001L01A01Z01C01.png", image),
        ("run_7_C04x_B03_T0001F001L01A01Z01C01.tif", image),
        ("my plate_AB07_T0001F001L01A01Z01C01.tif", image),
        ("exp_D03_T0001F001L01A01Z01C01.tif.bak", image),
        ("_D03_T0001F001L01A01Z01C01.tif", neither),
        ("exp_d03_T0001F001L01A01Z01C01.tif", neither),
        ("exp_ABC07_T0001F001L01A01Z01C01.tif", neither),
        ("exp_D3_T0001F001L01A01Z01C01.tif", neither),
        ("MeasurementData.mlf", metadata),
        ("MeasurementDetail.mrf", metadata),
        ("MeasurementData.MLF", neither),
        ("MeasurementData.mlf.txt", neither),
        ("SC_BP445-45_40x_M10_CH01.tif", neither),
        ("DC_sCMOS#1_CAM1.tif", neither),
        ("x.mes", metadata),
        ("x.companion.ome", metadata),
        ("MeasurementData.OME.XML", metadata),
        ("x.wpi", neither),
        ("", neither),
    ];
    for (name, kinds) in table {
        assert_eq!(cellvoyager.classify(name), kinds, "{name}");
        assert_eq!(cellvoyager.classify(name).is_valid(), kinds != neither);
    }
}

#[test]
fn metadata_pattern_says_what_is_accepted() {
    for microscope in ALL {
        let shown = regex::Regex::new(microscope.metadata_pattern()).expect("valid pattern");
        for name in ["a.mlf", "a.mrf", "a.mlfx", "mlf", ".mrf", "a.MRF", "a.mes", "a.nd", "a.ND", "nd", ""] {
            assert_eq!(microscope.is_metadata(name), shown.is_match(name), "{name}");
        }
    }
}

#[test]
fn well_names_have_one_or_two_letters_and_two_digits() {
    for (text, row, column) in
        [("A01", 0, 0), ("B03", 1, 2), ("Z99", 25, 98), ("AA12", 26, 11), ("AF48", 31, 47), ("ZZ01", 701, 0)]
    {
        let well: WellName = text.parse().expect("valid");
        assert_eq!((well.row(), well.column()), (row, column), "{text}");
        assert_eq!(well.to_string(), text);
        assert_eq!(WellName::new(row, column), Some(well));
    }
    for text in ["", "A", "01", "A1", "A00", "a01", "A001", "AAA01", "A0x", "Ä01", "A٣٤", " A01", "1A01"] {
        let error = text.parse::<WellName>().expect_err(text);
        assert!(error.to_string().contains(&format!("'{text}'")), "{error}");
    }
    assert_eq!(WellName::new(702, 0), None);
    assert_eq!(WellName::new(0, 99), None);
}

#[test]
fn wells_sort_by_row_then_column() {
    let mut wells: Vec<WellName> =
        ["AA01", "B10", "B02", "A11"].iter().map(|w| w.parse().expect("valid")).collect();
    wells.sort();
    assert_eq!(wells.iter().map(ToString::to_string).collect::<Vec<_>>(), ["A11", "B02", "B10", "AA01"]);
}

#[test]
fn plate_formats_have_the_wells_of_their_name() {
    let wells: Vec<u32> = PlateFormat::ALL.iter().map(|format| format.wells()).collect();
    assert_eq!(wells, [1, 6, 12, 24, 48, 96, 384, 1536]);
    for format in PlateFormat::ALL {
        assert_eq!(PlateFormat::from_wells(format.wells()), Some(*format));
        let corner = WellName::new(format.rows() - 1, format.columns() - 1).expect("valid");
        assert!(format.contains(corner));
        assert!(!format.contains(WellName::new(format.rows(), 0).expect("valid")));
        assert!(!format.contains(WellName::new(0, format.columns()).expect("valid")));
    }
    assert_eq!(PlateFormat::from_wells(95), None);
}

#[test]
fn natural_order_counts_digits_as_numbers() {
    let mut names = ["10", "2", "1", "A10_C1", "A2_C10", "A2_C9", "x", "02", "99999999999999999999999", "3"];
    names.sort_by(|a, b| natural::compare(a, b));
    assert_eq!(
        names,
        ["1", "02", "2", "3", "10", "99999999999999999999999", "A2_C9", "A2_C10", "A10_C1", "x"]
    );
}
