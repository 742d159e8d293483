//! Structs and enums, as far as a derive needs to understand them.
//!
//! The compiler has parsed the item before, so what is read here is well-formed. Types, bounds and
//! defaults are runs of tokens that are handed on; all that has to be found is where they end.

use proc_macro::{Delimiter, Group, Ident, Literal, Spacing, Span, TokenStream, TokenTree};

use crate::input::Error;
use crate::literal;

/// A struct or an enum.
pub(crate) struct Item {
    pub(crate) name: Ident,
    pub(crate) generics: Generics,
    pub(crate) body: Body,
    pub(crate) options: ItemOptions,
}

/// What the attributes of an item say.
#[derive(Default)]
pub(crate) struct ItemOptions {
    /// `#[repr(packed)]`: fields cannot be referred to.
    pub(crate) packed: bool,
    /// `crate = "path"`
    pub(crate) ringlog: Option<TokenStream>,
    /// `recursive`
    pub(crate) recursive: bool,
}

/// The generics of an item.
#[derive(Default)]
pub(crate) struct Generics {
    /// As an impl declares them: in angle brackets, without defaults; empty if there are none.
    pub(crate) declared: TokenStream,
    /// As the type has them: only their names.
    pub(crate) used: TokenStream,
    /// The types among them.
    pub(crate) types: Vec<Ident>,
    /// What stands behind `where`, with a comma at its end.
    pub(crate) wheres: TokenStream,
}

pub(crate) enum Body {
    Struct(Fields),
    Enum(Vec<Variant>),
}

pub(crate) struct Variant {
    pub(crate) name: Ident,
    pub(crate) fields: Fields,
}

pub(crate) enum Fields {
    Unit,
    Named(Vec<Field>),
    Tuple(Vec<Field>),
}

pub(crate) struct Field {
    /// `None` in a tuple.
    pub(crate) name: Option<Ident>,
    /// From 0.
    index: usize,
    pub(crate) ty: TokenStream,
    pub(crate) options: FieldOptions,
}

/// What the attributes of a field say.
#[derive(Default)]
pub(crate) struct FieldOptions {
    /// `skip`
    skip: bool,
    /// `with = "path"`
    pub(crate) with: Option<TokenStream>,
}

impl Item {
    /// Whether it contains itself, as far as can be seen.
    pub(crate) fn is_recursive(&self) -> bool {
        let own = self.name.to_string();
        self.options.recursive
            || self
                .body
                .fields()
                .any(|field| mentions(field.ty.clone(), &own))
    }
}

impl Body {
    /// All fields that are stored.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &Field> {
        let (fields, variants) = match self {
            Body::Struct(fields) => (Some(fields), [].as_slice()),
            Body::Enum(variants) => (None, variants.as_slice()),
        };
        let of_variants = variants.iter().map(|variant| &variant.fields);
        fields
            .into_iter()
            .chain(of_variants)
            .flat_map(Fields::stored)
    }
}

impl Fields {
    fn all(&self) -> &[Field] {
        match self {
            Fields::Unit => &[],
            Fields::Named(fields) | Fields::Tuple(fields) => fields,
        }
    }

    /// Those that are stored.
    pub(crate) fn stored(&self) -> impl Iterator<Item = &Field> {
        self.all().iter().filter(|field| !field.options.skip)
    }
}

impl Field {
    /// What stands behind the point to get at it.
    pub(crate) fn access(&self) -> TokenStream {
        match &self.name {
            Some(name) => TokenTree::from(name.clone()).into(),
            None => TokenTree::from(Literal::usize_unsuffixed(self.index)).into(),
        }
    }
}

/// Whether a type's tokens have this name in them, or `Self`.
fn mentions(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => {
            let ident = ident.to_string();
            ident == name || ident == "Self"
        }
        TokenTree::Group(group) => mentions(group.stream(), name),
        _ => false,
    })
}

