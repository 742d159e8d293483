//! Which values a statement stores, and which of them each placeholder shows.

use crate::format_string::{Argument, Piece, Spec, Style};

/// A format string whose references are resolved.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Resolved {
    pub(crate) pieces: Vec<ResolvedPiece>,
    /// What a record holds, in order.
    pub(crate) values: Vec<Value>,
    /// The names of the variables that the format string takes from around it. They are numbered
    /// on from the arguments written in the call.
    pub(crate) captured: Vec<String>,
}

/// A piece of a resolved format string.
#[derive(Debug, PartialEq)]
pub(crate) enum ResolvedPiece {
    Literal(String),
    /// The index of a value, and a specification that refers to values.
    Value(usize, Spec<usize>),
}

/// A stored value: an argument, and a specification that refers to arguments.
///
/// An argument that is shown in two ways is stored twice, because only the compiler knows whether
/// it will be stored as itself or as the text that the specification makes of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Value {
    pub(crate) argument: usize,
    pub(crate) spec: Spec<usize>,
}

impl Value {
    /// Whether it is the argument's address that is stored.
    pub(crate) fn is_address(&self) -> bool {
        self.spec.style == Style::Pointer
    }
}

/// Resolves the references of a format string, given the names of the arguments in the call; a
/// positional argument has an empty one.
///
/// `None` if the two do not fit: an argument is missing, unused, out of order or named twice.
pub(crate) fn resolve(format: Vec<Piece>, names: &[String]) -> Option<Resolved> {
    let mut arguments = Arguments::new(names)?;
    let mut values: Vec<Value> = Vec::new();
    let mut pieces = Vec::with_capacity(format.len());
    for piece in format {
        pieces.push(match piece {
            Piece::Literal(text) => ResolvedPiece::Literal(text),
            Piece::Placeholder(argument, spec) => {
                let value = Value {
                    argument: arguments.index(&argument)?,
                    spec: spec.refer_by(|argument| arguments.index(argument))?,
                };
                let spec = value.spec.clone();
                let known = values.iter().position(|known| *known == value);
                let index = known.unwrap_or_else(|| {
                    values.push(value);
                    values.len() - 1
                });
                ResolvedPiece::Value(index, spec)
            }
        });
    }
    if arguments.used.contains(&false) {
        return None;
    }
    // Only now, so that the values for widths and precisions come after those that are shown.
    for piece in &mut pieces {
        if let ResolvedPiece::Value(_, spec) = piece {
            *spec = spec.refer_by(|&argument| Some(count(&mut values, argument)))?;
        }
    }
    Some(Resolved {
        pieces,
        values,
        captured: arguments.captured,
    })
}

/// The index of a value that holds the argument as a number, stored for this if there is none.
fn count(values: &mut Vec<Value>, argument: usize) -> usize {
    let known = values
        .iter()
        .position(|known| known.argument == argument && !known.is_address());
    known.unwrap_or_else(|| {
        values.push(Value {
            argument,
            spec: Spec::DISPLAY,
        });
        values.len() - 1
    })
}

struct Arguments<'call> {
    /// The names of the arguments in the call; empty for a positional one.
    names: &'call [String],
    /// Which of those the format string refers to.
    used: Vec<bool>,
    captured: Vec<String>,
}

impl<'call> Arguments<'call> {
    fn new(names: &'call [String]) -> Option<Self> {
        let positional = names.iter().take_while(|name| name.is_empty()).count();
        let named = &names[positional..];
        for (index, name) in named.iter().enumerate() {
            if name.is_empty() || named[..index].contains(name) {
                return None;
            }
        }
        Some(Arguments {
            names,
            used: vec![false; names.len()],
            captured: Vec::new(),
        })
    }

    fn index(&mut self, argument: &Argument) -> Option<usize> {
        let index = match argument {
            Argument::Position(position) => *position,
            Argument::Name(name) => {
                let known = self.names.iter().position(|known| known == name);
                match known {
                    Some(index) => index,
                    None => return Some(self.capture(name)),
                }
            }
        };
        *self.used.get_mut(index)? = true;
        Some(index)
    }

