//! A panic is a record of the installed logger, and is written before the program goes on.
//!
//! The hook that was there before is called afterwards, since it may end the process. The record is
//! made as any other, so that it carries the thread's name and context; but it never waits for room.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::sync::Once;
use std::thread;
use std::time::Duration;

use super::core::Core;
use super::installed;
use crate::level::Level;
use crate::rlog;
use crate::worker::Inside;

/// How long a panic waits for the consumer.
const PATIENCE: Duration = Duration::from_millis(100);

/// From now on, panics are told to the installed logger, and then to the hook that is there now.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    // A thread that panics may not change the hook.
    if thread::panicking() {
        return;
    }
    ONCE.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if let Some(core) = installed::core() {
                report(core, info);
            }
            previous(info);
        }));
    });
}

fn report(core: &Core, info: &PanicHookInfo<'_>) {
    // The consumer says by itself what a sink of its own did; a record of each panic would make a
    // sink that panics at every record panic for ever.
    if core.is_inside() {
        return;
    }
    let outcome = {
        // A thread inside of the consumer does not wait for it.
        let _never_waits = Inside::enter(core.hot.id);
        log(info)
    };
    if outcome == crate::Outcome::Accepted {
        // It is for the program to say whether this is the end; the log will say what went wrong.
        let _ = core.flush(PATIENCE);
    }
}

fn log(info: &PanicHookInfo<'_>) -> crate::Outcome {
    let message = message(info.payload());
    let backtrace = Backtrace::capture();
    let place = info.location();
    let (file, line, column) = place.map_or(("an unknown place", 0, 0), |place| {
        (place.file(), place.line(), place.column())
    });
    if backtrace.status() == BacktraceStatus::Captured {
        let backtrace = compact(&backtrace.to_string());
        rlog!(Level::Error, target: "panic", backtrace; "panicked at {file}:{line}:{column}: {message}")
    } else {
        rlog!(Level::Error, target: "panic", "panicked at {file}:{line}:{column}: {message}")
    }
}

fn message(payload: &dyn Any) -> &str {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a value that is no text")
}

/// A frame a line: what it is and where. Without those of the panic itself and of the start of the
/// thread, if they are marked as such.
fn compact(backtrace: &str) -> String {
    let mut frames: Vec<String> = Vec::new();
    for line in backtrace.lines().map(str::trim) {
        if let Some(place) = line.strip_prefix("at ") {
            if let Some(frame) = frames.last_mut() {
                frame.push_str(" at ");
                frame.push_str(place);
            }
            continue;
        }
        let numbered = line.split_once(": ");
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let frame = numbered.filter(|(number, _)| is_number(number));
        frames.push(frame.map_or(line, |(_, frame)| frame).to_owned());
    }
    let marked = |mark| frames.iter().position(|frame| frame.contains(mark));
    let first = marked("__rust_end_short_backtrace").map_or(0, |place| place + 1);
    let end = marked("__rust_begin_short_backtrace").unwrap_or(frames.len());
    frames.get(first..end).unwrap_or(&frames).join("\n")
}

#[cfg(test)]
mod tests {
    use super::compact;

    #[test]
    fn a_backtrace_is_a_line_per_frame_between_the_marks() {
        let whole = "   0: std::backtrace::Backtrace::capture
             at /rustc/library/std/src/backtrace.rs:1:2
   1: std::sys::backtrace::__rust_end_short_backtrace
   2: core::panicking::panic_fmt
   3: app::run
             at ./src/main.rs:7:9
      app::inlined::{{closure}}
             at ./src/main.rs:8:1
   4: std::sys::backtrace::__rust_begin_short_backtrace
             at /rustc/library/std/src/sys/backtrace.rs:3:4
   5: main";
        assert_eq!(
            compact(whole),
            "core::panicking::panic_fmt\napp::run at ./src/main.rs:7:9\n\
             app::inlined::{{closure}} at ./src/main.rs:8:1"
        );
        assert_eq!(compact("   0: a\n   1: b\n"), "a\nb");
        assert_eq!(compact("<unknown>"), "<unknown>");
    }
}