/// Reads an item.
pub(crate) fn parse(input: TokenStream) -> Result<Item, Error> {
    let mut tokens = Tokens::new(input);
    let mut options = ItemOptions::default();
    for attribute in tokens.attributes() {
        item_attribute(&attribute, &mut options)?;
    }
    tokens.visibility();
    let keyword = tokens.ident()?;
    let name = tokens.ident()?;
    let mut generics = tokens.generics()?;
    let body = match keyword.to_string().as_str() {
        "struct" => {
            // Of a tuple struct, the bounds come last.
            if !matches!(tokens.peek(), Some(TokenTree::Group(_))) {
                generics.wheres = tokens.wheres();
            }
            let fields = tokens.fields()?;
            if matches!(fields, Fields::Tuple(_)) {
                generics.wheres = tokens.wheres();
            }
            Body::Struct(fields)
        }
        "enum" => {
            generics.wheres = tokens.wheres();
            Body::Enum(variants(tokens.group()?)?)
        }
        _ => {
            let message = "`Record` cannot be derived for a union: which field is in use, only \
                           the program knows";
            return Err(Error::at(&[keyword.into()], message));
        }
    };
    Ok(Item {
        name,
        generics,
        body,
        options,
    })
}

fn variants(group: Group) -> Result<Vec<Variant>, Error> {
    let mut variants = Vec::new();
    for part in split_plainly(group.stream()) {
        let mut tokens = Tokens::of(part);
        for attribute in tokens.attributes() {
            if let Some((name, _)) = options(&attribute)?.into_iter().next() {
                let message = format!(
                    "no option `{name}` for a variant: `skip` and `with` are for its fields"
                );
                return Err(Error::at(&[name.into()], &message));
            }
        }
        variants.push(Variant {
            name: tokens.ident()?,
            fields: tokens.fields()?,
        });
    }
    Ok(variants)
}

fn fields(group: &Group, named: bool) -> Result<Vec<Field>, Error> {
    let mut fields = Vec::new();
    for (index, part) in split(group.stream()).into_iter().enumerate() {
        let mut tokens = Tokens::of(part);
        let mut options = FieldOptions::default();
        for attribute in tokens.attributes() {
            field_attribute(&attribute, &mut options)?;
        }
        tokens.visibility();
        let name = if named {
            let name = tokens.ident()?;
            tokens.skip();
            Some(name)
        } else {
            None
        };
        fields.push(Field {
            name,
            index,
            ty: tokens.rest(),
            options,
        });
    }
    Ok(fields)
}

fn item_attribute(attribute: &Group, known: &mut ItemOptions) -> Result<(), Error> {
    let mut tokens = attribute.stream().into_iter();
    if let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(arguments))) =
        (tokens.next(), tokens.next())
    {
        known.packed |= name.to_string() == "repr" && mentions(arguments.stream(), "packed");
    }
    for (name, value) in options(attribute)? {
        match (name.to_string().as_str(), value) {
            ("recursive", None) => known.recursive = true,
            ("recursive", Some(_)) => return Err(no_value(&name)),
            ("crate", value) => known.ringlog = Some(path(&name, value, "::ringlog")?),
            (other, _) => {
                let message = format!(
                    "no option `{other}` for a type: there are `recursive` and `crate`; `skip` \
                     and `with` are for fields"
                );
                return Err(Error::at(&[name.into()], &message));
            }
        }
    }
    Ok(())
}

fn field_attribute(attribute: &Group, known: &mut FieldOptions) -> Result<(), Error> {
    for (name, value) in options(attribute)? {
        match (name.to_string().as_str(), value) {
            ("skip", None) => known.skip = true,
            ("skip", Some(_)) => return Err(no_value(&name)),
            ("with", value) => known.with = Some(path(&name, value, "to_micros")?),
            (other, _) => {
                let message =
                    format!("no option `{other}` for a field: there are `skip` and `with`");
                return Err(Error::at(&[name.into()], &message));
            }
        }
        if known.skip && known.with.is_some() {
            let message = "a field that is skipped is not stored, so it needs no `with`";
            return Err(Error::at(&[name.into()], message));
        }
    }
    Ok(())
}

fn no_value(name: &Ident) -> Error {
    let message = format!("`{name}` has no value");
    Error::at(&[name.clone().into()], &message)
}

/// The path that an option's value holds.
fn path(name: &Ident, value: Option<TokenTree>, example: &str) -> Result<TokenStream, Error> {
    let wrong = || {
        let message =
            format!("the value of `{name}` is a path in quotes, as in `{name} = \"{example}\"`");
        let place = value.clone().unwrap_or_else(|| name.clone().into());
        Error::at(&[place], &message)
    };
    let literal = match &value {
        Some(TokenTree::Literal(literal)) => literal,
        _ => return Err(wrong()),
    };
    let text = literal::text(&literal.to_string()).ok_or_else(wrong)?;
    let path: TokenStream = text.parse().map_err(|_| wrong())?;
    if path.is_empty() {
        return Err(wrong());
    }
    Ok(at(path, literal.span()))
}

