//! `holdfs reference`, hidden: how docs/CONFIGURATION.md is made.

use super::{Outcome, terminal};
use crate::config;

/// Prints docs/CONFIGURATION.md.
#[derive(clap::Args, Debug)]
pub struct Args {}

impl Args {
    pub fn run(self) -> Outcome {
        terminal::bytes(config::document().as_bytes())
    }
}
