//! What all our pages share: style, script, marks, and the policy that lets nothing else run or load.

use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Colours, layout, dark mode and print.
pub(crate) const STYLE: &str = include_str!("../../templates/page/page.css");
/// Theme, search, cursor over charts.
pub(crate) const SCRIPT: &str = include_str!("../../templates/page/page.js");

/// The policy of pages whose style and script lie beside them, and which fetch pages of their own site.
pub(crate) const LINKED: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
     img-src data:; base-uri 'none'; form-action 'none'";

/// How a page gets its style and script, and the Content-Security-Policy that allows these and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Frame {
    /// For a `<style>`.
    style: &'static str,
    /// For a `<script>`.
    script: &'static str,
    /// For a `<meta http-equiv="Content-Security-Policy">`; a style or script of your own needs another.
    csp: String,
}

impl Frame {
    /// Both inside the page, allowed by their hashes.
    pub(crate) fn inline() -> Self {
        Self {
            style: STYLE,
            script: SCRIPT,
            csp: format!(
                "default-src 'none'; style-src {}; script-src {}; img-src data:; base-uri 'none'; form-action 'none'",
                hash(STYLE),
                hash(SCRIPT)
            ),
        }
    }
}

fn hash(text: &str) -> String {
    format!("'sha256-{}'", BASE64.encode(Sha256::digest(text)))
}

/// A short name for an address or a file, the same as long as suite and label are: readable, and told apart by a number
/// where two read alike.
pub(crate) fn slug(suite: &str, label: &str) -> String {
    let mut readable = String::new();
    for character in label.chars() {
        match character {
            'a'..='z' | '0'..='9' => readable.push(character),
            'A'..='Z' => readable.push(character.to_ascii_lowercase()),
            _ if readable.is_empty() || readable.ends_with('-') => {}
            _ => readable.push('-'),
        }
        if readable.len() >= 40 {
            break;
        }
    }
    // FNV-1a, 32 bits.
    let number = suite
        .bytes()
        .chain([0])
        .chain(label.bytes())
        .fold(0x811c_9dc5_u32, |number, byte| (number ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("e-{}-{number:08x}", readable.trim_end_matches('-')).replace("--", "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_safe_and_told_apart() {
        assert!(slug("api", "POST /checkout").starts_with("e-post-checkout-"));
        assert_ne!(slug("api", "a/b"), slug("api", "a b"));
        assert_ne!(slug("api", "a"), slug("web", "a"));
        let hostile = slug("api", "../../<script>\u{202e}\"' é");
        assert!(hostile.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{hostile}");
    }

    #[test]
    fn what_stands_in_a_page_cannot_end_its_element() {
        assert!(!STYLE.contains("</") && !SCRIPT.contains("</") && !SCRIPT.contains("<!--"));
        assert!(STYLE.lines().count() + SCRIPT.lines().count() < 400 && SCRIPT.lines().count() <= 200);
    }
}
