//! A statement, compiled for one format: all that can be known of its entries before they are
//! written becomes a flat list of operations, each of which copies a bit of literal text and then
//! renders one thing.
//!
//! Whatever can be decided once per statement is: how a pair of type and specification is
//! rendered, what the literal text looks like once escaped, which values are nobody's to see, and
//! whether the values are needed in the order in which they are stored. Where they are, as in
//! nearly all statements, they are decoded one by one as the line is written; otherwise all are
//! decoded first.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::context::ContextStyle;
use super::escape::{self, Escaping};
use super::float;
use super::line::{Line, Output, Put as _};
use super::number;
use super::quote;
use super::redact::Redaction;
use super::spec::{self, Resolved};
use super::time::Clocks;
use super::typed::{self, Masks};
use crate::level::Level;
use crate::record::{Chars, Context, Decoder, Spec, Type, Value};

/// How many bytes of literal text an operation has with it. More takes more operations.
const LITERAL: usize = 24;

/// What one record brings: all that is not known of its statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Occurrence<'a> {
    /// UTC, in nanoseconds since 1970.
    pub(crate) unix_nanos: u64,
    /// The name of the thread that wrote the record, as UTF-8 if it is well.
    pub(crate) thread: &'a [u8],
    /// Whether that can stand in any format as it is; false if nobody has looked.
    pub(crate) thread_is_plain: bool,
    /// The kernel's number of that thread; 0 if it is not known.
    pub(crate) thread_id: u64,
    /// The record's number in this log, from 1.
    pub(crate) number: u64,
    /// The fields that it has from its thread.
    pub(crate) context: Context<'a>,
    /// The statement's stored values.
    pub(crate) payload: &'a [u8],
}

/// Copies the literal, then does what `action` says.
#[derive(Clone, Copy, Debug)]
struct Op {
    literal: [u8; LITERAL],
    length: u8,
    action: Action,
    /// For [`Action::Fixed`] the precision, for [`Action::Rare`] and those that may be rare the place in
    /// [`Program::rare`].
    operand: u32,
}

const _: () = assert!(size_of::<Op>() == 32, "two operations share a cache line");

/// What follows an operation's literal. Those named after a type decode the next value, and render
/// it as `{}` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing.
    Literal,
    /// The time, in UTC and to the nanosecond.
    Time,
    /// The thread's name.
    Thread,
    /// The record's number.
    Number,
    Bool,
    Char,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
    Str,
    Text,
    /// An `f64`, as `{:.n}` does.
    Fixed,
    /// An `f64`, as JSON does.
    Real,
    /// A `u64` or an `i64` that JSON has a number for. Any other is what [`Rare`] says.
    Natural,
    Whole,
    /// The fields of the context, as the style at the place `operand` says.
    Context,
    /// What has no action of its own. All values, if the statement needs them out of order.
    Rare,
}

