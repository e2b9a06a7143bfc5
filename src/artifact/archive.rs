//! Zip archives, as GitHub serves the artifacts of a workflow run: lists the members and opens one. Nothing is unpacked to
//! the disk, so names of members can lead nowhere. [I/O]

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;

use flate2::read::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

/// Most members of an archive: a load test leaves some dozens.
const MOST_MEMBERS: usize = 10_000;

/// Whether the file begins as a zip archive does.
pub fn is_zip(path: &Path) -> bool {
    let mut start = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *b"PK\x03\x04"
}

/// The names of the files in the archive, in its order; encrypted ones and what is not deflated are left out.
pub fn members(path: &Path) -> io::Result<Vec<String>> {
    let mut archive = ZipArchive::new(BufReader::new(File::open(path)?))?;
    if archive.len() > MOST_MEMBERS {
        let message = format!("holds {} files, more than {MOST_MEMBERS}: no archive of results", archive.len());
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut names = Vec::new();
    for place in 0..archive.len() {
        let member = archive.by_index_raw(place)?;
        let readable = matches!(member.compression(), CompressionMethod::Stored | CompressionMethod::Deflated);
        if !member.is_dir() && !member.encrypted() && readable {
            names.push(member.name()?.into_owned());
        }
    }
    Ok(names)
}

/// One member: its compressed bytes, and what undoes the compression.
pub struct Packed {
    /// Exactly the member's bytes in the archive.
    pub bytes: io::Take<File>,
    /// Whether they are deflated.
    pub deflated: bool,
}

/// Finds the member of that name.
pub fn find(path: &Path, name: &str) -> io::Result<Packed> {
    let mut archive = ZipArchive::new(BufReader::new(File::open(path)?))?;
    for place in 0..archive.len() {
        let member = archive.by_index_raw(place)?;
        if member.is_dir() || member.encrypted() || member.name()? != name {
            continue;
        }
        let start = member.data_start().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        let (size, deflated) = (member.compressed_size(), member.compression() == CompressionMethod::Deflated);
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(start))?;
        return Ok(Packed { bytes: file.take(size), deflated });
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "no such file in the archive"))
}

/// Inflates what was deflated.
pub fn inflate<R: Read>(bytes: R) -> DeflateDecoder<R> {
    DeflateDecoder::new(bytes)
}
