//! Planned deaths: how tests kill the program at a chosen moment. Absent from release builds.
//!
//! `TMSERVER_TEST_FAILPOINT=trace:FILE` writes the name of every point reached to a file, one a line;
//! `kill:N:NAME` ends the process with SIGKILL when the point NAME is reached the Nth time (nothing runs
//! after that: no destructor, no handler, no flush, as with `kill -9`); `hang:N:NAME` stops the thread
//! there for good; `panic:N:NAME` panics there the first N times.

/// Variable that holds the plan.
pub const VARIABLE: &str = "TMSERVER_TEST_FAILPOINT";

/// A moment that a crash may fall into: between two effects that belong together.
#[cfg(not(debug_assertions))]
pub fn reached(_point: &str) {}

#[cfg(debug_assertions)]
pub use planned::reached;

#[cfg(debug_assertions)]
mod planned {
    use std::fs::{File, OpenOptions};
    use std::io::Write;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::runtime::{Handle, RuntimeFlavor};
    use tokio::task::block_in_place;

    enum Plan {
        Nothing,
        Trace(File),
        At { name: String, left: AtomicU64, what: fn() -> ! },
        Panic { name: String, left: AtomicU64 },
    }

    static PLAN: LazyLock<Plan> = LazyLock::new(|| parse(std::env::var(super::VARIABLE).ok()));

    fn parse(text: Option<String>) -> Plan {
        let Some(text) = text else { return Plan::Nothing };
        if let Some(path) = text.strip_prefix("trace:") {
            let file = OpenOptions::new().create(true).append(true).open(path);
            return file.map_or(Plan::Nothing, Plan::Trace);
        }
        let [what, number, name] = text.splitn(3, ':').collect::<Vec<_>>()[..] else { return Plan::Nothing };
        if let ("panic", Ok(number)) = (what, number.parse()) {
            return Plan::Panic { name: name.to_owned(), left: AtomicU64::new(number) };
        }
        let what: fn() -> ! = match what {
            "kill" => die,
            "hang" => hang,
            _ => return Plan::Nothing,
        };
        let left = number.parse().map(AtomicU64::new);
        left.map_or(Plan::Nothing, |left| Plan::At { name: name.to_owned(), left, what })
    }

    /// A moment that a crash may fall into: between two effects that belong together.
    pub fn reached(point: &str) {
        match &*PLAN {
            Plan::Nothing => {}
            Plan::Trace(file) => {
                // One write call per line, so that threads do not mix their lines.
                let _ = (&*file).write_all(format!("{point}\n").as_bytes());
            }
            Plan::At { name, left, what } if name == point => {
                if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                    what();
                }
            }
            Plan::Panic { name, left } if name == point => {
                let taken = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
                assert!(taken.is_err(), "planned at `{point}`");
            }
            Plan::At { .. } | Plan::Panic { .. } => {}
        }
    }

    fn die() -> ! {
        #[cfg(unix)]
        {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            // The signal is on its way.
            hang()
        }
        #[cfg(not(unix))]
        std::process::abort()
    }

    fn hang() -> ! {
        fn park() -> ! {
            loop {
                std::thread::park();
            }
        }
        match Handle::try_current() {
            // The thread may serve requests, too: what waits for it goes to another one.
            Ok(runtime) if runtime.runtime_flavor() == RuntimeFlavor::MultiThread => {
                block_in_place(|| park())
            }
            _ => park(),
        }
    }
}