/// What has no action of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rare {
    /// A value as its specification says.
    Value(Specified),
    /// A value as its specification says, in quotes if it needs them.
    Quoted(Specified),
    /// A value as JSON has it.
    Typed(Typed),
    /// A value that is not shown.
    Hidden(Type),
    /// The time in the style of this place among the clocks.
    Time(usize),
    /// The thread's name.
    Thread(Resolved<'static>),
    /// The thread's name, in quotes if it needs them.
    QuotedThread,
    /// The thread's number.
    ThreadId(Resolved<'static>),
    /// The record's number.
    Number(Resolved<'static>),
}

/// A value and its specification.
#[derive(Clone, Copy, Debug)]
pub(super) struct Specified {
    pub(super) index: u16,
    /// `None` if the statement stores no such value.
    pub(super) ty: Option<Type>,
    pub(super) spec: Spec,
    /// `None` if the specification refers to stored values.
    pub(super) resolved: Option<Resolved<'static>>,
    /// Something inside of the value may be masked.
    pub(super) masks: bool,
}

/// A value that is written as JSON has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Typed {
    pub(super) index: u16,
    pub(super) ty: Type,
    /// Something inside of the value may be masked.
    pub(super) masks: bool,
}

/// How to render the records of one statement, in one format.
#[derive(Debug)]
pub(super) struct Program {
    ops: Vec<Op>,
    rare: Vec<Rare>,
    contexts: Vec<ContextStyle>,
    /// Of the stored values.
    types: Vec<Type>,
    /// The time comes first, in UTC and to the nanosecond, and is not among the operations.
    begins_with_time: bool,
    /// Each value is needed once, in the order in which they are stored.
    in_order: bool,
    level: Level,
    redaction: Arc<Redaction>,
}

impl Op {
    /// Whether nothing comes of it where there is no context.
    #[inline(always)]
    fn is_context_alone(&self) -> bool {
        self.action == Action::Context && self.length == 0
    }
}

impl Program {
    pub(super) fn new(
        types: &[Type],
        in_order: bool,
        level: Level,
        redaction: Arc<Redaction>,
    ) -> Program {
        Program {
            ops: Vec::new(),
            rare: Vec::new(),
            contexts: Vec::new(),
            types: types.to_vec(),
            begins_with_time: false,
            in_order,
            level,
            redaction,
        }
    }

    /// Takes the literal, of any length.
    pub(super) fn push(&mut self, literal: &mut Vec<u8>, action: Action, operand: u32) {
        if self.ops.is_empty() && literal.is_empty() && action == Action::Time {
            self.begins_with_time = true;
            return;
        }
        let mut rest = literal.as_slice();
        while let Some((first, more)) = rest.split_first_chunk::<LITERAL>() {
            self.ops.push(Op {
                literal: *first,
                length: LITERAL as u8,
                action: Action::Literal,
                operand: 0,
            });
            rest = more;
        }
        let mut op = Op {
            literal: [0; LITERAL],
            length: rest.len() as u8,
            action,
            operand,
        };
        op.literal[..rest.len()].copy_from_slice(rest);
        self.ops.push(op);
        literal.clear();
    }

    /// Takes the literal, and what has no action of its own, or only one for most of its values.
    pub(super) fn push_rare(&mut self, literal: &mut Vec<u8>, action: Action, rare: Rare) {
        let place = self.rare.len() as u32;
        self.rare.push(rare);
        self.push(literal, action, place);
    }

    /// Takes the literal, and the fields of the context.
    pub(super) fn push_context(&mut self, literal: &mut Vec<u8>, style: ContextStyle) {
        let place = self.contexts.len() as u32;
        self.contexts.push(style);
        self.push(literal, Action::Context, place);
    }

    /// The statement's level.
    pub(super) fn level(&self) -> Level {
        self.level
    }

    /// All that is done for a record.
    #[cfg(test)]
    pub(super) fn steps(&self) -> String {
        format!("{:?} {:?} {}", self.ops, self.rare, self.in_order)
    }

    /// Whether each value is needed once, in the order in which they are stored.
    pub(super) fn is_in_order(&self) -> bool {
        self.in_order
    }

    /// Renders one record of a statement whose values are needed in order. Answers false, and stops,
    /// where the record does not hold what the statement stores.
    ///
    /// The line and the decoder stay in registers as long as nothing takes their address, which a
    /// function that is not inlined would. So those take and answer values.
    #[inline(always)]
    pub(super) fn run<E: Escaping>(
        &self,
        line: &mut Line<'_>,
        occurrence: &Occurrence<'_>,
        clocks: &mut Clocks,
        scratch: &mut Scratch,
    ) -> bool {
        if self.begins_with_time {
            clocks.utc.put(line, occurrence.unix_nanos);
        }
        let ops = match self.ops.split_last() {
            Some((last, ops)) if occurrence.context.is_empty() && last.is_context_alone() => ops,
            _ => &self.ops,
        };
        let mut decoder = Decoder::new(occurrence.payload);
        // The next value, or the end. Not by way of `Decoder::next`, which answers in memory.
        macro_rules! next {
            (chars) => {
                match decoder.chars() {
                    Some(chars) => chars,
                    None => return false,
                }
            };
            ($number:ident) => {
                match decoder.take() {
                    Some(bytes) => $number::from_le_bytes(bytes),
                    None => return false,
                }
            };
        }
        for op in ops {
            line.put(&op.literal, usize::from(op.length));
            // Magnitudes come out of this, so that they are written in one place; all else goes on.
            let magnitude = match op.action {
                Action::I8 => put_sign(line, next!(i8)),
                Action::I16 => put_sign(line, next!(i16)),
                Action::I32 => put_sign(line, next!(i32)),
                Action::I64 => put_sign(line, next!(i64)),
                Action::U8 => next!(u8).into(),
                Action::U16 => next!(u16).into(),
                Action::U32 => next!(u32).into(),
                Action::U64 => next!(u64),
                Action::Natural if typed::is_natural(decoder.clone()) => next!(u64),
                Action::Whole if typed::is_whole(decoder.clone()) => put_sign(line, next!(i64)),
                Action::Number => occurrence.number,
                Action::F32 => {
                    float::put_shortest(line, next!(f32));
                    continue;
                }
                Action::F64 => {
                    float::put_f64(line, next!(f64));
                    continue;
                }
                Action::Fixed => {
                    let (number, precision) = (next!(f64), op.operand as usize);
                    if !float::put_fixed(line, number, precision) {
                        line.bytes(scratch.large_fixed::<E>(number, precision));
                    }
                    continue;
                }
                Action::Real => {
                    typed::put_real(line, next!(f64));
                    continue;
                }
                Action::Literal => continue,
                Action::Context => {
                    if !occurrence.context.is_empty() {
                        line.bytes(self.context(op.operand, occurrence, scratch));
                    }
                    continue;
                }
                Action::Time => {
                    clocks.utc.put(line, occurrence.unix_nanos);
                    continue;
                }
                Action::Bool => {
                    match next!(u8) {
                        0 => line.put(b"false", 5),
                        _ => line.put(b"true", 4),
                    }
                    continue;
                }
                Action::Thread => {
                    if occurrence.thread_is_plain {
                        line.bytes(occurrence.thread);
                    } else {
                        line.bytes(escaped::<E>(occurrence.thread, scratch));
                    }
                    continue;
                }
                Action::Char => {
                    let Some(character) = char::from_u32(next!(u32)) else {
                        return false;
                    };
                    let mut utf8 = [0; 4];
                    let text = character.encode_utf8(&mut utf8).as_bytes();
                    line.bytes(escaped::<E>(text, scratch));
                    continue;
                }
                Action::Str => {
                    let chars = next!(chars);
                    if chars.cut == 0 {
                        line.bytes(escaped::<E>(chars.kept, scratch));
                    } else {
                        line.bytes(scratch.cut::<E>(chars));
                    }
                    continue;
                }
                Action::Text => {
                    let chars = next!(chars);
                    if chars.cut == 0 {
                        line.bytes(escaped::<E>(chars.kept, scratch));
                    } else {
                        line.bytes(scratch.cut::<E>(chars));
                    }
                    continue;
                }
                Action::Natural | Action::Whole | Action::Rare => {
                    match self.next_rare::<E>(op.operand, decoder, occurrence, clocks, scratch) {
                        Some((text, after)) => {
                            line.bytes(text);
                            decoder = after;
                            continue;
                        }
                        None => return false,
                    }
                }
            };
            number::put_unsigned(line, magnitude);
        }
        true
    }

    /// As [`run`](Self::run), for any other statement.
    #[cold]
    #[inline(never)]
    pub(super) fn run_out_of_order<E: Escaping>(
        &self,
        out: &mut Output,
        occurrence: &Occurrence<'_>,
        clocks: &mut Clocks,
        scratch: &mut Scratch,
    ) -> bool {
        if self.begins_with_time {
            clocks.utc.put(out, occurrence.unix_nanos);
        }
        let values = self.decode_all(occurrence.payload, scratch);
        let stored = |index: u16| values.get(usize::from(index)).copied();
        let mut complete = true;
        for op in &self.ops {
            out.put(&op.literal, usize::from(op.length));
            match op.action {
                Action::Time => clocks.utc.put(out, occurrence.unix_nanos),
                Action::Thread => out.bytes(escaped::<E>(occurrence.thread, scratch)),
                Action::Number => number::put_unsigned(out, occurrence.number),
                Action::Context => out.bytes(self.context(op.operand, occurrence, scratch)),
                Action::Rare => {
                    let rare = &self.rare[op.operand as usize];
                    let value = rare.index().and_then(stored);
                    match rare.render::<E>(
                        value,
                        stored,
                        &self.redaction,
                        occurrence,
                        clocks,
                        scratch,
                    ) {
                        Some(text) => out.bytes(text),
                        None => {
                            complete = false;
                            break;
                        }
                    }
                }
                _ => {}
            }
        }
        scratch.return_values(values);
        complete
    }

    /// Renders what has no action of its own, and answers where the next value is; `None` if that
    /// cannot be done. Code runs here that is not this crate's, and what it throws must not end the
    /// consumer.
    #[inline(never)]
    fn next_rare<'s, 'p, E: Escaping>(
        &self,
        place: u32,
        decoder: Decoder<'p>,
        occurrence: &Occurrence<'p>,
        clocks: &mut Clocks,
        scratch: &'s mut Scratch,
    ) -> Option<(&'s [u8], Decoder<'p>)> {
        let render = || self.next_or_panic::<E>(place, decoder, occurrence, clocks, scratch);
        // What stays half done in the scratch memory is cleared before its next use.
        catch_unwind(AssertUnwindSafe(render)).ok().flatten()
    }

    fn next_or_panic<'s, 'p, E: Escaping>(
        &self,
        place: u32,
        mut decoder: Decoder<'p>,
        occurrence: &Occurrence<'p>,
        clocks: &mut Clocks,
        scratch: &'s mut Scratch,
    ) -> Option<(&'s [u8], Decoder<'p>)> {
        let rare = self.rare.get(place as usize)?;
        let value = match rare.ty() {
            Some(ty) => Some(decoder.next(ty)?),
            None => None,
        };
        let redaction = &self.redaction;
        let text = rare.render::<E>(value, |_| None, redaction, occurrence, clocks, scratch)?;
        Some((text, decoder))
    }

    /// Renders the fields of the context.
    #[inline(never)]
    fn context<'s>(
        &self,
        place: u32,
        occurrence: &Occurrence<'_>,
        scratch: &'s mut Scratch,
    ) -> &'s [u8] {
        scratch.escaped.clear();
        if let Some(style) = self.contexts.get(place as usize) {
            let Scratch {
                rendered,
                escaped,
                urls,
                ..
            } = scratch;
            style.put(escaped, rendered, occurrence.context, *urls);
        }
        &scratch.escaped
    }

    /// All values, or as many as the payload holds.
    fn decode_all<'p>(&self, payload: &'p [u8], scratch: &mut Scratch) -> Vec<Value<'p>> {
        let mut decoder = Decoder::new(payload);
        let mut values: Vec<Value<'p>> = std::mem::take(&mut scratch.values);
        values.extend(self.types.iter().map_while(|&ty| decoder.next(ty)));
        values
    }
}

