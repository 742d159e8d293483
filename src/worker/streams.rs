//! Records on their way to the sinks: rendered once per format, gathered once per selection.
//!
//! Sinks that want the same records in the same form share a stream: its text is put together once
//! and handed to each. Streams of the same format share the rendering: the second one copies what the
//! first one has. With one stream that takes everything, which is the usual case, a record goes
//! straight to it.

use std::sync::Arc;

use crate::callsite::{self, Statement};
use crate::format::{self, AnyFormat, Formatter, Occurrence, Output, Redaction};
use crate::level::{Level, LevelFilter};
use crate::routing::{Answer, Attached, Facts, Routes, Rule, Selection};
use crate::sink::{Batch, Mark, Place};

/// See the [module](self).
pub(crate) struct Streams {
    pub(super) formats: Vec<Formatter>,
    /// Ordered by format.
    pub(super) streams: Vec<Stream>,
    /// There is one stream, and it takes everything.
    is_single: bool,
    /// By statement id; `None` where no record of the statement has been seen.
    wishes: Vec<Option<Wishes>>,
    /// Whether a stream has grown to [`FULL`].
    is_full: bool,
}

/// A stream is handed over when it is as long as this, and at the end of a round.
const FULL: usize = 512 << 10;

/// What goes to some sinks.
pub(super) struct Stream {
    /// The place of its format.
    pub(super) format: usize,
    selection: Selection,
    out: Output,
    /// One for each entry in `out`.
    marks: Vec<Mark>,
}

/// Which streams want the records of one statement.
struct Wishes {
    statement: &'static Statement,
    names: Vec<&'static str>,
    /// One for each stream, for records without a context.
    plain: Box<[Answer]>,
    /// The same for records with one.
    in_context: Box<[Answer]>,
}

/// A sink without what it was attached with, and the place of its stream.
pub(super) struct Placed {
    pub(super) to: Place,
    pub(super) stream: usize,
}

impl Streams {
    /// The streams that these sinks need.
    pub(super) fn new(
        attached: Vec<Attached>,
        routes: &Routes,
        redaction: &Arc<Redaction>,
    ) -> (Self, Vec<Placed>) {
        let mut formats = Vec::new();
        let mut streams: Vec<Stream> = Vec::new();
        let mut placed = Vec::new();
        for sink in attached {
            let selection = sink.selection(routes);
            let format = match formats.iter().position(|known| sink.format.is_same(known)) {
                Some(place) => place,
                None => {
                    formats.push(sink.format);
                    formats.len() - 1
                }
            };
            let is_same = |known: &Stream| known.format == format && known.selection == selection;
            let stream = match streams.iter().position(is_same) {
                Some(place) => place,
                None => {
                    streams.push(Stream::new(format, selection));
                    streams.len() - 1
                }
            };
            placed.push(Placed {
                to: sink.to,
                stream,
            });
        }
        // By format, and the sinks with them.
        let mut order: Vec<usize> = (0..streams.len()).collect();
        order.sort_by_key(|&place| streams[place].format);
        for sink in &mut placed {
            sink.stream = order
                .iter()
                .position(|&place| place == sink.stream)
                .unwrap_or(0);
        }
        streams.sort_by_key(|stream| stream.format);
        let is_single = matches!(&*streams, [only] if only.selection.is_everything());
        let formats = formats
            .into_iter()
            .map(|format| format.into_formatter(redaction.clone()));
        let streams = Streams {
            formats: formats.collect(),
            streams,
            is_single,
            wishes: Vec::new(),
            is_full: false,
        };
        (streams, placed)
    }

