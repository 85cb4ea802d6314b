//! Declarations that become code: `#[derive(Ndr)]` gives a type its NDR representation, `#[interface]` gives a trait its
//! client stub and its server dispatcher. What both generate names only `::watertight_dcerpc`, which re-exports them and
//! documents them.
//!
//! Invariants: build time only; what cannot be represented is an error at the attribute that asks for it.

mod attributes;
mod codec;
mod interface;
mod record;
mod union;

use proc_macro::TokenStream;
use syn::{Data, DeriveInput, ItemTrait, parse_macro_input};

/// Gives a structure, a union or an enumeration its NDR representation: see `watertight_dcerpc::ndr`.
#[proc_macro_derive(Ndr, attributes(ndr))]
pub fn derive_ndr(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let done = match &input.data {
        Data::Struct(data) => record::derive(&input, data),
        Data::Enum(data) => union::derive(&input, data),
        Data::Union(_) => Err(syn::Error::new_spanned(&input.ident, "an NDR union is a Rust enum")),
    };
    done.unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes an RPC interface of a trait: see `watertight_dcerpc::interface`.
#[proc_macro_attribute]
pub fn interface(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = parse_macro_input!(arguments as interface::Arguments);
    let item = parse_macro_input!(item as ItemTrait);
    interface::expand(&arguments, item).unwrap_or_else(syn::Error::into_compile_error).into()
}
