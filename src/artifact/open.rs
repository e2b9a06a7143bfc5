//! Opens an artifact as UTF-8 text: undoes zip, gzip, a byte order mark and UTF-16, with bounds on what a hostile file
//! can cost. [I/O]

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::archive::{self, Packed};
use super::utf16::Utf16;
use super::{Artifact, Head};

/// Most bytes a compressed artifact may inflate to.
const MAX_INFLATED: u64 = 64 << 30;
/// An artifact that inflates to more than this many times its size is refused, once it passed [`FREE_INFLATION`].
const MAX_RATIO: u64 = 300;
/// Inflated bytes that are never refused: small files compress absurdly well.
const FREE_INFLATION: u64 = 64 << 20;
/// Size of the read buffer.
const BUFFER: usize = 256 * 1024;

/// An artifact whose beginning has been looked at and whose content can be read from the start.
pub struct Opened {
    /// Its beginning.
    pub head: Head,
    /// All of it.
    pub reader: Box<dyn BufRead + Send>,
}

/// Opens the artifact and reads its [`Head`].
pub fn open(artifact: &Artifact) -> io::Result<Opened> {
    let mut reader = decoded(content(artifact)?)?;
    let mut bytes = Vec::new();
    reader.by_ref().take(Head::LEN as u64).read_to_end(&mut bytes)?;
    let whole = bytes.len() < Head::LEN;
    let reader = Box::new(BufReader::with_capacity(BUFFER, Cursor::new(bytes.clone()).chain(reader)));
    Ok(Opened { head: Head::new(&artifact.name, bytes, whole), reader })
}

/// The bytes of the file, or of the member of a zip.
fn content(artifact: &Artifact) -> io::Result<Box<dyn BufRead + Send>> {
    if let Some(member) = &artifact.member {
        let Packed { bytes, deflated } = archive::find(&artifact.path, member)?;
        let counted = Counted::new(bytes);
        let read = counted.read.clone();
        return Ok(if deflated {
            Box::new(BufReader::with_capacity(BUFFER, Bounded::new(archive::inflate(counted), read)))
        } else {
            Box::new(BufReader::with_capacity(BUFFER, counted))
        });
    }
    let file = File::open(&artifact.path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a folder, not a file"));
    }
    Ok(Box::new(BufReader::with_capacity(BUFFER, file)))
}

/// The same content without gzip, byte order mark and UTF-16.
fn decoded(mut reader: Box<dyn BufRead + Send>) -> io::Result<Box<dyn BufRead + Send>> {
    if reader.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        let counted = Counted::new(reader);
        let read = counted.read.clone();
        reader = Box::new(BufReader::with_capacity(BUFFER, Bounded::new(MultiGzDecoder::new(counted), read)));
    }
    let start = reader.fill_buf()?;
    if start.starts_with(&[0xef, 0xbb, 0xbf]) {
        reader.consume(3);
    } else if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        let big = start.starts_with(&[0xfe]);
        reader.consume(2);
        reader = Box::new(BufReader::with_capacity(BUFFER, Utf16::new(reader, big)));
    }
    Ok(reader)
}

/// Counts what is read from the compressed side.
struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R> Counted<R> {
    fn new(inner: R) -> Self {
        Self { inner, read: Arc::default() }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.read.fetch_add(amount as u64, Ordering::Relaxed);
        self.inner.consume(amount);
    }
}

/// Stops a bomb: what inflates to far more than its compressed side gave so far.
struct Bounded<R> {
    inner: R,
    read: Arc<AtomicU64>,
    inflated: u64,
}

impl<R> Bounded<R> {
    fn new(inner: R, read: Arc<AtomicU64>) -> Self {
        Self { inner, read, inflated: 0 }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.inflated += read as u64;
        let compressed = self.read.load(Ordering::Relaxed);
        let allowed = compressed.saturating_mul(MAX_RATIO).clamp(FREE_INFLATION, MAX_INFLATED);
        if self.inflated > allowed {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "inflates to far more than results do; refused as a zip bomb",
            ));
        }
        Ok(read)
    }
}
