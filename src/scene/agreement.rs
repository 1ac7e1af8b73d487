//! The same documents are RON to this reader and to the `ron` crate.

use super::parse::parse;

#[test]
fn the_ron_crate_reads_the_same_documents() {
    for text in [
        "()",
        "true",
        "-1_000.5e-3",
        "0xFF",
        "0b1010",
        "0o17",
        "+1",
        "inf",
        "-inf",
        "NaN",
        ".5",
        "5.",
        "\"a\\n\\u{3c4}\\x41\"",
        "\"a\\\n   b\"",
        "r#\"a \"b\" c\"#",
        "r\"a\\b\"",
        "'a'",
        "'\\''",
        "[1, 2, 3,]",
        "(1, \"a\", [true])",
        "(a: 1, b: (c: [], d: {}),)",
        "Scene(a: 1)",
        "Scene()",
        "{\"a\": 1, \"b\": (x: 2)}",
        "Some(Some(None))",
        "/* a /* b */ */ // c\n [ /**/ 1 /**/ , ]",
        "#![enable(implicit_some, unwrap_newtypes)]\n(a: 1)",
        "(τ: 1, _a1: 2, r#type: 3)",
        "\t\r\n\u{B}\u{C}\u{85}\u{200E}\u{2028}1",
        "(a: Lif(tau: 20.0), b: Kind)",
    ] {
        assert!(
            ron::from_str::<ron::Value>(text).is_ok(),
            "ron refuses {text}"
        );
        assert!(
            parse(text, "f").is_ok(),
            "{text}: {}",
            parse(text, "f").unwrap_err()
        );
    }
    for text in [
        "",
        "(",
        "(a: 1",
        "(a 1)",
        "[1 2]",
        "{1}",
        "\"a",
        "'ab'",
        "1 2",
        "/*",
        "r#\"a\"",
        "\"\\q\"",
        "#![x]",
        "(a: 1, a:)",
        "1e",
        "--1",
    ] {
        assert!(
            ron::from_str::<ron::Value>(text).is_err(),
            "ron reads {text}"
        );
        assert!(parse(text, "f").is_err(), "{text}");
    }
}
