//! What the forwarder decides, and what it does step by step.

mod stepping;
mod waiting;
