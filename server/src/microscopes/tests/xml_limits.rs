//! XML from strangers.

use crate::microscopes::xml::{self, Element};

fn read(text: &str) -> Result<Vec<Element>, String> {
    let mut elements = Vec::new();
    xml::for_each_element(text.as_bytes(), |element| {
        elements.push(element);
        Ok(())
    })?;
    Ok(elements)
}

#[test]
fn prefixes_byte_order_mark_and_references_are_understood() {
    let text = "\u{feff}<?xml version=\"1.0\"?><!-- c --><any:a xmlns:any=\"u\" any:x=\" 1 &amp; 2 \">\n <b/>\n \
                A &lt;&#x42;&gt; <![CDATA[<C>]]></any:a>\n";
    let elements = read(text).expect("well-formed");
    assert_eq!(elements.iter().map(|e| (e.name.as_str(), e.depth)).collect::<Vec<_>>(), [("b", 1), ("a", 0)]);
    assert_eq!(elements[1].text, "A <B> <C>");
    assert_eq!(elements[1].attribute("x"), Some("1 & 2"));
    assert_eq!(elements[1].attribute("y"), None);
}

#[test]
fn entities_are_not_expanded_and_declarations_refused() {
    let bomb = "<!DOCTYPE a [<!ENTITY x \"yyyy\">]><a>&x;</a>";
    assert!(read(bomb).expect_err("refused").contains("document type declaration"));
    assert!(read("<a>&x;</a>").expect_err("refused").contains("entity reference that is not expanded"));
    assert!(read("<a b=\"&x;\"/>").expect_err("refused").contains("bad attribute value"));
}

#[test]
fn sizes_have_limits() {
    let deep = "<a>".repeat(xml::MAX_DEPTH + 1) + &"</a>".repeat(xml::MAX_DEPTH + 1);
    assert!(read(&deep).expect_err("refused").contains("nested deeper"));
    assert!(read(&("<a>".repeat(xml::MAX_DEPTH) + &"</a>".repeat(xml::MAX_DEPTH))).is_ok());
    let long = format!("<a>{}</a>", "x".repeat(xml::MAX_TEXT + 1));
    assert!(read(&long).expect_err("refused").contains("text longer"));
    let attributes: String = (0..=xml::MAX_ATTRIBUTES).map(|n| format!(" a{n}=\"\"")).collect();
    assert!(read(&format!("<a{attributes}/>")).expect_err("refused").contains("more than 64 attributes"));
}

#[test]
fn what_is_not_one_whole_document_is_refused() {
    for text in [
        "",
        "  ",
        "text",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a x=1/>",
        "<a/>trailing",
        "<a",
        "<a x=\"1\" x=\"2\"/>",
    ] {
        assert!(read(text).is_err(), "{text:?}");
    }
    assert!(xml::for_each_element(b"<a>\xff</a>", |_| Ok(())).expect_err("refused").contains("not UTF-8"));
}
