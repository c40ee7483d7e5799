//! Names in listings: encoded or as they are, and under the prefix that was asked for.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::s3::xml::Reader;
use crate::s3::{Error, Result};

/// Undoes `encoding-type=url`. The reply says only at its end whether it was done.
#[derive(Default)]
pub(super) struct Decoder {
    encoded: bool,
}

impl Decoder {
    pub(super) fn encoding_type(&mut self, xml: &mut Reader<'_>) -> Result<()> {
        self.encoded = xml.text()?.trim().eq_ignore_ascii_case("url");
        Ok(())
    }

    /// Ceph 16 encodes the keys of uploads and does not say so. A key that encoding would have changed shows that it
    /// was not done.
    pub(super) fn guess<'n>(&mut self, mut names: impl Iterator<Item = &'n String>) {
        let changed = b"\"#&,:;<=>?@[\\]^`{}";
        let encoded = |byte: u8| byte.is_ascii_graphic() && !changed.contains(&byte);
        self.encoded = self.encoded || names.all(|name| name.bytes().all(encoded));
    }

    pub(super) fn common_prefix(&self, xml: &mut Reader<'_>, prefixes: &mut Vec<String>) -> Result<()> {
        xml.children(|name, xml| {
            if name == "Prefix" {
                prefixes.push(xml.string()?);
            }
            Ok(())
        })
    }

    pub(super) fn decode<'n>(&self, names: impl IntoIterator<Item = &'n mut String>) -> Result<()> {
        if !self.encoded {
            return Ok(());
        }
        names.into_iter().try_for_each(|name| {
            if let Cow::Owned(decoded) = url_decoded(name)? {
                *name = decoded;
            }
            Ok(())
        })
    }
}

/// `%XX` are bytes of UTF-8, `+` is a blank.
pub(super) fn url_decoded(text: &str) -> Result<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let blanks = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    let mut decoded = Vec::with_capacity(blanks.len());
    decoded.extend(percent_decode(blanks.as_bytes()));
    String::from_utf8(decoded)
        .map(Cow::Owned)
        .map_err(|_| Error::decode(format!("The listing has a key that is not UTF-8: {text:?}.")))
}

/// A store that answers for other keys than those it was asked for (failures.md, S3-17) must not be believed.
pub(super) fn check_names<'n>(prefix: &str, names: impl IntoIterator<Item = &'n String>) -> Result<()> {
    match names.into_iter().find(|name| name.is_empty() || !name.starts_with(prefix)) {
        None => Ok(()),
        Some(stray) => Err(Error::decode(format!("Keys under {prefix:?} were asked for, {stray:?} came."))),
    }
}
