//! What a slot holds: how arguments become typed bytes, and how those are read again.
//!
//! A record is a header of two words and a payload. The payload is the stored values one after the
//! other, packed, without tags: their types stand in the call site, once, not in every record.
//!
//! ```text
//! word 0    timestamp
//! word 1    statement id (32 bits) | payload length (16) | slots (8) | flags (8)
//! word 2..  payload: 40 bytes in the first slot, 56 in each that follows
//! ```
//!
//! In front of the values, the flags of the header say whether there are the number of the thread
//! that wrote the record, and fields of that thread's own, the [`context`].

mod buffer;
mod capture;
mod context;
mod decode;
mod encode;
mod gap;
mod introduction;
pub(crate) mod message;
mod spec;
pub(crate) mod tagged;
mod types;
mod value;
mod values;
mod view;
mod words;

pub use capture::{Erased, Values, address_probe, context_probe, plain_probe, probe, text_probe};
pub use decode::{Chars, Decoder, UnixTime, Value};
pub use spec::{Align, Count, Field, Piece, Sign, Spec, Style};
pub use types::{Derived, Form, Member, Shape, Type, TypeList, Variant};
pub use value::{Exact, Put, Record, fixed_with, type_with};
pub use view::{Body, Composite, Items, View};
pub use words::Words;

pub(crate) use buffer::Buffer;
pub(crate) use capture::Plain;
pub(crate) use context::{Block, Context, field_bytes};
pub(crate) use decode::as_bytes;
pub(crate) use encode::{
    FIRST_PAYLOAD, Header, MAX_PAYLOAD, MAX_SLOTS, Payload, Scratch, begin_record, flags,
    payload_of, put_measured, slots_of, write_record, write_words,
};
pub(crate) use gap::Gap;
pub(crate) use introduction::Introduction;
pub(crate) use value::Checked;
pub(crate) use words::MOST_WORDS;
