//! What a log statement turns into.
//!
//! ```text
//! {
//!     const __RINGLOG_LEVEL: Level = ...;
//!     static __RINGLOG_SITE: Callsite = ...;             what is known before it runs
//!     match &(logger) { logger => if enabled(...) {      a load and a branch when it is off
//!         match (&(x), &(y)) { arguments => {            each argument is evaluated once
//!             submit(logger, &__RINGLOG_SITE, __RINGLOG_LEVEL, (...))
//!         } }
//!     } else { Outcome::Filtered } }
//! }
//! ```
//!
//! The variables have the hygiene of `macro_rules!`: expressions of the user's do not see them.
//! Items have none, hence the name of the static, and hence the traits that capture values are in
//! scope only where no code of the user's stands.
//!
//! The way to format a value is a `format_args!` of its own, so that is where the compiler finds a
//! type that cannot be shown as the format string wants it. There is no second one for the whole
//! format string: it would say the same things again.

use std::panic::catch_unwind;

use proc_macro::{Ident, Literal, Span, TokenStream, TokenTree};

use crate::arguments::{self, Resolved, ResolvedPiece, Value};
use crate::field::{Capture, Field, Name};
use crate::format_string::{self, Align, Count, Sign, Spec, Style};
use crate::input::{Argument, Context, Error, Expression, LimitKind, Message, Place, Statement};
use crate::template::fill;

/// The expansion of a statement that could be read.
pub(crate) fn statement(mut statement: Statement) -> TokenStream {
    let private = code("$ringlog::__private", &[("ringlog", &statement.ringlog)]);
    let (resolved, arguments) = match &mut statement.message {
        None => (Resolved::default(), Vec::new()),
        Some(message) => match resolve(message) {
            Some(resolved) => resolved,
            None => return refused_by_the_compiler(&private, message),
        },
    };
    Expansion {
        private,
        statement,
        resolved,
        arguments,
    }
    .block()
}

/// The expansion of a context: the fields as their values were captured, in the order of the source.
pub(crate) fn context(context: &Context) -> TokenStream {
    let private = code("$ringlog::__private", &[("ringlog", &context.ringlog)]);
    let references = context
        .fields
        .iter()
        .map(|field| reference_to(&field.value));
    let names = context.fields.iter().map(|field| {
        let name = field_name(field);
        code("$name,", &[("name", &name)])
    });
    let fields = context.fields.iter().enumerate();
    let captured = fields.map(|(number, field)| captured_field(&private, number, field, false));
    code(
        "match ($references) {
            arguments => {
                use $private::{CaptureScalar as _, FieldDebug as _, FieldDisplay as _};
                $private::enter_context(&[$names], $values)
            }
        }",
        &[
            ("private", &private),
            ("references", &references.collect()),
            ("names", &names.collect()),
            ("values", &list(captured.collect())),
        ],
    )
}

/// The expansion of a statement that could not be read.
pub(crate) fn error(error: &Error) -> TokenStream {
    // The compiler shows the source from the first to the last token of what it complains about.
    let message = text(error.place.last, &error.message);
    let message = fill(error.place.last, "($message)", &[("message", &message)]);
    fill(
        error.place.first,
        "::core::compile_error! $message",
        &[("message", &message)],
    )
}

/// The expansion of an item that could not be read.
pub(crate) fn error_item(error: &Error) -> TokenStream {
    code("$error;", &[("error", &self::error(error))])
}

/// Leaves it to the compiler to say what is wrong.
///
/// Should it find nothing, which can only be because it knows more than this crate does, then the
/// constant fails. It is evaluated only once there are no other errors.
fn refused_by_the_compiler(private: &TokenStream, refused: &Message) -> TokenStream {
    let message = "ringlog does not know this kind of format string";
    code(
        "{
            let _ = ::core::format_args!($format_args);
            let _: () = const { ::core::panic!($message) };
            $private::Outcome::Filtered
        }",
        &[
            ("private", private),
            ("format_args", &refused.format_args),
            ("message", &text(Span::mixed_site(), message)),
        ],
    )
}

/// The resolved format string, and the arguments with the captured variables behind them; `None`
/// if the compiler will refuse the statement.
fn resolve(message: &mut Message) -> Option<(Resolved, Vec<Argument>)> {
    let mut arguments = message.arguments.take()?;
    let names: Vec<String> = arguments.iter().map(name).collect();
    let resolved = arguments::resolve(format_string::parse(&message.text)?, &names)?;
    for captured in &resolved.captured {
        arguments.push(capture(captured, message.format.span())?);
    }
    Some((resolved, arguments))
}

