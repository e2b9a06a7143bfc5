//! The templates of the pages: ours, or the user's where there are any. [I/O]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{fs, io};

use minijinja::Environment;

use super::render::{self, RenderError};

/// Every template that is built in, by name. Names that begin with `_` are parts of the others.
const SHIPPED: [(&str, &str); 8] = [
    ("_page.html.j2", include_str!("../../templates/_page.html.j2")),
    ("_parts.md.j2", include_str!("../../templates/_parts.md.j2")),
    ("card.html.j2", include_str!("../../templates/card.html.j2")),
    ("comment.md.j2", include_str!("../../templates/comment.md.j2")),
    ("issue.md.j2", include_str!("../../templates/issue.md.j2")),
    ("report.html.j2", include_str!("../../templates/report.html.j2")),
    ("site.html.j2", include_str!("../../templates/site.html.j2")),
    ("summary.md.j2", include_str!("../../templates/summary.md.j2")),
];

/// Templates end so.
pub const EXTENSION: &str = ".j2";
/// Largest template of the user's, in bytes.
const LARGEST: u64 = 1 << 20;
/// Most templates of the user's.
const MOST: usize = 64;

/// Templates by name, complete: what the user does not give is ours. They are parsed when the first page of their kind is made.
#[derive(Debug, Clone)]
pub struct Templates {
    texts: BTreeMap<String, String>,
    markdown: Engine,
    html: Engine,
}

/// Why not is told again for every page.
type Engine = OnceLock<Result<Environment<'static>, RenderError>>;

/// The user's templates cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TemplatesError {
    /// The folder or a file in it.
    #[error("cannot read templates from {path}")]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Too much of it.
    #[error("{path} is too large for a template: at most {MOST} files of {} KiB", LARGEST >> 10)]
    TooLarge {
        /// The file or folder.
        path: PathBuf,
    },
}

impl Default for Templates {
    fn default() -> Self {
        Self::shipped()
    }
}

impl Templates {
    /// Ours.
    pub fn shipped() -> Self {
        Self::from_texts(BTreeMap::new())
    }

    /// Ours, with those in the folder in their place.
    pub fn from_folder(folder: &Path) -> Result<Self, TemplatesError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| TemplatesError::Read { path, source }
        };
        let mut texts = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(failed(folder))? {
            let entry = entry.map_err(failed(folder))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = entry.path();
            if !name.ends_with(EXTENSION) || !path.is_file() {
                continue;
            }
            if texts.len() == MOST {
                return Err(TemplatesError::TooLarge { path: folder.to_owned() });
            }
            let mut text = String::new();
            let file = fs::File::open(&path).map_err(failed(&path))?;
            file.take(LARGEST + 1).read_to_string(&mut text).map_err(failed(&path))?;
            if text.len() as u64 > LARGEST {
                return Err(TemplatesError::TooLarge { path });
            }
            texts.insert(name, text);
        }
        Ok(Self::from_texts(texts))
    }

    /// Ours, with the given ones in their place.
    pub fn from_texts(texts: BTreeMap<String, String>) -> Self {
        let shipped = SHIPPED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Self { texts: shipped.chain(texts).collect(), markdown: Engine::new(), html: Engine::new() }
    }

    /// Name and text of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The engine that makes the page.
    pub(super) fn engine(&self, page: &str) -> Result<&Environment<'static>, RenderError> {
        let (engine, other) =
            if page.ends_with(".md.j2") { (&self.markdown, ".html.j2") } else { (&self.html, ".md.j2") };
        engine.get_or_init(|| render::environment(self, other)).as_ref().map_err(Clone::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_lacks_is_ours() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("summary.md.j2"), "mine").unwrap();
        fs::write(folder.path().join("README.md"), "no template").unwrap();
        let templates = Templates::from_folder(folder.path()).unwrap();
        let of = |wanted: &str| templates.iter().find(|(name, _)| *name == wanted).map(|(_, text)| text);
        assert_eq!(of("summary.md.j2"), Some("mine"));
        assert!(of("comment.md.j2").unwrap().contains("{{"));
        assert_eq!(of("README.md"), None);
    }

    #[test]
    fn what_cannot_be_a_template_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("nowhere");
        assert!(Templates::from_folder(&missing).unwrap_err().to_string().contains("nowhere"));
        fs::write(folder.path().join("summary.md.j2"), " ".repeat((1 << 20) + 1)).unwrap();
        assert!(matches!(Templates::from_folder(folder.path()), Err(TemplatesError::TooLarge { .. })));
    }
}
