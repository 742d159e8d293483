//! What a log statement turns into.
//!
//! ```text
//! {
//!     static __RINGLOG_SITE: Callsite = ...;                what is known before it runs
//!     if INFO && enabled(logger, &__RINGLOG_SITE) {         a load and a branch when it is off
//!         match (&(x), &(y)) { arguments => {               each argument is evaluated once
//!             submit(logger, &__RINGLOG_SITE, level, (...))
//!         } }
//!     } else { Outcome::Filtered }
//! }
//! ```
//!
//! Arguments that are variables are named where they are needed, without the `match`. A level that
//! is an expression is a constant in front of the static, and a logger that is one is evaluated once.
//!
//! The variables have the hygiene of `macro_rules!`: expressions of the user's do not see them.
//! Items have none, hence the name of the static.
//!
//! What a value is captured by asks for the trait that formats it, so that is where the compiler
//! finds a type that cannot be shown as the format string wants it. Where there is more to it than
//! the trait, it is a `format_args!` of its own, which serves as the way to format what has no typed
//! form, too.
//!
//! Each token and each item here is paid for a thousand times over in the build of a program with a
//! thousand statements: hence what is unusual has more of them, and what is usual has less.

use std::panic::catch_unwind;

use proc_macro::{Ident, Literal, Span, TokenStream, TokenTree};

use crate::arguments::{self, Resolved, ResolvedPiece, Value};
use crate::field::{Capture, Field, Name};
use crate::format_string::{self, Align, Count, Sign, Spec, Style};
use crate::input::{
    Argument, Context, Error, Expression, Level, LimitKind, Message, Place, Statement,
};
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
    let fields = statement.fields.iter().map(|field| &field.value);
    let values = arguments.iter().map(|argument| &argument.value);
    Expansion {
        private,
        statement: &statement,
        resolved,
        arguments: &arguments,
        operands: Operands::of(fields.chain(values)),
    }
    .block()
}

/// The expansion of a context: the fields as their values were captured, in the order of the source.
pub(crate) fn context(context: &Context) -> TokenStream {
    let private = code("$ringlog::__private", &[("ringlog", &context.ringlog)]);
    let operands = Operands::of(context.fields.iter().map(|field| &field.value));
    let names = context.fields.iter().map(|field| {
        let name = field_name(field);
        code("$name,", &[("name", &name)])
    });
    let fields = context.fields.iter().enumerate();
    let captured = fields.map(|(number, field)| operands.field(&private, number, field, true));
    operands.evaluate(code(
        "$private::enter_context(&[$names], $values)",
        &[
            ("private", &private),
            ("names", &names.collect()),
            ("values", &list(&captured.collect::<Vec<_>>())),
        ],
    ))
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
            tokens: TokenTree::from(ident.clone()).into(),
            name: Some(ident),
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

/// A path with the same meaning, standing where a value stands in the source: that is where the
/// compiler then shows what is wrong with the value.
fn located(path: &TokenStream, place: Place) -> TokenStream {
    let locate = |mut token: TokenTree| {
        token.set_span(token.span().located_at(place.first));
        token
    };
    path.clone().into_iter().map(locate).collect()
}

/// The name of a field, a constant.
fn field_name(field: &Field) -> TokenStream {
    match &field.name {
        Name::Text(name) => text(Span::mixed_site(), name),
        Name::Constant(name) => name.clone(),
    }
}

/// What decides how an argument of this style is captured.
fn probe(style: Style) -> &'static str {
    match style {
        Style::Debug | Style::DebugLowerHex | Style::DebugUpperHex => "probe",
        Style::Pointer => "address_probe",
        _ => "plain_probe",
    }
}

/// The same for a field.
fn field_probe(capture: Capture) -> &'static str {
    match capture {
        Capture::Plain | Capture::Debug => "probe",
        Capture::Display => "plain_probe",
    }
}

/// The expressions of a statement whose values it stores, in the order of the source.
struct Operands<'a> {
    expressions: Vec<&'a Expression>,
    /// Whether they are all names, and need no evaluation.
    named: bool,
}

