//! Multipart uploads: parts that arrive in any order, and the object that they become.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::checksum::{Checksum, Checksums, Choice};
use super::refusal::Refusal;
use super::version::{About, Lock, NewObject, PartSummary};
use crate::base::digest::Md5;
use crate::embedded::Limits;
use crate::embedded::blob::Content;

/// An upload as it was started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Start {
    pub id: String,
    pub serial: u64,
    pub key: String,
    pub initiated: SystemTime,
    pub about: Box<About>,
    /// What the completed object will carry, the bucket's default included.
    pub lock: Lock,
    /// `None`: the client asked for no checksum.
    pub choice: Option<Choice>,
    /// Of the completed object.
    #[serde(default)]
    pub acl: Option<String>,
}

impl Start {
    pub fn choice(&self) -> Choice {
        self.choice.unwrap_or_default()
    }
}

pub struct Upload {
    pub start: Arc<Start>,
    pub parts: BTreeMap<u32, Arc<Part>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part<C = Content> {
    pub number: u32,
    pub etag: String,
    pub modified: SystemTime,
    pub content: C,
    pub checksums: Checksums,
}

impl<C> Part<C> {
    pub fn map_content<D, E>(self, map: impl FnOnce(C) -> Result<D, E>) -> Result<Part<D>, E> {
        let Self { number, etag, modified, content, checksums } = self;
        Ok(Part { number, etag, modified, content: map(content)?, checksums })
    }
}

/// A part as CompleteMultipartUpload lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedPart {
    pub number: u32,
    /// Without quotes.
    pub etag: String,
    pub checksums: Checksums,
}

/// What CompleteMultipartUpload says about the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    pub size: Option<u64>,
    pub kind: Option<super::checksum::Kind>,
    /// Name and value of `x-amz-checksum-…`.
    pub checksum: Option<(crate::base::checksum::Algorithm, String)>,
}

impl Upload {
    pub fn new(start: Arc<Start>) -> Self {
        Self { start, parts: BTreeMap::new() }
    }

    /// The object that the listed parts make.
    pub fn assemble(
        &self,
        listed: &[ListedPart],
        expected: &Expected,
        limits: &Limits,
    ) -> Result<NewObject, Refusal> {
        let parts = self.chosen(listed)?;
        check_sizes(&parts, expected, limits)?;
        let checksum = self.checksum(&parts, expected)?;
        let summary = |part: &&Arc<Part>| PartSummary {
            number: part.number,
            size: part.content.len(),
            checksums: part.checksums.clone(),
        };
        Ok(NewObject {
            content: Content::concat(parts.iter().map(|part| &part.content)),
            etag: etag_of_parts(parts.iter().map(|part| part.etag.as_str())),
            checksum,
            parts: parts.iter().map(summary).collect(),
            about: self.start.about.clone(),
            lock: self.start.lock,
            acl: self.start.acl.clone(),
        })
    }

    fn chosen(&self, listed: &[ListedPart]) -> Result<Vec<&Arc<Part>>, Refusal> {
        if listed.is_empty() {
            return Err(Refusal::new(400, "MalformedXML", "You must specify at least one part"));
        }
        if !listed.is_sorted_by(|one, next| one.number < next.number) {
            let message =
                "The list of parts was not in ascending order. Parts must be ordered by part number.";
            return Err(Refusal::new(400, "InvalidPartOrder", message));
        }
        listed.iter().map(|listed| self.chosen_part(listed)).collect()
    }

    fn chosen_part(&self, listed: &ListedPart) -> Result<&Arc<Part>, Refusal> {
        let part = self.parts.get(&listed.number).filter(|part| part.etag == listed.etag);
        let same = |part: &&Arc<Part>| {
            listed.checksums.iter().all(|(algorithm, value)| {
                part.checksums.get(algorithm).is_none_or(|computed| computed == value)
            })
        };
        part.filter(same).ok_or_else(|| {
            let message = format!(
                "One or more of the specified parts could not be found. The part may not have been uploaded, or the \
                 specified entity tag may not match the part's entity tag: part {}.",
                listed.number
            );
            Refusal::new(400, "InvalidPart", message)
        })
    }

    fn checksum(&self, parts: &[&Arc<Part>], expected: &Expected) -> Result<Checksum, Refusal> {
        let choice = self.start.choice();
        if expected.kind.is_some_and(|kind| kind != choice.kind) {
            return Err(Refusal::request("The upload was created with another checksum type."));
        }
        let value = |part: &Arc<Part>| part.checksums.get(&choice.algorithm).cloned();
        let values: Option<Vec<_>> =
            parts.iter().map(|part| Some((value(part)?, part.content.len()))).collect();
        let values =
            values.ok_or_else(|| Refusal::internal("a part was stored without the upload's checksum"))?;
        let checksum = choice.of_parts(&values);
        match &expected.checksum {
            Some((algorithm, value))
                if *algorithm == choice.algorithm && !same_value(value, &checksum.value) =>
            {
                let message =
                    format!("The {} you specified did not match the calculated checksum.", algorithm.name());
                Err(Refusal::new(400, "BadDigest", message))
            }
            _ => Ok(checksum),
        }
    }
}

/// A composite value may be given with or without its number of parts.
fn same_value(given: &str, computed: &str) -> bool {
    given == computed || computed.split('-').next() == Some(given)
}

