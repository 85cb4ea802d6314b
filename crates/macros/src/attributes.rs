//! The IDL's words: `#[ndr(unique, size_is(n))]`.

use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Ident, Result, Token, Type, parenthesized};

/// What kind of pointer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pointer {
    Ref,
    Unique,
    Full,
}

/// The words on one item.
#[derive(Default)]
pub struct Attributes {
    pub pointer: Option<Pointer>,
    pub size_is: Option<Expr>,
    pub length_is: Option<Expr>,
    pub switch_is: Option<Expr>,
    pub switch_type: Option<Type>,
    pub string: bool,
    pub size: Option<Expr>,
    pub range: Option<(Expr, Expr)>,
    pub cases: Vec<Expr>,
    pub default: bool,
    pub enumeration: bool,
    pub input: bool,
    pub output: bool,
}

impl Attributes {
    /// The words of all `#[ndr(…)]` among these.
    pub fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut all = Self::default();
        for attribute in attributes.iter().filter(|a| a.path().is_ident("ndr")) {
            attribute.parse_args_with(|input: ParseStream<'_>| {
                while !input.is_empty() {
                    all.word(input)?;
                    if !input.is_empty() {
                        input.parse::<Token![,]>()?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(all)
    }

    fn word(&mut self, input: ParseStream<'_>) -> Result<()> {
        let word = input.call(Ident::parse_any)?;
        match word.to_string().as_str() {
            "ref" => self.pointer = Some(Pointer::Ref),
            "unique" => self.pointer = Some(Pointer::Unique),
            "ptr" => self.pointer = Some(Pointer::Full),
            "string" => self.string = true,
            "default" => self.default = true,
            "enum" => self.enumeration = true,
            "v1_enum" => {}
            "in" => self.input = true,
            "out" => self.output = true,
            "size_is" => self.size_is = Some(argument(input)?),
            "length_is" => self.length_is = Some(argument(input)?),
            "switch_is" => self.switch_is = Some(argument(input)?),
            "size" => self.size = Some(argument(input)?),
            "switch_type" => {
                let content;
                parenthesized!(content in input);
                self.switch_type = Some(content.parse()?);
            }
            "range" => {
                let mut bounds = arguments(input)?.into_iter();
                match (bounds.next(), bounds.next(), bounds.next()) {
                    (Some(low), Some(high), None) => self.range = Some((low, high)),
                    _ => return Err(syn::Error::new_spanned(&word, "range(low, high)")),
                }
            }
            "case" => self.cases.extend(arguments(input)?),
            "pipe" => return Err(syn::Error::new_spanned(&word, "pipes are not supported")),
            _ => return Err(syn::Error::new_spanned(&word, "not a word of the IDL that is known here")),
        }
        Ok(())
    }
}

fn argument(input: ParseStream<'_>) -> Result<Expr> {
    let content;
    parenthesized!(content in input);
    content.parse()
}

fn arguments(input: ParseStream<'_>) -> Result<Vec<Expr>> {
    let content;
    parenthesized!(content in input);
    Ok(Punctuated::<Expr, Token![,]>::parse_terminated(&content)?.into_iter().collect())
}
