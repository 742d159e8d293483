//! From what is known of a statement to its [`Program`] in one format.
//!
//! A format names the parts of its line from left to right; here each becomes literal text or
//! operations. If the values turn out to be needed in another order than they are stored, all is
//! done again for a program that decodes them first.

use std::sync::Arc;

use super::context::{ContextStyle, FieldStyle, Names, Values};
use super::escape::{self, Quoted, Raw, Visible};
use super::float;
use super::program::{Action, Program, Rare, Specified, Typed};
use super::redact::{MASK, Redaction, credentials_among};
use super::spec::Resolved;
use crate::callsite::Statement;
use crate::level::Level;
use crate::record::{Count, Field, Piece, Sign, Spec, Style, Type};

/// What is known of entries before they are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    /// `None` if it is not known.
    pub(super) level: Option<Level>,
    pub(super) target: &'a str,
    pub(super) module: &'a str,
    /// The file and the line; `None` for what comes from no statement.
    pub(super) place: Option<(&'a str, u32)>,
    message: Message<'a>,
    /// Of the values of the message.
    names: &'a [&'static str],
    fields: &'a [Field],
    types: &'a [Type],
}

#[derive(Clone, Copy, Debug)]
enum Message<'a> {
    Pieces(&'a [Piece]),
    Text(&'a str),
}

impl<'a> Subject<'a> {
    pub(super) fn of(statement: &'a Statement) -> Self {
        let metadata = statement.site.metadata();
        Subject {
            level: Some(metadata.level),
            target: metadata.target,
            module: metadata.module,
            place: Some((metadata.file, metadata.line)),
            message: Message::Pieces(&statement.pieces),
            names: &statement.names,
            fields: metadata.fields,
            types: &statement.types,
        }
    }

    /// What comes from no statement.
    pub(super) fn own(level: Option<Level>, target: &'a str, text: &'a str) -> Self {
        Subject {
            level,
            target,
            module: target,
            place: None,
            message: Message::Text(text),
            names: &[],
            fields: &[],
            types: &[],
        }
    }

    /// The same without its values.
    pub(super) fn saying(self, text: &'a str) -> Self {
        Subject {
            message: Message::Text(text),
            fields: &[],
            types: &[],
            ..self
        }
    }
}

/// How text is escaped throughout a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// [`Visible`]
    Visible,
    /// [`Quoted`]
    Quoted,
    /// [`Raw`]
    Raw,
}

/// Puts a program together.
pub(super) struct Compiler<'a> {
    pub(super) subject: Subject<'a>,
    redaction: &'a Arc<Redaction>,
    escapes: Escapes,
    program: Program,
    /// Literal text that is not in the program yet.
    literal: Vec<u8>,
    in_order: bool,
    /// The value that the decoder meets next.
    next: u16,
    /// A value is not where an orderly decoder would meet it.
    is_disorderly: bool,
}

