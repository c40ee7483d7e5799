//! One walk through the pages of a listing.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};

use super::{Marks, Paged};
use crate::s3::{Client, Error, Result};

/// Goes through a listing page by page or entry by entry; stops where it is told to, and another one can go on there.
///
/// The PaginationConfig of the SDKs: `PageSize` is [`page_size`](Self::page_size), `MaxItems` is
/// [`max_items`](Self::max_items), `StartingToken` is [`resume`](Self::resume).
pub struct Pager<L: Paged> {
    client: Client,
    /// The listing, at the page in hand.
    page: L,
    entries: VecDeque<L::Item>,
    /// Entries of the page in hand that were taken, or that are to be passed over once it has come.
    taken: usize,
    /// Where the page after the one in hand begins.
    next: Option<Marks>,
    /// Entries that may still be taken.
    left: usize,
}

/// What a token says. Its text means nothing to others.
#[derive(Serialize, Deserialize)]
struct Token {
    marks: Marks,
    taken: usize,
}

impl<L: Paged> Pager<L> {
    /// From where `list` itself begins to the end.
    pub fn new(client: &Client, list: L) -> Self {
        let next = Some(list.marks());
        Self {
            client: client.clone(),
            page: list,
            entries: VecDeque::new(),
            taken: 0,
            next,
            left: usize::MAX,
        }
    }

    /// Entries of one request.
    pub fn page_size(self, entries: u32) -> Self {
        Self { page: self.page.with_page_size(entries), ..self }
    }

    /// Entries in all.
    pub fn max_items(self, entries: usize) -> Self {
        Self { left: entries, ..self }
    }

    /// From where a pager over the same listing stopped. `Invalid` for what is no token.
    pub fn resume(self, token: &str) -> Result<Self> {
        let read = URL_SAFE_NO_PAD.decode(token).ok().and_then(|json| serde_json::from_slice(&json).ok());
        let Some(Token { marks, taken }) = read else {
            return Err(Error::invalid("This is no place in a listing: give what `resume_token` said."));
        };
        Ok(Self { next: Some(marks), taken, ..self })
    }

    /// Where another pager can go on; `None` when nothing is left. Entries that appear or go meanwhile on the page
    /// that was stopped in may be seen twice or not at all.
    pub fn resume_token(&self) -> Option<String> {
        let token = match (self.entries.is_empty(), &self.next) {
            (false, _) => Token { marks: self.page.marks(), taken: self.taken },
            // Before its first page a pager that goes on stands within a page.
            (true, Some(marks)) => Token { marks: marks.clone(), taken: self.taken },
            (true, None) => return None,
        };
        serde_json::to_vec(&token).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
    }

    /// The next entry; `None` at the end, or after as many as were wanted.
    pub async fn next(&mut self) -> Result<Option<L::Item>> {
        if self.left == 0 || !self.has_entries().await? {
            return Ok(None);
        }
        let entry = self.entries.pop_front();
        self.left -= 1;
        self.taken += 1;
        self.turn_over();
        Ok(entry)
    }

    /// What is left of the page in hand, or the next page that has entries; `None` at the end.
    pub async fn next_page(&mut self) -> Result<Option<Vec<L::Item>>> {
        if self.left == 0 || !self.has_entries().await? {
            return Ok(None);
        }
        let count = self.entries.len().min(self.left);
        let entries = self.entries.drain(..count).collect();
        self.left -= count;
        self.taken += count;
        self.turn_over();
        Ok(Some(entries))
    }

    /// Every entry that is left.
    pub fn into_stream(self) -> impl Stream<Item = Result<L::Item>> + Send {
        stream::try_unfold(self, async |mut pager| Ok(pager.next().await?.map(|entry| (entry, pager))))
    }

    /// A page that was taken to its end is done with.
    fn turn_over(&mut self) {
        if self.entries.is_empty() {
            self.taken = 0;
        }
    }

