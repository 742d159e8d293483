//! The sinks of a configuration: read and checked with all the rest, opened when it is put to use.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use super::reader::{Path, Reader, Reading};
use crate::sink::{
    Console, Destination, Fallback, File, Null, Offload, OffloadSettings, QueueFull, Sink,
};

/// A sink that is not open yet.
#[derive(Clone, Debug)]
pub(super) struct SinkPlan {
    /// Where it stands in the configuration.
    pub(super) path: Path,
    kind: Kind,
    fallback: Option<FallbackPlan>,
    offload: Option<OffloadSettings>,
}

#[derive(Clone, Debug)]
enum Kind {
    File { path: PathBuf, truncate: bool },
    Stdout,
    Stderr,
    Null,
}

/// The sink that stands in for another, and when.
#[derive(Clone, Debug)]
struct FallbackPlan {
    kind: Kind,
    after_failures: Option<u32>,
    probe_after: Option<Duration>,
    probe_at_most: Option<Duration>,
}

/// Reads a table of `sinks`.
pub(super) fn read(keys: &mut Reader<'_>) -> Reading<SinkPlan> {
    let fallback = keys.table("fallback", read_fallback)?;
    let offload = keys.table_or_flag("offload", read_offload)?;
    Ok(SinkPlan {
        path: keys.path().clone(),
        kind: read_kind(keys)?,
        fallback,
        offload,
    })
}

fn read_kind(keys: &mut Reader<'_>) -> Reading<Kind> {
    #[derive(Clone, Copy)]
    enum Word {
        File,
        Stdout,
        Stderr,
        Null,
    }
    const WORDS: [(&str, Word); 4] = [
        ("file", Word::File),
        ("stdout", Word::Stdout),
        ("stderr", Word::Stderr),
        ("null", Word::Null),
    ];
    let Some(word) = keys.choice("kind", &WORDS)? else {
        // Says that it is missing.
        keys.required_text("kind")?;
        unreachable!("a key that was missing was there");
    };
    Ok(match word {
        Word::File => Kind::File {
            truncate: keys.flag("truncate")?.unwrap_or(false),
            path: keys.required_text("path")?.into(),
        },
        Word::Stdout => Kind::Stdout,
        Word::Stderr => Kind::Stderr,
        Word::Null => Kind::Null,
    })
}

fn read_fallback(keys: &mut Reader<'_>) -> Reading<FallbackPlan> {
    let failures = keys.number("after_failures", 1..=1_000_000)?;
    Ok(FallbackPlan {
        after_failures: failures.map(|failures| failures as u32),
        probe_after: keys.duration("probe_after")?,
        probe_at_most: keys.duration("probe_at_most")?,
        kind: read_kind(keys)?,
    })
}

fn read_offload(keys: &mut Reader<'_>) -> Reading<OffloadSettings> {
    let mut settings = OffloadSettings::default();
    if let Some(bytes) = keys.bytes("queue_bytes", OffloadSettings::QUEUE_BYTES)? {
        settings.queue_bytes = bytes;
    }
    let policies = [
        ("drop_newest", QueueFull::DropNewest),
        ("drop_oldest", QueueFull::DropOldest),
    ];
    if let Some(policy) = keys.choice("when_full", &policies)? {
        settings.when_full = policy;
    }
    if let Some(bytes) = keys.bytes("batch_bytes", OffloadSettings::BATCH_BYTES)? {
        settings.batch_bytes = bytes;
    }
    if let Some(records) = keys.number("batch_records", 1..=usize::MAX)? {
        settings.batch_records = records;
    }
    if let Some(age) = keys.duration("batch_age")? {
        settings.batch_age = age;
    }
    Ok(settings)
}

/// What a sink says when it cannot be opened.
pub(super) type OpenFault = Box<dyn Error + Send + Sync>;

impl SinkPlan {
    pub(super) fn open(self) -> Result<Destination, OpenFault> {
        let mut sink = self.kind.open()?;
        if let Some(plan) = self.fallback {
            let mut fallback = Fallback::boxed(sink, plan.kind.open()?);
            if let Some(failures) = plan.after_failures {
                fallback = fallback.after_failures(failures);
            }
            fallback = fallback.probe(plan.probe_after, plan.probe_at_most);
            sink = Box::new(fallback);
        }
        Ok(match self.offload {
            Some(settings) => Offload { sink, settings }.into(),
            None => sink.into(),
        })
    }
}

impl Kind {
    fn open(self) -> Result<Box<dyn Sink>, OpenFault> {
        Ok(match self {
            Kind::File { path, truncate } => Box::new(if truncate {
                File::truncate(path)?
            } else {
                File::append(path)?
            }),
            Kind::Stdout => Box::new(Console::stdout()),
            Kind::Stderr => Box::new(Console::stderr()),
            Kind::Null => Box::new(Null),
        })
    }
}