/// The variable that a format string at `span` means by `name`; `None` if that is not a name.
fn capture(name: &str, span: Span) -> Option<Argument> {
    // In a format string a keyword is a name like any other, except for those of paths.
    let ident = match name {
        "self" | "Self" | "super" | "crate" => Ident::new(name, span),
        // What a name is beyond ASCII, only the compiler knows; it tells by a panic.
        _ => catch_unwind(|| Ident::new_raw(name, span)).ok()?,
    };
    Some(Argument {
        name: Some(ident.clone()),
        value: Expression {
            tokens: TokenTree::from(ident).into(),
            place: Place {
                first: span,
                last: span,
            },
        },
    })
}

/// An argument's name; empty if it has none.
fn name(argument: &Argument) -> String {
    let name = argument.name.as_ref().map(Ident::to_string);
    let name = name.as_deref().unwrap_or_default();
    name.strip_prefix("r#").unwrap_or(name).to_owned()
}

/// Tokens that stand nowhere in the source.
fn code(template: &str, parts: &[(&str, &TokenStream)]) -> TokenStream {
    fill(Span::mixed_site(), template, parts)
}

/// A string literal.
pub(crate) fn text(span: Span, text: &str) -> TokenStream {
    let mut literal = Literal::string(text);
    literal.set_span(span);
    TokenTree::from(literal).into()
}

/// A number literal.
pub(crate) fn number(span: Span, number: usize) -> TokenStream {
    let mut literal = Literal::usize_unsuffixed(number);
    literal.set_span(span);
    TokenTree::from(literal).into()
}

/// A closure that formats what `format_args!` makes of this.
fn write(formatted: &TokenStream) -> TokenStream {
    code(
        "|writer| ::core::fmt::Write::write_fmt(writer, ::core::format_args!($formatted))",
        &[("formatted", formatted)],
    )
}

/// A reference to what an expression evaluates to, with a comma.
fn reference_to(value: &Expression) -> TokenStream {
    let Place { first, last } = value.place.located();
    let value = fill(last, "($value)", &[("value", &value.tokens)]);
    fill(first, "&$value,", &[("value", &value)])
}

/// A path with the same meaning, standing where a value stands in the source: that is where the
/// compiler then shows what is wrong with the value.
fn located(path: &TokenStream, place: Place) -> TokenStream {
    let locate = |mut token: TokenTree| {
        token.set_span(token.span().located_at(place.first));
        token
    };
    path.clone().into_iter().map(locate).collect()
}

/// The reference with this number, standing where the value stands in the source.
fn reference(number: usize, place: Place) -> TokenStream {
    let Place { first, last } = place.located();
    let index = self::number(last, number);
    fill(first, "arguments.$index", &[("index", &index)])
}

/// The name of a field, a constant.
fn field_name(field: &Field) -> TokenStream {
    match &field.name {
        Name::Text(name) => text(Span::mixed_site(), name),
        Name::Constant(name) => name.clone(),
    }
}

/// The value of the field with this number. One of which the trait is named is stored as it is, if
/// `typed` says so and its type allows it; a plain one always is if its type allows it.
fn captured_field(private: &TokenStream, number: usize, field: &Field, typed: bool) -> TokenStream {
    let reference = reference(number, field.value.place);
    let format = match field.capture {
        Capture::Plain => {
            let private = located(private, field.value.place);
            return fill(
                field.value.place.located().first,
                "(&&&$private::Probe($reference)).capture_field()",
                &[("private", &private), ("reference", &reference)],
            );
        }
        Capture::Display => "{}",
        Capture::Debug => "{:?}",
    };
    let Place { first, last } = field.value.place.located();
    let value = fill(first, "*$reference", &[("reference", &reference)]);
    let mut formatted = text(last, format);
    formatted.extend(code(", $value", &[("value", &value)]));
    let capture = if typed {
        "(&$private::$probe($reference)).capture($write)"
    } else {
        "$private::capture_text($write)"
    };
    code(
        capture,
        &[
            ("private", private),
            ("probe", &code(field_probe(field.capture), &[])),
            ("reference", &reference),
            ("write", &write(&formatted)),
        ],
    )
}

/// What decides how an argument of this style is captured.
fn probe(style: Style) -> &'static str {
    match style {
        Style::Debug | Style::DebugLowerHex | Style::DebugUpperHex => "Probe",
        Style::Pointer => "AddressProbe",
        _ => "PlainProbe",
    }
}

/// The same for a field.
fn field_probe(capture: Capture) -> &'static str {
    match capture {
        Capture::Plain | Capture::Debug => "Probe",
        Capture::Display => "PlainProbe",
    }
}

