//! Tar archives as Snowball sends them: ustar, with the long names of pax and of GNU.
//! <https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html>

use super::storage::refusal::Refusal;

pub const BLOCK_BYTES: u64 = 512;
/// Of the long name of one entry, and of all that pax says of it.
pub const NAME_BYTES_MAX: u64 = 64 << 10;

/// What one header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub name: String,
    pub kind: Kind,
    /// Bytes behind the header.
    pub size: u64,
    /// Seconds since 1970.
    pub modified: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    /// Records about the next entry.
    Pax,
    /// Its name.
    LongName,
    /// Links, devices, records about all entries: nothing that an object could be.
    Other,
}

fn broken(why: &str) -> Refusal {
    Refusal::new(400, "InvalidArgument", format!("The archive cannot be unpacked: {why}"))
}

impl Header {
    /// `None`: a block of zeros, which ends the archive.
    pub fn parse(block: &[u8]) -> Result<Option<Self>, Refusal> {
        if block.len() as u64 != BLOCK_BYTES {
            return Err(broken("it ends within a header"));
        }
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        // The checksum counts its own field as blanks.
        let sum: u64 =
            block[..148].iter().chain(&block[156..]).map(|byte| u64::from(*byte)).sum::<u64>() + 8 * 32;
        if number(&block[148..156])? != sum {
            return Err(broken("a header has a wrong checksum; is it a tar archive?"));
        }
        let name = text(&block[..100])?;
        let folder = if &block[257..262] == b"ustar" && block[263] != b' ' {
            text(&block[345..500])?
        } else {
            String::new()
        };
        let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        let kind = match block[156] {
            0 | b'0' | b'7' if name.ends_with('/') => Kind::Folder,
            0 | b'0' | b'7' => Kind::File,
            b'5' => Kind::Folder,
            b'x' => Kind::Pax,
            b'L' => Kind::LongName,
            _ => Kind::Other,
        };
        let size = number(&block[124..136])?;
        Ok(Some(Self { name, kind, size, modified: number(&block[136..148])? }))
    }

    /// With the padding up to the next header.
    pub fn stored_bytes(&self) -> u64 {
        self.size.next_multiple_of(BLOCK_BYTES)
    }
}

fn text(field: &[u8]) -> Result<String, Refusal> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    std::str::from_utf8(&field[..end]).map(str::to_owned).map_err(|_| broken("a name is not UTF-8"))
}

/// Octal digits, or (GNU) bytes behind a set first bit.
fn number(field: &[u8]) -> Result<u64, Refusal> {
    if field[0] & 0x80 != 0 {
        let high = field[..field.len() - 8].iter().skip(1).any(|byte| *byte != 0);
        let low: [u8; 8] = field[field.len() - 8..].try_into().unwrap_or_default();
        let number = Some(u64::from_be_bytes(low)).filter(|number| !high && *number < 1 << 62);
        return number.ok_or_else(|| broken("a number in a header is too large"));
    }
    let text = text(field)?;
    let digits = text.trim();
    if digits.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(digits, 8).map_err(|_| broken("a number in a header is none"))
}

/// The name in the body of a long-name entry.
pub fn long_name(body: &[u8]) -> Result<String, Refusal> {
    text(body)
}

/// The path that pax gives the next entry: records are `LENGTH KEY=VALUE\n`.
pub fn pax_path(mut body: &[u8]) -> Result<Option<String>, Refusal> {
    let mut path = None;
    while !body.is_empty() {
        let blank =
            body.iter().position(|byte| *byte == b' ').ok_or_else(|| broken("a pax record has no length"))?;
        let length = std::str::from_utf8(&body[..blank]).ok().and_then(|digits| digits.parse::<usize>().ok());
        let length = length.filter(|length| (blank + 2..=body.len()).contains(length));
        let length = length.ok_or_else(|| broken("a pax record has a wrong length"))?;
        let record = &body[blank + 1..length - 1];
        if let Some(value) = record.strip_prefix(b"path=") {
            path = Some(text(value)?);
        }
        body = &body[length..];
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(name: &str, kind: u8, size: &str) -> Vec<u8> {
        let mut block = vec![0; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, name.as_bytes());
        put(124, size.as_bytes());
        put(136, b"00000000012\0");
        put(148, b"        ");
        put(156, &[kind]);
        put(257, b"ustar\x0000");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    #[test]
    fn headers_name_entries() {
        let header = Header::parse(&block("a/b", b'0', "00000001000\0")).unwrap().unwrap();
        let expected = Header { name: "a/b".into(), kind: Kind::File, size: 512, modified: 10 };
        assert_eq!(header, expected);
        assert_eq!(Header::parse(&[0; 512]).unwrap(), None);
        assert_eq!(Header::parse(&block("d/", b'0', "0")).unwrap().unwrap().kind, Kind::Folder);
        assert_eq!(Header::parse(&block("l", b'2', "0")).unwrap().unwrap().kind, Kind::Other);
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        let mut wrong = block("a", b'0', "1");
        wrong[0] = b'b';
        for bad in [wrong, vec![1; 512], vec![0; 100], block("a", b'0', "9")] {
            assert_eq!(Header::parse(&bad).unwrap_err().code, "InvalidArgument");
        }
    }

    #[test]
    fn pax_gives_long_names() {
        assert_eq!(pax_path(b"12 path=a/b\n10 mtime=1\n").unwrap_err().code, "InvalidArgument");
        assert_eq!(pax_path(b"12 path=a/b\n11 mtime=1\n").unwrap().as_deref(), Some("a/b"));
        assert_eq!(pax_path(b"").unwrap(), None);
        assert_eq!(pax_path(b"999 path=a\n").unwrap_err().code, "InvalidArgument");
        assert_eq!(long_name(b"long\0\0").unwrap(), "long");
    }
}
