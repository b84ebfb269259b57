//! Image analysis against naive code and other people's libraries.

mod measurements;
mod measurements_in_python;
