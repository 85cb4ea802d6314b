//! Structures, and newtypes, which stand as what they hold.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{DataStruct, DeriveInput, Fields, Result};

use crate::attributes::Attributes;
use crate::codec::Field;

pub fn derive(input: &DeriveInput, data: &DataStruct) -> Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(&input.generics, "an NDR structure has no parameters"));
    }
    match &data.fields {
        Fields::Named(named) => {
            let fields = named
                .named
                .iter()
                .map(|field| {
                    let name = field.ident.clone().unwrap_or_else(|| format_ident!("_"));
                    Field::new(name, field.ty.clone(), Attributes::parse(&field.attrs)?)
                })
                .collect::<Result<Vec<_>>>()?;
            Ok(structure(input, &fields))
        }
        Fields::Unnamed(unnamed) if unnamed.unnamed.len() == 1 => {
            let [field] = unnamed.unnamed.iter().collect::<Vec<_>>()[..] else {
                return Err(syn::Error::new_spanned(&input.ident, "one field"));
            };
            let mut attributes = Attributes::parse(&field.attrs)?;
            attributes.enumeration = Attributes::parse(&input.attrs)?.enumeration;
            Ok(newtype(input, &Field::new(format_ident!("inner"), field.ty.clone(), attributes)?))
        }
        _ => Err(syn::Error::new_spanned(&input.ident, "a structure with named fields, or a newtype")),
    }
}

