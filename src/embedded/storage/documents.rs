//! Configuration documents of a bucket: kept as they came, by the name of their sub-resource. Of some a bucket has
//! several, each with an id.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;

/// By sub-resource, then by id; the id of a document that is alone is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Documents(BTreeMap<String, BTreeMap<String, String>>);

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketMetricsConfiguration.html>
const NAMED_MAX: usize = 1000;

impl Documents {
    pub fn get(&self, subresource: &str, id: &str) -> Option<&str> {
        self.0.get(subresource)?.get(id).map(String::as_str)
    }

    pub fn put(&mut self, subresource: &str, id: &str, document: String) -> Result<(), Refusal> {
        let kind = self.0.entry(subresource.to_owned()).or_default();
        if kind.len() >= NAMED_MAX && !kind.contains_key(id) {
            let message = "You have attempted to create more configurations than the limit allows.";
            return Err(Refusal::new(400, "TooManyConfigurations", message));
        }
        kind.insert(id.to_owned(), document);
        Ok(())
    }

    /// Whether there was one.
    pub fn remove(&mut self, subresource: &str, id: &str) -> bool {
        let Some(kind) = self.0.get_mut(subresource) else { return false };
        let removed = kind.remove(id).is_some();
        if kind.is_empty() {
            self.0.remove(subresource);
        }
        removed
    }

    /// With their ids, in the order of the ids, behind `after`.
    pub fn list(&self, subresource: &str, after: &str) -> impl Iterator<Item = (&str, &str)> {
        let kind = self.0.get(subresource).into_iter().flatten();
        kind.map(|(id, document)| (id.as_str(), document.as_str())).filter(move |(id, _)| *id > after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_kept_by_kind_and_id() {
        let mut documents = Documents::default();
        documents.put("cors", "", "<C/>".into()).unwrap();
        for id in ["b", "a", "c"] {
            documents.put("metrics", id, format!("<{id}/>")).unwrap();
        }
        assert_eq!(documents.get("cors", ""), Some("<C/>"));
        assert_eq!(documents.get("metrics", ""), None);
        assert_eq!(documents.list("metrics", "a").collect::<Vec<_>>(), [("b", "<b/>"), ("c", "<c/>")]);
        assert!(documents.remove("cors", "") && !documents.remove("cors", ""));
    }

    #[test]
    fn there_are_a_thousand_of_a_kind() {
        let mut documents = Documents::default();
        for id in 0..NAMED_MAX {
            documents.put("metrics", &id.to_string(), String::new()).unwrap();
        }
        documents.put("metrics", "7", String::new()).unwrap();
        assert_eq!(
            documents.put("metrics", "more", String::new()).unwrap_err().code,
            "TooManyConfigurations"
        );
    }
}
