//! The one place that makes text from outside harmless, for each kind of target.
//!
//! Endpoint names, messages, versions, even the words of a report that was read back come from files that anyone may have
//! written. They may try to break a table, mention people, link, run workflow commands, colour a terminal, or look like
//! something else. [`clean`] is common to all targets: nothing invisible gets through.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Longest name in a table, in characters.
pub const TABLE_NAME: usize = 48;
/// Longest name in a sentence, in characters.
pub const NAME: usize = 120;
/// Longest other text, in characters.
pub const TEXT: usize = 1_000;

/// Breaks what GitHub would link, mention or obey, without being seen (U+200B; [`clean`] takes it out of foreign text).
const BREAK: char = '\u{200b}';

/// The text with everything invisible made visible: control characters as their pictures (`␊`, `␛`), what changes the
/// direction or hides text as `�`.
pub fn clean(text: &str) -> Cow<'_, str> {
    let ordinary = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if ordinary || text.chars().all(|character| visible(character) == character) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(visible).collect())
}

fn visible(character: char) -> char {
    match character {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + character as u32).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\u{7f}' => '␡',
        // C1 controls, soft hyphen, marks of direction, joiners and spaces without width, line and paragraph separators,
        // invisible operators, interlinear marks, variation by tags.
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => char::REPLACEMENT_CHARACTER,
        other => other,
    }
}

/// At most `most` characters, the middle left out: names differ at their ends.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    let length = text.chars().count();
    if length <= most {
        return Cow::Borrowed(text);
    }
    let tail = most / 2;
    let head = most.saturating_sub(tail + 1);
    let start: String = text.chars().take(head).collect();
    Cow::Owned(text.chars().skip(length - tail).fold(start + "…", |mut out, character| {
        out.push(character);
        out
    }))
}

/// The name of an endpoint as people see it: nothing invisible, never nothing at all, at most `most` characters.
pub fn named(name: &str, most: usize) -> String {
    if name.trim().is_empty() { "(no name)".to_owned() } else { cut(&clean(name), most).into_owned() }
}

/// Markdown that shows the text as it is: no markup, no link, no mention, no table cell of its own.
pub fn markdown(text: &str) -> String {
    let text = clean(text);
    let text = cut(text.trim_start(), TEXT);
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut number = true;
    let mut characters = text.chars().enumerate().peekable();
    while let Some((place, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        if linked(&out, character) {
            out.push(BREAK);
        }
        let escaped = match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' => true,
            // What would begin a heading, a list or a rule at the start of a line.
            '#' | '=' => place == 0,
            '+' | '-' => place == 0 && next.is_none_or(|next| next == ' ' || next == character),
            '.' | ')' => number && place > 0 && next.is_none_or(|next| next == ' '),
            _ => false,
        };
        match character {
            '&' => out.push_str("&amp;"),
            // A pair of these is mathematics, and a backslash does not help.
            '$' => out.push_str("&#36;"),
            _ if escaped => out.extend(['\\', character]),
            _ => out.push(character),
        }
        number &= character.is_ascii_digit();
    }
    out
}

/// Whether GitHub, which looks through the finished text, would make something of what is there with `next` behind it:
/// mentions, references, mail addresses, URLs, emoji names.
fn linked(out: &str, next: char) -> bool {
    let ends = |word: &str| {
        let tail = out.len().checked_sub(word.len()).and_then(|from| out.get(from..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(word))
    };
    match next {
        _ if ends("@") => true,
        '.' => ends("www"),
        '0'..='9' => ends("#") || ends("gh-"),
        '/' | '+' | '-' => ends(":"),
        _ => next.is_alphabetic() && ends(":"),
    }
}

/// A code span of at most `most` characters that shows the text. In a table cell a pipe needs a backslash even there.
pub fn code(text: &str, most: usize, in_table: bool) -> String {
    let text = obeyed(&named(text, most));
    let fence = "`".repeat(longest_run(&text, '`') + 1);
    // Parsers differ about a backslash before an escaped pipe.
    let text = if in_table { text.replace("\\|", "\\\u{200b}|").replace('|', "\\|") } else { text };
    // One space on both sides is taken off again; without it a backtick would join the fence.
    let pad = text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']);
    let pad = if pad { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A fenced block that shows the lines of the text.
pub fn fence(text: &str, language: &str) -> String {
    let fence = "`".repeat((longest_run(text, '`') + 1).max(3));
    let lines: Vec<String> = text.lines().map(|line| obeyed(&clean(line))).collect();
    format!("{fence}{language}\n{}\n{fence}", lines.join("\n"))
}

/// HTML that shows the text, also inside an attribute in quotes.
pub fn html(text: &str) -> Cow<'_, str> {
    let text = clean(text);
    if !text.bytes().any(|byte| matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'')) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// The text for a terminal, or for a log that GitHub reads for commands.
pub fn terminal(text: &str) -> String {
    let text = obeyed(&clean(text));
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character == ':' && out.ends_with(':') {
            out.push(BREAK);
        }
        out.push(character);
    }
    out
}

/// Breaks `##[command]`, which the runner obeys anywhere in a line.
fn obeyed(text: &str) -> String {
    text.replace("##[", "#\u{200b}#[")
}

/// The address, if it is one of the web, with nothing in it that could end a link.
pub fn url(text: &str) -> Option<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    if rest.is_empty() || text.len() > 2_000 {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let harmless = byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&*+,;=%".contains(&byte);
        if harmless {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    Some(out)
}

fn longest_run(text: &str, wanted: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for character in text.chars() {
        run = if character == wanted { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}
