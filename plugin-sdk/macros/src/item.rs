//! `#[item]` and `#[service]`: plain functions become what the hall calls.

use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{Error, Expr, FnArg, ImplItem, ImplItemFn, ItemImpl, LitStr, Meta, Token, Type};

/// What stands in the brackets of the attribute.
pub(crate) struct Named {
    manifest: Option<LitStr>,
    code: LitStr,
    zh: LitStr,
    en: LitStr,
}

impl syn::parse::Parse for Named {
    fn parse(input: syn::parse::ParseStream<'_>) -> Result<Self, Error> {
        let at = input.span();
        let (mut manifest, mut code, mut zh, mut en) = (None, None, None, None);
        for meta in Punctuated::<Meta, Token![,]>::parse_terminated(input)? {
            let pair = meta.require_name_value()?;
            let name = pair.path.require_ident()?.to_string();
            let Expr::Lit(value) = &pair.value else {
                return Err(Error::new_spanned(&pair.value, "a text is wanted"));
            };
            let syn::Lit::Str(text) = &value.lit else {
                return Err(Error::new_spanned(value, "a text is wanted"));
            };
            match name.as_str() {
                "manifest" => manifest = Some(text.clone()),
                "item" => code = Some(text.clone()),
                "zh" => zh = Some(text.clone()),
                "en" => en = Some(text.clone()),
                _ => return Err(Error::new_spanned(pair, format!("there is no `{name}` here"))),
            }
        }
        match (code, zh, en) {
            (Some(code), Some(zh), Some(en)) => Ok(Self { manifest, code, zh, en }),
            _ => Err(Error::new(
                at,
                "an item has a code and a name in both languages\nhint: item = \"library-card.card\", zh = \"借阅证\", en = \"Library card\"",
            )),
        }
    }
}

