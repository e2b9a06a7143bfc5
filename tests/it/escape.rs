//! Names from outside, put into Markdown and read back by a parser of GitHub's Markdown: they say what they are and do nothing.

use comrak::nodes::{AstNode, NodeValue};
use comrak::{Arena, Options, parse_document};
use loadgate::report::escape::{self, NAME, TABLE_NAME, TEXT};
use proptest::prelude::*;

/// Breaks links, mentions and commands without being seen.
const BREAK: char = '\u{200b}';

fn github() -> Options<'static> {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.math_dollars = true;
    options.extension.math_code = true;
    options.extension.alerts = true;
    options
}

/// What the page holds, as `(kind, words)` in order of appearance; plain words are joined.
pub(crate) fn parsed(markdown: &str) -> Vec<(String, String)> {
    let arena = Arena::new();
    let root = parse_document(&arena, markdown, &github());
    let mut found: Vec<(String, String)> = Vec::new();
    walk(root, &mut found);
    found
}

fn walk<'a>(node: &'a AstNode<'a>, found: &mut Vec<(String, String)>) {
    let (kind, words) = match &node.data.borrow().value {
        NodeValue::Document => (String::new(), String::new()),
        NodeValue::Text(text) => ("text".to_owned(), text.to_string()),
        NodeValue::Code(code) => ("code".to_owned(), code.literal.clone()),
        NodeValue::Paragraph => ("paragraph".to_owned(), String::new()),
        NodeValue::Table(_) => ("table".to_owned(), String::new()),
        NodeValue::TableRow(_) => ("row".to_owned(), String::new()),
        NodeValue::TableCell => ("cell".to_owned(), String::new()),
        other => (format!("{other:?}"), String::new()),
    };
    match found.last_mut() {
        Some((last, text)) if kind == "text" && last == "text" => text.push_str(&words),
        _ if kind.is_empty() => {}
        _ => found.push((kind, words)),
    }
    for child in node.children() {
        walk(child, found);
    }
}

fn of(kinds: &[(&str, &str)]) -> Vec<(String, String)> {
    kinds.iter().map(|(kind, words)| ((*kind).to_owned(), (*words).to_owned())).collect()
}

/// What a person is to see of a name.
fn seen(name: &str, most: usize) -> String {
    escape::named(name, most).replace("##[", "#\u{200b}#[")
}

/// Markdown takes spaces at the ends of lines and cells away, and entities of spaces would be no better.
fn plain(text: &str) -> String {
    escape::cut(escape::clean(text).trim_start(), TEXT).trim_end_matches(' ').to_owned()
}

fn check(name: &str) {
    let expected = seen(name, NAME);
    let found = parsed(&format!("a {} b\n", escape::code(name, NAME, false)));
    assert_eq!(found, of(&[("paragraph", ""), ("text", "a "), ("code", &expected), ("text", " b")]), "{name:?}");

    let cell = escape::code(name, TABLE_NAME, true);
    let found = parsed(&format!("| x | y |\n|---|---|\n| {cell} | z |\n"));
    let header = [("table", ""), ("row", ""), ("cell", ""), ("text", "x"), ("cell", ""), ("text", "y"), ("row", "")];
    let expected = seen(name, TABLE_NAME).replace("\\|", "\\\u{200b}|");
    let row = [("cell", ""), ("code", &expected), ("cell", ""), ("text", "z")];
    assert_eq!(found, of(&[header.as_slice(), row.as_slice()].concat()), "{name:?}");

    let words = escape::markdown(name);
    let shown = |found: Vec<(String, String)>| -> Vec<(String, String)> {
        found.into_iter().map(|(kind, text)| (kind, text.replace(BREAK, ""))).collect()
    };
    let expected = plain(name);
    let text: Vec<(&str, &str)> = if expected.is_empty() { vec![] } else { vec![("text", expected.as_str())] };
    let alone: Vec<(&str, &str)> = if expected.is_empty() { vec![] } else { vec![("paragraph", ""), text[0]] };
    assert_eq!(shown(parsed(&words)), of(&alone), "{name:?} as {words:?}");
    let found = shown(parsed(&format!("| x | y |\n|---|---|\n| {words} | z |\n")));
    let row = [&[("cell", "")], text.as_slice(), &[("cell", ""), ("text", "z")]].concat();
    assert_eq!(found, of(&[header.as_slice(), row.as_slice()].concat()), "{name:?} as {words:?}");
    let finished: String = parsed(&words).into_iter().map(|(_, text)| text).collect();
    assert!(!is_linked(&finished), "{name:?} as {words:?}");
    assert!(!words.contains('\n'), "{words:?}");

    let terminal = escape::terminal(name);
    assert!(!terminal.contains("##[") && !terminal.contains("::"), "{terminal:?}");
    assert!(terminal.chars().all(|character| !character.is_control()), "{terminal:?}");
    let html = escape::html(name);
    assert!(!html.contains(['<', '>', '"', '\'']), "{html:?}");
}

