//! Which codec a type with its attributes has, and what its siblings say about it.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Expr, GenericArgument, Ident, PathArguments, Result, Type};

use crate::attributes::{Attributes, Pointer};

/// A field of a structure, an arm of a union, or a parameter.
pub struct Field {
    /// The variable that holds it in generated code.
    pub name: Ident,
    /// What errors call it.
    pub label: String,
    pub ty: Type,
    pub attributes: Attributes,
    pub codec: TokenStream,
}

impl Field {
    pub fn new(name: Ident, ty: Type, attributes: Attributes) -> Result<Self> {
        let codec = codec(&ty, &attributes)?;
        let label = name.unraw_string();
        Ok(Self { name, label, ty, attributes, codec })
    }

    /// `<Codec as Codec<Type>>`, with the type's position for errors.
    pub fn qualified(&self) -> TokenStream {
        let (codec, ty) = (&self.codec, &self.ty);
        quote_spanned!(ty.span()=> <#codec as __ndr::Codec<#ty>>)
    }

    /// The second part of a pointer says nothing about its referent.
    pub fn is_pointer(&self) -> bool {
        self.attributes.pointer.is_some() || argument_of(&self.ty, "Option").is_some()
    }

    /// What the variables in scope say about it; what they do not say is left out.
    pub fn extent(&self, in_scope: &[&Ident]) -> TokenStream {
        let mut extent = quote!(__ndr::Extent::NONE);
        let words = [
            ("with_size", &self.attributes.size_is),
            ("with_length", &self.attributes.length_is),
            ("with_switch", &self.attributes.switch_is),
        ];
        for (method, expression) in words {
            let Some(expression) = expression else { continue };
            let names = names(expression);
            if !names.iter().all(|name| in_scope.contains(&name)) {
                continue;
            }
            let method = format_ident!("{method}");
            extent = quote!(#extent.#method({ #(let #names = __ndr::Count::count(&#names);)* #expression }));
        }
        extent
    }

    /// Reads it, all three parts at once, into its variable.
    pub fn get(&self, in_scope: &[&Ident]) -> TokenStream {
        let (name, label, codec, ty) = (&self.name, &self.label, &self.codec, &self.ty);
        let extent = self.extent(in_scope);
        let range = self.range();
        quote! {
            __r.field(#label);
            let #name = __ndr::get::<#codec, #ty>(__r, #extent)?;
            #range
        }
    }

    /// Writes it, all three parts at once, from its variable, which is a reference.
    pub fn put(&self, in_scope: &[&Ident]) -> TokenStream {
        let (name, label, codec, ty) = (&self.name, &self.label, &self.codec, &self.ty);
        let extent = self.extent(in_scope);
        quote! {
            __w.field(#label);
            __ndr::put::<#codec, #ty>(#name, #extent, __w)?;
        }
    }

    /// The check of its bounds, after it was read.
    pub fn range(&self) -> TokenStream {
        let name = &self.name;
        match &self.attributes.range {
            Some((low, high)) => quote!(__ndr::check_range(&#name, #low, #high, __r)?;),
            None => TokenStream::new(),
        }
    }
}

trait UnrawString {
    fn unraw_string(&self) -> String;
}

impl UnrawString for Ident {
    fn unraw_string(&self) -> String {
        let text = self.to_string();
        text.strip_prefix("r#").map_or(text.clone(), str::to_owned)
    }
}

/// The codec of a type with its attributes.
pub fn codec(ty: &Type, attributes: &Attributes) -> Result<TokenStream> {
    let mut pointer = attributes.pointer;
    let optional = argument_of(ty, "Option");
    if let Some(inner) = optional {
        let shared = argument_of(inner, "Arc");
        let kind = *pointer.get_or_insert(if shared.is_some() { Pointer::Full } else { Pointer::Unique });
        return match (kind, shared) {
            (Pointer::Full, Some(inner)) => {
                let referent = referent(inner, attributes)?;
                Ok(quote!(__ndr::Full<#referent>))
            }
            (Pointer::Full, None) => Err(syn::Error::new_spanned(ty, "a full pointer is an Option<Arc<T>>")),
            (Pointer::Unique, None) => {
                let referent = referent(inner, attributes)?;
                Ok(quote!(__ndr::Unique<#referent>))
            }
            (Pointer::Unique, Some(_)) => Err(syn::Error::new_spanned(
                ty,
                "a unique pointer is an Option<T>: nothing shares its referent",
            )),
            (Pointer::Ref, _) => {
                Err(syn::Error::new_spanned(ty, "a reference pointer is never null: not an Option"))
            }
        };
    }
    match pointer {
        Some(Pointer::Ref) => {
            let referent = referent(ty, attributes)?;
            Ok(quote!(__ndr::Ref<#referent>))
        }
        Some(Pointer::Unique) => Err(syn::Error::new_spanned(ty, "a unique pointer is an Option<T>")),
        Some(Pointer::Full) => Err(syn::Error::new_spanned(ty, "a full pointer is an Option<Arc<T>>")),
        None => referent(ty, attributes),
    }
}

/// The same without the pointer in front.
fn referent(ty: &Type, attributes: &Attributes) -> Result<TokenStream> {
    let plain = Attributes::default();
    if let Some(inner) = argument_of(ty, "Box") {
        let inner = referent(inner, attributes)?;
        return Ok(quote!(__ndr::Boxed<#inner>));
    }
    let size = &attributes.size;
    if attributes.string || is(ty, "String") {
        return Ok(match size {
            Some(size) => quote!(__ndr::VaryingString<{ #size }>),
            None => quote!(__ndr::ConformantString),
        });
    }
    if let Some(inner) = argument_of(ty, "Vec") {
        let element = codec(inner, &plain)?;
        return match (size, &attributes.length_is) {
            (Some(size), _) => Ok(quote!(__ndr::Varying<#element, { #size }>)),
            (None, Some(_)) => Ok(quote!(__ndr::ConformantVarying<#element>)),
            (None, None) => Ok(quote!(__ndr::Conformant<#element>)),
        };
    }
    if let Type::Array(array) = ty {
        let element = codec(&array.elem, &plain)?;
        return Ok(quote!(__ndr::Fixed<#element>));
    }
    if attributes.enumeration {
        return Ok(quote!(__ndr::Enumeration));
    }
    if argument_of(ty, "Option").is_some() {
        return codec(ty, &plain);
    }
    Ok(quote!(__ndr::Natural))
}

/// `T` of `Name<T>`.
fn argument_of<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == name)?;
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) => match arguments.args.first()? {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        },
        _ => None,
    }
}

fn is(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident(name))
}

/// The variables that an expression names.
fn names(expression: &Expr) -> Vec<Ident> {
    struct Names(Vec<Ident>);
    impl<'ast> Visit<'ast> for Names {
        fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
            if let Some(name) = path.path.get_ident().filter(|name| !self.0.contains(name)) {
                self.0.push(name.clone());
            }
        }
    }
    let mut names = Names(Vec::new());
    names.visit_expr(expression);
    names.0
}
