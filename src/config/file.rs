//! The configuration file: one `name = value` a line, `#` starts a comment.

use super::{Assignment, Definition, Error, Source};

/// Reads the text of the file called `name`.
pub fn from_file(name: &str, text: &str) -> Result<Vec<Assignment>, Error> {
    let lines = text.lines().map(str::trim).enumerate();
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(index, line)| {
            assignment(line).map_err(|wrong| Error(format!("{name}:{}: {wrong}.", index + 1)))
        })
        .collect()
}

fn assignment(line: &str) -> Result<Assignment, String> {
    let (name, value) = line.split_once('=').ok_or("expected a line such as: ttl = 5s")?;
    let name = name.trim();
    let definition = Definition::named(&name.replace('_', "-"))
        .ok_or_else(|| format!("there is no option called {name}; see holdfs mount --help"))?;
    Ok(Assignment { definition, value: unquoted(value.trim()).to_owned(), source: Source::File })
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_comments_and_quotes() {
        let text = "# where\nendpoint = \"https://minio:9000\"\n\n  file_mode=600  \n";
        let all = from_file("config", text).expect("a good file");
        let pairs: Vec<_> = all.iter().map(|a| (a.definition.name, a.value.as_str())).collect();
        assert_eq!(pairs, [("endpoint", "https://minio:9000"), ("file-mode", "600")]);
    }

    #[test]
    fn an_unknown_name_is_reported_with_its_line() {
        let wrong = from_file("config", "ttl = 1s\nturbo = yes\n").expect_err("an error").to_string();
        assert!(wrong.starts_with("config:2: there is no option called turbo"), "{wrong}");
    }
}
