//! The context block: fields that a record has beside those of its statement.
//!
//! They say themselves what they are, so that whoever reads the record needs to know nothing of
//! where they were set. A record whose header has the flag `CONTEXT` begins with one, behind the
//! thread's number if there is one:
//!
//! ```text
//! bytes that follow (u16) | fields left out (u8) | field | field | ...
//! field: length of the name (u8) | name | type (u8) | value, as a record stores it
//! ```
//!
//! The decoder trusts nothing: what is not a field ends the walk.

use super::{Decoder, Type, Value};

/// The most bytes of a block.
pub(crate) const MOST: usize = THREADS + OWN;

/// The most that a thread can fill with its fields.
const THREADS: usize = 512;

/// What is left for a field of the logger's own.
const OWN: usize = 32;

/// The bytes in front of the first field.
const HEADER: usize = 3;

/// The name under which the number of fields that did not fit is shown.
const LEFT_OUT: &str = "context.left_out";

/// The field that marks a record which was kept for a backtrace.
const BACKTRACE: &str = "backtrace";

/// The field that marks a record which came too late for its place in the order of time.
const LATE: &str = "late";

/// The types that a field can have, by their number in a block.
const TYPES: [Type; 17] = [
    Type::Unit,
    Type::Bool,
    Type::Char,
    Type::I8,
    Type::I16,
    Type::I32,
    Type::I64,
    Type::I128,
    Type::U8,
    Type::U16,
    Type::U32,
    Type::U64,
    Type::U128,
    Type::F32,
    Type::F64,
    Type::Str,
    Type::Text,
];

/// A field of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ContextField<'a> {
    pub(crate) name: &'a str,
    /// To be shown as `{}` does.
    pub(crate) value: Value<'a>,
}

/// The fields of a block, outermost first; at the end how many were left out, if any were.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Context<'a> {
    fields: &'a [u8],
    left_out: u8,
    /// The field that says why the record does not stand where its time says, if it does not.
    mark: Option<&'static str>,
}

impl<'a> Context<'a> {
    /// Takes the block off the front of a payload; the rest are the statement's values.
    pub(crate) fn split(payload: &'a [u8]) -> (Self, &'a [u8]) {
        let split = || {
            let (length, rest) = payload.split_first_chunk()?;
            let (block, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
            let (&left_out, fields) = block.split_first()?;
            let context = Context {
                fields,
                left_out,
                mark: None,
            };
            Some((context, rest))
        };
        split().unwrap_or_default()
    }

    /// The same context of a record that was kept for a backtrace.
    pub(crate) fn of_backtrace(self) -> Self {
        Context {
            mark: Some(BACKTRACE),
            ..self
        }
    }

    /// The same context of a record that came too late.
    pub(crate) fn of_late(self) -> Self {
        Context {
            mark: Some(LATE),
            ..self
        }
    }

    /// Whether there is nothing to show.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.left_out == 0 && self.mark.is_none()
    }

    /// The fields, outermost first.
    pub(crate) fn fields(self) -> impl Iterator<Item = ContextField<'a>> {
        let mut rest = self.fields;
        let fields = std::iter::from_fn(move || {
            let field;
            (field, rest) = decode(rest)?;
            Some(field)
        });
        let left_out = (self.left_out > 0).then_some(ContextField {
            name: LEFT_OUT,
            value: Value::U8(self.left_out),
        });
        let mark = self.mark.map(|name| ContextField {
            name,
            value: Value::Bool(true),
        });
        fields.chain(left_out).chain(mark)
    }
}

fn decode(bytes: &[u8]) -> Option<(ContextField<'_>, &[u8])> {
    let (&length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(length.into())?;
    let (&ty, rest) = rest.split_first()?;
    let mut decoder = Decoder::new(rest);
    let field = ContextField {
        name: std::str::from_utf8(name).ok()?,
        value: decoder.next(*TYPES.get(usize::from(ty))?)?,
    };
    Some((field, decoder.rest()))
}

/// A block in the making.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    bytes: [u8; MOST],
    /// Of `bytes`, the header included.
    length: usize,
}

impl Block {
    /// The most bytes of one.
    pub(crate) const MOST: usize = MOST;

    pub(crate) const EMPTY: Block = Block {
        bytes: {
            let mut bytes = [0; MOST];
            bytes[0] = 1;
            bytes
        },
        length: HEADER,
    };

