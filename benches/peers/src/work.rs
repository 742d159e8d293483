//! What the contenders have to do.

use std::fmt;
use std::ops::Range;

/// One thing to measure. They are shown in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// So many calls in a row, then a pause, again and again: what a call costs.
    Calls(u64),
    /// So many lines from so many threads, as fast as they can: how long until all are in the file.
    Lines { lines: u64, producers: u64 },
}

const MILLION: u64 = 1_000_000;

impl Work {
    /// All works that are measured unless others are asked for.
    pub fn usual() -> Vec<Work> {
        let mut works = vec![Work::Calls(20), Work::Calls(1)];
        for lines in [MILLION, 4 * MILLION] {
            works.extend([1, 4].map(|producers| Work::Lines { lines, producers }));
        }
        works
    }

    /// More and more threads, as long as each has a core beside the loggers' own.
    pub fn scaling(cores: usize) -> Vec<Work> {
        [1, 2, 4, 8, 16]
            .into_iter()
            .filter(|&producers| producers < cores as u64)
            .map(|producers| Work::Lines {
                lines: MILLION,
                producers,
            })
            .collect()
    }

    /// The works with this name: one, or all of a kind.
    pub fn named(name: &str) -> Result<Vec<Work>, String> {
        let usual = Work::usual();
        let works: Vec<Work> = match name {
            "latency" => usual.into_iter().filter(|work| work.is_calls()).collect(),
            "throughput" => usual.into_iter().filter(|work| !work.is_calls()).collect(),
            _ => return name.parse().map(|work| vec![work]),
        };
        Ok(works)
    }

    pub fn is_calls(self) -> bool {
        matches!(self, Work::Calls(_))
    }

    /// How many threads log.
    pub fn producers(self) -> u64 {
        match self {
            Work::Calls(_) => 1,
            Work::Lines { producers, .. } => producers,
        }
    }

    /// The numbers that thread `producer` logs, of `lines` in all; threads do not share any.
    pub fn share(self, producer: u64, lines: u64) -> Range<u64> {
        let all = self.producers();
        producer * lines / all..(producer + 1) * lines / all
    }
}

/// `burst20`, `single`, `4M-1`: four million lines from one thread.
impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Work::Calls(1) => f.write_str("single"),
            Work::Calls(calls) => write!(f, "burst{calls}"),
            Work::Lines { lines, producers } if lines % MILLION == 0 => {
                write!(f, "{}M-{producers}", lines / MILLION)
            }
            Work::Lines { lines, producers } => write!(f, "{lines}-{producers}"),
        }
    }
}

impl std::str::FromStr for Work {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok().filter(|&number: &u64| number > 0);
        let work = if name == "single" {
            Some(Work::Calls(1))
        } else if let Some(calls) = name.strip_prefix("burst") {
            number(calls).filter(|&calls| calls == 20).map(Work::Calls)
        } else {
            name.split_once('-').and_then(|(lines, producers)| {
                let lines = match lines.strip_suffix('M') {
                    Some(millions) => number(millions)? * MILLION,
                    None => number(lines)?,
                };
                let producers = number(producers)?;
                Some(Work::Lines { lines, producers })
            })
        };
        work.ok_or_else(|| {
            format!("`{name}` is no work: `burst20`, `single`, `4M-1`, `latency`, `throughput` are")
        })
    }
}
