//! A statement, compiled: its format string and the types of its arguments become a flat list of
//! operations, each of which copies a bit of literal text and then renders one value.
//!
//! Whatever can be decided once per statement is: how a pair of type and specification is
//! rendered, what the literal text looks like once escaped, and whether the values are needed in
//! the order in which they are stored. Where they are, as in nearly all statements, they are
//! decoded one by one as the line is written; otherwise all are decoded first.

use super::escape;
use super::float;
use super::line::{Line, Put};
use super::number;
use super::quote;
use super::spec::{self, Resolved};
use crate::callsite::Metadata;
use crate::level::Level;
use crate::record::{Chars, Context, Count, Decoder, Piece, Sign, Spec, Style, Type, Value};

/// Stands in a line where a record does not hold what its statement stores.
const INCOMPLETE: &[u8] = b"<incomplete record>";

/// How many bytes of literal text an operation has with it. More takes more operations.
const LITERAL: usize = 24;

/// Copies the literal, then does what `action` says.
#[derive(Clone, Copy, Debug)]
struct Op {
    literal: [u8; LITERAL],
    length: u8,
    action: Action,
    /// For [`Action::Fixed`] the precision, for [`Action::Specified`] the place in
    /// [`Program::specified`].
    operand: u32,
}

const _: () = assert!(size_of::<Op>() == 32, "two operations share a cache line");

/// What follows an operation's literal. Those named after a type decode the next value, and render
/// it as `{}` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// Nothing.
    Literal,
    /// The thread's name.
    Thread,
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
    /// The next value with its specification; any value if the statement needs them out of order.
    Specified,
    /// As `Str`, quoted if need be.
    FieldStr,
    /// As `Text`, quoted if need be.
    FieldText,
    /// As `Specified`, quoted if need be.
    FieldSpecified,
}

/// A value and its specification.
#[derive(Clone, Copy, Debug)]
struct Specified {
    index: u16,
    /// `None` if the statement stores no such value.
    ty: Option<Type>,
    spec: Spec,
    /// `None` if the specification refers to stored values.
    resolved: Option<Resolved>,
}

/// How to render the records of one statement, from behind the timestamp to before the line feed.
#[derive(Debug)]
pub(super) struct Program {
    ops: Vec<Op>,
    specified: Vec<Specified>,
    /// Of the stored values.
    types: Vec<Type>,
    /// Each value is needed once, in the order in which they are stored.
    in_order: bool,
    level: Level,
}

impl Program {
    /// Compiles a statement. Its line is `before`, the thread's name, `after`, and the message;
    /// these two are escaped already.
    pub(super) fn new(before: &[u8], after: &[u8], metadata: &Metadata, types: &[Type]) -> Program {
        let mut program = Program {
            ops: Vec::new(),
            specified: Vec::new(),
            types: types.to_vec(),
            in_order: are_in_order(metadata, types),
            level: metadata.level,
        };
        let mut literal = before.to_vec();
        program.push(&mut literal, Action::Thread, 0);
        literal.extend_from_slice(after);
        for piece in metadata.pieces {
            match *piece {
                Piece::Literal(text) => escape::put_escaped(&mut literal, text.as_bytes()),
                Piece::Value(index, spec) => {
                    let (action, operand) = program.choose(index, spec);
                    program.push(&mut literal, action, operand);
                }
            }
        }
        for (place, field) in metadata.fields.iter().enumerate() {
            if place > 0 || !metadata.pieces.is_empty() {
                literal.push(b' ');
            }
            quote::put_key(&mut literal, field.name);
            literal.push(b'=');
            let (action, operand) = program.choose_quoting(field.value, field.spec);
            program.push(&mut literal, action, operand);
        }
        program.push(&mut literal, Action::Literal, 0);
        program
    }

    fn choose(&mut self, index: u16, spec: Spec) -> (Action, u32) {
        let ty = self.types.get(usize::from(index)).copied();
        if let (true, Some(ty)) = (self.in_order, ty) {
            if let Some(direct) = direct(ty, &spec) {
                return direct;
            }
        }
        (Action::Specified, self.specify(index, ty, spec))
    }

