//! Standard output and standard error.

use std::io::{self, IsTerminal as _};

use super::{Batch, Sink};
use crate::sys::console::{self, Stream};

/// Writes to a standard stream of the process, a batch per system call, without the lock and the
/// buffer of [`std::io::stdout`]: what a program prints itself may come out between two batches,
/// never within a line of either that it wrote whole.
///
/// A reader that went away is an error of the sink like any other: Rust programs ignore `SIGPIPE`.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    stream: Stream,
}

impl Console {
    /// Standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Console {
            stream: Stream::Stdout,
        }
    }

    /// Standard error.
    #[must_use]
    pub fn stderr() -> Self {
        Console {
            stream: Stream::Stderr,
        }
    }
}

impl Sink for Console {
    fn name(&self) -> &str {
        match self.stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }

    /// One `write(2)`. Blocks while the reader of a pipe or a terminal does.
    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        console::write(self.stream, batch.bytes())
    }

    /// Whether it is a terminal, unless the environment says otherwise: in this order, `NO_COLOR`
    /// says no, `CLICOLOR_FORCE` yes, `CLICOLOR=0` and `TERM=dumb` no. Those that are empty say
    /// nothing.
    fn wants_color(&self) -> bool {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let is = |name, text: &str| variable(name).is_some_and(|value| value == text);
        if variable("NO_COLOR").is_some() {
            return false;
        }
        if variable("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
            return true;
        }
        if is("CLICOLOR", "0") || is("TERM", "dumb") {
            return false;
        }
        match self.stream {
            Stream::Stdout => io::stdout().is_terminal(),
            Stream::Stderr => io::stderr().is_terminal(),
        }
    }

    /// Does nothing: nothing waits in the process.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    #[cfg(unix)]
    fn descriptor(&self) -> Option<std::os::fd::RawFd> {
        Some(match self.stream {
            Stream::Stdout => libc::STDOUT_FILENO,
            Stream::Stderr => libc::STDERR_FILENO,
        })
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::{Batch, Console, Sink};
    use std::io::{ErrorKind, Read as _, stdin};
    use std::process::{Child, Command, Stdio};
    use std::{env, io};

    /// Set in the process that a test starts: the test is then the program that logs.
    const ROLE: &str = "RINGLOG_CONSOLE_TEST";

    /// Starts this program again, to run one test only, with all streams in pipes.
    fn start(test: &str) -> Child {
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture", test])
            .env(ROLE, "child")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn is_child() -> bool {
        env::var_os(ROLE).is_some()
    }

    /// Waits until the other process has closed the pipe.
    fn wait_for_parent() {
        stdin().read_to_end(&mut Vec::new()).unwrap();
    }

    #[test]
    fn a_batch_goes_out_as_it_is() {
        let mut sinks = [Console::stdout(), Console::stderr()];
        if is_child() {
            for sink in &mut sinks {
                let text = format!("to {}\n", sink.name());
                let written = sink.write(&Batch::new(text.as_bytes())).unwrap();
                assert_eq!(written, text.len());
            }
            return;
        }
        let child = start("sink::console::tests::a_batch_goes_out_as_it_is");
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "to stderr\n");
        // The test harness writes there, too.
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.contains("to stdout\n"), "{stdout}");
    }

    #[test]
    fn a_reader_that_went_away_is_an_error_and_not_the_end() {
        if is_child() {
            wait_for_parent();
            let error = Console::stderr()
                .write(&Batch::new(b"text\n"))
                .map_err(|error| io::Error::kind(&error));
            assert_eq!(error, Err(ErrorKind::BrokenPipe));
            return;
        }
        let mut child =
            start("sink::console::tests::a_reader_that_went_away_is_an_error_and_not_the_end");
        drop(child.stderr.take());
        drop(child.stdin.take());
        let output = child.wait_with_output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && stdout.contains("1 passed"),
            "{stdout}"
        );
    }
}
