//! `#[derive(Form)]` and `#[derive(Choice)]`: questions from a plain struct, answers from a plain
//! enum.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Error, Expr, Field, Fields, Lit, LitStr, Meta, Token};

/// `name = value` pairs of one attribute.
#[derive(Default)]
struct Words(Vec<(syn::Ident, Lit)>);

impl Words {
    fn read(attribute: &Attribute, known: &[&str]) -> Result<Self, Error> {
        let pairs = attribute
            .parse_args_with(syn::punctuated::Punctuated::<Meta, Token![,]>::parse_terminated)?;
        let mut words = Self::default();
        for meta in pairs {
            let pair = meta.require_name_value()?;
            let name = pair.path.require_ident()?.clone();
            if !known.iter().any(|word| name == word) {
                let known = known.join(", ");
                return Err(Error::new(
                    name.span(),
                    format!("there is no `{name}` here\nhint: {known}"),
                ));
            }
            match &pair.value {
                Expr::Lit(value) => words.0.push((name, value.lit.clone())),
                other => return Err(Error::new_spanned(other, "a text or a number is wanted")),
            }
        }
        Ok(words)
    }

    fn lit(&self, name: &str) -> Option<&Lit> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, lit)| lit)
    }

    fn text(&self, name: &str) -> Option<&LitStr> {
        match self.lit(name) {
            Some(Lit::Str(text)) => Some(text),
            _ => None,
        }
    }

    /// Both languages, or the fault that one is missing.
    fn both(&self, at: &Attribute, zh: &str, en: &str) -> Result<(LitStr, LitStr), Error> {
        match (self.text(zh), self.text(en)) {
            (Some(chinese), Some(english)) => Ok((chinese.clone(), english.clone())),
            _ => Err(Error::new_spanned(
                at,
                format!("both languages are wanted\nhint: {zh} = \"…\", {en} = \"…\""),
            )),
        }
    }
}

fn named<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|one| one.path().is_ident(name))
}

const ASK: [&str; 10] =
    ["zh", "en", "hint_zh", "hint_en", "example", "min", "max", "pattern", "format", "default"];