    /// As `choose`, for what may need quotes.
    fn choose_quoting(&mut self, index: u16, spec: Spec) -> (Action, u32) {
        match self.choose(index, spec) {
            (Action::Str, operand) => (Action::FieldStr, operand),
            (Action::Text, operand) => (Action::FieldText, operand),
            (Action::Specified, operand) => (Action::FieldSpecified, operand),
            (Action::Char, _) => {
                let place = self.specify(index, Some(Type::Char), spec);
                (Action::FieldSpecified, place)
            }
            needs_none => needs_none,
        }
    }

    fn specify(&mut self, index: u16, ty: Option<Type>, spec: Spec) -> u32 {
        let place = self.specified.len() as u32;
        self.specified.push(Specified {
            index,
            ty,
            spec,
            resolved: Resolved::new(spec, |_| None),
        });
        place
    }

    /// Takes the literal, of any length.
    fn push(&mut self, literal: &mut Vec<u8>, action: Action, operand: u32) {
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

    /// The statement's level.
    pub(super) fn level(&self) -> Level {
        self.level
    }

    /// Whether each value is needed once, in the order in which they are stored.
    pub(super) fn is_in_order(&self) -> bool {
        self.in_order
    }

    /// Renders one record of a statement whose values are needed in order.
    ///
    /// The line and the decoder stay in registers as long as nothing takes their address, which a
    /// function that is not inlined would. So those take and answer values.
    #[inline(always)]
    pub(super) fn run(
        &self,
        line: &mut Line<'_>,
        thread: &[u8],
        payload: &[u8],
        scratch: &mut Scratch,
    ) {
        let mut decoder = Decoder::new(payload);
        // The next value, or the end of the line.
        macro_rules! next {
            ($name:ident) => {
                match decoder.next(Type::$name) {
                    Some(Value::$name(value)) => value,
                    _ => return line.bytes(INCOMPLETE),
                }
            };
        }
        for op in &self.ops {
            line.put(&op.literal, usize::from(op.length));
            // Integers come out of this, so that they are written in one place; all else goes on.
            let (negative, magnitude) = match op.action {
                Action::I8 => signed(next!(I8)),
                Action::I16 => signed(next!(I16)),
                Action::I32 => signed(next!(I32)),
                Action::I64 => signed(next!(I64)),
                Action::U8 => (false, next!(U8).into()),
                Action::U16 => (false, next!(U16).into()),
                Action::U32 => (false, next!(U32).into()),
                Action::U64 => (false, next!(U64)),
                Action::F32 => {
                    float::put_shortest(line, next!(F32));
                    continue;
                }
                Action::F64 => {
                    float::put_f64(line, next!(F64));
                    continue;
                }
                Action::Fixed => {
                    let (number, precision) = (next!(F64), op.operand as usize);
                    if !float::put_fixed(line, number, precision) {
                        line.bytes(scratch.large_fixed(number, precision));
                    }
                    continue;
                }
                Action::Literal => continue,
                Action::Bool => {
                    match next!(Bool) {
                        true => line.put(b"true", 4),
                        false => line.put(b"false", 5),
                    }
                    continue;
                }
                Action::Thread => {
                    line.bytes(escaped(thread, &mut scratch.escaped));
                    continue;
                }
                Action::Char => {
                    let mut utf8 = [0; 4];
                    let text = next!(Char).encode_utf8(&mut utf8).as_bytes();
                    line.bytes(escaped(text, &mut scratch.escaped));
                    continue;
                }
                Action::Str => {
                    let chars = next!(Str);
                    line.bytes(escaped(chars.kept, &mut scratch.escaped));
                    if chars.cut > 0 {
                        line.bytes(scratch.cut(chars.cut));
                    }
                    continue;
                }
                Action::Text => {
                    let chars = next!(Text);
                    line.bytes(escaped(chars.kept, &mut scratch.escaped));
                    if chars.cut > 0 {
                        line.bytes(scratch.cut(chars.cut));
                    }
                    continue;
                }
                Action::Specified => match self.specified(op.operand, decoder, scratch) {
                    Some((text, after)) => {
                        line.bytes(text);
                        decoder = after;
                        continue;
                    }
                    None => return line.bytes(INCOMPLETE),
                },
                Action::FieldStr => {
                    let chars = next!(Str);
                    line.bytes(scratch.quoted_chars(chars));
                    continue;
                }
                Action::FieldText => {
                    let chars = next!(Text);
                    line.bytes(scratch.quoted_chars(chars));
                    continue;
                }
                Action::FieldSpecified => match self.specified(op.operand, decoder, scratch) {
                    Some((_, after)) => {
                        line.bytes(scratch.quoted());
                        decoder = after;
                        continue;
                    }
                    None => return line.bytes(INCOMPLETE),
                },
            };
            line.put(b"-", usize::from(negative));
            number::put_unsigned(line, magnitude);
        }
    }

    /// Renders one record of any other statement.
    #[cold]
    #[inline(never)]
    pub(super) fn run_out_of_order(
        &self,
        out: &mut Vec<u8>,
        thread: &[u8],
        payload: &[u8],
        scratch: &mut Scratch,
    ) {
        let values = self.decode_all(payload, scratch);
        for op in &self.ops {
            out.put(&op.literal, usize::from(op.length));
            match op.action {
                Action::Thread => escape::put_escaped(out, thread),
                Action::Specified => match self.stored(op.operand, &values, scratch) {
                    Some(text) => out.bytes(text),
                    None => {
                        out.bytes(INCOMPLETE);
                        break;
                    }
                },
                Action::FieldSpecified => match self.stored(op.operand, &values, scratch) {
                    Some(_) => out.bytes(scratch.quoted()),
                    None => {
                        out.bytes(INCOMPLETE);
                        break;
                    }
                },
                _ => {}
            }
        }
        scratch.return_values(values);
    }

    /// Renders the next value, and answers where the one after it is.
    #[inline(never)]
    fn specified<'s, 'p>(
        &self,
        place: u32,
        mut decoder: Decoder<'p>,
        scratch: &'s mut Scratch,
    ) -> Option<(&'s [u8], Decoder<'p>)> {
        let specified = self.specified.get(place as usize)?;
        let value = decoder.next(specified.ty?)?;
        Some((scratch.render(value, &specified.resolved?), decoder))
    }

    /// Renders any of the values.
    fn stored<'s>(
        &self,
        place: u32,
        values: &[Value<'_>],
        scratch: &'s mut Scratch,
    ) -> Option<&'s [u8]> {
        let specified = self.specified.get(place as usize)?;
        let stored = |index: u16| values.get(usize::from(index)).copied();
        let value = stored(specified.index)?;
        let resolved = match specified.resolved {
            Some(resolved) => resolved,
            // What a specification says of text has been done at the call.
            None if specified.ty == Some(Type::Text) => Resolved::DISPLAY,
            None => Resolved::new(specified.spec, stored)?,
        };
        Some(scratch.render(value, &resolved))
    }

