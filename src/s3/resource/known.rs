//! What a handle knows of its resource.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::s3::Result;

/// A value that is asked for once, by one of all who want it, and shared by the clones of a handle.
pub(super) struct Known<T>(Arc<Mutex<Option<Arc<T>>>>);

impl<T> Known<T> {
    pub(super) fn of(value: T) -> Self {
        Self(Arc::new(Mutex::new(Some(Arc::new(value)))))
    }

    /// As it is known, or what `ask` finds out.
    pub(super) async fn load(&self, ask: impl Future<Output = Result<T>>) -> Result<Arc<T>> {
        let mut known = self.0.lock().await;
        match &*known {
            Some(value) => Ok(value.clone()),
            None => Ok(known.insert(Arc::new(ask.await?)).clone()),
        }
    }

    /// What `ask` finds out now.
    pub(super) async fn reload(&self, ask: impl Future<Output = Result<T>>) -> Result<Arc<T>> {
        let value = Arc::new(ask.await?);
        *self.0.lock().await = Some(value.clone());
        Ok(value)
    }

    /// The next one asks again.
    pub(super) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

/// Nothing is known.
impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Known<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::Error;

    #[tokio::test]
    async fn a_value_is_asked_for_once_and_again_when_told_so() {
        let known = Known::default();
        let failed = known.load(async { Err(Error::invalid("no")) }).await;
        assert!(failed.is_err(), "a failure is not kept");
        assert_eq!(*known.load(async { Ok(1) }).await.unwrap(), 1);
        assert_eq!(*known.clone().load(async { Ok(2) }).await.unwrap(), 1);
        assert_eq!(*known.reload(async { Ok(3) }).await.unwrap(), 3);
        assert_eq!(*known.load(async { Ok(4) }).await.unwrap(), 3);
        known.forget().await;
        assert_eq!(*known.load(async { Ok(5) }).await.unwrap(), 5);
        assert_eq!(*Known::of(6).load(async { Ok(7) }).await.unwrap(), 6);
    }
}
