//! Which objects a rule is about, as replication, analytics and tiering say it.

use crate::s3::document::document;

document! {
    #[derive(Eq)]
    pub struct Tag {
        /// 1 to 128 characters.
        key: String = "Key",
        /// Up to 256 characters.
        value: String = "Value",
    }

    /// Exactly one of the fields; `and` to combine. Without any: every object.
    #[derive(Default, Eq)]
    pub struct ObjectFilter {
        prefix: Option<String> = "Prefix",
        tag: Option<Tag> = "Tag",
        and: Option<ObjectFilterAnd> = "And",
    }

    /// All of them.
    #[derive(Default, Eq)]
    pub struct ObjectFilterAnd {
        prefix: Option<String> = "Prefix",
        tags: Vec<Tag> = "Tag",
    }
}