/// Compiles what `parts` says, of one subject.
pub(super) fn compile(
    subject: Subject<'_>,
    redaction: &Arc<Redaction>,
    escapes: Escapes,
    parts: impl Fn(&mut Compiler<'_>),
) -> Program {
    let run = |in_order| {
        let mut compiler = Compiler {
            subject,
            redaction,
            escapes,
            program: Program::new(
                subject.types,
                in_order,
                subject.level.unwrap_or(Level::Error),
                redaction.clone(),
            ),
            literal: Vec::new(),
            in_order,
            next: 0,
            is_disorderly: false,
        };
        parts(&mut compiler);
        if !compiler.literal.is_empty() {
            compiler.push(Action::Literal, 0);
        }
        (compiler.program, compiler.is_disorderly)
    };
    match run(true) {
        (program, false) => program,
        (_, true) => run(false).0,
    }
}

impl Compiler<'_> {
    /// Text of the format's own.
    pub(super) fn text(&mut self, text: &str) {
        self.literal.extend_from_slice(text.as_bytes());
    }

    /// Bytes that are as they have to be.
    pub(super) fn bytes(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        put(&mut self.literal);
    }

    /// Text that is not the format's own.
    pub(super) fn escaped(&mut self, text: &str) {
        self.put_escaped(text, false);
    }

    /// The same, and whether credentials in URLs are masked in it.
    fn put_escaped(&mut self, text: &str, urls: bool) {
        let (out, text) = (&mut self.literal, text.as_bytes());
        match self.escapes {
            Escapes::Visible => escape::put::<Visible>(out, text, urls),
            Escapes::Quoted => escape::put::<Quoted>(out, text, urls),
            Escapes::Raw => escape::put::<Raw>(out, text, urls),
        }
    }

    /// Whether what was written last is a space, as far as that is known.
    pub(super) fn ends_with_space(&self) -> bool {
        self.literal.last() == Some(&b' ')
    }

    pub(super) fn push(&mut self, action: Action, operand: u32) {
        self.program.push(&mut self.literal, action, operand);
    }

    pub(super) fn push_rare(&mut self, rare: Rare) {
        self.program
            .push_rare(&mut self.literal, Action::Rare, rare);
    }

    pub(super) fn is_record(&self) -> bool {
        self.subject.place.is_some()
    }

    /// The time, in UTC and to the nanosecond.
    pub(super) fn time(&mut self) {
        self.push(Action::Time, 0);
    }

    /// The thread's name.
    pub(super) fn thread(&mut self) {
        self.push(Action::Thread, 0);
    }

    /// The thread's name, as the value of a field.
    pub(super) fn quoted_thread(&mut self) {
        self.push_rare(Rare::QuotedThread);
    }

    /// The record's number.
    pub(super) fn number(&mut self) {
        self.push(Action::Number, 0);
    }

    /// The message.
    pub(super) fn message(&mut self) {
        match self.subject.message {
            Message::Text(text) => self.escaped(text),
            Message::Pieces(pieces) => {
                let urls = self.redaction.masks_urls();
                let secret = credentials_among(pieces);
                for (piece, secret) in pieces.iter().zip(secret) {
                    match *piece {
                        Piece::Literal(text) => self.put_escaped(text, urls),
                        Piece::Value(index, spec) => {
                            let name = self.subject.names.get(usize::from(index));
                            let named = name.is_some_and(|name| self.redaction.masks(name));
                            let hidden = named || (urls && secret);
                            self.value(index, spec, hidden, Values::Plain);
                        }
                    }
                }
            }
        }
    }

    /// The fields, and behind them those of the context: `style` says how they look, and `before`
    /// writes what comes before a value, and is told its name.
    pub(super) fn fields(&mut self, style: FieldStyle, before: impl Fn(&mut Self, &str)) {
        let mut names = Names::new(style.taken);
        let fields = self.subject.fields;
        // A name that a later field has is not given to an earlier one.
        for field in fields {
            names.reserve(field.name);
        }
        for field in fields {
            let name = names.take(field.name);
            before(self, &name);
            let hidden = self.redaction.masks(field.name);
            self.value(field.value, field.spec, hidden, style.values);
        }
        if self.is_record() {
            let style = ContextStyle::new(style, names, self.redaction.clone());
            self.program.push_context(&mut self.literal, style);
        }
    }

    fn value(&mut self, index: u16, spec: Spec, hidden: bool, values: Values) {
        let ty = self.subject.types.get(usize::from(index)).copied();
        if self.in_order {
            self.go_to(index, ty, spec);
        }
        if hidden {
            if let (true, Some(ty)) = (self.in_order, ty) {
                self.push_rare(Rare::Hidden(ty));
            }
            match values {
                Values::Typed => self.text(&format!("\"{MASK}\"")),
                _ => self.text(MASK),
            }
            return;
        }
        if let (true, Some(ty)) = (self.in_order, ty) {
            if let Some(()) = self.direct(ty, &spec, values) {
                return;
            }
        }
        if let (Values::Typed, Some(ty)) = (values, ty) {
            let masks = self.redaction.looks_into(ty);
            let action = match ty {
                Type::U64 if self.in_order => Action::Natural,
                Type::I64 if self.in_order => Action::Whole,
                _ => Action::Rare,
            };
            let rare = Rare::Typed(Typed { index, ty, masks });
            return self.program.push_rare(&mut self.literal, action, rare);
        }
        let specified = Specified {
            index,
            ty,
            spec,
            resolved: Resolved::new(spec, |_| None),
            masks: ty.is_some_and(|ty| self.redaction.looks_into(ty)),
        };
        self.push_rare(match values {
            Values::QuotedIfNeeded => Rare::Quoted(specified),
            _ => Rare::Value(specified),
        });
    }

    /// Has the decoder pass over what is stored before a value.
    fn go_to(&mut self, index: u16, ty: Option<Type>, spec: Spec) {
        let refers = |count| matches!(count, Count::Value(_));
        let needs_others = (refers(spec.width) || refers(spec.precision)) && ty != Some(Type::Text);
        if index < self.next || ty.is_none() || needs_others {
            self.is_disorderly = true;
            return;
        }
        for skipped in self.next..index {
            let ty = self.subject.types[usize::from(skipped)];
            self.push_rare(Rare::Hidden(ty));
        }
        self.next = index.saturating_add(1);
    }

    /// Pushes what has an action of its own: `{}` and what is the same as `{}` for the type, `{:.n}`,
    /// and what JSON writes alike.
    fn direct(&mut self, ty: Type, spec: &Spec, values: Values) -> Option<()> {
        let (action, operand) = match values {
            Values::Plain => direct(ty, spec)?,
            Values::QuotedIfNeeded => match direct(ty, spec)? {
                (Action::Str | Action::Text | Action::Char, _) => return None,
                needs_none => needs_none,
            },
            Values::Typed => match ty {
                Type::F64 => (Action::Real, 0),
                Type::I64 | Type::U64 | Type::F32 => return None,
                Type::Text | Type::Str | Type::Char => {
                    self.text("\"");
                    let (action, operand) = direct(ty, &Spec::DISPLAY)?;
                    self.push(action, operand);
                    self.text("\"");
                    return Some(());
                }
                _ => direct(ty, &Spec::DISPLAY)?,
            },
        };
        self.push(action, operand);
        Some(())
    }
}

/// The action for a specification that has one of its own, with its operand.
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
