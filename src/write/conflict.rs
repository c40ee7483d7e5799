//! The name under which the loser of a race is kept (semantics 4). Pure.

use crate::s3::Limits;

/// One path segment, as Linux limits it.
const SEGMENT_BYTES_MAX: usize = 255;

/// `KEY.conflict-HOST-TIME`, its stem cut on a character border where the whole would be too long. `time` is
/// `20270131T000000Z`; the n-th try within one second is told apart by `-n`.
pub fn conflict_key(key: &str, host: &str, time: &str, attempt: u32, limits: &Limits) -> String {
    let host: String = host.chars().map(|c| if c == '/' || c.is_control() { '_' } else { c }).collect();
    let host = cut(&host, 64);
    let again = if attempt == 0 { String::new() } else { format!("-{attempt}") };
    let suffix = format!(".conflict-{host}-{time}{again}");
    let (directory, name) = key.rsplit_once('/').map_or(("", key), |(directory, name)| (directory, name));
    let slash = if directory.is_empty() && !key.starts_with('/') { "" } else { "/" };
    let room = (limits.key_bytes_max.saturating_sub(directory.len() + slash.len())).min(SEGMENT_BYTES_MAX);
    let stem = cut(name, room.saturating_sub(suffix.len()));
    format!("{directory}{slash}{stem}{suffix}")
}

/// At most `bytes` of `text`, whole characters.
fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "20270131T000000Z";

    #[test]
    fn the_name_says_who_lost_and_when() {
        let key = conflict_key("a/b.txt", "host", TIME, 0, &Limits::default());
        assert_eq!(key, "a/b.txt.conflict-host-20270131T000000Z");
        let key = conflict_key("b.txt", "ho/st", TIME, 2, &Limits::default());
        assert_eq!(key, "b.txt.conflict-ho_st-20270131T000000Z-2");
    }

    #[test]
    fn a_long_stem_is_cut_on_a_character_border() {
        let name = "ä".repeat(127);
        let key = conflict_key(&format!("d/{name}"), "host", TIME, 0, &Limits::default());
        let segment = key.strip_prefix("d/").expect("same directory");
        assert!(segment.len() <= 255 && segment.len() >= 254);
        assert!(segment.ends_with(".conflict-host-20270131T000000Z"));
        let deep = format!("{}/x", "d".repeat(980));
        assert!(conflict_key(&deep, "host", TIME, 0, &Limits::default()).len() <= 1024);
    }
}
