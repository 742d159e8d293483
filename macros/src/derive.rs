//! `#[derive(Record)]`: from an item to the impl.
//!
//! The impl contains no `unsafe`, so that it is accepted where that is forbidden, and says only
//! what the item says: which fields there are, in which order. How a field is stored is up to the
//! impl of its type.

use proc_macro::{Ident, Literal, Span, TokenStream, TokenTree};

use crate::expansion::{number, text};
use crate::input::Error;
use crate::item::{Body, Field, Fields, Item, Variant};
use crate::template::fill;

/// The impl of `Record` for an item.
pub(crate) fn record(input: TokenStream) -> Result<TokenStream, Error> {
    let item = crate::item::parse(input)?;
    let ringlog = match &item.options.ringlog {
        Some(path) => path.clone(),
        None => code("::ringlog", &[]),
    };
    let derive = Derive {
        private: code("$ringlog::__private", &[("ringlog", &ringlog)]),
        record: code("$ringlog::Record", &[("ringlog", &ringlog)]),
        item: &item,
    };
    Ok(derive.implementation())
}

fn code(template: &str, parts: &[(&str, &TokenStream)]) -> TokenStream {
    fill(Span::mixed_site(), template, parts)
}

struct Derive<'a> {
    private: TokenStream,
    record: TokenStream,
    item: &'a Item,
}

