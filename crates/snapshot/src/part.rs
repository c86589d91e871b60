//! Parts: compressed lines (NDJSON, zstd). The first line tells which part of which upload it is and which buckets it covers; the
//! others are entries in the order of their places. Reading is bounded: the bytes after decompression, the memory of the
//! decompressor, the length of a line and the number of entries.

use crate::FORMAT;
use crate::bucket::{BUCKETS, Ranges, are_ranges};
use crate::entry::{Entry, Place, Wrong};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, BufReader, Read, Write};

/// The largest window of the decompressor, as a power of two: 8 MiB.
const WINDOW_LOG_MAX: u32 = 23;
/// Compression that costs little and gains most.
const LEVEL: i32 = 3;

/// The first line of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartHeader {
    pub format: u32,
    /// The upload's id.
    pub upload: String,
    /// From 1.
    pub number: u32,
    /// The buckets that the part covers. Of a snapshot every entry in them is in the part.
    pub covers: Ranges,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FirstLine {
    Part(PartHeader),
}

/// The limits of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartLimits {
    /// After decompression.
    pub bytes_max: u64,
    pub line_bytes_max: usize,
    pub entries_max: usize,
}

/// A part that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub header: PartHeader,
    pub entries: Vec<Entry>,
}

/// Why a part cannot be taken. The number of a line counts the header.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    #[error("the part has more than {bytes_max} bytes after decompression")]
    TooLarge { bytes_max: u64 },
    #[error("line {line} has more than {bytes_max} bytes")]
    LineTooLong { line: usize, bytes_max: usize },
    #[error("the part has more than {entries_max} entries")]
    TooManyEntries { entries_max: usize },
    #[error("the part is no zstd, or ends early: {0}")]
    Unreadable(io::Error),
    #[error("line {line} is not understood: {why}")]
    Line { line: usize, why: String },
    #[error("line {line}: {wrong}")]
    Entry { line: usize, wrong: Wrong },
    #[error("the part has format {0}; this hub reads format {FORMAT}")]
    Format(u32),
    #[error("`covers` is no list of ranges of buckets from 0 to {}, in order and apart from each other", BUCKETS - 1)]
    Ranges,
    #[error("line {line} is out of order, or its entry is there twice")]
    Order { line: usize },
    #[error("line {line} is of bucket {bucket}, which the part does not cover")]
    Elsewhere { line: usize, bucket: u16 },
}

/// Reads a part whole; it never takes more memory than its limits allow.
///
/// # Errors
/// The first [`Flaw`].
pub fn read_part(bytes: &[u8], limits: &PartLimits) -> Result<Part, Flaw> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(Flaw::Unreadable)?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(Flaw::Unreadable)?;
    let bytes_max = limits.bytes_max;
    let mut lines = Lines { inner: BufReader::new(decoder.take(bytes_max.saturating_add(1))), read: 0, line: 0 };
    let Some(first) = lines.next(limits)? else {
        return Err(Flaw::Line { line: 1, why: "the part is empty".to_owned() });
    };
    let FirstLine::Part(header) = parse(&first, 1)?;
    check_header(&header)?;
    let mut covering = Covering::of(&header.covers);
    let mut entries: Vec<Entry> = Vec::new();
    let mut before: Option<Place> = None;
    while let Some(text) = lines.next(limits)? {
        let line = lines.line;
        if entries.len() == limits.entries_max {
            return Err(Flaw::TooManyEntries { entries_max: limits.entries_max });
        }
        let entry: Entry = parse(&text, line)?;
        entry.check().map_err(|wrong| Flaw::Entry { line, wrong })?;
        let place = entry.place();
        if before.as_ref().is_some_and(|before| *before >= place) {
            return Err(Flaw::Order { line });
        }
        if !covering.covers(place.bucket) {
            return Err(Flaw::Elsewhere { line, bucket: place.bucket });
        }
        before = Some(place);
        entries.push(entry);
    }
    Ok(Part { header, entries })
}

fn check_header(header: &PartHeader) -> Result<(), Flaw> {
    if header.format != FORMAT {
        return Err(Flaw::Format(header.format));
    }
    if are_ranges(&header.covers) { Ok(()) } else { Err(Flaw::Ranges) }
}

/// A walk along ranges, for buckets that come in order.
struct Covering<'r> {
    rest: &'r [[u16; 2]],
}

impl<'r> Covering<'r> {
    fn of(ranges: &'r [[u16; 2]]) -> Self {
        Self { rest: ranges }
    }

    fn covers(&mut self, bucket: u16) -> bool {
        while let [[_, last], rest @ ..] = self.rest
            && *last < bucket
        {
            self.rest = rest;
        }
        self.rest.first().is_some_and(|[first, _]| *first <= bucket)
    }
}

fn parse<'t, T: Deserialize<'t>>(text: &'t str, line: usize) -> Result<T, Flaw> {
    serde_json::from_str(text).map_err(|error| Flaw::Line { line, why: described(&error) })
}

/// The kind of an error and its column. The text of the line is personal data and stays out of messages.
fn described(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Io => "it cannot be read",
        serde_json::error::Category::Syntax => "it is no JSON",
        serde_json::error::Category::Data => "it is no entry, or has a field that no entry has",
        serde_json::error::Category::Eof => "it ends early",
    };
    format!("{kind}, at column {}", error.column())
}

struct Lines<R> {
    inner: R,
    read: u64,
    line: usize,
}

impl<R: BufRead> Lines<R> {
    /// The next line without its end.
    fn next(&mut self, limits: &PartLimits) -> Result<Option<String>, Flaw> {
        self.line += 1;
        let (line, longest) = (self.line, limits.line_bytes_max);
        let mut bytes = Vec::new();
        let most = u64::try_from(longest).unwrap_or(u64::MAX).saturating_add(2);
        let taken = (&mut self.inner).take(most).read_until(b'\n', &mut bytes).map_err(Flaw::Unreadable)?;
        self.read += taken as u64;
        if self.read > limits.bytes_max {
            return Err(Flaw::TooLarge { bytes_max: limits.bytes_max });
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        if bytes.len() > longest {
            return Err(Flaw::LineTooLong { line, bytes_max: longest });
        }
        let text = String::from_utf8(bytes);
        text.map(Some).map_err(|_| Flaw::Line { line, why: "it is no UTF-8".to_owned() })
    }
}

/// Writes a part.
pub struct PartWriter {
    encoder: zstd::stream::write::Encoder<'static, Vec<u8>>,
    /// Bytes before compression.
    pub bytes: u64,
    pub entries: usize,
}

impl PartWriter {
    /// # Errors
    /// As the compressor.
    pub fn new(header: PartHeader) -> io::Result<Self> {
        let encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?;
        let mut writer = Self { encoder, bytes: 0, entries: 0 };
        let line = serde_json::to_string(&FirstLine::Part(header))?;
        writer.line(&line)?;
        Ok(writer)
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        self.encoder.write_all(line.as_bytes())?;
        self.encoder.write_all(b"\n")?;
        self.bytes += line.len() as u64 + 1;
        Ok(())
    }

    /// Adds an entry; the caller keeps the order of their places.
    ///
    /// # Errors
    /// As the compressor.
    pub fn add(&mut self, entry: &Entry) -> io::Result<()> {
        self.entries += 1;
        self.line(&entry.line())
    }

    /// # Errors
    /// As the compressor.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        self.encoder.finish()
    }
}
