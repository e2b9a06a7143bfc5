//! Opens an artifact as UTF-8 text: undoes gzip, a byte order mark and UTF-16, with bounds on what a hostile file
//! can cost. [I/O]

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};

use encoding_rs_io::DecodeReaderBytesBuilder;
use flate2::bufread::MultiGzDecoder;

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
    pub reader: Box<dyn BufRead>,
}

/// Opens the artifact and reads its [`Head`].
pub fn open(artifact: &Artifact) -> io::Result<Opened> {
    let file = File::open(&artifact.path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a folder, not a file"));
    }
    let mut reader = decoded(Box::new(BufReader::with_capacity(BUFFER, file)))?;
    let mut bytes = Vec::new();
    reader.by_ref().take(Head::LEN as u64).read_to_end(&mut bytes)?;
    let whole = bytes.len() < Head::LEN;
    let reader = Box::new(BufReader::with_capacity(BUFFER, Cursor::new(bytes.clone()).chain(reader)));
    Ok(Opened { head: Head::new(&artifact.name, bytes, whole), reader })
}

/// The same content without gzip, byte order mark and UTF-16.
fn decoded(mut reader: Box<dyn BufRead>) -> io::Result<Box<dyn BufRead>> {
    if reader.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        let inflated = Bounded::new(MultiGzDecoder::new(Counted { inner: reader, read: 0 }));
        reader = Box::new(BufReader::with_capacity(BUFFER, inflated));
    }
    let start = reader.fill_buf()?;
    if start.starts_with(&[0xef, 0xbb, 0xbf]) {
        reader.consume(3);
    } else if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        let utf8 = DecodeReaderBytesBuilder::new().bom_override(true).build(reader);
        reader = Box::new(BufReader::with_capacity(BUFFER, utf8));
    }
    Ok(reader)
}

/// Counts what is read from the compressed side.
struct Counted {
    inner: Box<dyn BufRead>,
    read: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}

impl BufRead for Counted {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.read += amount as u64;
        self.inner.consume(amount);
    }
}

/// Stops a gzip bomb.
struct Bounded {
    inner: MultiGzDecoder<Counted>,
    inflated: u64,
}

impl Bounded {
    fn new(inner: MultiGzDecoder<Counted>) -> Self {
        Self { inner, inflated: 0 }
    }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.inflated += read as u64;
        let allowed = (self.inner.get_ref().read.saturating_mul(MAX_RATIO)).clamp(FREE_INFLATION, MAX_INFLATED);
        if self.inflated > allowed {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "inflates to far more than results do; refused as a zip bomb",
            ));
        }
        Ok(read)
    }
}