/// Captured values as a list: `(first, (second, ()))`.
fn list(captured: Vec<TokenStream>) -> TokenStream {
    let end = code("()", &[]);
    captured.iter().rev().fold(end, |rest, captured| {
        code(
            "($captured, $rest)",
            &[("captured", captured), ("rest", &rest)],
        )
    })
}

struct Expansion {
    private: TokenStream,
    statement: Statement,
    resolved: Resolved,
    /// Of the message: those in the call, then those captured.
    arguments: Vec<Argument>,
}

impl Expansion {
    /// `code`, where `$private` is known.
    fn code(&self, template: &str, parts: &[(&str, &TokenStream)]) -> TokenStream {
        let mut parts = parts.to_vec();
        parts.push(("private", &self.private));
        code(template, &parts)
    }

    fn block(&self) -> TokenStream {
        let options = &self.statement.options;
        let target = match &options.target {
            Some(target) => target.tokens.clone(),
            None => code("::core::module_path!()", &[]),
        };
        let logger = match &options.logger {
            Some(logger) => logger.tokens.clone(),
            None => self.code("$private::Global", &[]),
        };
        let mut submit = self.submit();
        if let Some(at) = &options.at {
            submit = code(
                "match ($at) { at => $submit }",
                &[("at", &at.tokens), ("submit", &submit)],
            );
        }
        let limit = self.limit();
        let run = match &limit {
            None => submit,
            Some(_) => self.code(
                "match $private::Limit::pass(&__RINGLOG_LIMIT) {
                    ::core::option::Option::Some(suppressed) => $submit,
                    ::core::option::Option::None => $private::Outcome::Filtered,
                }",
                &[("submit", &submit)],
            ),
        };
        self.code(
            "{
                #[allow(unused_braces)]
                const __RINGLOG_LEVEL: $ringlog::Level = $level;
                static __RINGLOG_SITE: $private::Callsite =
                    $private::Callsite::new($private::Metadata {
                        level: __RINGLOG_LEVEL,
                        target: $target,
                        module: ::core::module_path!(),
                        file: ::core::file!(),
                        line: ::core::line!(),
                        pieces: &[$pieces],
                        names: &[$names],
                        fields: &[$fields],
                    });
                $limit
                if const { $private::is_compiled(__RINGLOG_LEVEL) } {
                    match &($logger) {
                        logger => if $private::enabled(logger, &__RINGLOG_SITE) {
                            $run
                        } else {
                            $private::Outcome::Filtered
                        }
                    }
                } else {
                    $private::Outcome::Filtered
                }
            }",
            &[
                ("ringlog", &self.statement.ringlog),
                ("level", &self.statement.level.tokens),
                ("target", &target),
                ("pieces", &self.pieces()),
                ("names", &self.names()),
                ("fields", &self.fields()),
                ("limit", &limit.unwrap_or_default()),
                ("logger", &logger),
                ("run", &run),
            ],
        )
    }

    /// The static that holds what the statement has of a limit.
    fn limit(&self) -> Option<TokenStream> {
        let limit = self.statement.limit.as_ref()?;
        let ty = match limit.kind {
            LimitKind::Once => "$private::Once",
            LimitKind::Every => "$private::Every",
            LimitKind::Per => "$private::Per",
            LimitKind::Sample => "$private::Sample",
        };
        let value = limit.value.as_ref();
        let value = value.map(|value| value.tokens.clone());
        Some(self.code(
            "static __RINGLOG_LIMIT: $type = $type::new($value);",
            &[
                ("type", &self.code(ty, &[])),
                ("value", &value.unwrap_or_default()),
            ],
        ))
    }

    /// The arm that runs when the logger wants the statement.
    fn submit(&self) -> TokenStream {
        let values = self.values();
        let at = self.statement.options.at.as_ref();
        let at = at.map(|at| fill(at.place.located().first, "at", &[]));
        let submit = match (&at, &self.statement.limit) {
            (None, None) => "$private::submit(logger, &__RINGLOG_SITE, __RINGLOG_LEVEL, $values)",
            (Some(_), None) => "$private::submit_at(logger, &__RINGLOG_SITE, $at, $values)",
            (None, Some(_)) => {
                "$private::submit_limited(
                    logger, &__RINGLOG_SITE, &__RINGLOG_LIMIT, suppressed, $values
                )"
            }
            (Some(_), Some(_)) => {
                "$private::submit_limited_at(
                    logger, &__RINGLOG_SITE, $at, &__RINGLOG_LIMIT, suppressed, $values
                )"
            }
        };
        let at = at.unwrap_or_default();
        let submit = self.code(submit, &[("at", &at), ("values", &values)]);
        // In the order of the source, which is that of their evaluation.
        let fields = self.statement.fields.iter().map(|field| &field.value);
        let arguments = self.arguments.iter().map(|argument| &argument.value);
        let references: Vec<TokenStream> = fields.chain(arguments).map(reference_to).collect();
        if references.is_empty() {
            return submit;
        }
        self.code(
            "match ($references) {
                arguments => {
                    $checks
                    use $private::{
                        CaptureText as _, CaptureTyped as _,
                        FieldDebug as _, FieldDisplay as _, FieldTyped as _,
                    };
                    $submit
                }
            }",
            &[
                ("references", &references.into_iter().collect()),
                ("checks", &self.checks()),
                ("submit", &submit),
            ],
        )
    }

    /// What refuses the values that have no typed form, if the statement must not have such.
    fn checks(&self) -> TokenStream {
        if !self.statement.typed {
            return TokenStream::new();
        }
        let values = self.resolved.values.iter().map(|value| {
            let place = self.arguments[value.argument].value.place;
            (
                probe(value.spec.style),
                place,
                self.argument(value.argument),
            )
        });
        let fields = self.statement.fields.iter().enumerate();
        let fields = fields.map(|(number, field)| {
            let place = field.value.place;
            (field_probe(field.capture), place, reference(number, place))
        });
        let checks = values.chain(fields).map(|(probe, place, reference)| {
            fill(
                place.located().first,
                "$private::$probe($reference).must_be_typed();",
                &[
                    ("private", &located(&self.private, place)),
                    ("probe", &code(probe, &[])),
                    ("reference", &reference),
                ],
            )
        });
        checks.collect()
    }

    /// The reference to an argument of the message.
    fn argument(&self, argument: usize) -> TokenStream {
        reference(
            self.statement.fields.len() + argument,
            self.arguments[argument].value.place,
        )
    }

    /// The captured values, the message's before the fields': `(first, (second, ()))`.
    fn values(&self) -> TokenStream {
        let mut captured: Vec<TokenStream> = Vec::new();
        captured.extend(
            self.resolved
                .values
                .iter()
                .map(|value| self.captured(value)),
        );
        let fields = self.statement.fields.iter().enumerate();
        captured.extend(
            fields.map(|(number, field)| captured_field(&self.private, number, field, true)),
        );
        list(captured)
    }

    fn captured(&self, value: &Value) -> TokenStream {
        let mut arguments = vec![value.argument];
        let spec = format_string(&value.spec, &mut arguments);
        let format = self
            .statement
            .message
            .as_ref()
            .map(|message| &message.format);
        let span = format.map_or(Span::call_site(), Literal::span);
        let mut formatted = text(Span::mixed_site().located_at(span), &spec);
        for argument in arguments {
            let first = self.arguments[argument].value.place.located().first;
            let reference = self.argument(argument);
            let value = fill(first, "*$reference", &[("reference", &reference)]);
            formatted.extend(code(", $value", &[("value", &value)]));
        }
        let write = write(&formatted);
        self.code(
            "(&$private::$probe($reference)).capture($write)",
            &[
                ("probe", &code(probe(value.spec.style), &[])),
                ("reference", &self.argument(value.argument)),
                ("write", &write),
            ],
        )
    }

    fn pieces(&self) -> TokenStream {
        let pieces = self.resolved.pieces.iter().map(|piece| match piece {
            ResolvedPiece::Literal(literal) => {
                let literal = text(Span::mixed_site(), literal);
                self.code(
                    "$private::Piece::Literal($literal),",
                    &[("literal", &literal)],
                )
            }
            ResolvedPiece::Value(index, spec) => self.code(
                "$private::Piece::Value($index, $spec),",
                &[
                    ("index", &number(Span::mixed_site(), *index)),
                    ("spec", &self.spec(spec)),
                ],
            ),
        });
        pieces.collect()
    }

    fn fields(&self) -> TokenStream {
        let first = self.resolved.values.len();
        let fields = self.statement.fields.iter().enumerate();
        let fields = fields.map(|(index, field)| {
            let name = field_name(field);
            let spec = match field.capture {
                Capture::Plain | Capture::Display => "$private::Spec::DISPLAY",
                Capture::Debug => "$private::Spec::DEBUG",
            };
            self.code(
                "$private::Field { name: $name, value: $index, spec: $spec },",
                &[
                    ("name", &name),
                    ("index", &number(Span::mixed_site(), first + index)),
                    ("spec", &self.code(spec, &[])),
                ],
            )
        });
        fields.collect()
    }

    fn names(&self) -> TokenStream {
        let names = self.resolved.values.iter().map(|value| {
            let name = name(&self.arguments[value.argument]);
            code("$name,", &[("name", &text(Span::mixed_site(), &name))])
        });
        names.collect()
    }

    fn spec(&self, spec: &Spec<usize>) -> TokenStream {
        if *spec == Spec::DISPLAY {
            return self.code("$private::Spec::DISPLAY", &[]);
        }
        let fill = TokenTree::from(Literal::character(spec.fill.unwrap_or(' '))).into();
        let align = match spec.align {
            None => "$private::Align::Unset",
            Some(Align::Left) => "$private::Align::Left",
            Some(Align::Center) => "$private::Align::Center",
            Some(Align::Right) => "$private::Align::Right",
        };
        let sign = match spec.sign {
            None => "$private::Sign::Unset",
            Some(Sign::Plus) => "$private::Sign::Plus",
            Some(Sign::Minus) => "$private::Sign::Minus",
        };
        let style = match spec.style {
            Style::Display => "$private::Style::Display",
            Style::Debug => "$private::Style::Debug",
            Style::DebugLowerHex => "$private::Style::DebugLowerHex",
            Style::DebugUpperHex => "$private::Style::DebugUpperHex",
            Style::LowerHex => "$private::Style::LowerHex",
            Style::UpperHex => "$private::Style::UpperHex",
            Style::Octal => "$private::Style::Octal",
            Style::Binary => "$private::Style::Binary",
            Style::LowerExp => "$private::Style::LowerExp",
            Style::UpperExp => "$private::Style::UpperExp",
            Style::Pointer => "$private::Style::Pointer",
        };
        let flag = |set: bool| code(if set { "true" } else { "false" }, &[]);
        self.code(
            "$private::Spec {
                fill: $fill,
                align: $align,
                sign: $sign,
                alternate: $alternate,
                zero: $zero,
                width: $width,
                precision: $precision,
                style: $style,
            }",
            &[
                ("fill", &fill),
                ("align", &self.code(align, &[])),
                ("sign", &self.code(sign, &[])),
                ("alternate", &flag(spec.alternate)),
                ("zero", &flag(spec.zero)),
                ("width", &self.count(&spec.width)),
                ("precision", &self.count(&spec.precision)),
                ("style", &self.code(style, &[])),
            ],
        )
    }

    fn count(&self, count: &Count<usize>) -> TokenStream {
        let (template, index) = match *count {
            Count::Unset => ("$private::Count::Unset", 0),
            Count::Is(number) => ("$private::Count::Is($number)", usize::from(number)),
            Count::Argument(value) => ("$private::Count::Value($number)", value),
        };
        self.code(template, &[("number", &number(Span::mixed_site(), index))])
    }
}