    /// All values, or as many as the payload holds.
    fn decode_all<'p>(&self, payload: &'p [u8], scratch: &mut Scratch) -> Vec<Value<'p>> {
        let mut decoder = Decoder::new(payload);
        let mut values: Vec<Value<'p>> = std::mem::take(&mut scratch.values);
        values.extend(self.types.iter().map_while(|&ty| decoder.next(ty)));
        values
    }
}

/// Renders the fields that a record has from its thread.
#[inline(never)]
pub(super) fn put_context(out: &mut impl Put, context: Context<'_>, scratch: &mut Scratch) {
    for field in context.fields() {
        scratch.rendered.clear();
        scratch.rendered.push(b' ');
        quote::put_key(&mut scratch.rendered, field.name);
        scratch.rendered.push(b'=');
        out.bytes(&scratch.rendered);
        scratch.render(field.value, &Resolved::DISPLAY);
        out.bytes(scratch.quoted());
    }
}

/// The sign and the magnitude.
#[inline(always)]
fn signed(number: impl Into<i64>) -> (bool, u64) {
    let number = number.into();
    (number < 0, number.unsigned_abs())
}

/// Whether a decoder that goes through the values once meets each when it is needed.
fn are_in_order(metadata: &Metadata, types: &[Type]) -> bool {
    let refers = |count| matches!(count, Count::Value(_));
    let mut next = 0;
    let message = metadata.pieces.iter().all(|piece| match *piece {
        Piece::Literal(_) => true,
        Piece::Value(index, spec) => {
            let expected = index == next;
            next = index.wrapping_add(1);
            let refers = refers(spec.width) || refers(spec.precision);
            expected
                && match types.get(usize::from(index)) {
                    Some(Type::Text) => true,
                    Some(_) => !refers,
                    None => false,
                }
        }
    });
    let mut fields = metadata.fields.iter().zip(usize::from(next)..);
    message && fields.all(|(field, index)| usize::from(field.value) == index && index < types.len())
}

