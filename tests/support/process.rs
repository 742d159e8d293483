//! Child processes that are watched while they run and end.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs, io};

use super::child;
use super::tally::Tally;
use super::{LONG, Log};

const FOLDER: &str = "RINGLOG_TEST_FOLDER";
const CASE: &str = "RINGLOG_TEST_CASE";
const READY: &str = "the child is ready";

/// For the child: the folder that it shares with its parent.
pub fn folder() -> PathBuf {
    env::var_os(FOLDER).expect("a child has a folder").into()
}

/// For the child: which case of the test it is.
pub fn case() -> String {
    env::var(CASE).expect("a child has a case")
}

/// For the child: lets the parent go on.
pub fn ready() {
    println!("{READY}");
}

/// For the child: its counts.
pub fn tally() -> &'static Tally {
    static TALLY: OnceLock<&Tally> = OnceLock::new();
    TALLY.get_or_init(|| Tally::open(&folder().join("tally")))
}

/// For the child: where it logs to.
pub fn log_path() -> PathBuf {
    folder().join("app.log")
}

/// For the child: sleeps until it is ended.
pub fn sleep_for_good() -> ! {
    thread::sleep(2 * LONG);
    panic!("nobody ended the child");
}

/// A child that runs.
pub struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
    folder: tempfile::TempDir,
}

/// A child that has ended.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    /// From when it was told to end, or else from when it was ready.
    pub took: Duration,
    folder: tempfile::TempDir,
}

impl Process {
    /// Starts the case, and waits until it is ready. The test must have found out that it is the
    /// child before it calls this.
    #[track_caller]
    pub fn start(test: &str, case: &str) -> Process {
        Process::start_in(tempfile::tempdir().unwrap(), test, case, |_| ())
    }

    /// Starts the case, and waits for nothing.
    #[track_caller]
    pub fn start_unready(test: &str, case: &str) -> Process {
        Process::spawn(tempfile::tempdir().unwrap(), test, case, |_| ())
    }

    #[track_caller]
    pub fn start_in(
        folder: tempfile::TempDir,
        test: &str,
        case: &str,
        prepare: impl FnOnce(&mut Command),
    ) -> Process {
        let mut process = Process::spawn(folder, test, case, prepare);
        let mut before = String::new();
        loop {
            let mut line = String::new();
            process.output.read_line(&mut line).unwrap();
            if line.contains(READY) {
                return process;
            }
            let stderr = || fs::read_to_string(process.folder().join("stderr")).unwrap();
            assert!(
                !line.is_empty(),
                "`{case}` ended before it was ready\n{before}\n{}",
                stderr()
            );
            before.push_str(&line);
        }
    }

    #[track_caller]
    fn spawn(
        folder: tempfile::TempDir,
        test: &str,
        case: &str,
        prepare: impl FnOnce(&mut Command),
    ) -> Process {
        let mut command = child::command(test);
        command
            .env(FOLDER, folder.path())
            .env(CASE, case)
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.path().join("stderr")).unwrap());
        prepare(&mut command);
        let mut child = command.spawn().expect("the test binary runs");
        let output = BufReader::new(child.stdout.take().expect("it is a pipe"));
        Process {
            child,
            output,
            folder,
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn id(&self) -> i32 {
        self.child.id() as i32
    }

    pub fn tally(&self) -> &'static Tally {
        Tally::open(&self.folder.path().join("tally"))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: takes no pointer; the child has not been waited for, so the number is still its.
        let result = unsafe { libc::kill(self.id(), signal) };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
    }

    /// Waits for a line of its output that contains the text.
    #[track_caller]
    pub fn wait_for_line(&mut self, text: &str) {
        self.rest_of_line(text);
    }

    /// The same, and answers what comes behind the text.
    #[track_caller]
    pub fn rest_of_line(&mut self, text: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            let length = self.output.read_line(&mut line).unwrap();
            assert!(length > 0, "the child ended before it said {text:?}");
            if let Some((_, rest)) = line.split_once(text) {
                return rest.trim_end().to_owned();
            }
        }
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let told = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if told.elapsed() > 2 * LONG {
                let _ = self.child.kill();
                panic!("the child did not end");
            }
            thread::sleep(Duration::from_millis(1));
        };
        let took = told.elapsed();
        let mut stdout = String::new();
        self.output.read_to_string(&mut stdout).unwrap();
        let stderr = fs::read(self.folder.path().join("stderr")).unwrap();
        Ended {
            status,
            stdout,
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            took,
            folder: self.folder,
        }
    }
}

impl Ended {
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn tally(&self) -> &'static Tally {
        Tally::open(&self.folder().join("tally"))
    }

    pub fn log_text(&self) -> String {
        fs::read_to_string(self.folder().join("app.log")).unwrap()
    }

    #[track_caller]
    pub fn log(&self) -> Log {
        Log::parse(&self.log_text())
    }

    pub fn signal(&self) -> Option<i32> {
        std::os::unix::process::ExitStatusExt::signal(&self.status)
    }
}
