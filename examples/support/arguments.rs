//! Command lines of the form `--option value`, read one option at a time.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// What is left of a command line.
#[derive(Debug)]
pub struct Arguments {
    rest: std::vec::IntoIter<OsString>,
}

/// The command line is not one that the program takes; the text says why.
#[derive(Debug, PartialEq, Eq)]
pub struct UsageError(String);

impl UsageError {
    /// An argument that the program does not know.
    pub fn unknown(argument: &OsStr) -> Self {
        UsageError(format!("unknown argument {argument:?}"))
    }

    /// Any other fault.
    pub fn new(reason: impl Into<String>) -> Self {
        UsageError(reason.into())
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; `--help` lists the options", self.0)
    }
}

impl std::error::Error for UsageError {}

impl Arguments {
    /// The arguments of this process, without the program's name.
    pub fn of_process() -> Self {
        Arguments::from_iter(std::env::args_os().skip(1))
    }

    /// The next argument, which should be an option.
    pub fn next(&mut self) -> Option<OsString> {
        self.rest.next()
    }

    /// The value of `option`: the next argument, whatever it is.
    pub fn value(&mut self, option: &str) -> Result<OsString, UsageError> {
        self.rest
            .next()
            .ok_or_else(|| UsageError(format!("`{option}` needs a value")))
    }

    /// The value of `option`, as a path.
    pub fn path(&mut self, option: &str) -> Result<PathBuf, UsageError> {
        self.value(option).map(PathBuf::from)
    }

    /// The value of `option`, as text.
    pub fn text(&mut self, option: &str) -> Result<String, UsageError> {
        self.value(option)?
            .into_string()
            .map_err(|value| UsageError(format!("`{option}` takes text, not {value:?}")))
    }

    /// The value of `option`, as a whole number within `range`.
    pub fn number(&mut self, option: &str, range: RangeInclusive<u64>) -> Result<u64, UsageError> {
        let value = self.value(option)?;
        value
            .to_str()
            .and_then(|text| text.parse().ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                let (least, most) = range.into_inner();
                UsageError(format!(
                    "`{option}` takes a whole number from {least} to {most}, not {value:?}"
                ))
            })
    }

    /// The value of `option`, which is the name of one of `choices`.
    pub fn choice<T: Copy>(
        &mut self,
        option: &str,
        choices: &[(&str, T)],
    ) -> Result<T, UsageError> {
        let value = self.value(option)?;
        choices
            .iter()
            .find(|(name, _)| value == *name)
            .map(|&(_, choice)| choice)
            .ok_or_else(|| {
                let names: Vec<&str> = choices.iter().map(|&(name, _)| name).collect();
                UsageError(format!(
                    "`{option}` takes one of {}, not {value:?}",
                    names.join(", ")
                ))
            })
    }
}

impl<T: Into<OsString>> FromIterator<T> for Arguments {
    fn from_iter<I: IntoIterator<Item = T>>(arguments: I) -> Self {
        Arguments {
            rest: arguments
                .into_iter()
                .map(Into::into)
                .collect::<Vec<_>>()
                .into_iter(),
        }
    }
}
