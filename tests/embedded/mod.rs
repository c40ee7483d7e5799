//! The embedded server as a stranger sees it: over sockets, signed by code that shares nothing with the client.

mod faults;
mod objects;
mod protection;
mod public;
mod raw;
mod restart;
