//! Progress of long commands: bars on a terminal, plain lines otherwise.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::serve::interrupted;
use crate::tally::Tally;

/// Without a terminal, a line at most this often.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How often work is looked at that counts what it does.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Show how far work is until it ends. Asked to stop, it is told so and still seen to its end.
///
/// # Errors
/// Those of the work.
pub async fn watch<T, E>(
    mut progress: Progress,
    tally: &Tally,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let mut work = std::pin::pin!(work);
    let mut stop = std::pin::pin!(interrupted());
    loop {
        tokio::select! {
            done = &mut work => {
                if done.is_ok() && !tally.is_stopped() {
                    progress.finish("done");
                }
                return done;
            }
            () = &mut stop, if !tally.is_stopped() => tally.stop(),
            () = tokio::time::sleep(LOOK_EVERY) => progress.update(tally.percent(), "", ""),
        }
    }
}

/// How far one part of a command is.
pub struct Progress {
    name: &'static str,
    shown: Shown,
}

enum Shown {
    Bar(ProgressBar),
    Lines { last: Instant, part: String },
}

impl Progress {
    /// A part of a command that begins now.
    pub fn start(name: &'static str) -> Self {
        let shown = if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(100);
            let style = ProgressStyle::with_template("{prefix:<12} {bar:40} {percent:>3} % {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(name);
            Shown::Bar(bar)
        } else {
            eprintln!("{name} …");
            Shown::Lines { last: Instant::now(), part: String::new() }
        };
        Self { name, shown }
    }

    /// It is `percent` done; `part` is what it does for a while, `item` what it does right now.
    pub fn update(&mut self, percent: f64, part: &str, item: &str) {
        match &mut self.shown {
            Shown::Bar(bar) => {
                bar.set_position(percent.clamp(0.0, 100.0) as u64);
                bar.set_message(format!("{part}{item}"));
            }
            Shown::Lines { last, part: shown } => {
                // Items come by the thousand; a new part is always worth a line.
                if shown == part && last.elapsed() < LINE_EVERY {
                    return;
                }
                eprintln!("{}: {percent:.0} % {part}{item}", self.name);
                *last = Instant::now();
                part.clone_into(shown);
            }
        }
    }

    /// It is over.
    pub fn finish(self, what: &str) {
        match self.shown {
            Shown::Bar(bar) => {
                bar.set_position(100);
                bar.finish_with_message(what.to_owned());
            }
            Shown::Lines { .. } => eprintln!("{}: {what}", self.name),
        }
    }
}
