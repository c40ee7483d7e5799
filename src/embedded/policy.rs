//! Bucket policies: who may do what. Deny beats Allow; what no statement speaks of is left to others.
//!
//! A condition that this server cannot judge is met by no Allow and by every Deny.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-policy-language-overview.html>

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::storage::refusal::Refusal;

/// Whom a request is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Anybody,
    /// The one account.
    Owner,
}

/// One thing that a request wants to do.
#[derive(Clone, Debug)]
pub struct Act<'a> {
    pub who: Who,
    /// Such as `s3:GetObject`.
    pub action: &'a str,
    /// `arn:aws:s3:::bucket/key`
    pub resource: &'a str,
    /// Condition keys in small letters, such as `s3:prefix`.
    pub context: &'a BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    Denied,
    Silent,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    statement: OneOrMany<Statement>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "Sid")]
    _id: Option<String>,
    effect: Effect,
    principal: Option<Value>,
    not_principal: Option<Value>,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, OneOrMany<Value>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    // First: a list is a value too.
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    fn iter(&self) -> std::slice::Iter<'_, T> {
        match self {
            Self::One(one) => std::slice::from_ref(one).iter(),
            Self::Many(many) => many.iter(),
        }
    }
}

/// A policy that was understood.
#[derive(Clone, Debug)]
pub struct Policy(Vec<Statement>);

fn malformed(why: impl std::fmt::Display) -> Refusal {
    Refusal::new(400, "MalformedPolicy", format!("This policy cannot be understood: {why}"))
}

impl Policy {
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let document: Document = serde_json::from_str(text).map_err(malformed)?;
        let statements: Vec<Statement> = document.statement.iter().cloned().collect();
        for statement in &statements {
            statement.check()?;
        }
        Ok(Self(statements))
    }

    /// Every resource is the bucket, or in it.
    pub fn check_bucket(&self, bucket: &str) -> Result<(), Refusal> {
        let whole = format!("arn:aws:s3:::{bucket}");
        let inside = format!("{whole}/");
        let foreign =
            |resource: &&String| **resource != whole && !resource.starts_with(&inside) && *resource != "*";
        let resources = self.0.iter().flat_map(|it| it.resource.iter().chain(&it.not_resource));
        match resources.flat_map(OneOrMany::iter).find(foreign) {
            Some(resource) => Err(malformed(format!("policy has invalid resource {resource}"))),
            None => Ok(()),
        }
    }

    pub fn judge(&self, act: &Act<'_>) -> Verdict {
        let speaks =
            |effect| self.0.iter().any(|statement| statement.effect == effect && statement.is_about(act));
        if speaks(Effect::Deny) {
            Verdict::Denied
        } else if speaks(Effect::Allow) {
            Verdict::Allowed
        } else {
            Verdict::Silent
        }
    }

    /// Allows something to any principal, on no condition.
    pub fn is_public(&self) -> bool {
        self.0.iter().any(|statement| {
            let anybody = statement.principal.as_ref().is_some_and(|it| is_among(it, Who::Anybody));
            statement.effect == Effect::Allow && anybody && statement.condition.is_empty()
        })
    }
}

impl Statement {
    fn check(&self) -> Result<(), Refusal> {
        let one_of = |one: bool, other: bool, what: &str| match one != other {
            true => Ok(()),
            false => Err(malformed(format!("a statement needs either {what} or Not{what}"))),
        };
        one_of(self.principal.is_some(), self.not_principal.is_some(), "Principal")?;
        one_of(self.action.is_some(), self.not_action.is_some(), "Action")?;
        one_of(self.resource.is_some(), self.not_resource.is_some(), "Resource")?;
        let actions = self.action.iter().chain(&self.not_action).flat_map(OneOrMany::iter);
        for action in actions {
            if action != "*" && !action.to_ascii_lowercase().starts_with("s3:") {
                return Err(malformed(format!("policy has invalid action {action}")));
            }
        }
        Ok(())
    }

    fn is_about(&self, act: &Act<'_>) -> bool {
        let among = |principals: &Option<Value>| principals.as_ref().map(|it| is_among(it, act.who));
        let who = among(&self.principal).unwrap_or_else(|| among(&self.not_principal) == Some(false));
        let action = |list: &Option<OneOrMany<String>>| {
            let is =
                |pattern: &String| matches(&pattern.to_ascii_lowercase(), &act.action.to_ascii_lowercase());
            list.as_ref().map(|list| list.iter().any(is))
        };
        let resource = |list: &Option<OneOrMany<String>>| {
            list.as_ref().map(|list| list.iter().any(|pattern| matches(pattern, act.resource)))
        };
        who && action(&self.action).unwrap_or_else(|| action(&self.not_action) == Some(false))
            && resource(&self.resource).unwrap_or_else(|| resource(&self.not_resource) == Some(false))
            && self.conditions_hold(act)
    }