/// A format string that shows its first argument as `spec` says. The arguments that `spec` refers
/// to are added to `arguments`, which holds the first.
fn format_string(spec: &Spec<usize>, arguments: &mut Vec<usize>) -> String {
    use std::fmt::Write;

    let mut text = "{:".to_owned();
    text.extend(spec.fill);
    text.push_str(match spec.align {
        None => "",
        Some(Align::Left) => "<",
        Some(Align::Center) => "^",
        Some(Align::Right) => ">",
    });
    text.push_str(match spec.sign {
        None => "",
        Some(Sign::Plus) => "+",
        Some(Sign::Minus) => "-",
    });
    text.push_str(if spec.alternate { "#" } else { "" });
    text.push_str(if spec.zero { "0" } else { "" });
    let mut count = |text: &mut String, count: &Count<usize>| {
        let _ = match *count {
            Count::Unset => Ok(()),
            Count::Is(number) => write!(text, "{number}"),
            Count::Argument(argument) => {
                arguments.push(argument);
                write!(text, "{}$", arguments.len() - 1)
            }
        };
    };
    count(&mut text, &spec.width);
    if spec.precision != Count::Unset {
        text.push('.');
        count(&mut text, &spec.precision);
    }
    text.push_str(match spec.style {
        Style::Display => "",
        Style::Debug => "?",
        Style::DebugLowerHex => "x?",
        Style::DebugUpperHex => "X?",
        Style::LowerHex => "x",
        Style::UpperHex => "X",
        Style::Octal => "o",
        Style::Binary => "b",
        Style::LowerExp => "e",
        Style::UpperExp => "E",
        Style::Pointer => "p",
    });
    text.push('}');
    if text == "{:}" { "{}".to_owned() } else { text }
}
