//! The line of a file that a message is about, what it is about underlined.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// Columns of an excerpt; longer lines are cut around the place.
const WIDTH: usize = 100;
/// Longest line that is shown: nobody can read one of a megabyte, and laying it out takes time.
const LONGEST: usize = 64 << 10;

/// The line at the place (from 1, columns in characters) with what stands there marked, as people know it from compilers;
/// `None` if there is nothing to show.
pub fn excerpt(text: &str, line: u64, column: u64) -> Option<String> {
    let number = usize::try_from(line).ok()?;
    let line = text.lines().nth(number.checked_sub(1)?)?.trim_start_matches('\u{feff}');
    if line.len() > LONGEST {
        return None;
    }
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let start = line.char_indices().map(|(at, _)| at).nth(column)?;
    let rest = line.get(start..)?;
    let marked = rest.get(..length(rest)?)?.trim_end();
    if marked.is_empty() {
        return None;
    }
    let annotation = AnnotationKind::Primary.span(start..start + marked.len());
    let snippet = Snippet::source(line).line_start(number).annotation(annotation);
    Some(Renderer::plain().term_width(WIDTH).render(&[Group::with_level(Level::ERROR).element(snippet)]))
}

/// How far the value goes that the text begins with, in bytes: a quoted one to its quote, another to where a comma, a
/// bracket or a comment may follow.
fn length(text: &str) -> Option<usize> {
    let end = match text.chars().next()? {
        quote @ ('"' | '\'') => text.get(1..)?.find(quote).map(|at| at + 2),
        '{' | '[' | '-' => Some(1),
        _ => text.find([',', '}', ']', ':']).into_iter().chain(text.find(" #")).min(),
    };
    Some(end.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_at_the_place_is_marked() {
        let shown = excerpt("a: 1\nb: [größe, \"x y\", z] # c\n", 2, 12).unwrap();
        assert_eq!(shown, "  |\n2 | b: [größe, \"x y\", z] # c\n  |            ^^^^^");
    }

    #[test]
    fn where_nothing_stands_nothing_is_shown() {
        for (line, column) in [(0, 1), (1, 0), (1, 9), (2, 1), (9, 1), (u64::MAX, u64::MAX)] {
            assert_eq!(excerpt("a: 1\n\n", line, column), None, "{line}:{column}");
        }
        assert_eq!(excerpt(&"x".repeat(LONGEST + 1), 1, 1), None);
    }
}