impl<'a> Operands<'a> {
    fn of(expressions: impl Iterator<Item = &'a Expression>) -> Self {
        let expressions: Vec<_> = expressions.collect();
        let named = expressions.iter().all(|it| it.name().is_some());
        Operands { expressions, named }
    }

    /// Evaluates them, in their order, for `code` to use.
    fn evaluate(&self, code: TokenStream) -> TokenStream {
        if self.named {
            return code;
        }
        let references = self.expressions.iter().map(|expression| {
            let Place { first, last } = expression.place.located();
            let value = fill(last, "($value)", &[("value", &expression.tokens)]);
            fill(first, "&$value,", &[("value", &value)])
        });
        self::code(
            "match ($references) { arguments => $code }",
            &[("references", &references.collect()), ("code", &code)],
        )
    }

    /// The value with this number, standing where it stands in the source.
    fn value(&self, number: usize) -> TokenStream {
        let expression = self.expressions[number];
        if self.named {
            return expression.tokens.clone();
        }
        let Place { first, last } = expression.place.located();
        let index = self::number(last, number);
        fill(first, "*arguments.$index", &[("index", &index)])
    }

    /// The same by reference.
    fn reference(&self, number: usize) -> TokenStream {
        let expression = self.expressions[number];
        let Place { first, last } = expression.place.located();
        if self.named {
            return fill(first, "&$value", &[("value", &expression.tokens)]);
        }
        let index = self::number(last, number);
        fill(first, "arguments.$index", &[("index", &index)])
    }

    /// Calls a method of the probe of a value. All of it stands where the value does: that is where
    /// the compiler then shows what is wrong with it.
    fn probed(&self, private: &TokenStream, number: usize, probe: &str, call: &str) -> TokenStream {
        let place = self.expressions[number].place;
        let first = place.located().first;
        fill(
            first,
            "$private::$probe($reference).$call",
            &[
                ("private", &located(private, place)),
                ("probe", &fill(first, probe, &[])),
                ("reference", &self.reference(number)),
                ("call", &fill(first, call, &[])),
            ],
        )
    }

    /// The value of the field with this number, stored as it is if its type allows it. In a context,
    /// that are few, and those of which the trait is named are text.
    fn field(
        &self,
        private: &TokenStream,
        number: usize,
        field: &Field,
        context: bool,
    ) -> TokenStream {
        let probe = match (context, field.capture) {
            (true, Capture::Plain) => "context_probe",
            (true, _) => "text_probe",
            (false, capture) => field_probe(capture),
        };
        let call = match field.capture {
            Capture::Plain => "field()",
            Capture::Display => "display()",
            Capture::Debug => "debug()",
        };
        self.probed(private, number, probe, call)
    }
}

/// How many values stand beside each other in a tuple that holds all of them.
const MOST_IN_A_TUPLE: usize = 8;

/// Captured values as a tuple; those that are too many are in one of their own at its end.
fn list(captured: &[TokenStream]) -> TokenStream {
    let (these, rest) = captured.split_at(captured.len().min(MOST_IN_A_TUPLE));
    let these = these.iter();
    let mut values: TokenStream = these
        .map(|value| code("$value,", &[("value", value)]))
        .collect();
    if !rest.is_empty() {
        values.extend(list(rest));
    }
    code("($values)", &[("values", &values)])
}

struct Expansion<'a> {
    private: TokenStream,
    statement: &'a Statement,
    resolved: Resolved,
    /// Of the message: those in the call, then those captured.
    arguments: &'a [Argument],
    /// The fields, then those arguments.
    operands: Operands<'a>,
}

