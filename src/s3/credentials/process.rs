//! Keys that a command prints (`credential_process` of a profile). It is run without a shell: nothing in the line is
//! expanded, quotes and backslashes group words. Its standard error is ours, so that it can talk to people.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::{Credentials, Fetching, Source};
use crate::base::secret::Secret;
use crate::base::timestamp;
use crate::s3::{Error, ErrorKind};

/// Some ask people for a code.
const WAIT: Duration = Duration::from_secs(60);
const OUTPUT_BYTES_MAX: u64 = 64 << 10;

/// A command line, split into words. Arguments may be secret: `Debug` shows the program only.
pub struct Process {
    program: String,
    arguments: Vec<String>,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("program", &self.program).finish_non_exhaustive()
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    version: u32,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<String>,
}

impl Process {
    /// A program and its arguments as a profile has them: divided at blanks outside of quotes, no shell. `Credentials`
    /// for an empty line and an open quote.
    pub fn new(line: &str) -> Result<Self, Error> {
        let mut words = split(line).ok_or_else(|| fault("credential_process has a quote without its end"))?;
        if words.is_empty() {
            return Err(fault("credential_process is empty"));
        }
        let program = words.remove(0);
        Ok(Self { program, arguments: words })
    }

    async fn run(&self) -> Result<Credentials, Error> {
        let about = |why: String| fault(&format!("credential_process {:?} {why}", self.program));
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| about(format!("cannot be started: {error}")))?;
        let stdout = child.stdout.take().ok_or_else(|| about("has no output".to_owned()))?;
        let running = async {
            let mut output = Vec::new();
            let read = stdout.take(OUTPUT_BYTES_MAX).read_to_end(&mut output).await;
            let ended = child.wait().await;
            read.and(ended).map(|status| (status, output))
        };
        let (status, output) = tokio::time::timeout(WAIT, running)
            .await
            .map_err(|_| about(format!("did not end within {} s", WAIT.as_secs())))?
            .map_err(|error| about(error.to_string()))?;
        if !status.success() {
            return Err(about(format!("failed ({status}): run it by hand to see why")));
        }
        parse(&output).map_err(|why| about(why.to_owned()))
    }
}

impl Source for Process {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(self.run())
    }
}

/// No message quotes the output: it has keys.
pub(super) fn parse(output: &[u8]) -> Result<Credentials, &'static str> {
    let document: Document =
        serde_json::from_slice(output).map_err(|_| "did not print the JSON of a key pair")?;
    if document.version != 1 {
        return Err("printed a version other than 1");
    }
    let expires = match document.expiration {
        None => None,
        Some(text) => Some(timestamp::parse_rfc3339(&text).ok_or("printed an expiry that is no date")?),
    };
    let keys = Credentials::new(document.access_key_id, Secret::new(document.secret_access_key));
    Ok(Credentials { session_token: document.session_token.map(Secret::new), expires, ..keys })
}

fn fault(message: &str) -> Error {
    Error::new(ErrorKind::Credentials, message)
}

/// Words as a POSIX shell groups them; `None` where a quote does not end.
pub(super) fn split(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match (quote, char) {
            (None, ' ' | '\t' | '\n' | '\r') => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (Some(open), char) if char == open => quote = None,
            (None, '\\') => word.get_or_insert_default().push(chars.next()?),
            (Some('"'), '\\') => {
                let next = chars.next()?;
                let word = word.get_or_insert_default();
                if !matches!(next, '"' | '\\' | '$' | '`') {
                    word.push('\\');
                }
                word.push(next);
            }
            (_, char) => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::credentials::tests::assert_silent;

    #[test]
    fn words_are_grouped_and_nothing_is_expanded() {
        for (line, words) in [
            ("cmd a  b", Some(&["cmd", "a", "b"][..])),
            ("\"/my dir/cmd\" --user \"\" 'it''s' x\\ y", Some(&["/my dir/cmd", "--user", "", "its", "x y"])),
            (r#"cmd "a\"b\n" '\n' $HOME;`id` *"#, Some(&["cmd", "a\"b\\n", "\\n", "$HOME;`id`", "*"])),
            ("cmd 'open", None),
            ("cmd \\", None),
            ("  ", Some(&[])),
        ] {
            let words = words.map(|words| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
            assert_eq!(split(line), words, "{line}");
        }
        assert!(Process::new(" ").is_err() && Process::new("'").is_err());
    }

    #[tokio::test]
    async fn keys_are_what_the_command_prints() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = r#"{"Version":1,"AccessKeyId":"AK","SecretAccessKey":"canary-s","SessionToken":"canary-t","Expiration":"2099-01-02T03:04:05Z"}"#;
        std::fs::write(file.path(), text).expect("written");
        let process = Process::new(&format!("cat '{}'", file.path().display())).expect("a line");
        let found = process.fetch().await.expect("keys");
        assert_eq!((found.access_key.as_str(), found.session_token.is_some()), ("AK", true));
        assert!(found.expires.is_some());
        std::fs::write(file.path(), text.replace(",\"Expiration\":\"2099-01-02T03:04:05Z\"", ""))
            .expect("written");
        assert_eq!(process.fetch().await.expect("keys").expires, None);
    }

    #[tokio::test]
    async fn what_went_wrong_is_said_without_what_was_printed() {
        for (line, part) in [
            ("/nowhere/at-all --secret canary-1", "cannot be started"),
            ("false canary-1", "failed (exit status: 1)"),
            ("echo canary-1", "did not print the JSON"),
            (
                r#"echo '{"Version":1,"AccessKeyId":"a","SecretAccessKey":{"canary-1":1}}'"#,
                "did not print the JSON",
            ),
            (
                r#"echo '{"Version":2,"AccessKeyId":"a","SecretAccessKey":"canary-1"}'"#,
                "version other than 1",
            ),
            (
                r#"echo '{"Version":1,"AccessKeyId":"a","SecretAccessKey":"canary-1","Expiration":"soon"}'"#,
                "no date",
            ),
        ] {
            let process = Process::new(line).expect("a line");
            let error = process.fetch().await.expect_err(line);
            assert_eq!(error.kind(), ErrorKind::Credentials);
            assert!(error.to_string().contains(part), "{error}");
            assert_silent(&error);
            assert_silent(&process);
        }
    }
}
