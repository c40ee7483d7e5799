//! The runtime of commands that talk to a store and then leave (a mount builds its own).

use std::future::Future;

use tokio::runtime::{Builder, Runtime};

use super::{Failure, Outcome};

pub fn build() -> Outcome<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::environment(format!("Cannot start worker threads: {error}.")))
}

/// Runs one command's future to its end.
pub fn block_on<T>(future: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    build()?.block_on(future)
}
