//! A fault that tests put into a debug build: `HOLDFS_FAILPOINT=NAME` makes looking up a name that contains NAME panic,
//! on the session thread if the looked-up name starts with it, else in the task that answers.

#[cfg(debug_assertions)]
use std::{ffi::OsStr, sync::LazyLock};

#[cfg(debug_assertions)]
static NAME: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("HOLDFS_FAILPOINT").ok());

#[cfg(debug_assertions)]
pub fn on_session_thread(name: &OsStr) {
    let name = name.to_string_lossy();
    assert!(!NAME.as_ref().is_some_and(|point| name.starts_with(point.as_str())), "failpoint: {name}");
}

#[cfg(debug_assertions)]
pub fn in_task(name: &OsStr) {
    let name = name.to_string_lossy();
    assert!(!NAME.as_ref().is_some_and(|point| name.contains(point.as_str())), "failpoint: {name}");
}