/// Whether GitHub would make a mention, a reference or a link of something in the finished words.
pub(crate) fn is_linked(words: &str) -> bool {
    let next = |place: usize| words[place + 1..].chars().next();
    let mentions = |place| next(place).is_some_and(|next| next.is_alphanumeric() || next == '_');
    let refers = |place| next(place).is_some_and(|next| next.is_ascii_digit());
    words.contains("://")
        || words.match_indices('@').any(|(place, _)| mentions(place))
        || words.match_indices('#').any(|(place, _)| refers(place))
}

/// Whole pages about hostile names hold our links, our folds and our tables, and nothing else.
#[test]
fn pages_about_names_that_try() {
    let report = crate::reports::hostile_report();
    let templates = loadgate::report::templates::Templates::shipped();
    for page in [
        loadgate::report::render::comment(&report, &templates).unwrap(),
        loadgate::report::render::summary(&report, &templates).unwrap(),
    ] {
        let found = parsed(&page);
        for (kind, _) in &found {
            let ours = ["https://github.com/acme/", "https://acme.github.io/", "https://github.com/loadgate/loadgate#"];
            assert!(!kind.starts_with("Image"), "{kind}");
            assert!(!kind.starts_with("Link") || ours.iter().any(|start| kind.contains(start)), "{kind}");
            if kind.starts_with("Html") {
                let plain = ["<details>", "</details>", "<sub>", "</sub>"].iter().any(|tag| kind.contains(tag));
                assert!(plain && !kind.contains("script"), "{kind}");
            }
        }
        for name in crate::reports::HOSTILE {
            let shown = seen(name, TABLE_NAME);
            assert!(found.iter().any(|(kind, words)| kind == "code" && *words == shown), "{name:?}");
        }
        let cells: Vec<usize> = rows(&page);
        assert!(cells.iter().all(|cells| (2..=6).contains(cells)), "{cells:?}");
    }
}

/// How many cells each row of each table has.
fn rows(markdown: &str) -> Vec<usize> {
    let arena = Arena::new();
    let root = parse_document(&arena, markdown, &github());
    let is_row = |node: &&AstNode<'_>| matches!(node.data.borrow().value, NodeValue::TableRow(_));
    root.descendants().filter(|node| is_row(node)).map(|row| row.children().count()).collect()
}

#[test]
fn names_that_try() {
    for name in crate::reports::HOSTILE {
        check(name);
    }
    let more = [
        "***",
        "---",
        "===",
        "- x",
        "+ x",
        "-",
        "1. x",
        "1) x",
        "12345",
        "# x",
        "> x",
        "    x",
        "~~~",
        "[x]: http://x.y",
        "[^1]",
        "[ ] x",
        "|",
        "\\|",
        "a\\",
        "\\",
        "`",
        "``",
        " ` ",
        "`` ` ```",
        "$x$",
        "$`x`$",
        "&amp;",
        "&#64;a",
        "<!-- x -->",
        "@a/b",
        "a@b.example",
        "mailto:a@b.example",
        "www.x.example",
        "WWW.x.example",
        "ftp://x.example",
        "https://x.example/?a=(b)",
        "GH-12",
        "o/r#12",
        ":tada:",
        "*a*",
        "_a_",
        "~a~",
        "![a](b)",
        "<https://x.example>",
        "\u{feff}x",
        "a\u{200d}b",
        "\u{2028}",
        "\t",
        " ",
        "a  ",
        "+",
        "=",
        "#",
        "1.",
        ":---",
        "::",
        "|---|---|",
        "x\n===",
        "\u{e0041}",
    ];
    for name in more {
        check(name);
        check(&format!("{name}{name}"));
        check(&format!("a{name}"));
        check(&format!("{name} b"));
    }
    check(&"`|".repeat(5_000));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_name(name in any::<String>()) {
        check(&name);
    }

    #[test]
    fn any_mixture(parts in proptest::collection::vec(proptest::sample::select(vec![
        "|", "`", "``", "\\", "<", ">", "@", "#", "*", "_", "~", "[", "]", "(", ")", "!", "&", "$", "-", "+", "=", ".", ":", "/",
        "1", "12", "a", "octocat", "www.", "http", "https://", "##[", "::error::", "\n", "\r", "\t", " ", "\u{202e}", "\u{200b}",
        "\u{1b}[0m", "é", "😀", "gh-", "x.example", "<br>", "&lt;",
    ]), 0..12)) {
        check(&parts.concat());
    }

    #[test]
    fn an_address_stays_inside_its_link(rest in any::<String>()) {
        let address = format!("https://x.example/{rest}");
        if let Some(address) = escape::url(&address) {
            let found = parsed(&format!("a [run](<{address}>) b"));
            prop_assert_eq!(found.len(), 4, "{:?}", &found);
            prop_assert_eq!(&found[3], &("text".to_owned(), "run b".to_owned()));
        }
        prop_assert_eq!(escape::url(&format!("javascript:{rest}")), None);
    }
}