impl Derive<'_> {
    /// `code`, where `$private` and `$record` are known.
    fn code(&self, template: &str, parts: &[(&str, &TokenStream)]) -> TokenStream {
        let mut parts = parts.to_vec();
        parts.push(("private", &self.private));
        parts.push(("record", &self.record));
        code(template, &parts)
    }

    fn implementation(&self) -> TokenStream {
        let item = self.item;
        let bounds = item.generics.types.iter().map(|ty| {
            self.code(
                "$type: $record,",
                &[("type", &TokenTree::from(ty.clone()).into())],
            )
        });
        let (fixed, varies, variable, put) = match &item.body {
            Body::Struct(fields) => self.of_struct(fields),
            Body::Enum(variants) => self.of_enum(variants),
        };
        let inline = match (&item.body, item.is_recursive()) {
            (Body::Struct(_), false) => "#[inline(always)]",
            _ => "#[inline]",
        };
        self.code(
            "#[automatically_derived]
            #[allow(deprecated)]
            impl $impl_generics $record for $name $type_generics where $where $bounds {
                const TYPE: $private::Type = $private::Type::Derived($private::Derived(
                    || const { &$shape }
                ));
                const FIXED: usize = $fixed;
                const VARIES: bool = $varies;
                const PREPARED: bool = $prepared;

                $inline
                fn variable(&self, limit: usize) -> usize {
                    let _ = limit;
                    $variable
                }

                $inline
                fn put<P: $private::Put>(&self, to: &mut P, limit: usize) {
                    let _ = (&to, limit);
                    $put
                }
            }",
            &[
                ("impl_generics", &item.generics.declared),
                ("name", &TokenTree::from(item.name.clone()).into()),
                ("type_generics", &item.generics.used),
                ("where", &item.generics.wheres),
                ("bounds", &bounds.collect()),
                ("shape", &self.shape()),
                ("fixed", &fixed),
                ("varies", &varies),
                ("prepared", &self.prepared()),
                ("inline", &code(inline, &[])),
                ("variable", &variable),
                ("put", &put),
            ],
        )
    }

    /// Whether code of the user's runs to store it. A type that contains itself cannot ask itself,
    /// and is taken for one.
    fn prepared(&self) -> TokenStream {
        let mut fields = self.item.body.fields();
        if self.item.is_recursive() || fields.any(|field| field.options.with.is_some()) {
            return code("true", &[]);
        }
        let fields = self
            .item
            .body
            .fields()
            .map(|field| self.code("|| <$type as $record>::PREPARED", &[("type", &field.ty)]));
        code("false $fields", &[("fields", &fields.collect())])
    }

    /// What a field always takes.
    fn fixed(&self, field: &Field) -> TokenStream {
        match &field.options.with {
            None => self.code("+ <$type as $record>::FIXED", &[("type", &field.ty)]),
            Some(with) => self.code(
                "+ $private::fixed_with::<$type, _>($with)",
                &[("type", &field.ty), ("with", with)],
            ),
        }
    }

    fn of_struct(&self, fields: &Fields) -> (TokenStream, TokenStream, TokenStream, TokenStream) {
        let fixed = fields.stored().map(|field| self.fixed(field)).collect();
        let varies = fields.stored().map(|field| match &field.options.with {
            None => self.code("|| <$type as $record>::VARIES", &[("type", &field.ty)]),
            Some(_) => code("|| true", &[]),
        });
        let varies = varies.collect();
        let (mut variable, mut put) = (TokenStream::new(), TokenStream::new());
        for field in fields.stored() {
            let place = if self.item.options.packed {
                code("&{ self.$name }", &[("name", &field.access())])
            } else {
                code("&self.$name", &[("name", &field.access())])
            };
            self.store(field, &place, &mut variable, &mut put);
        }
        (
            code("0 $fixed", &[("fixed", &fixed)]),
            code("false $varies", &[("varies", &varies)]),
            code("0 $variable", &[("variable", &variable)]),
            put,
        )
    }

    /// Adds how a field is measured and how it is put.
    fn store(
        &self,
        field: &Field,
        place: &TokenStream,
        variable: &mut TokenStream,
        put: &mut TokenStream,
    ) {
        let value = match &field.options.with {
            None => place.clone(),
            Some(with) => code("&$with($place)", &[("with", with), ("place", place)]),
        };
        variable.extend(self.code("+ $record::variable($value, limit)", &[("value", &value)]));
        put.extend(self.code("$record::put($value, to, limit);", &[("value", &value)]));
    }

    fn of_enum(
        &self,
        variants: &[Variant],
    ) -> (TokenStream, TokenStream, TokenStream, TokenStream) {
        let wide = variants.len() > 1 << 8;
        let mut varies = false;
        let (mut variable_arms, mut put_arms) = (TokenStream::new(), TokenStream::new());
        for (index, variant) in variants.iter().enumerate() {
            let (mut pattern, mut fixed) = (TokenStream::new(), TokenStream::new());
            let (mut variable, mut put) = (TokenStream::new(), TokenStream::new());
            for (place, field) in variant.fields.stored().enumerate() {
                varies = true;
                let bound = code(&format!("field_{place}"), &[]);
                pattern.extend(code(
                    "$name: $bound,",
                    &[("name", &field.access()), ("bound", &bound)],
                ));
                fixed.extend(self.fixed(field));
                self.store(field, &bound, &mut variable, &mut put);
            }
            let pattern = code(
                "Self::$name { $pattern .. }",
                &[
                    ("name", &TokenTree::from(variant.name.clone()).into()),
                    ("pattern", &pattern),
                ],
            );
            variable_arms.extend(code(
                "$pattern => 0 $fixed $variable,",
                &[
                    ("pattern", &pattern),
                    ("fixed", &fixed),
                    ("variable", &variable),
                ],
            ));
            let mut tag = if wide {
                Literal::u16_suffixed(index as u16)
            } else {
                Literal::u8_suffixed(index as u8)
            };
            tag.set_span(Span::mixed_site());
            put_arms.extend(self.code(
                "$pattern => {
                    $private::Put::put(to, $tag.to_le_bytes());
                    $put
                }",
                &[
                    ("pattern", &pattern),
                    ("tag", &TokenTree::from(tag).into()),
                    ("put", &put),
                ],
            ));
        }
        // An enum without variants is matched by value.
        let matched = code(if variants.is_empty() { "*self" } else { "self" }, &[]);
        let arms = |arms: &TokenStream| {
            code(
                "match $self { $arms }",
                &[("self", &matched), ("arms", arms)],
            )
        };
        (
            number(Span::mixed_site(), if wide { 2 } else { 1 }),
            code(if varies { "true" } else { "false" }, &[]),
            arms(&variable_arms),
            arms(&put_arms),
        )
    }

    fn shape(&self) -> TokenStream {
        match &self.item.body {
            Body::Struct(fields) => {
                let variant = self.variant(&self.item.name, fields);
                self.code(
                    "$private::Shape::Struct($variant)",
                    &[("variant", &variant)],
                )
            }
            Body::Enum(variants) => {
                let variants = variants.iter().map(|variant| {
                    let variant = self.variant(&variant.name, &variant.fields);
                    code("$variant,", &[("variant", &variant)])
                });
                self.code(
                    "$private::Shape::Enum(&[$variants])",
                    &[("variants", &variants.collect())],
                )
            }
        }
    }

    /// The name and the fields of a struct or a variant.
    fn variant(&self, name: &Ident, fields: &Fields) -> TokenStream {
        let items = fields.stored().map(|field| {
            let ty = match &field.options.with {
                None => self.code("<$type as $record>::TYPE", &[("type", &field.ty)]),
                Some(with) => self.code(
                    "const { $private::type_with::<$type, _>($with) }",
                    &[("type", &field.ty), ("with", with)],
                ),
            };
            match &field.name {
                Some(name) => self.code(
                    "$private::Member { name: $name, ty: $type },",
                    &[("name", &plain_text(name)), ("type", &ty)],
                ),
                None => code("$type,", &[("type", &ty)]),
            }
        });
        let items: TokenStream = items.collect();
        let form = if items.is_empty() {
            "$private::Form::Unit"
        } else if matches!(fields, Fields::Named(_)) {
            "$private::Form::Fields(&[$items])"
        } else {
            "$private::Form::Tuple(&[$items])"
        };
        self.code(
            "$private::Variant { name: $name, form: $form }",
            &[
                ("name", &plain_text(name)),
                ("form", &self.code(form, &[("items", &items)])),
            ],
        )
    }
}

/// A name as `Debug` shows it.
fn plain_text(name: &Ident) -> TokenStream {
    let name = name.to_string();
    text(Span::mixed_site(), name.strip_prefix("r#").unwrap_or(&name))
}