    /// The block as it stands in a record.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context::split(self.bytes()).0
    }

    /// How many bytes of name and value can be added.
    pub(crate) fn room(&self) -> usize {
        THREADS - self.length
    }

    /// Where the next field begins, and how many were left out before.
    pub(crate) fn end(&self) -> (usize, u8) {
        (self.length, self.bytes[2])
    }

    /// Adds a field whose value is stored as `value`, or counts it as left out if it does not fit
    /// or is of a type that a block cannot hold.
    pub(crate) fn push(&mut self, name: &str, ty: Type, value: &[u8]) {
        let name = shortened(name);
        let length = field_bytes(name) + value.len();
        let ty = TYPES.iter().position(|&known| known == ty);
        let (Some(ty), true) = (ty, length <= self.room()) else {
            return self.leave_out(1);
        };
        let place = &mut self.bytes[self.length..self.length + length];
        let (head, tail) = place.split_at_mut(1 + name.len());
        head[0] = name.len() as u8;
        head[1..].copy_from_slice(name.as_bytes());
        tail[0] = ty as u8;
        tail[1..].copy_from_slice(value);
        self.set_length(self.length + length);
    }

    /// Counts fields that are not in the block.
    pub(crate) fn leave_out(&mut self, fields: usize) {
        let fields = u8::try_from(fields).unwrap_or(u8::MAX);
        self.bytes[2] = self.bytes[2].saturating_add(fields);
    }

    /// Takes out what lies between two [ends](Self::end).
    pub(crate) fn remove(&mut self, start: (usize, u8), end: (usize, u8)) {
        self.bytes.copy_within(end.0..self.length, start.0);
        self.bytes[2] = self.bytes[2].saturating_sub(end.1 - start.1);
        self.set_length(self.length - (end.0 - start.0));
    }

    /// The same fields with one of the logger's own in front. Its name and value are short.
    pub(crate) fn with_own(&self, name: &str, ty: Type, value: &[u8]) -> Block {
        let mut block = Block::EMPTY;
        block.push(name, ty, value);
        debug_assert!(block.length <= HEADER + OWN);
        let fields = &self.bytes()[HEADER..];
        let length = block.length + fields.len();
        block.bytes[block.length..length].copy_from_slice(fields);
        block.leave_out(self.bytes[2].into());
        block.set_length(length);
        block
    }

    /// Leaves out the last fields, as many as it takes to be at most so long, but never the header.
    /// Answers whether it was any.
    pub(crate) fn shrink(&mut self, most: usize) -> bool {
        if self.length <= most {
            return false;
        }
        let (mut rest, mut kept, mut lost) = (self.context().fields, HEADER, 0);
        while let Some((_, after)) = decode(rest) {
            let length = rest.len() - after.len();
            rest = after;
            if lost > 0 || kept + length > most {
                lost += 1;
            } else {
                kept += length;
            }
        }
        self.leave_out(lost);
        self.set_length(kept);
        true
    }

    fn set_length(&mut self, length: usize) {
        self.length = length;
        let following = (length - size_of::<u16>()) as u16;
        self.bytes[..2].copy_from_slice(&following.to_le_bytes());
    }
}

/// As much of a name as a block can hold.
fn shortened(name: &str) -> &str {
    let mut end = name.len().min(u8::MAX.into());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

/// The bytes of a field beside its value.
pub(crate) fn field_bytes(name: &str) -> usize {
    2 + name.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Chars;

    fn block() -> Block {
        let mut block = Block::EMPTY;
        block.push("a", Type::U16, &7_u16.to_le_bytes());
        block.push("text", Type::Str, b"\x02\x00hi");
        block.push("unit", Type::Unit, b"");
        block
    }

    fn names(context: Context<'_>) -> Vec<&str> {
        context.fields().map(|field| field.name).collect()
    }

    #[test]
    fn what_is_pushed_is_read_and_the_rest_is_left() {
        let mut bytes = block().bytes().to_vec();
        bytes.extend(b"values");
        let (context, rest) = Context::split(&bytes);
        assert_eq!(rest, b"values");
        let values: Vec<_> = context.fields().map(|field| field.value).collect();
        let text = Chars {
            kept: b"hi",
            cut: 0,
        };
        assert_eq!(values, [Value::U16(7), Value::Str(text), Value::Unit]);
        assert_eq!(names(context), ["a", "text", "unit"]);
    }

    #[test]
    fn shrinking_keeps_whole_fields_from_the_front() {
        let whole = block();
        for most in 0..=whole.bytes().len() + 1 {
            let mut block = whole;
            let shrunk = block.shrink(most);
            assert_eq!(shrunk, most < whole.bytes().len());
            assert!(block.bytes().len() <= most.max(HEADER));
            let found = names(block.context());
            let kept = found.iter().filter(|name| **name != LEFT_OUT).count();
            assert_eq!(found[..kept], ["a", "text", "unit"][..kept]);
            assert_eq!(found.len() > kept, kept < 3);
        }
    }

    #[test]
    fn no_bytes_make_the_decoder_fail() {
        let whole = block();
        for end in 0..whole.bytes().len() {
            let (context, rest) = Context::split(&whole.bytes()[..end]);
            assert!(names(context).is_empty() && rest.is_empty());
        }
        for place in 0..whole.bytes().len() {
            for byte in 0..=u8::MAX {
                let mut bytes = whole.bytes().to_vec();
                bytes[place] = byte;
                assert!(Context::split(&bytes).0.fields().count() <= 4);
            }
        }
    }

    #[test]
    fn a_full_block_counts_what_it_cannot_take() {
        let mut block = Block::EMPTY;
        for _ in 0..1000 {
            block.push("name", Type::U64, &[0; 8]);
        }
        assert!(block.room() < 14);
        let last = block.context().fields().last().unwrap();
        assert_eq!((last.name, last.value), (LEFT_OUT, Value::U8(u8::MAX)));
    }
}