impl Expansion<'_> {
    /// `code`, where `$private` is known.
    fn code(&self, template: &str, parts: &[(&str, &TokenStream)]) -> TokenStream {
        let mut parts = parts.to_vec();
        parts.push(("private", &self.private));
        code(template, &parts)
    }

    fn block(&self) -> TokenStream {
        let options = &self.statement.options;
        // The constant of the level, the level, and whether it is compiled in.
        let (constant, level, compiled) = match &self.statement.level {
            Level::Named(name) => {
                let compiled = Ident::new(&name.to_string().to_uppercase(), Span::mixed_site());
                (
                    TokenStream::new(),
                    code(
                        "$ringlog::Level::$name",
                        &[
                            ("ringlog", &self.statement.ringlog),
                            ("name", &TokenTree::from(name.clone()).into()),
                        ],
                    ),
                    self.code(
                        "$private::$compiled",
                        &[("compiled", &TokenTree::from(compiled).into())],
                    ),
                )
            }
            Level::Constant(level) => (
                // The level may be a block, which is not the user's mistake.
                code(
                    "#[allow(unused_braces)] const __RINGLOG_LEVEL: $ringlog::Level = $level;",
                    &[
                        ("ringlog", &self.statement.ringlog),
                        ("level", &level.tokens),
                    ],
                ),
                code("__RINGLOG_LEVEL", &[]),
                self.code("const { $private::is_compiled(__RINGLOG_LEVEL) }", &[]),
            ),
        };
        let target = options
            .target
            .as_ref()
            .map(|target| code(".with_target($target)", &[("target", &target.tokens)]));
        let logger = match &options.logger {
            Some(_) => code("logger", &[]),
            None => self.code("&$private::Global", &[]),
        };
        let mut submit = self.submit(&logger, &level);
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
        let run = match &options.logger {
            None => self.code(
                "if $compiled && $private::enabled(&$private::Global, &__RINGLOG_SITE) {
                    $run
                } else {
                    $private::Outcome::Filtered
                }",
                &[("compiled", &compiled), ("run", &run)],
            ),
            Some(logger) => self.code(
                "if $compiled {
                    match &($logger) {
                        logger => if $private::enabled(logger, &__RINGLOG_SITE) {
                            $run
                        } else {
                            $private::Outcome::Filtered
                        }
                    }
                } else {
                    $private::Outcome::Filtered
                }",
                &[
                    ("compiled", &compiled),
                    ("logger", &logger.tokens),
                    ("run", &run),
                ],
            ),
        };
        self.code(
            "{
                $constant
                static __RINGLOG_SITE: $private::Callsite = $private::Callsite::of(
                    $level, ::core::module_path!(), ::core::file!(), ::core::line!(),
                    $message, $names, &[$fields],
                )$target;
                $limit
                $run
            }",
            &[
                ("constant", &constant),
                ("level", &level),
                ("message", &self.message()),
                ("names", &self.names()),
                ("fields", &self.fields()),
                ("target", &target.unwrap_or_default()),
                ("limit", &limit.unwrap_or_default()),
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

    /// What runs when the logger wants the statement.
    fn submit(&self, logger: &TokenStream, level: &TokenStream) -> TokenStream {
        let at = self.statement.options.at.as_ref();
        let at = at.map(|at| fill(at.place.located().first, "at", &[]));
        let submit = match (&at, &self.statement.limit) {
            (None, None) => "$private::submit($logger, &__RINGLOG_SITE, $level, $values)",
            (Some(_), None) => "$private::submit_at($logger, &__RINGLOG_SITE, $at, $values)",
            (None, Some(_)) => {
                "$private::submit_limited(
                    $logger, &__RINGLOG_SITE, &__RINGLOG_LIMIT, suppressed, $values
                )"
            }
            (Some(_), Some(_)) => {
                "$private::submit_limited_at(
                    $logger, &__RINGLOG_SITE, $at, &__RINGLOG_LIMIT, suppressed, $values
                )"
            }
        };
        let submit = self.code(
            submit,
            &[
                ("logger", logger),
                ("level", level),
                ("at", &at.unwrap_or_default()),
                ("values", &self.values()),
            ],
        );
        let submit = if self.statement.typed {
            code(
                "{ $checks $submit }",
                &[("checks", &self.checks()), ("submit", &submit)],
            )
        } else {
            submit
        };
        self.operands.evaluate(submit)
    }

    /// What refuses the values that have no typed form.
    fn checks(&self) -> TokenStream {
        let values = self.resolved.values.iter();
        let values = values.map(|value| (self.operand(value.argument), probe(value.spec.style)));
        let fields = self.statement.fields.iter().enumerate();
        let fields = fields.map(|(number, field)| (number, field_probe(field.capture)));
        let check = |(number, probe)| {
            let operands = &self.operands;
            operands.probed(&self.private, number, probe, "must_be_typed();")
        };
        values.chain(fields).map(check).collect()
    }

    /// The number of the operand that an argument of the message is.
    fn operand(&self, argument: usize) -> usize {
        self.statement.fields.len() + argument
    }

    /// The captured values, the message's before the fields'.
    fn values(&self) -> TokenStream {
        let values = self.resolved.values.iter();
        let mut captured: Vec<_> = values.map(|value| self.captured(value)).collect();
        let fields = self.statement.fields.iter().enumerate();
        captured.extend(
            fields.map(|(number, field)| self.operands.field(&self.private, number, field, false)),
        );
        list(&captured)
    }

    fn captured(&self, value: &Value) -> TokenStream {
        let operand = self.operand(value.argument);
        let probe = probe(value.spec.style);
        let plain = Spec {
            style: value.spec.style,
            ..Spec::DISPLAY
        };
        match value.spec.style {
            Style::Display if value.spec == plain => {
                return self
                    .operands
                    .probed(&self.private, operand, probe, "display()");
            }
            Style::Debug if value.spec == plain => {
                return self
                    .operands
                    .probed(&self.private, operand, probe, "debug()");
            }
            _ => {}
        }
        let mut arguments = vec![value.argument];
        let spec = placeholder("", &value.spec, |argument| {
            arguments.push(argument);
            arguments.len() - 1
        });
        let message = self.statement.message.as_ref();
        let span = message.map_or(Span::call_site(), |message| message.format.span());
        let mut formatted = text(Span::mixed_site().located_at(span), &spec);
        for argument in arguments {
            let value = self.operands.value(self.operand(argument));
            formatted.extend(code(", $value", &[("value", &value)]));
        }
        self.code(
            "$private::$probe($reference).capture(::core::format_args!($formatted))",
            &[
                ("probe", &code(probe, &[])),
                ("reference", &self.operands.reference(operand)),
                ("formatted", &formatted),
            ],
        )
    }

    /// The format string in which each placeholder says the index of its value.
    fn message(&self) -> TokenStream {
        let mut message = String::new();
        for piece in &self.resolved.pieces {
            match piece {
                ResolvedPiece::Literal(text) => {
                    message.push_str(&text.replace('{', "{{").replace('}', "}}"));
                }
                ResolvedPiece::Value(index, spec) => {
                    message.push_str(&placeholder(&index.to_string(), spec, |value| value));
                }
            }
        }
        text(Span::mixed_site(), &message)
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

    /// The names of the values, with commas between them; nothing if none has one.
    fn names(&self) -> TokenStream {
        let values = self.resolved.values.iter();
        let names: Vec<_> = values
            .map(|value| name(&self.arguments[value.argument]))
            .collect();
        let named = names.iter().any(|name| !name.is_empty());
        let names = if named {
            names.join(",")
        } else {
            String::new()
        };
        text(Span::mixed_site(), &names)
    }
}

/// A placeholder that shows `argument` as `spec` says. `refer` says how the arguments that `spec`
/// refers to are called.
fn placeholder(
    argument: &str,
    spec: &Spec<usize>,
    mut refer: impl FnMut(usize) -> usize,
) -> String {
    use std::fmt::Write;

    if *spec == Spec::DISPLAY {
        return format!("{{{argument}}}");
    }
    let mut text = format!("{{{argument}:");
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
            Count::Argument(argument) => write!(text, "{}$", refer(argument)),
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
    text
}
