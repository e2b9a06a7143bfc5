//! Writes a file so that it is the old one or the new one, never half, and belongs to whoever owns the folder. [I/O]

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Writes `text` to `path`, folders above it included.
///
/// In a container we are root and the workspace is the runner's: what we leave behind must be his to delete, so new files
/// and folders get the owner of the nearest folder that was there before.
pub fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_folder(folder)?;
    let mut file = tempfile::Builder::new().prefix(".loadgate-").tempfile_in(folder)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    make_shared(file.as_file(), folder)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Creates the folder and those above it.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_folder(above)?;
    match fs::create_dir(folder) {
        Ok(()) => hand_over(folder, above),
        // Somebody else was faster.
        Err(_) if folder.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Appends `text` to a file of the runner.
pub fn append(path: &Path, text: &[u8]) -> io::Result<()> {
    fs::OpenOptions::new().append(true).create(true).open(path)?.write_all(text)
}

/// A temporary file is private to its owner; a result is not.
#[cfg(unix)]
fn make_shared(file: &fs::File, folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    file.set_permissions(fs::Permissions::from_mode(0o644))?;
    let (own, wanted) = (file.metadata()?, fs::metadata(folder)?);
    // Only root may give files away; anybody else has made a file of his own in a folder of another, which is fine.
    if own.uid() == 0 && wanted.uid() != 0 {
        fchown(file, Some(wanted.uid()), Some(wanted.gid()))?;
    }
    Ok(())
}

#[cfg(unix)]
fn hand_over(folder: &Path, above: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let (own, wanted) = (fs::metadata(folder)?, fs::metadata(above)?);
    if own.uid() == 0 && wanted.uid() != 0 {
        chown(folder, Some(wanted.uid()), Some(wanted.gid()))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_shared(_: &fs::File, _: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn hand_over(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}