impl Rare {
    /// The type of the value that it takes, if it takes one.
    fn ty(&self) -> Option<Type> {
        match *self {
            Rare::Value(specified) | Rare::Quoted(specified) => specified.ty,
            Rare::Typed(typed) => Some(typed.ty),
            Rare::Hidden(ty) => Some(ty),
            _ => None,
        }
    }

    /// Which value it takes, if any.
    fn index(&self) -> Option<u16> {
        match *self {
            Rare::Value(specified) | Rare::Quoted(specified) => Some(specified.index),
            Rare::Typed(typed) => Some(typed.index),
            _ => None,
        }
    }

    /// `None` if there is no such value.
    fn render<'s, 'v, E: Escaping>(
        &self,
        value: Option<Value<'v>>,
        stored: impl Fn(u16) -> Option<Value<'v>>,
        redaction: &Redaction,
        occurrence: &Occurrence<'_>,
        clocks: &mut Clocks,
        scratch: &'s mut Scratch,
    ) -> Option<&'s [u8]> {
        scratch.rendered.clear();
        match self {
            Rare::Value(specified) => {
                let resolved = specified.resolve(stored, redaction)?;
                Some(scratch.render::<E>(value?, &resolved))
            }
            Rare::Quoted(specified) => {
                let resolved = specified.resolve(stored, redaction)?;
                spec::put_value(&mut scratch.rendered, value?, &resolved);
                Some(scratch.quoted())
            }
            Rare::Typed(typed) => {
                let masks = Masks {
                    urls: scratch.urls,
                    names: typed.masks.then_some(redaction),
                };
                typed::put_value(&mut scratch.rendered, value?, masks);
                Some(&scratch.rendered)
            }
            Rare::Hidden(_) => Some(b""),
            Rare::Time(place) => {
                clocks.put(*place, &mut scratch.rendered, occurrence.unix_nanos);
                Some(&scratch.rendered)
            }
            Rare::Thread(resolved) => {
                spec::put_str(&mut scratch.rendered, occurrence.thread, resolved);
                Some(escaped_of::<E>(
                    &scratch.rendered,
                    &mut scratch.escaped,
                    false,
                ))
            }
            Rare::QuotedThread => {
                scratch.rendered.bytes(occurrence.thread);
                Some(scratch.quoted())
            }
            Rare::ThreadId(resolved) => {
                let id = Value::U64(occurrence.thread_id);
                Some(scratch.render::<E>(id, resolved))
            }
            Rare::Number(resolved) => {
                let number = Value::U64(occurrence.number);
                Some(scratch.render::<E>(number, resolved))
            }
        }
    }
}