    fn capture(&mut self, name: &str) -> usize {
        let known = self.captured.iter().position(|known| known == name);
        let index = known.unwrap_or_else(|| {
            self.captured.push(name.to_owned());
            self.captured.len() - 1
        });
        self.names.len() + index
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format_string::{Count, parse};

    fn resolve(format: &str, names: &[&str]) -> Option<Resolved> {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        super::resolve(parse(format).expect("a format string"), &names)
    }

    /// The arguments that are stored, and the values that are shown.
    #[track_caller]
    fn stored_and_shown(format: &str, names: &[&str]) -> (Vec<usize>, Vec<usize>) {
        let resolved = resolve(format, names).expect("arguments that fit");
        let shown = resolved.pieces.iter().filter_map(|piece| match piece {
            ResolvedPiece::Literal(_) => None,
            ResolvedPiece::Value(index, _) => Some(*index),
        });
        let stored = resolved.values.iter().map(|value| value.argument);
        (stored.collect(), shown.collect())
    }

    #[track_caller]
    fn counts(format: &str, names: &[&str]) -> Vec<(Count<usize>, Count<usize>)> {
        let resolved = resolve(format, names).expect("arguments that fit");
        let counts = resolved.pieces.into_iter().filter_map(|piece| match piece {
            ResolvedPiece::Literal(_) => None,
            ResolvedPiece::Value(_, spec) => Some((spec.width, spec.precision)),
        });
        counts.collect()
    }

    #[test]
    fn values_are_stored_in_the_order_of_the_format_string() {
        assert_eq!(
            stored_and_shown("{} {}", &["", ""]),
            (vec![0, 1], vec![0, 1])
        );
        assert_eq!(
            stored_and_shown("{1} {0}", &["", ""]),
            (vec![1, 0], vec![0, 1])
        );
        assert_eq!(
            stored_and_shown("{b} {a}", &["a", "b"]),
            (vec![1, 0], vec![0, 1])
        );
        assert_eq!(stored_and_shown("{x} {}", &[""]), (vec![1, 0], vec![0, 1]));
    }

    #[test]
    fn an_argument_shown_twice_alike_is_stored_once() {
        assert_eq!(stored_and_shown("{0} {0}", &[""]), (vec![0], vec![0, 0]));
        assert_eq!(stored_and_shown("{x} {x}", &[]), (vec![0], vec![0, 0]));
        assert_eq!(stored_and_shown("{} {a}", &["a"]), (vec![0], vec![0, 0]));
        assert_eq!(
            stored_and_shown("{0:1$} {0:w$}", &["", "w"]),
            (vec![0, 1], vec![0, 0])
        );
    }

    #[test]
    fn an_argument_shown_in_two_ways_is_stored_twice() {
        assert_eq!(
            stored_and_shown("{0} {0:?}", &[""]),
            (vec![0, 0], vec![0, 1])
        );
        assert_eq!(
            stored_and_shown("{0:x} {0:#x}", &[""]),
            (vec![0, 0], vec![0, 1])
        );
    }

    #[test]
    fn counts_are_stored_after_what_is_shown() {
        assert_eq!(
            stored_and_shown("{:1$} {}", &["", ""]),
            (vec![0, 1], vec![0, 1])
        );
        assert_eq!(
            stored_and_shown("{:w$} {x}", &["", "w"]),
            (vec![0, 2, 1], vec![0, 1])
        );
        assert_eq!(
            counts("{:w$.p$} {x}", &[""]),
            [
                (Count::Argument(2), Count::Argument(3)),
                (Count::Unset, Count::Unset)
            ]
        );
        assert_eq!(
            counts("{:.*}", &["", ""]),
            [(Count::Unset, Count::Argument(1))]
        );
    }

    #[test]
    fn a_count_that_is_shown_too_is_not_stored_again() {
        assert_eq!(counts("{w:?} {:w$}", &[""])[1].0, Count::Argument(0));
        assert_eq!(counts("{:w$} {w}", &[""])[0].0, Count::Argument(1));
        assert_eq!(
            counts("{0:0$}", &[""]),
            [(Count::Argument(0), Count::Unset)]
        );
        assert_eq!(resolve("{0:0$}", &[""]).map(|it| it.values.len()), Some(1));
    }

    #[test]
    fn a_count_that_is_shown_as_an_address_is_stored_again() {
        assert_eq!(counts("{w:p} {:w$}", &[""])[1].0, Count::Argument(2));
    }

    #[test]
    fn names_that_are_no_argument_are_captured_once() {
        let resolved = resolve("{x} {a} {y:x$} {x:?}", &["a"]).expect("arguments that fit");
        assert_eq!(resolved.captured, ["x", "y"]);
        let stored: Vec<_> = resolved.values.iter().map(|value| value.argument).collect();
        assert_eq!(stored, [1, 0, 2, 1]);
    }

    #[test]
    fn calls_that_do_not_fit_are_refused() {
        assert_eq!(resolve("{}", &[]), None, "missing");
        assert_eq!(resolve("{1}", &[""]), None, "missing, though one is there");
        assert_eq!(resolve("{x} {0}", &[]), None, "captures have no position");
        assert_eq!(resolve("{:.*}", &[""]), None, "missing value");
        assert_eq!(resolve("{:1$}", &[""]), None, "missing width");
        assert_eq!(resolve("", &[""]), None, "unused");
        assert_eq!(resolve("{}", &["", ""]), None, "unused");
        assert_eq!(
            resolve("{x}", &["y"]),
            None,
            "unused, though one is captured"
        );
        assert_eq!(
            resolve("{} {a}", &["a", ""]),
            None,
            "positional after named"
        );
        assert_eq!(resolve("{a}", &["a", "a"]), None, "named twice");
    }
}
