//! A glance at JSON without reading it: which keys stand near the top of a text that may be cut off anywhere.

use std::collections::BTreeSet;

/// How deep keys are noted.
const DEPTH: usize = 3;
/// How many key paths are noted.
const KEYS: usize = 4_000;

/// Key paths near the top of a JSON text: `metrics`, `metrics.http_reqs.values`, `[].num_requests` for an array of objects.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// `{`, `[` or nothing (no JSON).
    pub opens: Option<char>,
    paths: BTreeSet<String>,
}

impl Shape {
    /// The shape of `text`, which may end in the middle.
    pub fn of(text: &str) -> Self {
        let mut shape =
            Self { opens: text.trim_start().chars().next().filter(|c| matches!(c, '{' | '[')), ..Self::default() };
        if shape.opens.is_some() {
            shape.scan(text);
        }
        shape
    }

    /// Whether all of `paths` are there.
    pub fn has(&self, paths: &[&str]) -> bool {
        paths.iter().all(|path| self.paths.contains(*path))
    }

    /// Whether any of `paths` is there.
    pub fn has_any(&self, paths: &[&str]) -> bool {
        paths.iter().any(|path| self.paths.contains(*path))
    }

    /// The keys at the very top.
    pub fn top(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str).filter(|path| !path.contains(['.', '[']))
    }

    /// The last parts of paths that lie directly below some key of the top: what every value of a map of objects has.
    pub fn below_top(&self) -> impl Iterator<Item = &str> {
        self.paths
            .iter()
            .filter_map(|path| path.split_once('.'))
            .map(|(_, rest)| rest)
            .filter(|rest| !rest.contains('.'))
    }

    /// The paths that lead no deeper.
    pub fn leaves(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str).filter(|path| {
            let below = format!("{path}.");
            self.paths.range(below.clone()..).next().is_none_or(|next| !next.starts_with(&below))
        })
    }

    fn scan(&mut self, text: &str) {
        let mut path: Vec<String> = Vec::new();
        let mut arrays: Vec<bool> = Vec::new();
        let mut chars = text.char_indices();
        let mut last_string: Option<&str> = None;
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    let Some(end) = string_end(text, at) else { return };
                    last_string = text.get(at + 1..end);
                    while chars.as_str().len() > text.len() - end - 1 {
                        chars.next();
                    }
                }
                ':' if arrays.last() == Some(&false) => {
                    if let Some(key) = last_string.take() {
                        path.truncate(arrays.len() - 1);
                        path.push(key.to_owned());
                        if arrays.len() <= DEPTH && self.paths.len() < KEYS {
                            self.paths.insert(path.join("."));
                        }
                    }
                }
                '{' | '[' => {
                    path.truncate(arrays.len());
                    path.resize(arrays.len(), "[]".to_owned());
                    arrays.push(c == '[');
                    if arrays.len() > 64 {
                        return;
                    }
                    if c == '[' {
                        path.truncate(arrays.len() - 1);
                        path.push("[]".to_owned());
                    }
                }
                '}' | ']' => {
                    arrays.pop();
                    if arrays.is_empty() {
                        return;
                    }
                }
                ',' => last_string = None,
                _ => {}
            }
        }
    }
}

/// The byte index of the quote that closes the string opened at `at`.
fn string_end(text: &str, at: usize) -> Option<usize> {
    let mut escaped = false;
    for (offset, byte) in text.as_bytes().get(at + 1..)?.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1 + offset),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_near_the_top_are_seen_even_in_a_cut_text() {
        let shape = Shape::of(r#"{"metrics": {"http_reqs": {"count": 3, "a:b": "x\"}:{"}}, "state": {"ms": 1}, "opt"#);
        assert!(shape.has(&["metrics", "metrics.http_reqs.count", "metrics.http_reqs.a:b", "state.ms"]));
        assert_eq!(shape.top().collect::<Vec<_>>(), ["metrics", "state"]);
        assert!(!shape.has(&["opt"]));
    }

    #[test]
    fn arrays_of_objects_show_their_keys() {
        let shape = Shape::of(r#"[{"name": "a", "n": [1, {"deep": 2}]}, {"other": 1}]"#);
        assert!(shape.has(&["[].name", "[].n", "[].other"]), "{shape:?}");
        assert_eq!(Shape::of("a,b\n1,2"), Shape::default());
    }

    #[test]
    fn only_the_first_document_counts() {
        let shape = Shape::of("{\"type\":\"Metric\"}\n{\"second\":1}");
        assert!(shape.has(&["type"]) && !shape.has(&["second"]));
    }
}
