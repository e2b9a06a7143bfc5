//! Where the config file is. [I/O]

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::Config;

/// Where a config file is looked for, from the workspace root.
pub const PLACES: [&str; 2] = [".github/loadgate.yml", "loadgate.yml"];

/// The largest config file that is read, in bytes.
pub const LARGEST: u64 = 1 << 20;

/// The config below `root`: the one that was named, else the one at the usual places, else none.
///
/// It is an error if the named file is missing, if both places have one, or if the file is not a sound config.
pub fn find(root: &Path, named: Option<&Path>) -> anyhow::Result<Option<Config>> {
    if let Some(named) = named {
        let shown = named.display().to_string();
        let Some(text) = read(&root.join(named), &shown)? else {
            bail!(
                "{shown}: no such config file\nhint: `--config` takes a file, from the working directory; without it {} are looked at",
                PLACES.join(" and ")
            );
        };
        return Ok(Some(Config::parse(&text, &shown)?));
    }
    let mut found = None;
    for place in PLACES {
        refuse_other_ending(root, place)?;
        let Some(text) = read(&root.join(place), place)? else { continue };
        if let Some((first, _)) = found {
            bail!(
                "{first} and {place}: two config files\nhint: keep one of them, or say which one counts with --config FILE"
            );
        }
        found = Some((place, text));
    }
    found.map(|(place, text)| Ok(Config::parse(&text, place)?)).transpose()
}

/// A `.yaml` would be overlooked in silence.
fn refuse_other_ending(root: &Path, place: &str) -> anyhow::Result<()> {
    let other = PathBuf::from(place).with_extension("yaml");
    if root.join(&other).is_file() {
        bail!("{}: config files end in .yml\nhint: rename it to {place}", other.display());
    }
    Ok(())
}

/// The file's text; `None` if there is none.
fn read(path: &Path, shown: &str) -> anyhow::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(|| format!("{shown}: the config file cannot be opened")),
    };
    if file.metadata().is_ok_and(|facts| facts.is_dir()) {
        bail!("{shown}: expected a config file, found a folder\nhint: name the file itself");
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("{shown}: the config file cannot be read"))?;
    if bytes.len() as u64 > LARGEST {
        bail!("{shown}: larger than {} KiB, which no config file is\nhint: is this the file you mean?", LARGEST / 1024);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(error) => bail!(
            "{shown}: not UTF-8 from byte {} on\nhint: save the file as UTF-8",
            error.utf8_error().valid_up_to() + 1
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What is found in a folder with these files; `named` as with `--config`.
    fn found(files: &[(&str, &[u8])], named: Option<&str>) -> Result<Option<Config>, String> {
        let root = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        find(root.path(), named.map(Path::new)).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn the_usual_places_are_looked_at() {
        assert!(found(&[], None).unwrap().is_none());
        for place in PLACES {
            let config = found(&[(place, b"version: 1")], None).unwrap().unwrap();
            assert_eq!(config.path.as_deref(), Some(place));
        }
        let named = found(&[("loadgate.yml", b"nonsense: 1"), ("ci/gate.yml", b"version: 1")], Some("ci/gate.yml"));
        assert_eq!(named.unwrap().unwrap().path.as_deref(), Some("ci/gate.yml"));
    }

    /// Files, `--config`, message.
    type Case<'a> = (&'a [(&'a str, &'a [u8])], Option<&'a str>, &'a str);

    #[test]
    fn each_trouble_is_told_with_a_way_out() {
        let large = vec![b'#'; LARGEST as usize + 1];
        let cases: [Case<'_>; 7] = [
            (
                &[("loadgate.yml", b""), (".github/loadgate.yml", b"")],
                None,
                ".github/loadgate.yml and loadgate.yml: two config files\nhint: keep one of them, or say which one counts with --config FILE",
            ),
            (
                &[],
                Some("gone.yml"),
                "gone.yml: no such config file\nhint: `--config` takes a file, from the working directory; without it .github/loadgate.yml and loadgate.yml are looked at",
            ),
            (
                &[("loadgate.yaml", b"")],
                None,
                "loadgate.yaml: config files end in .yml\nhint: rename it to loadgate.yml",
            ),
            (
                &[("loadgate.yml", &large)],
                None,
                "loadgate.yml: larger than 1024 KiB, which no config file is\nhint: is this the file you mean?",
            ),
            (
                &[("loadgate.yml", b"a: \xff")],
                None,
                "loadgate.yml: not UTF-8 from byte 4 on\nhint: save the file as UTF-8",
            ),
            (&[("ci/x", b"")], Some("ci"), "ci: expected a config file, found a folder\nhint: name the file itself"),
            (
                &[(".github/loadgate.yml", b"gate: off")],
                None,
                ".github/loadgate.yml:1:7: gate: unknown word `off`\n  |\n1 | gate: off\n  |       ^^^\nhint: it can be auto, evidence, plain",
            ),
        ];
        for (files, named, expected) in cases {
            assert_eq!(found(files, named).unwrap_err(), expected);
        }
    }
}
