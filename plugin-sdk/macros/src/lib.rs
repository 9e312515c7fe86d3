//! The macros of plugin-sdk: what is known when a plugin is compiled is checked then.

mod form;
mod item;
mod manifest;

use proc_macro::TokenStream;
use syn::parse_macro_input;

/// Reads a manifest, as a path below the plugin's own directory, into a `plugin_sdk::Manifest`.
/// A manifest that cannot be read, or that lacks what every plugin has, is an error of the compiler.
#[proc_macro]
pub fn manifest(input: TokenStream) -> TokenStream {
    manifest::expand(input.into()).unwrap_or_else(|fault| fault.to_compile_error()).into()
}

/// Makes a form of a struct: each field is a question (`#[ask]`) or a verified fact (`#[fact]`).
#[proc_macro_derive(Form, attributes(ask, fact, group, material))]
pub fn form(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as syn::DeriveInput);
    form::form(&input).unwrap_or_else(|fault| fault.to_compile_error()).into()
}

/// Makes the answers to a question of an enum: each variant says itself in both languages
/// (`#[says]`); its value in the form is its name in lower case with hyphens.
#[proc_macro_derive(Choice, attributes(says))]
pub fn choice(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as syn::DeriveInput);
    form::choice(&input).unwrap_or_else(|fault| fault.to_compile_error()).into()
}

/// Makes an item of a block of plain functions: `start` takes the form, `validate` (if there is
/// one) gives its faults, and each function with `#[on("EVENT")]` takes the case.
#[proc_macro_attribute]
pub fn item(named: TokenStream, block: TokenStream) -> TokenStream {
    let named = parse_macro_input!(named as item::Named);
    let block = parse_macro_input!(block as syn::ItemImpl);
    item::expand(&named, block).unwrap_or_else(|fault| fault.to_compile_error()).into()
}

/// A plugin with one item: [`macro@item`], and with `manifest = "plugin.toml"` the component too.
#[proc_macro_attribute]
pub fn service(named: TokenStream, block: TokenStream) -> TokenStream {
    item(named, block)
}
