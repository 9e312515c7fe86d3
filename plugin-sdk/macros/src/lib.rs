//! The macros of plugin-sdk: what is known when a plugin is compiled is checked then.

mod manifest;

use proc_macro::TokenStream;

/// Reads a manifest, as a path below the plugin's own directory, into a `plugin_sdk::Manifest`.
/// A manifest that cannot be read, or that lacks what every plugin has, is an error of the compiler.
#[proc_macro]
pub fn manifest(input: TokenStream) -> TokenStream {
    manifest::expand(input.into()).unwrap_or_else(|fault| fault.to_compile_error()).into()
}