/// The tokens, as if they stood at the place of the literal that they come from.
fn at(tokens: TokenStream, span: Span) -> TokenStream {
    let at = |mut token: TokenTree| {
        if let TokenTree::Group(group) = token {
            token = Group::new(group.delimiter(), at(group.stream(), span)).into();
        }
        token.set_span(span);
        token
    };
    tokens.into_iter().map(at).collect()
}

/// The options of an attribute if that is `record(...)`: names, and what stands behind `=`.
fn options(attribute: &Group) -> Result<Vec<(Ident, Option<TokenTree>)>, Error> {
    let mut tokens = attribute.stream().into_iter();
    match tokens.next() {
        Some(TokenTree::Ident(name)) if name.to_string() == "record" => {}
        _ => return Ok(Vec::new()),
    }
    let wrong = |place: &[TokenTree]| {
        Error::at(
            place,
            "`record` takes options in parentheses, as in `#[record(skip)]`",
        )
    };
    let arguments = match tokens.next() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => group,
        _ => return Err(wrong(&[attribute.clone().into()])),
    };
    let mut options = Vec::new();
    for part in split_plainly(arguments.stream()) {
        options.push(match part.as_slice() {
            [TokenTree::Ident(name)] => (name.clone(), None),
            [TokenTree::Ident(name), TokenTree::Punct(punct), value] if punct.as_char() == '=' => {
                (name.clone(), Some(value.clone()))
            }
            _ => return Err(wrong(&part)),
        });
    }
    Ok(options)
}

/// Splits at the commas that are in no brackets of any kind. In what is split are types.
fn split(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut tokens = Tokens::new(tokens);
    let mut parts = Vec::new();
    while tokens.peek().is_some() {
        parts.push(tokens.until(','));
        tokens.skip();
    }
    parts
}

