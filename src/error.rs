//! What can go wrong, one type per operation.

use std::fmt;
use std::io;

use crate::filter::FilterError;
pub use crate::sys::affinity::PinError;

/// A logger could not be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// A capacity or count is outside its range.
    Capacity {
        /// The builder's method.
        setting: &'static str,
        /// What it was given.
        given: usize,
        /// The least it takes.
        least: usize,
        /// The most it takes.
        most: usize,
    },
    /// The kernel refused the memory.
    Memory {
        /// How much was asked for.
        bytes: usize,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The consumer thread could not be pinned to its core.
    Pin(PinError),
    /// The consumer thread could not be started.
    Thread(io::Error),
    /// The thread of a sink behind an [`Offload`](crate::sink::Offload) could not be started.
    SinkThread {
        /// The sink's name.
        name: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A filter could not be read.
    Filter {
        /// The environment variable that it stands in; `None` if the builder was given it.
        variable: Option<String>,
        /// What is wrong, and where.
        source: FilterError,
    },
    /// The program has as many loggers alive as there can be at once.
    TooManyLoggers {
        /// How many there can be.
        most: usize,
    },
    /// A route leads to a sink that there is not.
    Route {
        /// The name it has.
        destination: String,
        /// The names of the sinks there are.
        sinks: Vec<String>,
    },
    /// A logger has been installed before; a program has one installed logger.
    AlreadyInstalled,
    /// The signals that the installed logger acts on cannot be handled.
    #[cfg(any(feature = "signals", feature = "crash"))]
    Signals(SignalError),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Capacity {
                setting,
                given,
                least,
                most,
            } => write!(
                f,
                "`{setting}` is {given}, and must be between {least} and {most}"
            ),
            BuildError::Memory { bytes, source } => {
                write!(f, "cannot allocate {bytes} bytes for the ring: {source}")
            }
            BuildError::Pin(error) => write!(f, "cannot pin the consumer thread: {error}"),
            BuildError::Thread(error) => write!(f, "cannot start the consumer thread: {error}"),
            BuildError::SinkThread { name, source } => {
                write!(f, "cannot start the thread of sink `{name}`: {source}")
            }
            BuildError::Filter { variable, source } => match variable {
                Some(variable) => write!(
                    f,
                    "cannot read the filter in the environment variable {variable}: {source}"
                ),
                None => write!(f, "cannot read the filter: {source}"),
            },
            BuildError::TooManyLoggers { most } => write!(
                f,
                "{most} loggers are alive, and there cannot be more at once"
            ),
            BuildError::Route { destination, sinks } => {
                let sinks = sinks.iter().map(|sink| format!("`{sink}`"));
                let sinks = sinks.collect::<Vec<_>>().join(", ");
                write!(
                    f,
                    "a route leads to `{destination}`, and the sinks are {sinks}"
                )
            }
            BuildError::AlreadyInstalled => {
                f.write_str("a logger has been installed before, and a program has only one")
            }
            #[cfg(any(feature = "signals", feature = "crash"))]
            BuildError::Signals(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BuildError::Memory { source, .. } | BuildError::SinkThread { source, .. } => {
                Some(source)
            }
            BuildError::Thread(error) => Some(error),
            BuildError::Pin(error) => Some(error),
            BuildError::Filter { source, .. } => Some(source),
            #[cfg(any(feature = "signals", feature = "crash"))]
            BuildError::Signals(error) => std::error::Error::source(error),
            _ => None,
        }
    }
}