    /// Asks for pages until one has entries; some are empty.
    async fn has_entries(&mut self) -> Result<bool> {
        while self.entries.is_empty() {
            let Some(marks) = self.next.clone() else { return Ok(false) };
            let page = self.page.clone().at(marks);
            let (entries, next) = L::open(self.client.send(&page).await?);
            if next.as_ref().is_some_and(|next| *next == page.marks()) {
                let message = "The listing goes in a circle: its next page is the one it has just sent.";
                return Err(Error::decode(message));
            }
            self.entries = entries.into();
            self.entries.drain(..self.taken.min(self.entries.len()));
            (self.page, self.next) = (page, next);
            self.turn_over();
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;
    use crate::s3::ErrorKind;
    use crate::s3::ops::ListObjectsV2;
    use crate::s3::scripted::{Answer, Server};

    fn list() -> ListObjectsV2 {
        ListObjectsV2 { bucket: "b".into(), ..ListObjectsV2::default() }
    }

    fn page(keys: &[&str], next: Option<&str>) -> Answer {
        let date = "<LastModified>2026-01-31T10:00:00Z</LastModified>";
        let contents: String = keys
            .iter()
            .map(|key| format!("<Contents><Key>{key}</Key><ETag>e</ETag><Size>1</Size>{date}</Contents>"))
            .collect();
        let next = next.map_or("<IsTruncated>false</IsTruncated>".to_owned(), |next| {
            format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{next}</NextContinuationToken>")
        });
        Answer::document(&format!("<ListBucketResult>{contents}{next}</ListBucketResult>"))
    }

    async fn names(pager: &mut Pager<ListObjectsV2>) -> Vec<String> {
        let mut names = Vec::new();
        while let Some(entry) = pager.next().await.unwrap() {
            names.push(entry.name().to_owned());
        }
        names
    }

    #[tokio::test]
    async fn a_pager_goes_on_where_another_stopped() {
        let (one, two) = (page(&["a", "b", "c"], Some("t")), page(&["d", "e"], None));
        let server = Server::answering([one.clone(), one, two.clone(), two]).await;
        let client = server.client();
        let mut first = Pager::new(&client, list()).page_size(3).max_items(2);
        assert_eq!(names(&mut first).await, ["a", "b"]);
        let mut second =
            Pager::new(&client, list()).resume(&first.resume_token().unwrap()).unwrap().max_items(2);
        assert_eq!(names(&mut second).await, ["c", "d"]);
        let mut third = Pager::new(&client, list()).resume(&second.resume_token().unwrap()).unwrap();
        assert_eq!(third.resume_token(), second.resume_token(), "nothing was taken yet");
        assert_eq!(names(&mut third).await, ["e"]);
        assert_eq!(third.resume_token(), None);
        assert_eq!(server.heard().len(), 4);
    }

    #[tokio::test]
    async fn empty_pages_are_passed_over_and_the_end_of_one_is_the_start_of_the_next() {
        let pages = [page(&["a"], Some("1")), page(&[], Some("2")), page(&["b"], None)];
        let server = Server::answering(pages).await;
        let client = server.client();
        let mut pager = Pager::new(&client, list());
        assert_eq!(pager.next_page().await.unwrap().unwrap().len(), 1);
        assert!(pager.resume_token().is_some());
        assert_eq!(pager.next_page().await.unwrap().unwrap()[0].name(), "b");
        assert!(pager.next_page().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_circle_is_an_error() {
        let server = Server::answering([page(&["a"], Some("t")), page(&["b"], Some("t"))]).await;
        let listed: Result<Vec<_>> = Pager::new(&server.client(), list()).into_stream().try_collect().await;
        assert_eq!(listed.unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[tokio::test]
    async fn what_is_no_token_is_refused() {
        let client = Server::answering([]).await.client();
        for token in ["", "x", "e30"] {
            let refused = Pager::new(&client, list()).resume(token).err().unwrap();
            assert_eq!(refused.kind(), ErrorKind::Invalid, "{token}");
        }
    }
}
