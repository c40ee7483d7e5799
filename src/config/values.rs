//! Values of options as types, with errors that say what would have been right.

use std::time::Duration;

/// A choice among names; the error lists them.
pub fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    choices.iter().find(|(name, _)| *name == text).map(|&(_, value)| value).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

pub fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("expected true or false".into()),
    }
}

/// Splits `1.5GiB` into number and unit.
fn number_and_unit(text: &str) -> Option<(f64, String)> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..split].parse().ok()?;
    Some((number, text[split..].trim().to_ascii_lowercase()))
}

/// Bytes: `4096`, `512K`, `64MiB`, `1.5G`. K, M, G, T are powers of 1024, as in dd and mount options of tmpfs;
/// KB, MB, GB, TB are powers of 1000.
pub fn size(text: &str) -> Result<u64, String> {
    const WRONG: &str = "expected a size such as 512M, 1.5G or 64MiB (K, M, G, T are powers of 1024)";
    let (number, unit) = number_and_unit(text).ok_or(WRONG)?;
    let factor: u64 = match unit.as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(WRONG.into()),
    };
    let bytes = number * factor as f64;
    if bytes > (1u64 << 53) as f64 { Err("is more bytes than there are".into()) } else { Ok(bytes as u64) }
}

/// A time span: `500ms`, `5s`, `2m`, `1h`, `7d`, `0`; a bare number is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    const WRONG: &str = "expected a time such as 500ms, 5s, 2m, 1h or 7d (a bare number is seconds)";
    let (number, unit) = number_and_unit(text).ok_or(WRONG)?;
    let seconds = match unit.as_str() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err(WRONG.into()),
    };
    Duration::try_from_secs_f64(number * seconds).map_err(|_| "is longer than time can be".into())
}

/// As [`duration`], and `inf` for ever.
pub fn duration_or_forever(text: &str) -> Result<Duration, String> {
    match text.trim() {
        "inf" | "forever" => Ok(Duration::MAX),
        other => duration(other).map_err(|wrong| format!("{wrong}, or inf")),
    }
}

/// Permission bits in octal: `644`, `0755`.
pub fn mode(text: &str) -> Result<u16, String> {
    let digits = text.trim().trim_start_matches("0o");
    match u16::from_str_radix(digits, 8) {
        Ok(mode) if mode <= 0o7777 => Ok(mode),
        _ => Err("expected permissions in octal, such as 644 or 0755".into()),
    }
}

/// A numeric user or group id.
pub fn id(text: &str) -> Result<u32, String> {
    text.trim().parse().map_err(|_| "expected a number, as printed by id -u and id -g".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024_unless_they_end_in_b() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("512K", 512 << 10),
            ("64MiB", 64 << 20),
            ("1.5g", 3 << 29),
            ("2 T", 2 << 40),
            ("5MB", 5_000_000),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "M", "12 parsec", "-1", "1..2", "99999999T"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_have_units_and_a_bare_number_is_seconds() {
        for (text, millis) in
            [("0", 0), ("5", 5_000), ("500ms", 500), ("2m", 120_000), ("1.5h", 5_400_000), ("1d", 86_400_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "5 fortnights", "inf", "-3s"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(duration_or_forever("inf"), Ok(Duration::MAX));
        assert!(duration_or_forever("never").expect_err("an error").contains("inf"));
    }

    #[test]
    fn modes_are_octal() {
        assert_eq!(mode("644"), Ok(0o644));
        assert_eq!(mode("0755"), Ok(0o755));
        assert_eq!(mode("0o700"), Ok(0o700));
        for text in ["", "8", "rw-r--r--", "10000"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_wrong_choice_names_the_right_ones() {
        let wrong = choice("sometimes", &[("own", 1), ("full", 2)]).expect_err("an error");
        assert_eq!(wrong, "expected one of own, full");
        assert_eq!(switch("Yes"), Ok(true));
        assert!(switch("maybe").is_err());
    }
}
