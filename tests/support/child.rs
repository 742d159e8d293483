//! Tests that need a process of their own: the test binary runs itself, with that test alone.

use std::env;
use std::process::{Command, Output, Stdio};

const VARIABLE: &str = "RINGLOG_TEST_CHILD";
/// What the child prints at its end.
pub const DONE: &str = "the child came to its end";

/// Whether this process was started to run the test alone.
pub fn is_child() -> bool {
    env::var_os(VARIABLE).is_some()
}

/// The command that runs the test alone.
pub fn command(test: &str) -> Command {
    let binary = env::current_exe().expect("the test binary has a path");
    let mut command = Command::new(binary);
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(VARIABLE, test)
        .stdin(Stdio::null());
    #[cfg(unix)]
    take_signals_by_default(&mut command);
    command
}

/// A shell has what it starts in the background ignore some signals, and `nohup` others; and those who
/// are started by it inherit that.
#[cfg(unix)]
fn take_signals_by_default(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    // SAFETY: `signal` may be called between fork and exec, and is given no handler.
    unsafe {
        command.pre_exec(|| {
            for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
                libc::signal(signal, libc::SIG_DFL);
            }
            Ok(())
        });
    }
}

/// Runs the body in a process of its own, in which nothing else runs, and answers its output. In
/// that process it answers `None`.
#[track_caller]
pub fn alone(test: &str, body: impl FnOnce()) -> Option<Output> {
    if is_child() {
        body();
        println!("{DONE}");
        return None;
    }
    let output = command(test).output().expect("the test binary runs");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{}\n{stdout}\n{stderr}",
        output.status
    );
    assert!(
        stdout.contains(DONE),
        "`{test}` ran no test\n{stdout}\n{stderr}"
    );
    Some(output)
}
