//! Severity levels and the thresholds that select among them.

use core::fmt;
use core::str::FromStr;

/// How severe a record is, from [`Error`](Level::Error) (most severe) to
/// [`Trace`](Level::Trace).
///
/// Levels compare by verbosity, as those of the `log` crate do: `Level::Error < Level::Trace`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// Something failed.
    Error = 1,
    /// Something is wrong, and the program goes on.
    Warn = 2,
    /// What an operator wants to see.
    Info = 3,
    /// What a developer wants to see.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

impl Level {
    /// How many levels there are.
    pub const COUNT: usize = 5;

    /// All levels, the most severe first.
    pub const ALL: [Level; Level::COUNT] = [
        Level::Error,
        Level::Warn,
        Level::Info,
        Level::Debug,
        Level::Trace,
    ];

    /// The level's name in capitals: `"ERROR"`, `"WARN"`, `"INFO"`, `"DEBUG"`, `"TRACE"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Error => "ERROR",
            Level::Warn => "WARN",
            Level::Info => "INFO",
            Level::Debug => "DEBUG",
            Level::Trace => "TRACE",
        }
    }

    /// The level's place in [`Level::ALL`], and in every per-level counter: 0 for `Error`.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize - 1
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The most verbose level that a logger lets through, or none at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LevelFilter {
    /// Nothing passes.
    Off = 0,
    /// Only errors pass.
    Error = 1,
    /// Warnings and errors pass.
    Warn = 2,
    /// Everything up to `Info` passes.
    Info = 3,
    /// Everything up to `Debug` passes.
    Debug = 4,
    /// Everything passes.
    Trace = 5,
}

impl LevelFilter {
    /// The name in capitals, as that of a [`Level`]; `"OFF"` for [`Off`](LevelFilter::Off).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            LevelFilter::Off => "OFF",
            LevelFilter::Error => "ERROR",
            LevelFilter::Warn => "WARN",
            LevelFilter::Info => "INFO",
            LevelFilter::Debug => "DEBUG",
            LevelFilter::Trace => "TRACE",
        }
    }

    /// Whether a record of `level` passes.
    #[must_use]
    pub const fn allows(self, level: Level) -> bool {
        level as u8 <= self as u8
    }
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => LevelFilter::Error,
            Level::Warn => LevelFilter::Warn,
            Level::Info => LevelFilter::Info,
            Level::Debug => LevelFilter::Debug,
            Level::Trace => LevelFilter::Trace,
        }
    }
}

/// The most verbose level that is compiled in. Statements of a more verbose one are not in the
/// program, nor are their arguments, whatever a filter says.
///
/// It is set by the features `max_level_off`, `max_level_error`, `max_level_warn`, `max_level_info`,
/// `max_level_debug` and `max_level_trace`; and in a build without debug assertions by
/// `release_max_level_off` and so on, if one of those is on. If several are, the most verbose
/// counts, as cargo unites what different crates ask for. Without any, everything is compiled in.
pub const MAX_LEVEL: LevelFilter = max_level();

const fn max_level() -> LevelFilter {
    macro_rules! most_verbose {
        ($($feature:literal => $level:ident),*) => {
            $(if cfg!(feature = $feature) {
                return LevelFilter::$level;
            })*
        };
    }
    if cfg!(not(debug_assertions)) {
        most_verbose! {
            "release_max_level_trace" => Trace,
            "release_max_level_debug" => Debug,
            "release_max_level_info" => Info,
            "release_max_level_warn" => Warn,
            "release_max_level_error" => Error,
            "release_max_level_off" => Off
        }
    }
    most_verbose! {
        "max_level_trace" => Trace,
        "max_level_debug" => Debug,
        "max_level_info" => Info,
        "max_level_warn" => Warn,
        "max_level_error" => Error,
        "max_level_off" => Off
    }
    LevelFilter::Trace
}

/// Whether statements of the level are in the program.
#[must_use]
pub const fn is_compiled(level: Level) -> bool {
    MAX_LEVEL.allows(level)
}

macro_rules! compiled {
    ($($name:ident, $level:ident;)*) => {$(
        /// Whether statements of this level are in the program.
        pub const $name: bool = is_compiled(Level::$level);
    )*};
}

compiled! {
    ERROR, Error;
    WARN, Warn;
    INFO, Info;
    DEBUG, Debug;
    TRACE, Trace;
}

/// The text is not the name of a level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseLevelError {
    text: String,
}

impl fmt::Display for ParseLevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a level; the levels are error, warn, info, debug and trace",
            self.text.escape_debug()
        )
    }
}

impl std::error::Error for ParseLevelError {}

impl FromStr for Level {
    type Err = ParseLevelError;

    /// Reads a level's name, in capitals or not.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Level::ALL
            .into_iter()
            .find(|level| level.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| ParseLevelError { text: text.into() })
    }
}

impl FromStr for LevelFilter {
    type Err = ParseLevelError;

    /// Reads a level's name or `off`, in capitals or not.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(LevelFilter::Off);
        }
        Level::from_str(text).map(LevelFilter::from)
    }
}
