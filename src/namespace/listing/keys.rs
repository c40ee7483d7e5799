//! Whole subtrees key by key, and whether a directory has anything in it.

use std::sync::Arc;

use super::page::{Page, Scope};
use crate::namespace::catalog::{ListRequest, Pager};
use crate::namespace::tree::{Asked, Look};
use crate::namespace::{Child, Contents, Error, Namespace, Node, Result};
use crate::s3::ops::{ListObjectsV2Output, ListedObject};

/// Keys asked for beyond those that do not count: the marker, the flag and what this mount has removed.
const SPARE_KEYS: usize = 8;

/// Every key below a directory, its marker and hidden keys included.
pub struct KeysBelow {
    pager: Pager,
}

impl KeysBelow {
    /// The next page; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<ListedObject>>> {
        Ok(self.pager.next().await?.map(|page| page.objects))
    }
}

impl Namespace {
    /// Every key below a directory, page by page (for renaming it).
    pub fn keys_below(&self, directory: &Arc<Node>) -> Result<KeysBelow> {
        self.check_directory(directory)?;
        let prefix = directory.key().to_string();
        let request = ListRequest { prefix, max_keys: self.options.page_keys, ..ListRequest::default() };
        Ok(KeysBelow { pager: Pager::new(self.catalog.clone(), request) })
    }

    /// A real listing: what makes the directory not empty, if anything. Local changes count. `marker` and `flag` are
    /// certain where `child` is `None`, since only then was everything seen.
    pub async fn contents(&self, directory: &Arc<Node>) -> Result<Contents> {
        self.check_directory(directory)?;
        let (asked, changes, made) = {
            let tree = self.tree.lock();
            let asked = tree.ask();
            let made = tree.made_in(directory.id(), asked.moment());
            (asked, tree.overlay.in_directory(directory.id()).count(), made)
        };
        let prefix = directory.key();
        let max_keys = u32::try_from(changes + SPARE_KEYS).unwrap_or(u32::MAX).min(self.options.page_keys);
        let request =
            ListRequest { prefix: prefix.to_string(), delimited: true, max_keys, ..ListRequest::default() };
        let mut pager = Pager::new(self.catalog.clone(), request);
        let child = made.first().map(|entry| Child::Name(entry.name.to_string()));
        let mut contents = Contents { child, ..Contents::default() };
        while contents.child.is_none()
            && let Some(output) = pager.next().await?
        {
            self.take_stock(directory, &prefix, &asked, &output, &mut contents);
        }
        Ok(contents)
    }

    fn take_stock(
        &self,
        directory: &Arc<Node>,
        prefix: &str,
        asked: &Asked,
        output: &ListObjectsV2Output,
        contents: &mut Contents,
    ) {
        let virtual_names = self.virtual_names(directory);
        let scope = Scope { prefix, virtual_names, after: None, moment: asked.moment(), at: asked.at };
        let page = Page::read(scope, output);
        contents.marker |= page.marker.is_some();
        contents.flag |= page.flag == Some(true);
        let tree = self.tree.lock();
        let is_there =
            |entry: &&super::Entry| !matches!(tree.look(directory.id(), entry, asked.moment()), Look::Gone);
        let named = page.entries.iter().find(is_there).map(|entry| Child::Name(entry.name.to_string()));
        let unnameable =
            || page.hidden.example.as_ref().map(|rest| Child::Unnameable([prefix, &**rest].concat()));
        contents.child = named.or_else(unnameable);
    }

    pub(in crate::namespace) fn check_directory(&self, node: &Node) -> Result<()> {
        match (node.is_directory(), node.is_reachable()) {
            (false, _) => Err(Error::NotDirectory),
            (true, false) => Err(Error::Unlinked),
            (true, true) => Ok(()),
        }
    }
}
