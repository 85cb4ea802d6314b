//! Unions — C706 14.3.8: the tag, then the arm that it selects.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{DataEnum, DeriveInput, Fields, Result, Type, Variant, parse_quote};

use crate::attributes::Attributes;
use crate::codec::Field;
use crate::record::in_scope;

struct Arm<'a> {
    variant: &'a Variant,
    attributes: Attributes,
    /// The tag as a field: where several tags select the arm.
    tagged: bool,
    field: Option<Field>,
}

impl<'a> Arm<'a> {
    fn new(variant: &'a Variant) -> Result<Self> {
        let attributes = Attributes::parse(&variant.attrs)?;
        if !attributes.default && attributes.cases.is_empty() {
            return Err(syn::Error::new_spanned(variant, "an arm has #[ndr(case(…))] or #[ndr(default)]"));
        }
        let tagged = attributes.default || attributes.cases.len() > 1;
        let mut fields: Vec<_> = match &variant.fields {
            Fields::Unit => Vec::new(),
            Fields::Unnamed(fields) => fields.unnamed.iter().collect(),
            Fields::Named(_) => {
                return Err(syn::Error::new_spanned(variant, "an arm is a tuple: name its structure"));
            }
        };
        if tagged {
            if fields.is_empty() {
                return Err(syn::Error::new_spanned(
                    variant,
                    "an arm of several tags begins with its tag, of the type in switch_type",
                ));
            }
            fields.remove(0);
        }
        let field = match fields[..] {
            [] => None,
            [field] => {
                Some(Field::new(format_ident!("arm"), field.ty.clone(), Attributes::parse(&field.attrs)?)?)
            }
            _ => return Err(syn::Error::new_spanned(variant, "an arm has one field: make a structure")),
        };
        Ok(Self { variant, attributes, tagged, field })
    }

