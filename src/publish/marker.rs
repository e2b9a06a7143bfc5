//! The hidden first line by which we know what is ours. Read back as hostile text: anyone can write a comment.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::github::context::WorkflowRun;

/// Without `>` no text can end the HTML comment, without blanks none can pass for another field.
const SAFE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');

const COMMENT: &str = "<!-- loadgate:v1 comment ";
const ISSUE: &str = "<!-- loadgate:v1 issue ";
const END: &str = " -->";

/// What the first line of our comment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// Which of our comments it is.
    pub(super) key: String,
    /// Who wrote it last.
    pub(super) run: WorkflowRun,
    /// What it said.
    pub(super) verdict: String,
}

impl Mark {
    /// The line, without a line end.
    pub(super) fn line(&self) -> String {
        format!(
            "{COMMENT}key={} run={} attempt={} verdict={}{END}",
            encode(&self.key),
            self.run.id,
            self.run.attempt,
            encode(&self.verdict)
        )
    }

    /// From the first line of a comment.
    pub(super) fn of(body: &str) -> Option<Self> {
        let line = body.lines().next()?.trim_end();
        let fields = line.strip_prefix(COMMENT)?.strip_suffix(END)?;
        let field = |name: &str| fields.split(' ').find_map(|it| it.strip_prefix(name)?.strip_prefix('='));
        Some(Self {
            key: decode(field("key")?)?,
            run: WorkflowRun {
                id: field("run")?.parse().ok()?,
                attempt: field("attempt").and_then(|it| it.parse().ok()).unwrap_or(1),
            },
            verdict: field("verdict").and_then(decode).unwrap_or_default(),
        })
    }
}

/// The line by which a suite's issue is found.
pub(super) fn issue(suite: &str) -> String {
    format!("{ISSUE}suite={}{END}", encode(suite))
}

/// The line that takes the place of [`issue`] in a second issue.
pub(super) fn retired(suite: &str, of: u64) -> String {
    format!("<!-- loadgate:v1 duplicate suite={} of={of}{END}", encode(suite))
}

/// The line in a comment on an issue that tells of a change of state in one workflow run.
pub(super) fn state(run: WorkflowRun, step: &str) -> String {
    format!("<!-- loadgate:v1 state run={} step={}{END}", run.id, encode(step))
}

/// The line in the pull request that proposes a baseline; `base` is a digest of the texts it started from.
pub(super) fn proposal(base: &str) -> String {
    format!("<!-- loadgate:v1 baseline base={}{END}", encode(base))
}

/// The digest that [`proposal`] wrote, from a pull request's text.
pub(super) fn proposed_from(body: &str) -> Option<String> {
    let rest = body.lines().find_map(|line| line.trim().strip_prefix("<!-- loadgate:v1 baseline base="))?;
    decode(rest.strip_suffix(END)?)
}

/// Text that stays the same as long as the content does. Not for secrets: it only tells texts apart.
pub(super) fn digest(parts: &[&str]) -> String {
    // FNV-1a over 128 bits: the same on every machine and in every version, which the standard hasher is not.
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for part in parts {
        for byte in part.as_bytes().iter().chain(&[0xff]) {
            hash = (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
    format!("{hash:032x}")
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, SAFE).to_string()
}

fn decode(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_comes_back_whatever_the_key_holds() {
        for key in ["api", "a b", "x --> <b>", "é\n", "", "a,b", "run=9 attempt=9", "--"] {
            let mark =
                Mark { key: key.to_owned(), run: WorkflowRun { id: 42, attempt: 3 }, verdict: "fail".to_owned() };
            let line = mark.line();
            assert!(!line.contains('\n') && line.matches("-->").count() == 1, "{line}");
            assert_eq!(Mark::of(&format!("{line}\r\ntext")), Some(mark));
        }
    }

    #[test]
    fn other_text_is_no_marker() {
        for body in ["", "hello", "<!-- loadgate:v1 comment key=a -->", "x\n<!-- loadgate:v1 comment key=a run=1 -->"] {
            assert_eq!(Mark::of(body), None, "{body}");
        }
    }

    #[test]
    fn a_digest_tells_texts_apart() {
        assert_eq!(digest(&["a", "b"]), digest(&["a", "b"]));
        assert_ne!(digest(&["ab", ""]), digest(&["a", "b"]));
    }
}
