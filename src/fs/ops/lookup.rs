//! Names to nodes.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

use crate::fs::support::text_of;
use crate::fs::{FileSystem, Lookup, NodeId, Result};
use crate::namespace::{Known, Node};

/// That a name is absent is remembered for this long at most (semantics 3).
const ABSENT_TTL_MAX: Duration = Duration::from_secs(1);

impl FileSystem {
    pub fn lookup_now(&self, parent: NodeId, name: &OsStr) -> Option<Result<Lookup>> {
        let (parent, name) = match self.directory(parent).and_then(|parent| Ok((parent, text_of(name)?))) {
            Ok(names) => names,
            Err(error) => return Some(Err(error)),
        };
        match self.namespace.known(&parent, name) {
            Known::Present(node, ttl) => Some(Ok(self.found(&node, ttl))),
            Known::Absent(ttl) => Some(Ok(Lookup::Absent(ttl.min(ABSENT_TTL_MAX)))),
            Known::Unknown => None,
        }
    }

    pub async fn lookup(&self, parent: NodeId, name: &OsStr) -> Result<Lookup> {
        let (parent, name) = (self.directory(parent)?, text_of(name)?);
        match self.namespace.lookup(&parent, name).await? {
            Some(node) => Ok(self.found(&node, self.options.ttl)),
            None => Ok(Lookup::Absent(self.options.ttl.min(ABSENT_TTL_MAX))),
        }
    }

    fn found(&self, node: &Arc<Node>, entry_ttl: Duration) -> Lookup {
        Lookup::Found(crate::fs::EntryReply { entry_ttl, ..self.entry(node) })
    }

    /// The kernel gives back `count` references.
    pub fn forget(&self, node: NodeId, count: u64) {
        self.namespace.forget(node, count);
        if self.namespace.node(node).is_none() {
            self.files.forgotten(node);
        }
    }
}