    /// Lets sinks want something else from now on; `choose` says what, from a sink's place and what it
    /// wanted before. Only while there is nothing to hand over.
    #[cfg(feature = "config")]
    pub(super) fn reselect(
        &mut self,
        stream_of: &mut [usize],
        choose: impl Fn(usize, &Selection) -> Selection,
    ) {
        let mut streams: Vec<Stream> = Vec::new();
        // The streams are ordered by format, so sinks taken in that order make ordered ones.
        let mut sinks: Vec<usize> = (0..stream_of.len()).collect();
        sinks.sort_by_key(|&sink| stream_of[sink]);
        for sink in sinks {
            let before = &self.streams[stream_of[sink]];
            let (format, selection) = (before.format, choose(sink, &before.selection));
            let is_same = |known: &Stream| known.format == format && known.selection == selection;
            stream_of[sink] = match streams.iter().position(is_same) {
                Some(place) => place,
                None => {
                    streams.push(Stream::new(format, selection));
                    streams.len() - 1
                }
            };
        }
        self.is_single = matches!(&*streams, [only] if only.selection.is_everything());
        self.streams = streams;
        self.wishes.clear();
    }

    /// Renders a record for all that want it. It is the one of this number since the last
    /// [`clear`](Self::clear).
    #[inline(always)]
    pub(super) fn record(&mut self, statement: u32, occurrence: &Occurrence<'_>, number: u64) {
        if !self.is_single {
            return self.record_for_some(statement, occurrence, number);
        }
        let (Some(format), Some(stream)) = (self.formats.first_mut(), self.streams.first_mut())
        else {
            return;
        };
        let level = format.record(&mut stream.out, statement, occurrence);
        stream.mark(Mark::record(
            occurrence.unix_nanos,
            level,
            stream.out.len(),
            number,
        ));
        self.is_full = stream.out.len() >= FULL;
    }

    #[inline(never)]
    fn record_for_some(&mut self, statement: u32, occurrence: &Occurrence<'_>, number: u64) {
        if !matches!(self.wishes.get(statement as usize), Some(Some(_))) {
            self.learn(statement);
        }
        let wishes = self.wishes.get(statement as usize).and_then(Option::as_ref);
        // The format that rendered the record last, the stream it did so for, and where the record
        // begins there.
        let mut rendered: Option<(usize, usize, usize, Level)> = None;
        for place in 0..self.streams.len() {
            if !wishes.is_none_or(|wishes| wishes.are(&self.streams, place, occurrence)) {
                continue;
            }
            let (before, rest) = self.streams.split_at_mut(place);
            let stream = &mut rest[0];
            let level = match rendered {
                Some((format, source, start, level)) if format == stream.format => {
                    stream.out.append(&before[source].out.entries()[start..]);
                    level
                }
                _ => {
                    let start = stream.out.len();
                    let format = &mut self.formats[stream.format];
                    let level = format.record(&mut stream.out, statement, occurrence);
                    rendered = Some((stream.format, place, start, level));
                    level
                }
            };
            let end = stream.out.len();
            stream.mark(Mark::record(occurrence.unix_nanos, level, end, number));
            self.is_full |= end >= FULL;
        }
    }

    /// Asks who wants a statement that is seen for the first time.
    #[cold]
    #[inline(never)]
    fn learn(&mut self, id: u32) {
        let Some(statement) = callsite::statement(id) else {
            return;
        };
        let metadata = statement.site.metadata();
        let names: Vec<&str> = metadata.fields.iter().map(|field| field.name).collect();
        let answers = |is_open| {
            let facts = Facts {
                level: metadata.level,
                target: metadata.target,
                fields: None,
                names: &names,
                is_open,
            };
            let streams = self.streams.iter();
            streams
                .map(|stream| stream.selection.wants(&facts))
                .collect()
        };
        let wishes = Wishes {
            statement,
            plain: answers(false),
            in_context: answers(true),
            names,
        };
        let place = id as usize;
        if self.wishes.len() <= place {
            self.wishes.resize_with(place + 1, || None);
        }
        self.wishes[place] = Some(wishes);
    }

    /// A line of the logger's own, for all whose level lets it through.
    pub(super) fn notice(&mut self, unix_nanos: u64, level: Level, thread: &[u8], text: &str) {
        for stream in &mut self.streams {
            if stream.selection.level.allows(level) {
                let format = &mut self.formats[stream.format];
                format.notice(&mut stream.out, unix_nanos, level, thread, text);
                stream.mark(Mark::own(unix_nanos, level, stream.out.len()));
            }
        }
    }