/// The action for a specification that has one of its own, with its operand: `{}` and what is the
/// same as `{}` for the type, and `{:.n}`.
fn direct(ty: Type, spec: &Spec) -> Option<(Action, u32)> {
    if ty == Type::Text {
        return Some((Action::Text, 0));
    }
    if spec.width != Count::Unset || spec.sign == Sign::Plus {
        return None;
    }
    let display = spec.style == Style::Display;
    let debug = spec.style == Style::Debug;
    let whole = spec.precision == Count::Unset;
    let action = match ty {
        // Integers have no use for a precision.
        Type::I8 if display || debug => Action::I8,
        Type::I16 if display || debug => Action::I16,
        Type::I32 if display || debug => Action::I32,
        Type::I64 if display || debug => Action::I64,
        Type::U8 if display || debug => Action::U8,
        Type::U16 if display || debug => Action::U16,
        Type::U32 if display || debug => Action::U32,
        Type::U64 if display || debug => Action::U64,
        Type::Bool if whole && (display || debug) => Action::Bool,
        Type::Char if whole && display => Action::Char,
        Type::Str if whole && display => Action::Str,
        Type::F32 if whole && display => Action::F32,
        Type::F64 if whole && display => Action::F64,
        Type::F64 if display || debug => match spec.precision {
            Count::Is(digits) if usize::from(digits) <= float::MAX_FIXED => {
                return Some((Action::Fixed, digits.into()));
            }
            _ => return None,
        },
        _ => return None,
    };
    Some((action, 0))
}

/// Memory that rendering needs for a moment, kept from one record to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    rendered: Vec<u8>,
    escaped: Vec<u8>,
    /// Empty: its allocation is what is kept.
    values: Vec<Value<'static>>,
}

impl Scratch {
    fn render(&mut self, value: Value<'_>, spec: &Resolved) -> &[u8] {
        self.rendered.clear();
        spec::put_value(&mut self.rendered, value, spec);
        escaped(&self.rendered, &mut self.escaped)
    }

    #[cold]
    #[inline(never)]
    fn large_fixed(&mut self, number: f64, precision: usize) -> &[u8] {
        self.render(Value::F64(number), &Resolved::fixed(precision))
    }

    #[cold]
    #[inline(never)]
    fn cut(&mut self, cut: u32) -> &[u8] {
        self.rendered.clear();
        spec::put_cut(&mut self.rendered, cut);
        &self.rendered
    }

    /// What was rendered last, as the value of a field.
    fn quoted(&mut self) -> &[u8] {
        quote::value(&self.rendered, &mut self.escaped)
    }

    /// Text as the value of a field.
    fn quoted_chars<'a>(&'a mut self, chars: Chars<'a>) -> &'a [u8] {
        if chars.cut == 0 {
            return quote::value(chars.kept, &mut self.escaped);
        }
        self.rendered.clear();
        self.rendered.bytes(chars.kept);
        spec::put_cut(&mut self.rendered, chars.cut);
        self.quoted()
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

/// The text itself if it can be shown as it is, else its escaped form in `buffer`.
#[inline(always)]
fn escaped<'a>(text: &'a [u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
    if escape::is_plain(text) {
        return text;
    }
    buffer.clear();
    escape::put_escaped(buffer, text);
    buffer
}
