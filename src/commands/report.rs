//! `loadgate report`: a report that `check` wrote, made again as another page. [I/O]

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use anyhow::{Context as _, bail};

use super::{Done, World, history, json};
use crate::cli::{Page, RenderReport};
use crate::files;
use crate::report::{Report, csv, junit, read, render};
use crate::settings;

/// Largest report that is read: one of ten thousand endpoints takes a sixth, and their distributions come on top.
pub(super) const LARGEST: u64 = 512 << 20;

/// Makes the page, into a file or onto stdout.
pub fn run(arguments: &RenderReport, world: &World<'_>) -> anyhow::Result<Done> {
    let root = settings::root(world.common);
    let config = settings::config(world.common)?;
    let templates = settings::templates(&root, arguments.template_dir.as_deref(), &config)?;
    let mut report = load(&root, &arguments.report)?;
    history::tell(&mut report, &arguments.folder, world)?;
    let page = match arguments.format {
        Page::Html => render::html(&report, &templates)?,
        Page::Markdown => render::summary(&report, &templates)?,
        Page::Json => json(&report)?,
        Page::Junit => junit::junit(&report)?,
        Page::Csv => csv::csv(&report)?,
    };
    match &arguments.out {
        Some(path) => {
            files::write(&root.join(path), page.as_bytes())
                .with_context(|| format!("{} cannot be written", path.display()))?;
            Ok(Done { stderr: format!("wrote {}\n", path.display()), ..Done::default() })
        }
        None => Ok(Done::printed(page)),
    }
}

/// A report file, named as the user did.
pub fn load(root: &Path, path: &Path) -> anyhow::Result<Report> {
    let shown = path.display();
    let mut text = String::new();
    let file = match File::open(root.join(path)) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{shown}: there is no such report\nhint: `loadgate check` writes one")
        }
        opened => opened.with_context(|| format!("{shown} cannot be read"))?,
    };
    file.take(LARGEST + 1).read_to_string(&mut text).with_context(|| format!("{shown} cannot be read"))?;
    if text.len() as u64 > LARGEST {
        bail!("{shown} is too large for a report: at most {} MiB", LARGEST >> 20);
    }
    read::parse(&text).with_context(|| shown.to_string())
}