/// Splits at all commas. In what is split may be expressions, with operators that look like angle
/// brackets.
fn split_plainly(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut parts = vec![Vec::new()];
    for token in tokens {
        match (&token, parts.last_mut()) {
            (TokenTree::Punct(punct), _) if punct.as_char() == ',' => parts.push(Vec::new()),
            (_, Some(part)) => part.push(token),
            (_, None) => {}
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Tokens that have not been read yet.
struct Tokens {
    /// Last first.
    rest: Vec<TokenTree>,
}

impl Tokens {
    fn new(tokens: TokenStream) -> Self {
        Tokens::of(tokens.into_iter().collect())
    }

    fn of(mut tokens: Vec<TokenTree>) -> Self {
        tokens.reverse();
        Tokens { rest: tokens }
    }

    fn peek(&self) -> Option<&TokenTree> {
        self.rest.last()
    }

    fn skip(&mut self) {
        self.rest.pop();
    }

    fn rest(mut self) -> TokenStream {
        self.rest.reverse();
        self.rest.into_iter().collect()
    }

    fn peeks_punct(&self, char: char) -> bool {
        matches!(self.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == char)
    }

    fn peeks_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(TokenTree::Ident(ident)) if ident.to_string() == word)
    }

    fn ident(&mut self) -> Result<Ident, Error> {
        match self.rest.pop() {
            Some(TokenTree::Ident(ident)) => Ok(ident),
            other => Err(unknown(other)),
        }
    }

    fn group(&mut self) -> Result<Group, Error> {
        match self.rest.pop() {
            Some(TokenTree::Group(group)) => Ok(group),
            other => Err(unknown(other)),
        }
    }

    /// The brackets of all attributes.
    fn attributes(&mut self) -> Vec<Group> {
        let mut attributes = Vec::new();
        while self.peeks_punct('#') {
            self.skip();
            if let Some(TokenTree::Group(group)) = self.rest.pop() {
                attributes.push(group);
            }
        }
        attributes
    }

    fn visibility(&mut self) {
        if self.peeks_word("pub") {
            self.skip();
            if let Some(TokenTree::Group(group)) = self.peek() {
                // The other parentheses there can be are the type of a tuple's field.
                let first = group.stream().into_iter().next();
                let word = match first {
                    Some(TokenTree::Ident(word)) => word.to_string(),
                    _ => String::new(),
                };
                let restricts = matches!(word.as_str(), "crate" | "super" | "self" | "in");
                if group.delimiter() == Delimiter::Parenthesis && restricts {
                    self.skip();
                }
            }
        }
    }

    /// What comes before a character that is in no brackets of any kind.
    fn until(&mut self, end: char) -> Vec<TokenTree> {
        let mut before = Vec::new();
        let (mut depth, mut arrow) = (0_u32, false);
        while let Some(token) = self.rest.pop() {
            if let TokenTree::Punct(punct) = &token {
                let char = punct.as_char();
                if char == end && depth == 0 {
                    self.rest.push(token);
                    break;
                }
                match char {
                    '<' => depth += 1,
                    '>' if !arrow => depth = depth.saturating_sub(1),
                    _ => {}
                }
                arrow = char == '-' && punct.spacing() == Spacing::Joint;
            } else {
                arrow = false;
            }
            before.push(token);
        }
        before
    }

    fn generics(&mut self) -> Result<Generics, Error> {
        let mut generics = Generics::default();
        if !self.peeks_punct('<') {
            return Ok(generics);
        }
        self.skip();
        let inside = self.until('>');
        self.skip();
        let (mut declared, mut used) = (Vec::new(), Vec::new());
        for part in split(inside.into_iter().collect()) {
            let mut tokens = Tokens::of(part);
            tokens.attributes();
            let parameter = Tokens::of(tokens.until('='));
            match parameter.rest.as_slice() {
                [.., TokenTree::Ident(name), TokenTree::Punct(quote)]
                    if quote.as_char() == '\'' =>
                {
                    used.extend([quote.clone().into(), TokenTree::from(name.clone())]);
                }
                [.., TokenTree::Ident(name), TokenTree::Ident(word)]
                    if word.to_string() == "const" =>
                {
                    used.push(name.clone().into());
                }
                [.., TokenTree::Ident(name)] => {
                    used.push(name.clone().into());
                    generics.types.push(name.clone());
                }
                _ => return Err(unknown(None)),
            }
            declared.extend(parameter.rest());
            let comma = || TokenTree::from(proc_macro::Punct::new(',', Spacing::Alone));
            declared.push(comma());
            used.push(comma());
        }
        generics.declared = in_angles(declared);
        generics.used = in_angles(used);
        Ok(generics)
    }

    /// The bounds behind `where`, if there are any, up to the body or the end of the item.
    fn wheres(&mut self) -> TokenStream {
        if !self.peeks_word("where") {
            return TokenStream::new();
        }
        self.skip();
        let mut bounds = Vec::new();
        while let Some(token) = self.peek() {
            match token {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => break,
                TokenTree::Punct(punct) if punct.as_char() == ';' => break,
                _ => bounds.extend(self.rest.pop()),
            }
        }
        let ends = matches!(bounds.last(), Some(TokenTree::Punct(punct)) if punct.as_char() == ',');
        if !bounds.is_empty() && !ends {
            bounds.push(proc_macro::Punct::new(',', Spacing::Alone).into());
        }
        bounds.into_iter().collect()
    }

    fn fields(&mut self) -> Result<Fields, Error> {
        let Some(TokenTree::Group(group)) = self.peek().cloned() else {
            return Ok(Fields::Unit);
        };
        self.skip();
        match group.delimiter() {
            Delimiter::Brace => fields(&group, true).map(Fields::Named),
            _ => fields(&group, false).map(Fields::Tuple),
        }
    }
}

fn in_angles(inside: Vec<TokenTree>) -> TokenStream {
    let angle = |char| TokenTree::from(proc_macro::Punct::new(char, Spacing::Alone));
    let mut tokens = vec![angle('<')];
    tokens.extend(inside);
    tokens.push(angle('>'));
    tokens.into_iter().collect()
}

/// For what the compiler has taken for an item, and this is not prepared for.
fn unknown(token: Option<TokenTree>) -> Error {
    let message = "`Record` cannot be derived for this kind of item";
    match token {
        Some(token) => Error::at(&[token], message),
        None => Error::at(&[], message),
    }
}