/// A flush did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlushError {
    /// The deadline passed. The records stay in the ring and will be written.
    TimedOut,
    /// The logger was shut down first; its report tells what became of the records.
    Closed,
    /// A sink failed; what it could not take is kept and tried again.
    Sink {
        /// The sink's name.
        name: String,
        /// What it answered.
        error: String,
    },
    /// The call came from inside a sink, which cannot wait for itself.
    InsideSink,
    /// The process is a fork of the one that the logger belongs to; see
    /// [`restart_in_child`](crate::RingLogger::restart_in_child).
    Forked,
}

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FlushError::TimedOut => f.write_str("the deadline passed before all was written"),
            FlushError::Closed => f.write_str("the logger has been shut down"),
            FlushError::Sink { name, error } => write!(f, "sink `{name}` failed: {error}"),
            FlushError::InsideSink => f.write_str("a sink cannot wait for its own flush"),
            FlushError::Forked => f.write_str("the logger belongs to the parent process"),
        }
    }
}

impl std::error::Error for FlushError {}

/// A logger could not be restarted in a forked child.
#[derive(Debug)]
#[non_exhaustive]
pub enum RestartError {
    /// The process is not a fork of the one that the logger belongs to, or it has been restarted.
    NotForked,
    /// A sink was being called while the process forked, and did not return for 20 ms: what it was
    /// doing will never be finished here.
    SinkBusy,
    /// A sink could not be made fit for use. Nothing has changed: the call may be repeated.
    Sink {
        /// The sink's name.
        name: String,
        /// What it answered.
        error: String,
    },
    /// The logger could not be built again.
    Build(BuildError),
}

impl fmt::Display for RestartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RestartError::NotForked => {
                f.write_str("the logger is this process's own, so there is nothing to restart")
            }
            RestartError::SinkBusy => {
                f.write_str("a sink was being called while the process forked")
            }
            RestartError::Sink { name, error } => {
                write!(f, "sink `{name}` cannot be used in the child: {error}")
            }
            RestartError::Build(error) => write!(f, "the logger cannot be built again: {error}"),
        }
    }
}

impl std::error::Error for RestartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RestartError::Build(error) => Some(error),
            _ => None,
        }
    }
}

/// Signals cannot be handled.
#[cfg(any(feature = "signals", feature = "crash"))]
#[derive(Debug)]
#[non_exhaustive]
pub enum SignalError {
    /// The thread that acts on signals could not be started.
    Thread(io::Error),
    /// There is no memory for the alternate stack on which crashes are handled.
    Stack(io::Error),
    /// The kernel refused the handler.
    Refused {
        /// The signal's name.
        signal: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Only Linux is supported.
    Unsupported,
}

#[cfg(any(feature = "signals", feature = "crash"))]
impl fmt::Display for SignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SignalError::Thread(error) => {
                write!(f, "cannot start the thread that acts on signals: {error}")
            }
            SignalError::Stack(error) => {
                write!(f, "cannot allocate the stack for crashes: {error}")
            }
            SignalError::Refused { signal, source } => {
                write!(f, "cannot handle {signal}: {source}")
            }
            SignalError::Unsupported => {
                f.write_str("signals are not handled on this platform, only on Linux")
            }
        }
    }
}

#[cfg(any(feature = "signals", feature = "crash"))]
impl std::error::Error for SignalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SignalError::Thread(source)
            | SignalError::Stack(source)
            | SignalError::Refused { source, .. } => Some(source),
            SignalError::Unsupported => None,
        }
    }
}

/// A text is not a [`Symbol`](crate::Symbol).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SymbolError {
    /// It has more than 16 bytes.
    TooLong {
        /// How many it has.
        length: usize,
    },
    /// It has a zero byte in it.
    HasZero {
        /// Where, from 0.
        at: usize,
    },
    /// It is not UTF-8.
    NotUtf8 {
        /// The place of the first byte that is wrong, from 0.
        at: usize,
    },
}

impl fmt::Display for SymbolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SymbolError::TooLong { length } => write!(
                f,
                "a symbol has at most {} bytes, and this one has {length}",
                crate::Symbol::MOST
            ),
            SymbolError::HasZero { at } => write!(f, "a symbol has no zero byte, as byte {at} is"),
            SymbolError::NotUtf8 { at } => write!(f, "a symbol is UTF-8, and byte {at} is not"),
        }
    }
}

impl std::error::Error for SymbolError {}