/// An argument as its function wants it: borrowed or given away.
fn given(argument: Option<&FnArg>, value: TokenStream) -> TokenStream {
    match argument {
        Some(FnArg::Typed(typed)) if matches!(&*typed.ty, Type::Reference(_)) => quote!(&#value),
        _ => value,
    }
}

/// The type of an argument, without its borrow.
fn kind(argument: Option<&FnArg>) -> Option<&Type> {
    match argument? {
        FnArg::Typed(typed) => Some(match &*typed.ty {
            Type::Reference(of) => &of.elem,
            of => of,
        }),
        FnArg::Receiver(_) => None,
    }
}

/// `name(first)` or `name(first, event)`, as many as the function takes.
fn call(function: &ImplItemFn, first: TokenStream) -> Result<TokenStream, Error> {
    let (name, inputs) = (&function.sig.ident, &function.sig.inputs);
    let first = given(inputs.first(), first);
    match inputs.len() {
        1 => Ok(quote!(Self::#name(#first))),
        2 => {
            let event = given(inputs.get(1), quote!((*event).clone()));
            Ok(quote!(Self::#name(#first, #event)))
        }
        _ => Err(Error::new_spanned(
            &function.sig,
            "it takes the form or the case, and the event if it wants to",
        )),
    }
}

/// The event of `#[on("payment.settled")]`, taken off the function.
fn events(function: &mut ImplItemFn) -> Result<Vec<LitStr>, Error> {
    let mut kinds = Vec::new();
    for attribute in &function.attrs {
        if attribute.path().is_ident("on") {
            let list = Punctuated::<LitStr, Token![,]>::parse_terminated;
            kinds.extend(attribute.parse_args_with(list)?);
        }
    }
    function.attrs.retain(|attribute| !attribute.path().is_ident("on"));
    Ok(kinds)
}

/// The item of a block of functions.
pub(crate) fn expand(named: &Named, mut block: ItemImpl) -> Result<TokenStream, Error> {
    let ty = block.self_ty.clone();
    let (mut start, mut check, mut arms) = (None, None, TokenStream::new());
    for one in &mut block.items {
        let ImplItem::Fn(function) = one else { continue };
        let kinds = events(function)?;
        if !kinds.is_empty() {
            let case = quote!(::plugin_sdk::Case::read(case)?);
            let call = call(function, case)?;
            arms.extend(quote!(#(#kinds)|* => #call,));
        } else if function.sig.ident == "start" {
            start = Some(function.clone());
        } else if function.sig.ident == "validate" {
            check = Some(function.clone());
        }
    }
    let Some(start) = start else {
        let why = "an item begins somewhere\nhint: fn start(form: Card) -> Answer { … }";
        return Err(Error::new_spanned(&ty, why));
    };
    let Some(form) = kind(start.sig.inputs.first()) else {
        return Err(Error::new_spanned(
            &start.sig,
            "it takes the form\nhint: fn start(form: Card) -> Answer",
        ));
    };
    let started = call(&start, quote!(<#form as ::plugin_sdk::Form>::read(form)?))?;
    let checked = match &check {
        None => quote!(::std::vec::Vec::new()),
        Some(check) => {
            let call = call(check, quote!(form))?;
            quote! {
                match <#form as ::plugin_sdk::Form>::read(form) {
                    Ok(form) => #call,
                    Err(problem) => ::std::vec![problem],
                }
            }
        }
    };
    let Named { manifest, code, zh, en } = named;
    let plugin = manifest.as_ref().map(|path| quote!(::plugin_sdk::plugin!(#path, #ty);));
    Ok(quote! {
        #block
        impl ::plugin_sdk::Service for #ty {
            const CODE: &'static str = #code;
            const TITLE: (&'static str, &'static str) = (#zh, #en);
            fn form(
                prefill: &::plugin_sdk::serde_json::Value,
            ) -> ::plugin_sdk::serde_json::Value {
                <#form as ::plugin_sdk::Form>::ask(prefill)
            }
            fn validate(
                form: &::plugin_sdk::serde_json::Value,
            ) -> ::std::vec::Vec<::plugin_sdk::Problem> {
                #checked
            }
            fn start(
                event: &::plugin_sdk::Event,
                form: &::plugin_sdk::serde_json::Value,
            ) -> ::plugin_sdk::Answer {
                #started
            }
            fn advance(
                case: &::plugin_sdk::CaseView,
                event: &::plugin_sdk::Event,
            ) -> ::plugin_sdk::Answer {
                match event.kind.as_str() {
                    #arms
                    _ => Ok(::plugin_sdk::Step::stay()),
                }
            }
        }
        #plugin
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(named: &str, block: &str) -> String {
        let named = match syn::parse_str::<Named>(named) {
            Ok(named) => named,
            Err(fault) => return fault.to_string(),
        };
        let result = expand(&named, syn::parse_str(block).unwrap());
        result.map_or_else(|fault| fault.to_string(), |tokens| tokens.to_string())
    }

    #[test]
    fn functions_are_called_as_they_are_written() {
        let named = r#"item = "a.b", zh = "好", en = "good""#;
        let block = r#"impl A {
            fn start(form: &Card) -> Answer { todo() }
            #[on("payment.settled", "correction.received")]
            fn paid(case: Case<Card>, event: &Event) -> Answer { todo() }
        }"#;
        let said = told(named, block);
        assert!(said.contains("Self :: start (& < Card as"), "{said}");
        assert!(
            said.contains("\"payment.settled\" | \"correction.received\" => Self :: paid"),
            "{said}"
        );
        assert!(!said.contains("# [on") && !said.contains("plugin !"), "{said}");
        let whole = told(&format!("manifest = \"plugin.toml\", {named}"), block);
        assert!(whole.contains("plugin ! (\"plugin.toml\" , A)"), "{whole}");
    }

    #[test]
    fn each_mistake_of_an_author_is_a_sentence_with_a_hint() {
        let named = r#"item = "a.b", zh = "好", en = "good""#;
        let faults = [
            (
                r#"item = "a.b", zh = "好""#,
                "impl A { fn start(form: F) -> Answer {} }",
                "both languages",
            ),
            (r#"itme = "a.b""#, "impl A {}", "there is no `itme`"),
            (named, "impl A { fn begin(form: F) -> Answer {} }", "hint: fn start"),
            (named, "impl A { fn start(&self) -> Answer {} }", "it takes the form"),
            (
                named,
                "impl A { fn start(a: F, b: E, c: E) -> Answer {} }",
                "it takes the form or the case",
            ),
        ];
        for (named, block, sentence) in faults {
            let fault = told(named, block);
            assert!(fault.contains(sentence), "{block}: {fault}");
        }
    }
}