/// The schema's words of a question, as JSON pairs.
fn rules(words: &Words, at: &Attribute) -> Result<TokenStream, Error> {
    let mut pairs = TokenStream::new();
    for (word, key) in [("pattern", "pattern"), ("format", "format"), ("default", "default")] {
        if let Some(lit) = words.lit(word) {
            pairs.extend(
                quote!(schema.insert(#key.to_owned(), ::plugin_sdk::serde_json::json!(#lit));),
            );
        }
    }
    if let Some(lit) = words.lit("example") {
        pairs.extend(
            quote!(schema.insert("examples".to_owned(), ::plugin_sdk::serde_json::json!([#lit]));),
        );
    }
    for word in ["min", "max"] {
        if let Some(lit) = words.lit(word) {
            pairs.extend(quote!(::plugin_sdk::form::bound(&mut schema, #word, #lit);));
        }
    }
    if words.lit("hint_zh").is_some() || words.lit("hint_en").is_some() {
        let (zh, en) = words.both(at, "hint_zh", "hint_en")?;
        pairs.extend(
            quote!(schema.insert("x-hint".to_owned(), ::plugin_sdk::form::texts(#zh, #en));),
        );
    }
    Ok(pairs)
}

/// One field: what is asked, and how its answer is read.
fn field(field: &Field) -> Result<(TokenStream, TokenStream), Error> {
    let Some(ident) = &field.ident else {
        return Err(Error::new_spanned(field, "the fields of a form have names"));
    };
    let (name, ty) = (ident.to_string(), &field.ty);
    let mut asks = TokenStream::new();
    if let Some(group) = named(&field.attrs, "group") {
        let words = Words::read(group, &["zh", "en"])?;
        let (zh, en) = words.both(group, "zh", "en")?;
        asks.extend(quote! { group = #name; form = form.group(group, #zh, #en); });
    }
    if let Some(fact) = named(&field.attrs, "fact") {
        let (zh, en) = Words::read(fact, &["zh", "en"])?.both(fact, "zh", "en")?;
        asks.extend(quote! { form = form.fact(#name, prefill, #zh, #en); });
    } else if let Some(ask) = named(&field.attrs, "ask") {
        let words = Words::read(ask, &ASK)?;
        let (zh, en) = words.both(ask, "zh", "en")?;
        let rules = rules(&words, ask)?;
        asks.extend(quote! {
            let mut schema = <#ty as ::plugin_sdk::form::Asked>::schema();
            #rules
            form = ::plugin_sdk::form::asked::<#ty>(
                form, group, #name, ::plugin_sdk::form::texts(#zh, #en), schema,
            );
        });
    } else {
        let why = "a field is a question or a verified fact\n\
                   hint: #[ask(zh = \"…\", en = \"…\", example = \"…\")] or #[fact(zh = \"…\", en = \"…\")]";
        return Err(Error::new_spanned(field, why));
    }
    let read = quote! { #ident: ::plugin_sdk::form::answer::<#ty>(data, #name)?, };
    Ok((asks, read))
}

/// `#[derive(Form)]`.
pub(crate) fn form(input: &DeriveInput) -> Result<TokenStream, Error> {
    let Data::Struct(of) = &input.data else {
        return Err(Error::new_spanned(input, "a form is a struct"));
    };
    let Fields::Named(fields) = &of.fields else {
        return Err(Error::new_spanned(input, "the fields of a form have names"));
    };
    let (mut asks, mut reads) = (TokenStream::new(), TokenStream::new());
    for one in &fields.named {
        let (ask, read) = field(one)?;
        asks.extend(ask);
        reads.extend(read);
    }
    for material in input.attrs.iter().filter(|one| one.path().is_ident("material")) {
        let words = Words::read(material, &["name", "zh", "en", "hint_zh", "hint_en"])?;
        let (zh, en) = words.both(material, "zh", "en")?;
        let (hint_zh, hint_en) = words.both(material, "hint_zh", "hint_en")?;
        let Some(name) = words.text("name") else {
            return Err(Error::new_spanned(
                material,
                "a material has a name\nhint: name = \"photo\"",
            ));
        };
        asks.extend(quote! {
            form = form.picture(
                #name,
                ::plugin_sdk::form::texts(#zh, #en),
                ::plugin_sdk::form::texts(#hint_zh, #hint_en),
            );
        });
    }
    let name = &input.ident;
    Ok(quote! {
        impl ::plugin_sdk::Form for #name {
            #[allow(unused_assignments, unused_mut, unused_variables)]
            fn ask(
                prefill: &::plugin_sdk::serde_json::Value,
            ) -> ::plugin_sdk::serde_json::Value {
                let mut form = ::plugin_sdk::form::Form::new();
                let mut group = "";
                #asks
                form.build()
            }
            fn read(
                data: &::plugin_sdk::serde_json::Value,
            ) -> ::core::result::Result<Self, ::plugin_sdk::Problem> {
                Ok(Self { #reads })
            }
        }
    })
}

/// `SecondClass` → `second-class`.
fn kebab(name: &str) -> String {
    let mut text = String::new();
    for (place, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && place > 0 {
            text.push('-');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

/// `#[derive(Choice)]`.
pub(crate) fn choice(input: &DeriveInput) -> Result<TokenStream, Error> {
    let Data::Enum(of) = &input.data else {
        return Err(Error::new_spanned(input, "a choice is an enum"));
    };
    let name = &input.ident;
    let (mut options, mut reads, mut writes) =
        (TokenStream::new(), TokenStream::new(), TokenStream::new());
    for variant in &of.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(Error::new_spanned(variant, "an answer that can be chosen holds nothing"));
        }
        let Some(says) = named(&variant.attrs, "says") else {
            let why = "an answer has its words\nhint: #[says(zh = \"…\", en = \"…\")]";
            return Err(Error::new_spanned(variant, why));
        };
        let (zh, en) = Words::read(says, &["zh", "en"])?.both(says, "zh", "en")?;
        let (ident, value) = (&variant.ident, kebab(&variant.ident.to_string()));
        options.extend(quote!((#value, #zh, #en),));
        reads.extend(quote!(Some(#value) => Some(Self::#ident),));
        writes.extend(quote!(Self::#ident => #value,));
    }
    Ok(quote! {
        impl #name {
            /// The answer as it stands in a form.
            #[must_use]
            #[allow(dead_code)]
            fn value(&self) -> &'static str {
                match self { #writes }
            }
        }
        impl ::plugin_sdk::form::Asked for #name {
            fn schema() -> ::plugin_sdk::form::Schema {
                ::plugin_sdk::form::choices(&[#options])
            }
            fn read(answer: Option<&::plugin_sdk::serde_json::Value>) -> Option<Self> {
                match answer.and_then(::plugin_sdk::serde_json::Value::as_str) {
                    #reads
                    _ => None,
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(result: Result<TokenStream, Error>) -> String {
        result.map_or_else(|fault| fault.to_string(), |tokens| tokens.to_string())
    }

    fn of(text: &str) -> DeriveInput {
        syn::parse_str(text).unwrap()
    }

    #[test]
    fn names_become_values() {
        assert_eq!((kebab("Child"), kebab("SecondClass")), ("child".into(), "second-class".into()));
    }

    #[test]
    fn each_mistake_of_an_author_is_a_sentence_with_a_hint() {
        let faults = [
            ("enum F { A }", "a form is a struct"),
            ("struct F(String);", "have names"),
            ("struct F { a: String }", "hint: #[ask("),
            ("struct F { #[ask(zh = \"好\")] a: String }", "both languages"),
            (
                "struct F { #[ask(zh = \"好\", en = \"a\", maximum = 3)] a: String }",
                "there is no `maximum`",
            ),
            ("struct F { #[ask(zh = \"好\", en = \"a\", hint_en = \"b\")] a: String }", "hint_zh"),
            (
                "#[material(zh = \"好\", en = \"a\", hint_zh = \"b\", hint_en = \"c\")] struct F {}",
                "has a name",
            ),
        ];
        for (text, sentence) in faults {
            let fault = told(form(&of(text)));
            assert!(fault.contains(sentence), "{text}: {fault}");
        }
        let faults = [
            ("struct F {}", "a choice is an enum"),
            ("enum F { A(u8) }", "holds nothing"),
            ("enum F { A }", "hint: #[says("),
        ];
        for (text, sentence) in faults {
            let fault = told(choice(&of(text)));
            assert!(fault.contains(sentence), "{text}: {fault}");
        }
    }
}
