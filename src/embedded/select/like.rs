//! LIKE: whole texts against patterns.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Exactly(char),
    /// `_`
    One,
    /// `%`
    Any,
}

pub fn parts(pattern: &str, escape: Option<char>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        parts.push(match letter {
            escaping if Some(escaping) == escape => {
                letters.next().map_or(Part::Exactly(escaping), Part::Exactly)
            }
            '%' => Part::Any,
            '_' => Part::One,
            letter => Part::Exactly(letter),
        });
    }
    parts
}

/// Goes back to the last `%` only, so that no pattern takes more than the product of both lengths.
pub fn matches(text: &str, parts: &[Part]) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut part) = (0, 0);
    let mut resume: Option<(usize, usize)> = None;
    while at < text.len() {
        match parts.get(part) {
            Some(Part::Any) => {
                resume = Some((part + 1, at));
                part += 1;
            }
            Some(Part::One) => (at, part) = (at + 1, part + 1),
            Some(Part::Exactly(letter)) if *letter == text[at] => (at, part) = (at + 1, part + 1),
            _ => match resume {
                Some((behind, from)) => {
                    (at, part) = (from + 1, behind);
                    resume = Some((behind, from + 1));
                }
                None => return false,
            },
        }
    }
    parts[part.min(parts.len())..].iter().all(|part| *part == Part::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pattern_takes_for_ever() {
        let text = "a".repeat(5000);
        assert!(!matches(&text, &parts(&format!("{}b", "%a".repeat(200)), None)));
    }
}
