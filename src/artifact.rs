//! A file some load tool left behind: found by [`discover`], opened by [`open`], recognised by its [`Head`].

pub mod archive;
pub mod discover;
pub mod open;
pub mod shape;
mod utf16;

use std::path::PathBuf;

use self::shape::Shape;

/// Something to read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Artifact {
    /// As the user would write it: relative where he was relative, `archive.zip!inner.csv` for a member of a zip.
    pub name: String,
    /// Where it is on disk; for a member of a zip, the zip.
    pub path: PathBuf,
    /// The member of a zip.
    pub member: Option<String>,
    /// Named by the user (file by file, or by a glob of the config), not found by looking around.
    pub named: bool,
}

/// The beginning of an artifact after gzip, byte order mark and UTF-16 have been undone: all that recognition may look at.
#[derive(Debug)]
pub struct Head {
    /// The artifact's name.
    pub name: String,
    /// The first bytes as text; bytes that are no UTF-8 are shown as U+FFFD.
    pub text: String,
    /// The first bytes as they are.
    pub bytes: Vec<u8>,
    /// Whether `bytes` is the whole artifact.
    pub whole: bool,
    shape: std::sync::OnceLock<Shape>,
}

impl Head {
    /// Bytes looked at for recognition.
    pub const LEN: usize = 64 * 1024;

    /// Of an artifact that begins with `bytes`.
    pub fn new(name: &str, bytes: Vec<u8>, whole: bool) -> Self {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Self { name: name.to_owned(), text, bytes, whole, shape: std::sync::OnceLock::new() }
    }

    /// The first line that is not blank, without its end.
    pub fn first_line(&self) -> &str {
        self.lines().next().unwrap_or_default()
    }

    /// Lines that are not blank, trimmed of line ends. The last one may be cut unless the head is `whole`.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines().filter(|line| !line.trim().is_empty())
    }

    /// What a JSON reader would see at the top; empty if this is no JSON.
    pub fn json(&self) -> &Shape {
        self.shape.get_or_init(|| Shape::of(&self.text))
    }

    /// The file name without folders, `.gz` and the last extension: `query` for `out/query.txt.gz`.
    pub fn stem(&self) -> &str {
        stem(&self.name)
    }
}

/// See [`Head::stem`].
pub fn stem(name: &str) -> &str {
    let file = name.rsplit(['/', '\\', '!']).next().unwrap_or(name);
    let file = file.strip_suffix(".gz").unwrap_or(file);
    file.rsplit_once('.').map_or(file, |(stem, _)| if stem.is_empty() { file } else { stem })
}
