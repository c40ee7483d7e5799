//! What the process says about itself: metrics declared once, and the set-up of logging.

pub mod logging;
pub mod metrics;