fn check_sizes(parts: &[&Arc<Part>], expected: &Expected, limits: &Limits) -> Result<(), Refusal> {
    let last = parts.len() - 1;
    if let Some(small) = parts[..last].iter().find(|part| part.content.len() < limits.part_bytes_min) {
        let message = format!(
            "Your proposed upload is smaller than the minimum allowed size: part {} has {} bytes, the least is {}.",
            small.number,
            small.content.len(),
            limits.part_bytes_min
        );
        return Err(Refusal::new(400, "EntityTooSmall", message));
    }
    let size: u64 = parts.iter().map(|part| part.content.len()).sum();
    if size > limits.object_bytes_max {
        let message = "Your proposed upload exceeds the maximum allowed object size.";
        return Err(Refusal::new(400, "EntityTooLarge", message));
    }
    match expected.size {
        Some(said) if said != size => Err(Refusal::request(format!(
            "The provided x-amz-mp-object-size header does not match: {size} bytes."
        ))),
        _ => Ok(()),
    }
}

/// MD5 of the parts' MD5s, and how many they are.
fn etag_of_parts<'a>(etags: impl ExactSizeIterator<Item = &'a str>) -> String {
    let mut md5 = Md5::default();
    let count = etags.len();
    for etag in etags {
        let digits = etag.as_bytes().chunks_exact(2);
        let byte =
            |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
        md5.update(&digits.filter_map(byte).collect::<Vec<u8>>());
    }
    format!("{}-{count}", crate::base::digest::hex(&md5.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::checksum::Algorithm;

    fn limits() -> Limits {
        Limits { part_bytes_min: 4, ..Limits::default() }
    }

    fn etag(byte: u8) -> String {
        format!("{byte:02x}").repeat(16)
    }

    fn upload(parts: &[(u32, &[u8])], choice: Option<Choice>) -> Upload {
        let start = Start {
            id: "u".to_owned(),
            serial: 1,
            key: "k".to_owned(),
            initiated: SystemTime::UNIX_EPOCH,
            about: Box::default(),
            lock: Lock::default(),
            choice,
            acl: None,
        };
        let part = |&(number, data): &(u32, &[u8])| {
            let checksums =
                Algorithm::ALL.into_iter().map(|algorithm| (algorithm, algorithm.of(data))).collect();
            let content = Content::in_memory(data);
            let modified = SystemTime::UNIX_EPOCH;
            (number, Arc::new(Part { number, etag: etag(number as u8), modified, content, checksums }))
        };
        Upload { start: Arc::new(start), parts: parts.iter().map(part).collect() }
    }

    fn listed(number: u32) -> ListedPart {
        ListedPart { number, etag: etag(number as u8), checksums: Checksums::new() }
    }

    fn code(result: Result<NewObject, Refusal>) -> &'static str {
        result.map_or_else(|refusal| refusal.code, |_| "OK")
    }

    #[test]
    fn completion_checks_order_presence_sizes_and_tags() {
        let upload = upload(&[(1, b"aaaa"), (2, b"bb"), (5, b"cccc")], None);
        let other_tag = ListedPart { etag: etag(9), ..listed(2) };
        let wrong_sum =
            ListedPart { checksums: [(Algorithm::Crc32, vec![0; 4])].into_iter().collect(), ..listed(2) };
        let cases = [
            (vec![listed(1), listed(2)], "OK"),
            (vec![listed(1), listed(5), listed(2)], "InvalidPartOrder"),
            (vec![listed(1), listed(1)], "InvalidPartOrder"),
            (vec![listed(1), listed(3)], "InvalidPart"),
            (vec![listed(1), other_tag], "InvalidPart"),
            (vec![listed(1), wrong_sum], "InvalidPart"),
            (vec![listed(1), listed(2), listed(5)], "EntityTooSmall"),
            (vec![listed(5)], "OK"),
            (vec![], "MalformedXML"),
        ];
        for (list, expected) in cases {
            assert_eq!(code(upload.assemble(&list, &Expected::default(), &limits())), expected, "{list:?}");
        }
    }

    #[test]
    fn completion_checks_what_is_said_of_the_whole() {
        let upload =
            upload(&[(1, b"1234"), (2, b"56789")], Some(Choice::new(Algorithm::Crc32, None).unwrap()));
        let parts = [listed(1), listed(2)];
        let whole = upload.assemble(&parts, &Expected::default(), &limits()).unwrap();
        assert_eq!(whole.content.len(), 9);
        assert!(whole.checksum.value.ends_with("-2"), "{}", whole.checksum.value);
        assert!(whole.etag.ends_with("-2"), "{}", whole.etag);
        let with = |size, value: Option<&str>| Expected {
            size,
            checksum: value.map(|value| (Algorithm::Crc32, value.to_owned())),
            ..Expected::default()
        };
        let bare = whole.checksum.value.trim_end_matches("-2").to_owned();
        for (expected, answer) in [
            (with(Some(9), None), "OK"),
            (with(Some(8), None), "InvalidRequest"),
            (with(None, Some(&whole.checksum.value)), "OK"),
            (with(None, Some(&bare)), "OK"),
            (with(None, Some("AAAAAA==")), "BadDigest"),
        ] {
            assert_eq!(code(upload.assemble(&parts, &expected, &limits())), answer, "{expected:?}");
        }
    }

    #[test]
    fn etag_is_the_md5_of_the_md5s() {
        // Two parts "a" and "b": md5(md5(a) ++ md5(b)).
        let etags = ["0cc175b9c0f1b6a831c399e269772661", "92eb5ffee6ae2fec3ad71c777531578f"];
        let mut joined = Vec::new();
        for part in [b"a", b"b"] {
            let mut md5 = Md5::default();
            md5.update(part);
            joined.extend(md5.finish());
        }
        let mut md5 = Md5::default();
        md5.update(&joined);
        let expected = format!("{}-2", crate::base::digest::hex(&md5.finish()));
        assert_eq!(etag_of_parts(etags.into_iter()), expected);
    }
}
