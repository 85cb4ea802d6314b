//! `#[interface("uuid", version = "3.0")]` on a trait.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::{
    FnArg, Ident, ItemTrait, LitInt, LitStr, Pat, Result, ReturnType, Token, TraitItem, TraitItemFn, Type,
};

use crate::attributes::Attributes;
use crate::codec::Field;

/// `"uuid", version = "3.0"`.
pub struct Arguments {
    uuid: LitStr,
    version: Option<LitStr>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let uuid = input.parse()?;
        let mut version = None;
        if input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            let word: Ident = input.parse()?;
            if word != "version" {
                return Err(syn::Error::new_spanned(word, "version = \"major.minor\""));
            }
            input.parse::<Token![=]>()?;
            version = Some(input.parse()?);
        }
        Ok(Self { uuid, version })
    }
}

impl Arguments {
    fn id(&self) -> Result<TokenStream> {
        let text = self.uuid.value();
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        let bad = || syn::Error::new_spanned(&self.uuid, "a UUID: xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
        if text.len() != 36 || digits.len() != 32 {
            return Err(bad());
        }
        let part = |from: usize, to: usize| {
            digits.get(from..to).and_then(|part| u64::from_str_radix(part, 16).ok()).ok_or_else(bad)
        };
        let d1 = u32::try_from(part(0, 8)?).map_err(|_| bad())?;
        let d2 = u16::try_from(part(8, 12)?).map_err(|_| bad())?;
        let d3 = u16::try_from(part(12, 16)?).map_err(|_| bad())?;
        let d4 = part(16, 32)?.to_be_bytes();
        let (major, minor) = match &self.version {
            None => (0_u16, 0_u16),
            Some(version) => {
                let value = version.value();
                let parts = value.split_once('.').unwrap_or((&value, "0"));
                match (parts.0.parse(), parts.1.parse()) {
                    (Ok(major), Ok(minor)) => (major, minor),
                    _ => return Err(syn::Error::new_spanned(version, "\"major.minor\"")),
                }
            }
        };
        Ok(quote!(::watertight_dcerpc::ndr::SyntaxId::new(
            ::watertight_dcerpc::Guid::new(#d1, #d2, #d3, [#(#d4),*]), #major, #minor
        )))
    }
}

/// A parameter, in the order of the declaration.
struct Parameter {
    field: Field,
    input: bool,
    output: bool,
}

struct Method {
    name: Ident,
    /// `EptMap`
    title: Ident,
    opnum: u16,
    parameters: Vec<Parameter>,
    /// Whether the server wants to know who calls.
    caller: Option<syn::PatType>,
    result: Option<Type>,
    docs: Vec<syn::Attribute>,
    receiver: FnArg,
}

impl Method {
    fn new(item: &TraitItemFn, opnum: &mut u16) -> Result<Self> {
        for attribute in item.attrs.iter().filter(|a| a.path().is_ident("opnum")) {
            *opnum = attribute.parse_args::<LitInt>()?.base10_parse()?;
        }
        let mut inputs = item.sig.inputs.iter();
        let receiver = match inputs.next() {
            Some(receiver @ FnArg::Receiver(_)) => receiver.clone(),
            _ => return Err(syn::Error::new_spanned(&item.sig, "a method has &self or &mut self")),
        };
        let (mut caller, mut parameters) = (None, Vec::new());
        for input in inputs {
            let FnArg::Typed(typed) = input else { continue };
            let Pat::Ident(pattern) = &*typed.pat else {
                return Err(syn::Error::new_spanned(&typed.pat, "a parameter has a name"));
            };
            let attributes = Attributes::parse(&typed.attrs)?;
            let (ty, input, output) = match &*typed.ty {
                Type::Reference(reference) if reference.mutability.is_none() => {
                    caller = Some(typed.clone());
                    continue;
                }
                Type::Reference(reference) => ((*reference.elem).clone(), attributes.input, true),
                ty => (ty.clone(), true, false),
            };
            if output && !attributes.output {
                return Err(syn::Error::new_spanned(
                    typed,
                    "a `&mut` parameter is #[ndr(out)] or #[ndr(in, out)]",
                ));
            }
            let field = Field::new(pattern.ident.clone(), ty, attributes)?;
            parameters.push(Parameter { field, input, output });
        }
        let result = match &item.sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some((**ty).clone()),
        };
        let method = Self {
            name: item.sig.ident.clone(),
            title: camel(&item.sig.ident),
            opnum: *opnum,
            parameters,
            caller,
            result,
            docs: item.attrs.iter().filter(|a| a.path().is_ident("doc")).cloned().collect(),
            receiver,
        };
        *opnum = opnum.saturating_add(1);
        Ok(method)
    }

    fn inputs(&self) -> impl Iterator<Item = &Field> {
        self.parameters.iter().filter(|p| p.input).map(|p| &p.field)
    }

    fn outputs(&self) -> impl Iterator<Item = &Field> {
        self.parameters.iter().filter(|p| p.output).map(|p| &p.field)
    }

    /// The method as a server implements it.
    fn signature(&self) -> TokenStream {
        let (docs, name, receiver) = (&self.docs, &self.name, &self.receiver);
        let caller = self.caller.as_ref().map(|caller| quote!(#caller,));
        let parameters = self.parameters.iter().map(|Parameter { field, output, .. }| {
            let (name, ty) = (&field.name, &field.ty);
            if *output { quote!(#name: &mut #ty) } else { quote!(#name: #ty) }
        });
        let result = self.result.as_ref().map_or_else(|| quote!(()), |ty| quote!(#ty));
        quote! {
            #(#docs)*
            ///
            /// # Errors
            /// The fault that the client gets instead of a response.
            fn #name(#receiver, #caller #(#parameters),*)
                -> ::core::result::Result<#result, ::watertight_dcerpc::FaultStatus>;
        }
    }

    /// Request and response as structures, and how they are written and read.
    fn procedure(&self, vis: &syn::Visibility) -> TokenStream {
        let (title, opnum, label) = (&self.title, self.opnum, self.name.to_string());
        let request = format_ident!("{title}Request");
        let response = format_ident!("{title}Response");
        let request_doc = format!("What goes in to `{label}`.");
        let response_doc = format!("What comes out of `{label}`.");
        let title_doc = format!("`{label}`, operation {opnum}.");
        let (in_names, in_types): (Vec<_>, Vec<_>) = self.inputs().map(|f| (&f.name, &f.ty)).unzip();
        let (out_names, out_types): (Vec<_>, Vec<_>) = self.outputs().map(|f| (&f.name, &f.ty)).unzip();
        let field_doc = |field: &Ident| format!("The parameter `{field}`.");
        let in_docs: Vec<_> = in_names.iter().map(|name| field_doc(name)).collect();
        let out_docs: Vec<_> = out_names.iter().map(|name| field_doc(name)).collect();
        let result_type = self.result.as_ref();
        let result_field = result_type.map(|ty| quote!(/** What the operation returns. */ pub result: #ty,));

        let all: Vec<&Ident> = in_names.iter().chain(&out_names).copied().collect();
        let write_request = self.inputs().map(|field| field.put(&in_names));
        let read_request =
            self.inputs().enumerate().map(|(at, f)| f.get(in_names.get(..at).unwrap_or_default()));
        let write_response = self.outputs().map(|field| field.put(&all));
        let only_in: Vec<_> = in_names.iter().filter(|name| !out_names.contains(name)).collect();
        let read_response = self.outputs().enumerate().map(|(at, field)| {
            let mut scope: Vec<&Ident> = only_in.iter().map(|name| **name).collect();
            scope.extend(out_names.iter().take(at).copied());
            field.get(&scope)
        });
        let put_result = result_type.map(|ty| {
            quote! {
                __w.field("(result)");
                __ndr::put::<__ndr::Natural, #ty>(&__response.result, __ndr::Extent::NONE, __w)?;
            }
        });
        let get_result = result_type.map(|ty| {
            quote! {
                __r.field("(result)");
                let result = __ndr::get::<__ndr::Natural, #ty>(__r, __ndr::Extent::NONE)?;
            }
        });
        let result_name = result_type.map(|_| quote!(result,));
        quote! {
            #[doc = #request_doc]
            #[derive(Debug, Clone, PartialEq)]
            #vis struct #request { #(#[doc = #in_docs] pub #in_names: #in_types,)* }
            #[doc = #response_doc]
            #[derive(Debug, Clone, PartialEq)]
            #vis struct #response { #(#[doc = #out_docs] pub #out_names: #out_types,)* #result_field }
            #[doc = #title_doc]
            #[derive(Debug, Clone, Copy)]
            #vis struct #title;
            const _: () = {
                use ::watertight_dcerpc::ndr as __ndr;
                type __Result<T> = ::core::result::Result<T, ::watertight_dcerpc::WireError>;
                #[allow(unused_variables, unused_mut, reason = "not every operation has parameters both ways")]
                impl ::watertight_dcerpc::interface::Procedure for #title {
                    const OPNUM: u16 = #opnum;
                    const NAME: &'static str = #label;
                    type Request = #request;
                    type Response = #response;
                    fn write_request(__request: &#request, __w: &mut __ndr::NdrWriter) -> __Result<()> {
                        let #request { #(#in_names),* } = __request;
                        let __outer = __w.enter(#label);
                        #(#write_request)*
                        __w.leave(__outer);
                        Ok(())
                    }
                    fn read_request(__r: &mut __ndr::NdrReader<'_>) -> __Result<#request> {
                        let __outer = __r.enter(#label);
                        #(#read_request)*
                        __r.leave(__outer);
                        Ok(#request { #(#in_names),* })
                    }
                    fn write_response(__request: &#request, __response: &#response, __w: &mut __ndr::NdrWriter) -> __Result<()> {
                        let #request { #(#in_names),* } = __request;
                        let #response { #(#out_names,)* .. } = __response;
                        let __outer = __w.enter(#label);
                        #(#write_response)*
                        #put_result
                        __w.leave(__outer);
                        Ok(())
                    }
                    fn read_response(__request: &#request, __r: &mut __ndr::NdrReader<'_>) -> __Result<#response> {
                        let #request { #(#in_names),* } = __request;
                        let __outer = __r.enter(#label);
                        #(#read_response)*
                        #get_result
                        __r.leave(__outer);
                        Ok(#response { #(#out_names,)* #result_name })
                    }
                }
            };
        }
    }

    /// The method of the client stub.
    fn stub(&self) -> TokenStream {
        let (docs, name, title) = (&self.docs, &self.name, &self.title);
        let request = format_ident!("{title}Request");
        let response = format_ident!("{title}Response");
        let (names, types): (Vec<_>, Vec<_>) = self.inputs().map(|f| (&f.name, &f.ty)).unzip();
        quote! {
            #(#docs)*
            ///
            /// # Errors
            /// Those of the binding: a fault, a response that cannot be read, a connection that is lost.
            #[allow(clippy::too_many_arguments, reason = "the IDL has as many")]
            pub async fn #name(&self, #(#names: #types),*) -> ::core::result::Result<#response, B::Error> {
                ::watertight_dcerpc::interface::Binding::call::<#title>(&self.binding, #request { #(#names),* }).await
            }
        }
    }

    /// The arm of the dispatcher.
    fn arm(&self) -> TokenStream {
        let (name, title, opnum) = (&self.name, &self.title, self.opnum);
        let request = format_ident!("{title}Request");
        let response = format_ident!("{title}Response");
        let in_names: Vec<_> = self.inputs().map(|f| &f.name).collect();
        let out_names: Vec<_> = self.outputs().map(|f| &f.name).collect();
        let prepare =
            self.parameters.iter().filter(|p| p.output).map(|Parameter { field, input, .. }| {
                let (name, ty) = (&field.name, &field.ty);
                if *input {
                    quote!(let mut #name = #name;)
                } else {
                    quote!(let mut #name = <#ty as ::core::default::Default>::default();)
                }
            });
        let caller = self.caller.is_some().then(|| quote!(__call,));
        let arguments = self.parameters.iter().map(|Parameter { field, output, .. }| {
            let name = &field.name;
            if *output { quote!(&mut #name) } else { quote!(#name) }
        });
        let result = self.result.is_some().then(|| quote!(result: __result));
        quote! {
            #opnum => ::watertight_dcerpc::interface::serve::<#title>(__stub, |__request| {
                #[allow(unused_variables, reason = "not every operation has parameters")]
                let #request { #(#in_names),* } = __request;
                #(#prepare)*
                #[allow(clippy::let_unit_value, unused_variables, reason = "not every operation returns a value")]
                let __result = self.0.#name(#caller #(#arguments),*)?;
                Ok(#response { #(#out_names,)* #result })
            }),
        }
    }
}

pub fn expand(arguments: &Arguments, item: ItemTrait) -> Result<TokenStream> {
    let id = arguments.id()?;
    let mut opnum = 0;
    let mut methods = Vec::new();
    for item in &item.items {
        let TraitItem::Fn(method) = item else {
            return Err(syn::Error::new_spanned(item, "an interface has methods only"));
        };
        methods.push(Method::new(method, &mut opnum)?);
    }
    let (vis, this, supers) = (&item.vis, &item.ident, &item.supertraits);
    let colon = &item.colon_token;
    let outer: Vec<_> = item.attrs.iter().collect();
    let (client, server) = (format_ident!("{this}Client"), format_ident!("{this}Server"));
    let title = this.to_string();
    let server_doc = format!("Dispatches calls of [`{this}`] to what implements it.");
    let client_doc = format!("Calls [`{this}`] over a binding.");
    let signatures = methods.iter().map(Method::signature);
    let procedures = methods.iter().map(|method| method.procedure(vis));
    let stubs = methods.iter().map(Method::stub);
    let arms = methods.iter().map(Method::arm);
    Ok(quote! {
        #(#outer)*
        #[allow(clippy::too_many_arguments, reason = "the IDL has as many")]
        #vis trait #this #colon #supers { #(#signatures)* }

        #(#procedures)*

        #[doc = #client_doc]
        #[derive(Debug, Clone)]
        #vis struct #client<B> { binding: B }

        impl<B> #client<B> {
            /// The interface.
            pub const ID: ::watertight_dcerpc::ndr::SyntaxId = #id;

            /// A stub over a binding whose presentation context is of this interface.
            #[must_use]
            pub const fn new(binding: B) -> Self {
                Self { binding }
            }
        }

        impl<B: ::watertight_dcerpc::interface::Binding> #client<B> {
            #(#stubs)*
        }

        #[doc = #server_doc]
        #[derive(Debug)]
        #vis struct #server<T>(pub T);

        impl<T: #this> ::watertight_dcerpc::interface::Dispatch for #server<T> {
            fn id(&self) -> ::watertight_dcerpc::ndr::SyntaxId {
                #id
            }
            fn name(&self) -> &'static str {
                #title
            }
            fn dispatch(
                &mut self,
                __call: &::watertight_dcerpc::interface::Caller,
                __opnum: u16,
                __stub: ::watertight_dcerpc::interface::Stub<'_>,
            ) -> ::core::result::Result<Vec<u8>, ::watertight_dcerpc::FaultStatus> {
                match __opnum {
                    #(#arms)*
                    _ => Err(::watertight_dcerpc::FaultStatus::nca_s_op_rng_error),
                }
            }
        }
    })
}

fn camel(name: &Ident) -> Ident {
    let mut title = String::new();
    let mut up = true;
    for c in name.to_string().trim_start_matches("r#").chars() {
        if c == '_' {
            up = true;
        } else if up {
            title.extend(c.to_uppercase());
            up = false;
        } else {
            title.push(c);
        }
    }
    Ident::new(&title, name.span())
}