    fn conditions_hold(&self, act: &Act<'_>) -> bool {
        let all =
            self.condition.iter().flat_map(|(operator, keys)| keys.iter().map(move |key| (operator, key)));
        all.into_iter().all(|(operator, (key, values))| {
            let wanted: Vec<String> = values.iter().map(text).collect();
            holds(operator, &key.to_ascii_lowercase(), &wanted, act.context)
                .unwrap_or(self.effect == Effect::Deny)
        })
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `*`, the account's number, or an ARN of it; alone, in a list, or under AWS.
fn is_among(principals: &Value, who: Who) -> bool {
    match principals {
        Value::String(name) if name == "*" => true,
        Value::String(name) => {
            let of_account = format!("::{}:", super::api::ACCOUNT);
            who == Who::Owner && (name == super::api::ACCOUNT || name.contains(&of_account))
        }
        Value::Array(list) => list.iter().any(|one| is_among(one, who)),
        Value::Object(kinds) => kinds.get("AWS").is_some_and(|aws| is_among(aws, who)),
        _ => false,
    }
}

/// Condition keys that a request always has a word on, if only that it says nothing.
const KNOWN: [&str; 7] = [
    "aws:securetransport",
    "aws:referer",
    "aws:useragent",
    "s3:prefix",
    "s3:delimiter",
    "s3:max-keys",
    "s3:x-amz-acl",
];

/// `None`: this server cannot say.
fn holds(operator: &str, key: &str, wanted: &[String], context: &BTreeMap<String, String>) -> Option<bool> {
    if !KNOWN.contains(&key) {
        return None;
    }
    let (operator, lenient) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    let found = context.get(key);
    let any = |is: fn(&str, &str) -> bool| {
        found.map_or(lenient, |found| wanted.iter().any(|wanted| is(wanted, found)))
    };
    // A value that is not there is not equal to anything.
    let none =
        |is: fn(&str, &str) -> bool| found.is_none_or(|found| !wanted.iter().any(|wanted| is(wanted, found)));
    Some(match operator {
        "StringEquals" => any(|wanted, found| wanted == found),
        "StringNotEquals" => none(|wanted, found| wanted == found),
        "StringEqualsIgnoreCase" | "Bool" => any(str::eq_ignore_ascii_case),
        "StringNotEqualsIgnoreCase" => none(str::eq_ignore_ascii_case),
        "StringLike" => any(matches),
        "StringNotLike" => none(matches),
        "NumericEquals" => {
            any(|wanted, found| number(found).zip(number(wanted)).is_some_and(|(f, w)| f == w))
        }
        "NumericLessThanEquals" => {
            any(|wanted, found| number(found).zip(number(wanted)).is_some_and(|(f, w)| f <= w))
        }
        "NumericLessThan" => {
            any(|wanted, found| number(found).zip(number(wanted)).is_some_and(|(f, w)| f < w))
        }
        "Null" => wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case("true") == found.is_none()),
        _ => return None,
    })
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// `*` is any letters, `?` one. Goes back to the last `*` only: no pattern takes longer than both lengths.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut resume = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                resume = Some((p + 1, t));
                p += 1;
            }
            Some(letter) if *letter == b'?' || *letter == text[t] => (p, t) = (p + 1, t + 1),
            _ => match resume {
                Some((behind, from)) => {
                    (p, t) = (behind, from + 1);
                    resume = Some((behind, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(statements: &str, who: Who, action: &str, resource: &str, context: &[(&str, &str)]) -> Verdict {
        let policy = format!("{{\"Version\": \"2012-10-17\", \"Statement\": {statements}}}");
        let context = context.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Policy::parse(&policy).unwrap().judge(&Act { who, action, resource, context: &context })
    }

    #[test]
    fn deny_beats_allow() {
        use Verdict::{Allowed, Denied, Silent};
        use Who::{Anybody, Owner};
        const READ: &str = r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}"#;
        const CLOSED: &str = r#"[{"Sid": "1", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["s3:Get*"], "Resource": ["arn:aws:s3:::b/*"]},
            {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::b/secret/*"}]"#;
        const MINE: &str = r#"{"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::b/*"}"#;
        const OTHERS: &str = r#"{"Effect": "Deny", "NotPrincipal": {"AWS": ["000000000000"]}, "NotAction": "s3:GetObject", "NotResource": "arn:aws:s3:::b/open/*"}"#;
        let cases = [
            (READ, Anybody, "s3:GetObject", "b/k", Allowed),
            (READ, Anybody, "s3:PutObject", "b/k", Silent),
            (READ, Anybody, "s3:GetObject", "c/k", Silent),
            (CLOSED, Anybody, "s3:GetObject", "b/k", Allowed),
            (CLOSED, Anybody, "s3:GetObject", "b/secret/k", Denied),
            (CLOSED, Owner, "s3:GetObject", "b/secret/k", Denied),
            (MINE, Owner, "s3:DeleteObject", "b/k", Denied),
            (MINE, Anybody, "s3:DeleteObject", "b/k", Silent),
            (OTHERS, Anybody, "s3:PutObject", "b/k", Denied),
            (OTHERS, Anybody, "s3:GetObject", "b/k", Silent),
            (OTHERS, Anybody, "s3:PutObject", "b/open/k", Silent),
            (OTHERS, Owner, "s3:PutObject", "b/k", Silent),
        ];
        for (policy, who, action, resource, expected) in cases {
            let resource = format!("arn:aws:s3:::{resource}");
            assert_eq!(
                judge(policy, who, action, &resource, &[]),
                expected,
                "{policy} {who:?} {action} {resource}"
            );
        }
    }

    #[test]
    fn conditions_that_cannot_be_judged_never_open_anything() {
        let statement = |effect: &str, condition: &str| {
            format!(
                "{{\"Effect\": \"{effect}\", \"Principal\": \"*\", \"Action\": \"s3:ListBucket\", \
                 \"Resource\": \"arn:aws:s3:::b\", \"Condition\": {condition}}}"
            )
        };
        let cases = [
            (r#"{"StringEquals": {"s3:prefix": ["in/", "out/"]}}"#, true),
            (r#"{"StringEquals": {"s3:prefix": "else/"}}"#, false),
            (r#"{"StringLike": {"S3:Prefix": "i*"}}"#, true),
            (r#"{"StringNotLike": {"s3:prefix": "i*"}}"#, false),
            (r#"{"Bool": {"aws:SecureTransport": false}}"#, true),
            (r#"{"Null": {"s3:delimiter": "true"}}"#, true),
            (r#"{"StringEquals": {"s3:delimiter": "/"}}"#, false),
            (r#"{"StringEqualsIfExists": {"s3:delimiter": "/"}}"#, true),
            (r#"{"NumericLessThanEquals": {"s3:max-keys": "10"}}"#, true),
            (r#"{"StringEquals": {"s3:prefix": "in/"}, "Bool": {"aws:SecureTransport": "true"}}"#, false),
        ];
        let context = [("s3:prefix", "in/"), ("aws:securetransport", "false"), ("s3:max-keys", "5")];
        let asked =
            |statement: &str| judge(statement, Who::Anybody, "s3:ListBucket", "arn:aws:s3:::b", &context);
        for (condition, holds) in cases {
            let allow = if holds { Verdict::Allowed } else { Verdict::Silent };
            let deny = if holds { Verdict::Denied } else { Verdict::Silent };
            assert_eq!(asked(&statement("Allow", condition)), allow, "{condition}");
            assert_eq!(asked(&statement("Deny", condition)), deny, "{condition}");
        }
        for unknown in
            [r#"{"IpAddress": {"aws:SourceIp": "127.0.0.1"}}"#, r#"{"Nonsense": {"s3:prefix": "in/"}}"#]
        {
            assert_eq!(asked(&statement("Allow", unknown)), Verdict::Silent);
            assert_eq!(asked(&statement("Deny", unknown)), Verdict::Denied);
        }
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        for bad in [
            "{",
            "{}",
            r#"{"Statement": [{"Effect": "Maybe", "Principal": "*", "Action": "s3:*", "Resource": "*"}]}"#,
            r#"{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}"#,
            r#"{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ec2:*", "Resource": "*"}]}"#,
            r#"{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*", "Typo": 1}]}"#,
        ] {
            assert_eq!(Policy::parse(bad).unwrap_err().code, "MalformedPolicy", "{bad}");
        }
        let policy = |resource: &str| {
            let text = format!(
                "{{\"Statement\": {{\"Effect\": \"Allow\", \"Principal\": \"*\", \"Action\": \"s3:*\", \"Resource\": \"{resource}\"}}}}"
            );
            Policy::parse(&text).unwrap()
        };
        assert!(policy("arn:aws:s3:::b/*").check_bucket("b").is_ok());
        assert!(policy("arn:aws:s3:::bb/*").check_bucket("b").is_err());
        assert!(policy("arn:aws:s3:::b").is_public());
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, text, expected) in [
            ("a*c", "abc", true),
            ("a?c", "abc", true),
            ("a*", "b", false),
            ("*", "", true),
            ("a?", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        assert!(!matches(&"*a".repeat(200), &"b".repeat(5000)));
    }
}
