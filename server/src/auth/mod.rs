//! Who is asking, and what they may do.

pub mod password;
pub mod permission;
pub mod throttle;
pub mod token;