    /// The pattern of the variant with its variables.
    fn pattern(&self, of: &TokenStream) -> TokenStream {
        let name = &self.variant.ident;
        match (self.tagged, self.field.is_some()) {
            (true, true) => quote!(#of::#name(__tag, arm)),
            (true, false) => quote!(#of::#name(__tag)),
            (false, true) => quote!(#of::#name(arm)),
            (false, false) => quote!(#of::#name),
        }
    }

    /// The tag of a value that matched the pattern.
    fn tag(&self) -> TokenStream {
        match self.attributes.cases.first() {
            Some(case) if !self.tagged => quote!(#case),
            _ => quote!(*__tag),
        }
    }
}

pub fn derive(input: &DeriveInput, data: &DataEnum) -> Result<TokenStream> {
    let this = &input.ident;
    let title = this.to_string();
    let attributes = Attributes::parse(&input.attrs)?;
    let tag: Type = attributes.switch_type.unwrap_or_else(|| parse_quote!(u32));
    let tag_codec = if attributes.enumeration { quote!(__ndr::Enumeration) } else { quote!(__ndr::Natural) };
    let tag_qualified = quote!(<#tag_codec as __ndr::Codec<#tag>>);
    let arms = data.variants.iter().map(Arm::new).collect::<Result<Vec<_>>>()?;
    let of = quote!(#this);
    let pending = quote!(__Pending);

    let qualified: Vec<_> = arms.iter().filter_map(|arm| arm.field.as_ref()).map(Field::qualified).collect();
    let tags = arms.iter().map(|arm| {
        let (pattern, tag) = (arm.pattern(&of), arm.tag());
        quote!(#pattern => { #[allow(unused_variables, reason = "only the tag is asked for")] { #tag } })
    });
    let write = arms.iter().map(|arm| {
        let pattern = arm.pattern(&of);
        let label = arm.variant.ident.to_string();
        let body = arm.field.as_ref().map(|field| {
            let (qualified, extent) = (field.qualified(), field.extent(&[]));
            quote! { __w.align(#qualified::align(__w.syntax())); #qualified::write(arm, #extent, __w)?; }
        });
        quote!(#pattern => { __w.field(#label); #body })
    });
    let write_referents = arms.iter().map(|arm| {
        let pattern = arm.pattern(&of);
        let label = arm.variant.ident.to_string();
        let body = arm.field.as_ref().map(|field| {
            let (qualified, extent) = (field.qualified(), field.extent(&[]));
            quote! { #qualified::write_referents(arm, #extent, __w)?; }
        });
        quote!(#pattern => { __w.field(#label); #body })
    });
    let pending_variants = arms.iter().map(|arm| {
        let name = &arm.variant.ident;
        let mut types = Vec::new();
        if arm.tagged {
            types.push(quote!(#tag));
        }
        if let Some(field) = &arm.field {
            let qualified = field.qualified();
            types.push(quote!(#qualified::Pending));
        }
        if types.is_empty() { quote!(#name) } else { quote!(#name(#(#types),*)) }
    });
    let read_arm = |arm: &Arm<'_>| {
        let built = arm.pattern(&pending);
        let label = arm.variant.ident.to_string();
        let body = arm.field.as_ref().map(|field| {
            let (qualified, extent) = (field.qualified(), field.extent(&[]));
            quote! {
                __r.field(#label);
                __r.align(#qualified::align(__r.syntax()))?;
                let arm = #qualified::read(__r, #extent, 0)?;
            }
        });
        quote!({ #body #built })
    };
    let read = arms.iter().filter(|arm| !arm.attributes.cases.is_empty()).map(|arm| {
        let (cases, body) = (&arm.attributes.cases, read_arm(arm));
        quote!(#(#cases)|* => #body)
    });
    let otherwise = match arms.iter().find(|arm| arm.attributes.default) {
        Some(arm) => read_arm(arm),
        None => quote!(return Err(__r.invalid(__ndr::Discriminant::to_switch(__tag)))),
    };
    let read_referents = arms.iter().map(|arm| {
        let (pattern, built) = (arm.pattern(&pending), arm.pattern(&of));
        let label = arm.variant.ident.to_string();
        let body = arm.field.as_ref().map(|field| {
            let (qualified, extent) = (field.qualified(), field.extent(&[]));
            quote! { __r.field(#label); let arm = #qualified::read_referents(arm, __r, #extent)?; }
        });
        quote!(#pattern => { #body #built })
    });
    let body = quote! {
        #[allow(missing_debug_implementations, missing_docs, reason = "nobody sees it")]
        pub enum __Pending { #(#pending_variants),* }
        impl __ndr::Codec<#this> for __ndr::Natural {
            type Pending = __Pending;
            const CONFORMANT: bool = {
                #(assert!(!#qualified::CONFORMANT, "an arm may not be conformant: a pointer to it may");)*
                false
            };
            fn align(syntax: __ndr::Syntax) -> usize {
                #tag_qualified::align(syntax) #(.max(#qualified::align(syntax)))*
            }
            fn least(syntax: __ndr::Syntax) -> usize {
                #tag_qualified::least(syntax)
            }
            fn write(__value: &#this, __extent: __ndr::Extent, __w: &mut __ndr::NdrWriter) -> __Result<()> {
                let __outer = __w.enter(#title);
                __w.field("(tag)");
                let __tag: #tag = __value.tag();
                let __switch = __ndr::Discriminant::to_switch(__tag);
                if __extent.switch.is_some_and(|expected| expected != __switch) {
                    return Err(__w.invalid(__switch));
                }
                let __align = <Self as __ndr::Codec<#this>>::align(__w.syntax());
                __w.trailing_gap(__align);
                #tag_qualified::write(&__tag, __ndr::Extent::NONE, __w)?;
                __w.trailing_gap(__align);
                match __value { #(#write)* }
                __w.leave(__outer);
                Ok(())
            }
            fn write_referents(__value: &#this, _: __ndr::Extent, __w: &mut __ndr::NdrWriter) -> __Result<()> {
                let __outer = __w.enter(#title);
                #[allow(unused_variables, reason = "the tag was written before")]
                match __value { #(#write_referents)* }
                __w.leave(__outer);
                Ok(())
            }
            fn read(__r: &mut __ndr::NdrReader<'_>, __extent: __ndr::Extent, _: u64) -> __Result<__Pending> {
                let __outer = __r.enter(#title);
                __r.field("(tag)");
                let __align = <Self as __ndr::Codec<#this>>::align(__r.syntax());
                __r.trailing_gap(__align)?;
                let __tag: #tag = #tag_qualified::read(__r, __ndr::Extent::NONE, 0)?;
                let __switch = __ndr::Discriminant::to_switch(__tag);
                if __extent.switch.is_some_and(|expected| expected != __switch) {
                    return Err(__r.invalid(__switch));
                }
                __r.trailing_gap(__align)?;
                let __pending = match __tag { #(#read)* _ => #otherwise };
                __r.leave(__outer);
                Ok(__pending)
            }
            fn read_referents(__pending: __Pending, __r: &mut __ndr::NdrReader<'_>, _: __ndr::Extent) -> __Result<#this> {
                let __outer = __r.enter(#title);
                let __value = match __pending { #(#read_referents)* };
                __r.leave(__outer);
                Ok(__value)
            }
        }
        // What may not be conformant is found where it is declared.
        const _: bool = <__ndr::Natural as __ndr::Codec<#this>>::CONFORMANT;
        impl #this {
            /// The tag that selects this arm.
            #[must_use]
            pub fn tag(&self) -> #tag {
                match self { #(#tags)* }
            }
        }
    };
    Ok(in_scope(&body))
}
