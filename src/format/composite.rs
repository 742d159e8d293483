//! Values that are made of others, as the derived `Debug` writes them.
//!
//! The specification goes on to the values inside, as in the standard library: `{:5?}` of a list
//! gives each number its width, and `{:#?}` puts each value on a line of its own.

use super::line::Put as _;
use super::redact::MASK;
use super::spec::{Resolved, put_format, put_value};
use super::time;
use crate::record::{Body, Composite, Items, UnixTime, Value, View};

/// What is rendered of a value whose bytes are damaged.
const DAMAGED: &[u8] = b"<damaged>";

/// Appends a value as the specification says.
pub(super) fn put(out: &mut Vec<u8>, value: Composite<'_>, spec: &Resolved<'_>) {
    let spec = &spec.as_debug();
    match value.view() {
        None => out.bytes(DAMAGED),
        Some(View::None) => out.bytes(b"None"),
        Some(View::Some(value)) => {
            let mut group = Group::open(out, spec, "Some", b"(");
            group.item("", value);
            group.close(b")");
        }
        Some(View::List(items)) => put_items(out, spec, "", [b"[", b"]"], items),
        Some(View::Set(items)) => put_items(out, spec, "", [b"{", b"}"], items),
        Some(View::Map(items)) => put_map(out, spec, items),
        Some(View::Tuple(items)) => put_tuple(out, spec, items),
        Some(View::Struct(name, body) | View::Variant(name, body)) => match body {
            Body::Unit => out.bytes(name.as_bytes()),
            Body::Tuple(items) => put_items(out, spec, name, [b"(", b")"], items),
            Body::Fields(items) => {
                let braces: [&[u8]; 2] = match spec.is_alternate() {
                    true => [b" {", b"}"],
                    false => [b" { ", b" }"],
                };
                put_items(out, spec, name, braces, items);
            }
        },
    }
}

fn put_items(
    out: &mut Vec<u8>,
    spec: &Resolved<'_>,
    name: &str,
    [open, close]: [&[u8]; 2],
    mut items: Items<'_>,
) {
    let mut group = Group::open(out, spec, name, open);
    for (name, value) in items.by_ref() {
        group.item(name, value);
    }
    group.cut(items.cut());
    group.close(close);
}

/// A comma behind a single value tells it from a value in parentheses.
fn put_tuple(out: &mut Vec<u8>, spec: &Resolved<'_>, mut items: Items<'_>) {
    let mut group = Group::open(out, spec, "", b"(");
    for (_, value) in items.by_ref() {
        group.item("", value);
    }
    group.cut(items.cut());
    let alone = group.count == 1 && !spec.is_alternate();
    group.close(if alone { b",)" } else { b")" });
}

fn put_map(out: &mut Vec<u8>, spec: &Resolved<'_>, mut items: Items<'_>) {
    let mut group = Group::open(out, spec, "", b"{");
    while let (Some((_, key)), Some((_, value))) = (items.next(), items.next()) {
        group.pair(key, value);
    }
    group.cut(items.cut());
    group.close(b"}");
}

/// A time as the standard library has it, which depends on the system; without a `?` readable.
pub(super) fn put_system_time(out: &mut Vec<u8>, time: UnixTime, spec: &Resolved<'_>) {
    if !spec.is_debug() && time::put_unix_time(out, time.seconds, time.nanos) {
        return;
    }
    let spec = &spec.as_debug();
    let braces: [&[u8]; 2] = match spec.is_alternate() {
        true => [b" {", b"}"],
        false => [b" { ", b" }"],
    };
    let mut group = Group::open(out, spec, "SystemTime", braces[0]);
    if cfg!(windows) {
        // Of 100 ns, since 1601.
        let intervals = (time.seconds + 11_644_473_600) * 10_000_000 + i64::from(time.nanos / 100);
        group.item("intervals", Value::I64(intervals));
    } else {
        group.item("tv_sec", Value::I64(time.seconds));
        group.item("tv_nsec", Value::U32(time.nanos));
    }
    group.close(braces[1]);
}

/// An error and its sources on one line; with a `?` as a list.
pub(super) fn put_error_chain(out: &mut Vec<u8>, chain: Composite<'_>, spec: &Resolved<'_>) {
    if spec.is_debug() {
        return put(out, chain, spec);
    }
    let Some(View::List(mut errors)) = chain.view() else {
        return out.bytes(DAMAGED);
    };
    for (place, (_, error)) in errors.by_ref().enumerate() {
        out.bytes(if place == 0 { b"" } else { b": " });
        put_value(out, error, &Resolved::DISPLAY);
    }
    if errors.cut() > 0 {
        put_format(out, format_args!(": … {} more", errors.cut()));
    }
}

/// Values between brackets.
struct Group<'a> {
    out: &'a mut Vec<u8>,
    spec: &'a Resolved<'a>,
    count: usize,
}

impl<'a> Group<'a> {
    fn open(out: &'a mut Vec<u8>, spec: &'a Resolved<'a>, name: &str, bracket: &[u8]) -> Self {
        out.bytes(name.as_bytes());
        out.bytes(bracket);
        Group {
            out,
            spec,
            count: 0,
        }
    }

    fn item(&mut self, name: &str, value: Value<'_>) {
        self.entry(|out, spec| {
            if !name.is_empty() {
                out.bytes(name.as_bytes());
                out.bytes(b": ");
            }
            if spec.masks(name) {
                out.bytes(MASK.as_bytes());
            } else {
                put_value(out, value, spec);
            }
        });
    }

    fn pair(&mut self, key: Value<'_>, value: Value<'_>) {
        self.entry(|out, spec| {
            put_value(out, key, spec);
            out.bytes(b": ");
            if matches!(key, Value::Str(key) if spec.masks(&String::from_utf8_lossy(key.kept))) {
                out.bytes(MASK.as_bytes());
            } else {
                put_value(out, value, spec);
            }
        });
    }

    /// Says how many values are missing, if any are.
    fn cut(&mut self, cut: u32) {
        if cut > 0 {
            self.entry(|out, _| put_format(out, format_args!("… {cut} more")));
        }
    }

    fn entry(&mut self, put: impl FnOnce(&mut Vec<u8>, &Resolved<'_>)) {
        self.count += 1;
        if !self.spec.is_alternate() {
            if self.count > 1 {
                self.out.bytes(b", ");
            }
            put(self.out, self.spec);
            return;
        }
        if self.count == 1 {
            self.out.bytes(b"\n");
        }
        let start = self.out.len();
        put(self.out, self.spec);
        self.out.bytes(b",\n");
        indent(self.out, start);
    }

    fn close(self, bracket: &[u8]) {
        self.out.bytes(bracket);
    }
}

/// Indents every line from `start` on, which is where one begins.
fn indent(out: &mut Vec<u8>, start: usize) {
    const INDENT: &[u8] = b"    ";
    let mut lines = out.split_off(start);
    for line in lines.split_inclusive_mut(|&byte| byte == b'\n') {
        out.bytes(INDENT);
        out.bytes(line);
    }
    lines.clear();
}
