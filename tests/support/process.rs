//! Processes that end with the test.

use rustix::process::{Pid, Signal, kill_process_group};
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

/// A process with all of its children: a group of its own. Killed when dropped, and by a guard when the test process ends without
/// dropping it (a static, a panic that aborts, a kill).
pub struct Guarded {
    child: Child,
    guard: Child,
    /// Ends with this process; the guard reads from it.
    _lifeline: ChildStdin,
}

impl Guarded {
    pub fn spawn(command: &mut Command) -> Guarded {
        Guarded::spawn_in(command, None)
    }

    /// `folder` is removed by the guard, too: for values that are never dropped.
    pub fn spawn_in(command: &mut Command, folder: Option<&Path>) -> Guarded {
        let child = command
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let mut guard = Command::new("sh")
            .args([
                "-c",
                r#"read -r _; kill -9 -"$1"; sleep 1; [ -z "$2" ] || rm -rf "$2""#,
                "guard",
            ])
            .arg(child.id().to_string())
            .arg(folder.unwrap_or(Path::new("")))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh guards what the tests start");
        let lifeline = guard.stdin.take().expect("stdin is piped");
        Guarded {
            child,
            guard,
            _lifeline: lifeline,
        }
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the whole group.
    pub fn signal(&self, signal: Signal) {
        let group = Pid::from_child(&self.child);
        // It may have ended by itself.
        let _ = kill_process_group(group, signal);
    }

    /// Kills the group, as a power cut would, and waits for its end.
    pub fn kill(&mut self) -> ExitStatus {
        self.signal(Signal::KILL);
        self.child.wait().expect("a child can be waited for")
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.kill();
        // Nothing is left to guard; its folder belongs to whoever dropped us.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

/// Runs a command to its end with `input` on its standard input; returns its output, or panics with what it complained about.
pub fn output_of(command: &mut Command, input: &[u8]) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let written = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output().expect("a child can be waited for");
    assert!(
        output.status.success(),
        "{command:?} ended with {} (signal {:?}): {}{}",
        output.status,
        output.status.signal(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    written.expect("a command that succeeds reads its input");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
