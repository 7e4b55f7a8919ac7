//! The real binary, as an operator runs it.

use super::{Guarded, PATIENCE};
use parking_lot::{Condvar, Mutex};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

/// A running `bouncedemails`, with every line it printed.
pub struct Daemon {
    process: Guarded,
    output: Arc<Output>,
    readers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Output {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    lines: Vec<String>,
    /// How many of its two streams have ended.
    ended: usize,
}

impl Daemon {
    /// `bouncedemails --config FILE --env production` with these arguments.
    pub fn start(configuration: &Path, arguments: &[&str]) -> Daemon {
        Daemon::spawn(
            bouncedemails()
                .arg("--config")
                .arg(configuration)
                .args(arguments),
        )
    }

    /// The same with `--debug run`.
    pub fn run_in_debug(configuration: &Path) -> Daemon {
        Daemon::start(configuration, &["--debug", "run"])
    }

    /// Starts a command that [`bouncedemails`] made.
    pub fn spawn(command: &mut Command) -> Daemon {
        let mut process = Guarded::spawn(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped()),
        );
        let output = Arc::new(Output::default());
        let child = process.child();
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let readers = vec![
            collect(stdout, output.clone()),
            collect(stderr, output.clone()),
        ];
        Daemon {
            process,
            output,
            readers,
        }
    }

    /// Waits until a line holds `part`, whether it came already or comes yet, and returns it.
    pub fn wait_for(&self, part: &str) -> String {
        self.wait_for_times(part, 1)
    }

    /// Waits until `times` lines hold `part`; returns the last of them.
    pub fn wait_for_times(&self, part: &str, times: usize) -> String {
        assert!(times > 0, "the first line is number 1");
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.output.seen.lock();
        loop {
            let mut hits = seen.lines.iter().filter(|line| line.contains(part));
            if let Some(line) = hits.nth(times - 1) {
                return line.clone();
            }
            let why = if seen.ended == 2 {
                "the daemon ended"
            } else if Instant::now() >= deadline {
                "the deadline passed"
            } else {
                self.output.changed.wait_until(&mut seen, deadline);
                continue;
            };
            panic!(
                "{why} without {times} times {part:?}; it printed:\n{}",
                seen.lines.join("\n")
            );
        }
    }

    /// The port of this machine on which it says that it takes mail.
    pub fn smtp_port(&self) -> u16 {
        let line = self.wait_for("Mail is taken at 127.0.0.1:");
        let (_, rest) = line.rsplit_once("127.0.0.1:").expect("it was found");
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a port")
    }

    /// Waits until it has printed this many lines.
    pub fn wait_for_lines(&self, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.output.seen.lock();
        while seen.lines.len() < count {
            let late = self
                .output
                .changed
                .wait_until(&mut seen, deadline)
                .timed_out();
            assert!(!late, "{} lines instead of {count}", seen.lines.len());
        }
    }

    /// How many lines hold `part` by now.
    pub fn count(&self, part: &str) -> usize {
        let seen = self.output.seen.lock();
        seen.lines.iter().filter(|line| line.contains(part)).count()
    }

    /// All it printed by now.
    pub fn lines(&self) -> Vec<String> {
        self.output.seen.lock().lines.clone()
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The most memory that it had so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()));
        let status = status.expect("the daemon runs");
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let words = line.map(|line| line.split_ascii_whitespace().nth(1));
        let kilobytes: Option<u64> = words.flatten().and_then(|word| word.parse().ok());
        kilobytes.expect("the system says it") << 10
    }

    /// It does nothing any more; the kernel still takes in what is sent to it.
    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// It goes on.
    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Asks it to stop (SIGTERM).
    pub fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Waits for its end.
    pub fn wait(mut self) -> (ExitStatus, Vec<String>) {
        // Its streams end when it does; this way the wait has a deadline.
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.output.seen.lock();
        while seen.ended < 2 {
            let late = self
                .output
                .changed
                .wait_until(&mut seen, deadline)
                .timed_out();
            assert!(
                !late,
                "the daemon does not end; it printed:\n{}",
                seen.lines.join("\n")
            );
        }
        drop(seen);
        self.finish()
    }

    /// Stops it in good order: SIGTERM, and exit status 0.
    pub fn stop(self) -> Vec<String> {
        self.terminate();
        let (status, lines) = self.wait();
        assert!(status.success(), "{status}:\n{}", lines.join("\n"));
        lines
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) -> Vec<String> {
        self.process.kill();
        self.finish().1
    }

    fn finish(&mut self) -> (ExitStatus, Vec<String>) {
        let status = self
            .process
            .child()
            .wait()
            .expect("a child can be waited for");
        for reader in self.readers.drain(..) {
            reader.join().expect("the reader never panics");
        }
        (status, self.lines())
    }
}

/// The binary of this build, to be given arguments.
pub fn bouncedemails() -> Command {
    Command::new(env!("CARGO_BIN_EXE_bouncedemails"))
}

fn collect(stream: impl Read + Send + 'static, output: Arc<Output>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).into_owned();
            output.seen.lock().lines.push(line);
            output.changed.notify_all();
        }
        output.seen.lock().ended += 1;
        output.changed.notify_all();
    })
}