    /// Whether it is time to hand over what there is.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Forgets the entries, which have been handed over. Answers how many bytes it was.
    pub(super) fn clear(&mut self) -> u64 {
        self.is_full = false;
        let mut bytes = 0;
        for stream in &mut self.streams {
            bytes += stream.out.len() as u64;
            stream.out.clear();
            stream.marks.clear();
        }
        bytes
    }

    /// Masks other values from now on.
    pub(super) fn redact(&mut self, redaction: &Arc<Redaction>) {
        for format in &mut self.formats {
            format.redact(redaction);
        }
    }

    /// The format, the level and the filter of the stream in this place.
    pub(super) fn options(&self, place: usize) -> (AnyFormat, LevelFilter, Option<Rule>) {
        let stream = &self.streams[place];
        let format = self.formats[stream.format].format();
        (
            format,
            stream.selection.level,
            stream.selection.filter.clone(),
        )
    }

    /// How often formats of the program's own have panicked.
    pub(super) fn panics(&self) -> u64 {
        self.formats.iter().map(Formatter::panics).sum()
    }
}

impl Stream {
    fn new(format: usize, selection: Selection) -> Self {
        Stream {
            format,
            selection,
            out: Output::with_room(FULL + FULL / 4),
            marks: Vec::with_capacity(FULL / 32),
        }
    }

    #[inline]
    fn mark(&mut self, mark: Mark) {
        self.marks.push(mark);
    }

    /// The entries, where records are counted from `base`.
    pub(super) fn batch(&self, base: u64) -> Batch<'_> {
        Batch::marked(self.out.entries(), &self.marks, base)
    }
}

impl Wishes {
    /// Whether the stream in this place wants a record.
    fn are(&self, streams: &[Stream], place: usize, occurrence: &Occurrence<'_>) -> bool {
        let answers = if occurrence.context.is_empty() {
            &self.plain
        } else {
            &self.in_context
        };
        match answers[place] {
            Answer::Yes => true,
            Answer::No => false,
            Answer::Depends => {
                let metadata = self.statement.site.metadata();
                let fields = |is: &mut dyn FnMut(&str, &str) -> bool| {
                    format::any_field(self.statement, occurrence, is)
                };
                let facts = Facts {
                    level: metadata.level,
                    target: metadata.target,
                    fields: Some(&fields),
                    names: &self.names,
                    is_open: true,
                };
                streams[place].selection.wants(&facts) == Answer::Yes
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Json, Text};
    use crate::sink::{Null, SinkOptions};

    /// Of ten sinks, those that want the same share a stream, and those of one format the rendering.
    #[test]
    fn equal_formats_are_rendered_once() {
        let options = |name: &str| SinkOptions::new().name(name);
        let pattern = || Text::pattern("{level} {message}").unwrap();
        let all = [
            options("0"),
            options("1").format(Text::new()),
            options("2").format(Json::new()),
            options("3").format(pattern()),
            options("4").format(Json::new()).level(Level::Warn),
            options("5").format(pattern().escape(false)),
            options("6").format(Json::new()).level(Level::Warn),
            options("7").format(pattern()).filter(Rule::target("bank")),
            options("8").format(pattern()).filter(Rule::target("bank")),
            options("9"),
        ];
        let attached = all
            .into_iter()
            .flat_map(|options| Attached::all(Null.into(), options))
            .collect();
        let redaction = Arc::new(Redaction::new());
        let (streams, placed) = Streams::new(attached, &Routes::new(), &redaction);
        assert_eq!((streams.formats.len(), streams.streams.len()), (4, 6));
        let stream_of = |sink: usize| placed[sink].stream;
        for (sink, same) in [(0, 1), (0, 9), (4, 6), (7, 8)] {
            assert_eq!(stream_of(sink), stream_of(same));
        }
    }
}