fn structure(input: &DeriveInput, fields: &[Field]) -> TokenStream {
    let this = &input.ident;
    let title = this.to_string();
    let names: Vec<_> = fields.iter().map(|field| &field.name).collect();
    let qualified: Vec<_> = fields.iter().map(Field::qualified).collect();
    let Some((last, front)) = fields.split_last() else {
        return syn::Error::new_spanned(this, "an NDR structure has fields").into_compile_error();
    };
    let (last_name, last_qualified, last_extent) = (&last.name, last.qualified(), last.extent(&names));
    let front_qualified: Vec<_> = front.iter().map(Field::qualified).collect();

    let write = fields.iter().zip(&qualified).map(|(field, qualified)| {
        let (name, label, extent) = (&field.name, &field.label, field.extent(&names));
        quote! { __w.field(#label); #qualified::write(#name, #extent, __w)?; }
    });
    let write_referents = fields.iter().zip(&qualified).map(|(field, qualified)| {
        let (name, label, extent) = (&field.name, &field.label, field.extent(&names));
        quote! { __w.field(#label); #qualified::write_referents(#name, #extent, __w)?; }
    });
    let read = fields.iter().zip(&qualified).enumerate().map(|(at, (field, qualified))| {
        let (name, label) = (&field.name, &field.label);
        let before = names.get(..at).unwrap_or_default();
        let extent = if field.is_pointer() { quote!(__ndr::Extent::NONE) } else { field.extent(before) };
        let count = if at.saturating_add(1) == fields.len() { quote!(__count) } else { quote!(0) };
        let range = field.range();
        quote! { __r.field(#label); let #name = #qualified::read(__r, #extent, #count)?; #range }
    });
    let read_referents = fields.iter().zip(&qualified).map(|(field, qualified)| {
        let (name, label, extent) = (&field.name, &field.label, field.extent(&names));
        quote! {
            __r.field(#label);
            let __extent = #extent;
            let #name = #qualified::read_referents(#name, __r, __extent)?;
        }
    });
    let body = quote! {
        type Pending = (#(#qualified::Pending,)*);
        const CONFORMANT: bool = {
            #(assert!(!#front_qualified::CONFORMANT, "only the last field may be conformant");)*
            #last_qualified::CONFORMANT
        };
        fn align(syntax: __ndr::Syntax) -> usize {
            1_usize #(.max(#qualified::align(syntax)))*
        }
        fn least(syntax: __ndr::Syntax) -> usize {
            0_usize #(.saturating_add(#qualified::least(syntax)))*
        }
        fn write_count(__value: &#this, _: __ndr::Extent, __w: &mut __ndr::NdrWriter) -> __Result<()> {
            let #this { #(#names),* } = __value;
            let _ = (#(#names,)*);
            #last_qualified::write_count(#last_name, #last_extent, __w)
        }
        fn write(__value: &#this, _: __ndr::Extent, __w: &mut __ndr::NdrWriter) -> __Result<()> {
            let #this { #(#names),* } = __value;
            let __outer = __w.enter(#title);
            let __align = <Self as __ndr::Codec<#this>>::align(__w.syntax());
            __w.align(__align);
            #(#write)*
            __w.trailing_gap(__align);
            __w.leave(__outer);
            Ok(())
        }
        fn write_referents(__value: &#this, _: __ndr::Extent, __w: &mut __ndr::NdrWriter) -> __Result<()> {
            let #this { #(#names),* } = __value;
            let __outer = __w.enter(#title);
            #(#write_referents)*
            __w.leave(__outer);
            Ok(())
        }
        fn read(__r: &mut __ndr::NdrReader<'_>, _: __ndr::Extent, __count: u64) -> __Result<Self::Pending> {
            let __outer = __r.enter(#title);
            let __align = <Self as __ndr::Codec<#this>>::align(__r.syntax());
            __r.align(__align)?;
            #(#read)*
            __r.trailing_gap(__align)?;
            __r.leave(__outer);
            Ok((#(#names,)*))
        }
        fn read_referents(__pending: Self::Pending, __r: &mut __ndr::NdrReader<'_>, _: __ndr::Extent) -> __Result<#this> {
            let (#(#names,)*) = __pending;
            let __outer = __r.enter(#title);
            #(#read_referents)*
            __r.leave(__outer);
            Ok(#this { #(#names),* })
        }
    };
    in_scope(&quote! {
        impl __ndr::Codec<#this> for __ndr::Natural { #body }
        // What may not be conformant is found where it is declared.
        const _: bool = <__ndr::Natural as __ndr::Codec<#this>>::CONFORMANT;
    })
}

fn newtype(input: &DeriveInput, field: &Field) -> TokenStream {
    let this = &input.ident;
    let qualified = field.qualified();
    in_scope(&quote! {
        impl __ndr::Codec<#this> for __ndr::Natural {
            type Pending = #qualified::Pending;
            const CONFORMANT: bool = #qualified::CONFORMANT;
            fn align(syntax: __ndr::Syntax) -> usize {
                #qualified::align(syntax)
            }
            fn least(syntax: __ndr::Syntax) -> usize {
                #qualified::least(syntax)
            }
            fn write_count(__value: &#this, __extent: __ndr::Extent, __w: &mut __ndr::NdrWriter) -> __Result<()> {
                #qualified::write_count(&__value.0, __extent, __w)
            }
            fn write(__value: &#this, __extent: __ndr::Extent, __w: &mut __ndr::NdrWriter) -> __Result<()> {
                #qualified::write(&__value.0, __extent, __w)
            }
            fn write_referents(__value: &#this, __extent: __ndr::Extent, __w: &mut __ndr::NdrWriter) -> __Result<()> {
                #qualified::write_referents(&__value.0, __extent, __w)
            }
            fn read(__r: &mut __ndr::NdrReader<'_>, __extent: __ndr::Extent, __count: u64) -> __Result<Self::Pending> {
                #qualified::read(__r, __extent, __count)
            }
            fn read_referents(__pending: Self::Pending, __r: &mut __ndr::NdrReader<'_>, __extent: __ndr::Extent) -> __Result<#this> {
                Ok(#this(#qualified::read_referents(__pending, __r, __extent)?))
            }
        }
    })
}

/// The names that generated code uses.
pub fn in_scope(code: &TokenStream) -> TokenStream {
    quote! {
        const _: () = {
            use ::watertight_dcerpc::ndr as __ndr;
            type __Result<T> = ::core::result::Result<T, ::watertight_dcerpc::WireError>;
            #code
        };
    }
}
