//! `manifest!("plugin.toml")`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, LitStr};
use toml::{Table, Value};

/// The value of [`crate::manifest`].
pub(crate) fn expand(input: TokenStream) -> Result<TokenStream, Error> {
    let path: LitStr = syn::parse2(input)?;
    let directory = directory().map_err(|why| Error::new(path.span(), why))?;
    let file = directory.join(path.value());
    let text = std::fs::read_to_string(&file).map_err(|cause| {
        let why =
            format!("{} cannot be read: {cause}\nhint: it stands beside Cargo.toml", path.value());
        Error::new(path.span(), why)
    })?;
    value(&text, &path.value()).map_err(|why| Error::new(path.span(), why))
}

/// Where the crate that is being compiled stands.
#[allow(clippy::disallowed_methods)] // Cargo speaks to a macro through the environment only.
fn directory() -> Result<std::path::PathBuf, String> {
    let cause = "Cargo did not say where the crate stands\nhint: build it with cargo";
    std::env::var("CARGO_MANIFEST_DIR").map(Into::into).map_err(|_| cause.to_owned())
}

/// The tokens of a manifest's value.
pub(crate) fn value(text: &str, path: &str) -> Result<TokenStream, String> {
    let table: Table = text.parse().map_err(|cause| format!("{path}: {cause}"))?;
    let id = word(&table, "id", path)?;
    let version = word(&table, "version", path)?;
    let state_version = table
        .get("state_version")
        .and_then(Value::as_integer)
        .and_then(|number| u32::try_from(number).ok())
        .ok_or_else(|| lacks(path, "state_version = 1"))?;
    let items = table.get("items").and_then(Value::as_array);
    let items = names(items.ok_or_else(|| lacks(path, "items = [\"ID.NAME\"]"))?, "items", path)?;
    let prefix = format!("{id}.");
    if let Some(item) = items.iter().find(|item| !item.starts_with(&prefix)) {
        return Err(format!("{path}: the item {item} does not begin with {prefix}"));
    }
    let granted = |grant: &str, list: &str| {
        let found = table.get("grants").and_then(|all| all.get(grant)?.get(list)?.as_array());
        found.map_or_else(|| Ok(Vec::new()), |list_| names(list_, list, path))
    };
    let attributes = granted("identity", "attributes")?;
    let queues = granted("flow", "queues")?;
    let collections = granted("store", "collections")?;
    let quotes = granted("pay", "quotes")?;
    let templates = granted("notify", "templates")?;
    let kinds = granted("express", "kinds")?;
    let documents = granted("files", "templates")?;
    told(&table, &templates, path)?;
    // Naming the file in the output lets cargo rebuild the plugin when it changes.
    let tracked = format!("/{path}");
    Ok(quote! {{
        const _: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), #tracked));
        ::plugin_sdk::Manifest {
            id: #id,
            version: #version,
            state_version: #state_version,
            items: &[#(#items),*],
            attributes: &[#(#attributes),*],
            queues: &[#(#queues),*],
            collections: &[#(#collections),*],
            quotes: &[#(#quotes),*],
            templates: &[#(#templates),*],
            kinds: &[#(#kinds),*],
            documents: &[#(#documents),*],
        }
    }})
}

/// Every template that may be sent has its texts, in both languages.
fn told(table: &Table, templates: &[String], path: &str) -> Result<(), String> {
    let messages = table.get("messages");
    for template in templates {
        for lang in ["zh-CN", "en"] {
            let found = messages.and_then(|all| all.get(template)?.get(lang)?.as_str());
            if found.is_none_or(str::is_empty) {
                return Err(format!(
                    "{path}: the message {template} has no text in {lang}\n\
                     hint: [messages.{template}] with zh-CN = \"…\" and en = \"…\""
                ));
            }
        }
    }
    Ok(())
}

fn lacks(path: &str, line: &str) -> String {
    format!("{path} lacks a line\nhint: {line}")
}

fn word(table: &Table, key: &str, path: &str) -> Result<String, String> {
    let found = table.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    found.map(str::to_owned).ok_or_else(|| lacks(path, &format!("{key} = \"…\"")))
}

fn names(list: &[Value], key: &str, path: &str) -> Result<Vec<String>, String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let found: Option<Vec<String>> = list.iter().map(text).collect();
    found.ok_or_else(|| format!("{path}: {key} is a list of texts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "id = \"a\"\nversion = \"1.2.3\"\nstate_version = 1\nitems = [\"a.b\"]\n\
        [grants.notify]\ntemplates = [\"t\"]\n[messages.t]\nzh-CN = \"好\"\nen = \"good\"\n";

    #[test]
    fn a_manifest_becomes_a_value_and_each_fault_is_a_sentence() {
        let tokens = value(GOOD, "plugin.toml").unwrap().to_string();
        assert!(tokens.contains("\"1.2.3\"") && tokens.contains("\"a.b\""), "{tokens}");
        let faults = [
            ("id = \"a\"\n", "", "lacks a line\nhint: id"),
            ("state_version = 1\n", "", "hint: state_version"),
            ("state_version = 1", "state_version = -1", "hint: state_version"),
            ("items = [\"a.b\"]", "items = [\"c.b\"]", "does not begin with a."),
            ("items = [\"a.b\"]", "items = [1]", "a list of texts"),
            ("en = \"good\"", "en = \"\"", "no text in en"),
            ("id = \"a\"", "id = ", "plugin.toml:"),
        ];
        for (from, to, sentence) in faults {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD);
            let fault = value(&text, "plugin.toml").unwrap_err();
            assert!(fault.contains(sentence), "{fault}");
        }
    }
}