impl Specified {
    fn resolve<'v, 'r>(
        &self,
        stored: impl Fn(u16) -> Option<Value<'v>>,
        redaction: &'r Redaction,
    ) -> Option<Resolved<'r>> {
        let resolved = match self.resolved {
            Some(resolved) => resolved,
            // What a specification says of text has been done at the call.
            None if self.ty == Some(Type::Text) => Resolved::DISPLAY,
            None => Resolved::new(self.spec, stored)?,
        };
        Some(if self.masks {
            resolved.redacted(redaction)
        } else {
            resolved
        })
    }
}

/// Appends the sign, if there is one, and answers the magnitude.
#[inline(always)]
fn put_sign(line: &mut Line<'_>, number: impl Into<i64>) -> u64 {
    let number = number.into();
    line.put(b"-", usize::from(number < 0));
    number.unsigned_abs()
}

/// Memory that rendering needs for a moment, kept from one record to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    rendered: Vec<u8>,
    escaped: Vec<u8>,
    /// Empty: its allocation is what is kept.
    values: Vec<Value<'static>>,
    /// Whether credentials in URLs are masked.
    pub(super) urls: bool,
}

impl Scratch {
    fn render<E: Escaping>(&mut self, value: Value<'_>, spec: &Resolved<'_>) -> &[u8] {
        self.rendered.clear();
        spec::put_value(&mut self.rendered, value, spec);
        escaped_of::<E>(&self.rendered, &mut self.escaped, self.urls)
    }

