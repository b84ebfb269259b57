//! A small file system of its own, for tests of what happens when the disk is full.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// How much the filler grows by at first, and in the end, in bytes.
const FILL_STEPS: [usize; 2] = [1 << 16, 1 << 12];

/// A file system in memory, mounted where only a process of ours sees it: nothing is left behind, however the test
/// ends.
#[derive(Debug)]
pub struct SmallDisk {
    mount_point: TempDir,
    /// Keeps the mount alive; ends when its standard input does.
    holder: Child,
    as_user: bool,
}

impl SmallDisk {
    /// A file system of `megabytes`.
    ///
    /// Where none can be mounted, prints `SKIPPED: cannot mount a file system` and returns `None`.
    ///
    /// # Panics
    /// When none can be mounted and `TMSERVER_TEST_REQUIRE_MOUNT` is `1`.
    #[allow(clippy::print_stdout)]
    pub fn mount(megabytes: u32) -> Option<Self> {
        for as_user in [false, true] {
            let mount_point = TempDir::new().expect("a directory for tests");
            if let Some(holder) = hold(mount_point.path(), megabytes, as_user) {
                return Some(Self { mount_point, holder, as_user });
            }
        }
        let required = std::env::var("TMSERVER_TEST_REQUIRE_MOUNT").is_ok_and(|value| value == "1");
        assert!(!required, "a small file system is required, and cannot be mounted");
        println!("SKIPPED: cannot mount a file system");
        None
    }

    /// Its root, as programs that went through [`Self::entrance`] see it.
    pub fn inside(&self) -> &Path {
        self.mount_point.path()
    }

    /// Its root, as the test sees it.
    pub fn outside(&self) -> PathBuf {
        let inside = self.inside().strip_prefix("/").expect("an absolute path");
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(inside)
    }

    /// The command to put before another one, so that it sees the file system.
    pub fn entrance(&self) -> Vec<String> {
        let target = format!("--target={}", self.holder.id());
        let mut command = vec!["nsenter".to_owned(), target, "--mount".to_owned()];
        if self.as_user {
            command.extend(["--user".to_owned(), "--preserve-credentials".to_owned()]);
        }
        command
    }

    /// Fill it up with a file until only `free` bytes are left.
    ///
    /// # Panics
    /// When it was fuller before.
    pub fn fill_leaving(&self, free: u64) {
        let mut filler = File::options().create(true).append(true).open(self.filler()).expect("a filler");
        for step in FILL_STEPS {
            loop {
                match filler.write_all(&vec![1; step]) {
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    written => written.expect("only a full disk stops the filler"),
                }
            }
        }
        let size = filler.metadata().expect("the filler is there").len();
        filler.set_len(size.checked_sub(free).expect("there was more room")).expect("a file can be cut");
    }

    /// Remove what [`Self::fill_leaving`] made.
    pub fn make_room(&self) {
        fs::remove_file(self.filler()).expect("there is a filler");
    }

    fn filler(&self) -> PathBuf {
        self.outside().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A process with a mount of its own; `None` when this user may not have one that way.
fn hold(mount_point: &Path, megabytes: u32, as_user: bool) -> Option<Child> {
    let mut command = Command::new("unshare");
    if as_user {
        command.args(["--user", "--map-root-user"]);
    }
    let script = "mount -t tmpfs -o size=\"$1\" tmpfs \"$2\" && echo mounted && exec cat";
    command.args(["--mount", "sh", "-c", script, "sh", &format!("{megabytes}m")]).arg(mount_point);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut holder = command.spawn().ok()?;
    let mut said = String::new();
    let stdout = holder.stdout.take().expect("standard output is piped");
    let mounted = BufReader::new(stdout).read_line(&mut said).is_ok() && said == "mounted\n";
    if !mounted {
        // It has ended already, or is about to.
        let _ = holder.kill();
        let _ = holder.wait();
    }
    mounted.then_some(holder)
}
