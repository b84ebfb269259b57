//! The program `tmserver`, run as a person would run it.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;

use crate::small_disk::SmallDisk;

/// The binary, beside the test's own; built when only the tests were asked for, so that it is never older
/// than they are.
///
/// # Panics
/// When it is missing and cannot be built.
#[allow(clippy::expect_used)]
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        // target/<profile>/deps/<test>
        let test = std::env::current_exe().expect("the test has a path");
        let profile = test.parent().and_then(Path::parent).expect("the test lies in target/<profile>/deps");
        let binary = profile.join(format!("tmserver{}", std::env::consts::EXE_SUFFIX));
        let age = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
        if age(&binary) < age(&test) {
            let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            build.args(["build", "--quiet", "--workspace", "--bin", "tmserver"]);
            if profile.file_name().is_some_and(|name| name == "release") {
                build.arg("--release");
            }
            build.current_dir(env!("CARGO_MANIFEST_DIR"));
            assert!(build.status().expect("cargo starts").success(), "tmserver cannot be built");
        }
        assert!(binary.exists(), "{} is missing", binary.display());
        binary
    })
}

/// A data directory and the commands run on it.
#[derive(Debug)]
pub struct Program {
    /// Where the commands run; the data directory is `data` in it.
    pub directory: PathBuf,
    variables: Vec<(String, String)>,
    /// What goes before the program on the command line.
    entrance: Vec<String>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Outcome {
    /// Exit status; absent when a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Check that it did everything asked for; the value is its standard output.
    #[track_caller]
    pub fn succeeds(&self) -> &str {
        assert_eq!(self.status, Some(0), "{}\n{}", self.stdout, self.stderr);
        &self.stdout
    }

    /// Check that it failed and that its message contains all of these.
    #[track_caller]
    pub fn fails_saying(&self, parts: &[&str]) {
        assert!(self.status.is_some_and(|status| status != 0), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is not in: {}", self.stderr);
        }
    }
}

impl Program {
    /// Commands run in this directory.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), variables: Vec::new(), entrance: Vec::new() }
    }

    /// Commands run in the root of this file system.
    pub fn on(disk: &SmallDisk) -> Self {
        Self { entrance: disk.entrance(), ..Self::new(disk.inside()) }
    }

    /// The same with a variable set.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut variables = self.variables.clone();
        variables.push((name.to_owned(), value.to_owned()));
        Self { directory: self.directory.clone(), variables, entrance: self.entrance.clone() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match self.entrance.split_first() {
            Some((enter, how)) => {
                let mut command = Command::new(enter);
                command.args(how).arg(binary());
                command
            }
            None => Command::new(binary()),
        };
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TMSERVER_")) {
            command.env_remove(name);
        }
        command
            .current_dir(&self.directory)
            .env("TMSERVER_BACKEND", "cpu")
            .env("TMSERVER_DATA_DIR", self.directory.join("data"))
            // How full the disk is below a test is none of its business.
            .env("TMSERVER_RESERVE_MB", "0")
            .envs(self.variables.iter().cloned())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Run a command to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_with_input(arguments, "")
    }

    /// Run a command to its end with this on its standard input.
    ///
    /// # Panics
    /// When it cannot be started.
    #[allow(clippy::expect_used)]
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Outcome {
        let mut child = self.command(arguments).spawn().expect("tmserver starts");
        // A program that ends without reading is judged by what it says.
        let _ = child.stdin.take().expect("standard input is piped").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("tmserver ends");
        Outcome {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Start `serve` on a free port and wait until it says where it serves.
    ///
    /// # Panics
    /// When it ends without saying so.
    #[allow(clippy::expect_used)]
    pub fn serve(&self) -> Serving {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stderr(Stdio::inherit()).spawn().expect("tmserver starts");
        let mut printed = String::new();
        for line in BufReader::new(child.stdout.take().expect("standard output is piped")).lines() {
            let line = line.expect("standard output is text");
            if let Some(at) = line.find("http://") {
                return Serving { base: line[at..].trim_end().to_owned(), child };
            }
            // Writing to a String cannot fail.
            let _ = writeln!(printed, "{line}");
        }
        panic!("tmserver serve ended: {:?} {printed}", child.wait());
    }
}

/// A running `tmserver serve`; killed when dropped.
#[derive(Debug)]
pub struct Serving {
    /// Where it serves, as `http://127.0.0.1:<port>`.
    pub base: String,
    child: Child,
}

impl Serving {
    /// End it with SIGKILL.
    ///
    /// # Panics
    /// When it ended by itself.
    #[allow(clippy::expect_used)]
    pub fn kill(mut self) {
        assert!(self.child.try_wait().expect("it is a child").is_none(), "it ended by itself");
        self.child.kill().expect("it can be killed");
    }

    /// Ask it to stop with SIGTERM, and wait until it has.
    ///
    /// # Panics
    /// When it ended by itself before.
    #[allow(clippy::expect_used)]
    pub fn stop(mut self) -> ExitStatus {
        assert!(self.child.try_wait().expect("it is a child").is_none(), "it ended by itself");
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it can be asked");
        self.child.wait().expect("it is a child")
    }

    /// How it ended; absent while it runs.
    ///
    /// # Panics
    /// When the operating system does not know it.
    #[allow(clippy::expect_used)]
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is a child")
    }

    /// Most memory it has had at once, in bytes; absent where the operating system does not say.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
