//! The server as others use it: the Python client tmclient over a socket, and the program on a command line.
// A failed `unwrap` is a failed test.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod backup;
mod export;
mod feature_values;
mod full_disk;
mod identity;
mod jobs;
mod many_uploads;
mod messages;
mod metaxpress;
mod process;
mod tmclient;
mod users;
mod viewer;