    /// What is rendered, in quotes if it needs them.
    fn quoted(&mut self) -> &[u8] {
        self.escaped.clear();
        quote::put_value(&mut self.escaped, &self.rendered, self.urls);
        &self.escaped
    }

    #[cold]
    #[inline(never)]
    fn large_fixed<E: Escaping>(&mut self, number: f64, precision: usize) -> &[u8] {
        self.render::<E>(Value::F64(number), &Resolved::fixed(precision))
    }

    #[cold]
    #[inline(never)]
    fn cut<E: Escaping>(&mut self, chars: Chars<'_>) -> &[u8] {
        self.render::<E>(Value::Str(chars), &Resolved::DISPLAY)
    }

    /// Takes the allocation back. Collecting an iterator over a vector reuses the vector.
    fn return_values(&mut self, mut values: Vec<Value<'_>>) {
        values.clear();
        self.values = values
            .into_iter()
            .map(|_| unreachable!("the vector is empty"))
            .collect();
    }
}

/// The text itself if it can be shown as it is, else what can be.
#[inline(always)]
fn escaped<'a, E: Escaping>(text: &'a [u8], scratch: &'a mut Scratch) -> &'a [u8] {
    escaped_of::<E>(text, &mut scratch.escaped, scratch.urls)
}

#[inline(always)]
fn escaped_of<'a, E: Escaping>(text: &'a [u8], buffer: &'a mut Vec<u8>, urls: bool) -> &'a [u8] {
    if E::is_plain(text) {
        return text;
    }
    buffer.clear();
    escape::put::<E>(buffer, text, urls);
    buffer
}
