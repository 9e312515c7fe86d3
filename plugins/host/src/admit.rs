//! Admission: what a component is made of and what it imports is checked on its bytes, before any
//! of it is compiled or run.

use wasmparser::{Encoding, Parser, Payload};

use crate::manifest::Manifest;

/// The part of WASI that Rust's standard library needs, linked on an empty context. No file, no
/// socket, no clock, no outgoing call.
const WASI: [&str; 14] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure-seed",
];

/// Bodies of functions in one component; more only serves to keep a compiler busy.
const FUNCTIONS: u32 = 50_000;
/// Largest body of a function, bytes.
const BODY: usize = 512 * 1024;

/// The names that a component imports, read without compiling it.
///
/// # Errors
/// A sentence, if the bytes are no component or are built to wear out a compiler.
pub fn imports(bytes: &[u8]) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    let (mut depth, mut functions) = (0_u32, 0_u32);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|cause| format!("it is no WebAssembly: {cause}"))? {
            Payload::Version { encoding, .. } => {
                if depth == 0 && encoding != Encoding::Component {
                    return Err(
                        "it is a core module, not a component\nhint: build for wasm32-wasip2"
                            .to_owned(),
                    );
                }
                depth += 1;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    let import = import.map_err(|cause| format!("it is no component: {cause}"))?;
                    names.push(import.name.name.to_owned());
                }
            }
            Payload::CodeSectionStart { count, .. } => {
                functions = functions.saturating_add(count);
                if functions > FUNCTIONS {
                    return Err(format!("it has more than {FUNCTIONS} functions"));
                }
            }
            Payload::CodeSectionEntry(body) if body.as_bytes().len() > BODY => {
                return Err(format!("one of its functions is larger than {BODY} bytes"));
            }
            _ => {}
        }
    }
    Ok(names)
}

/// Checks the names of a component's imports.
///
/// # Errors
/// A sentence that names the line of the manifest that would allow the import.
pub fn check<'n>(
    imports: impl IntoIterator<Item = &'n str>,
    manifest: &Manifest,
) -> Result<(), String> {
    let granted = manifest.granted();
    for import in imports {
        let plain = import.split('@').next().unwrap_or_default();
        if WASI.contains(&plain) {
            continue;
        }
        let Some(own) = plain.strip_prefix("tongban:") else {
            return Err(format!("it imports {import}, which no plugin may have"));
        };
        let package = own.split('/').next().unwrap_or_default();
        if matches!(package, "types" | "service" | "kit") {
            continue;
        }
        if !granted.get(package).copied().unwrap_or(false) {
            return Err(format!(
                "it imports {import} without a grant\nhint: add [grants.{package}] to plugin.toml"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_sockets_and_ungranted_interfaces_are_refused_with_the_missing_line() {
        let text = include_str!("../../exit-entry/plugin.toml");
        let manifest = Manifest::parse(text).unwrap();
        let good = ["wasi:io/streams@0.2.6", "tongban:pay/payment@1.0.0", "tongban:kit/log@1.0.0"];
        assert_eq!(check(good, &manifest), Ok(()));
        for bad in [
            "wasi:filesystem/types@0.2.6",
            "wasi:sockets/tcp@0.2.6",
            "wasi:clocks/wall-clock@0.2.6",
            "wasi:http/outgoing-handler@0.2.6",
            "evil:x/y@1.0.0",
        ] {
            assert!(check([bad], &manifest).unwrap_err().contains("no plugin may have"), "{bad}");
        }
        let fault = check(["tongban:store/docs@1.0.0"], &manifest).unwrap_err();
        assert!(fault.contains("[grants.store]"), "{fault}");
    }

    #[test]
    fn imports_are_read_from_the_outermost_component_only() {
        let bytes = wat::parse_str(
            r#"(component
                 (import "tongban:pay/payment@1.0.0" (instance))
                 (core module (import "inner" "f" (func)))
                 (component (import "nested" (func))))"#,
        )
        .unwrap();
        assert_eq!(imports(&bytes).unwrap(), ["tongban:pay/payment@1.0.0"]);
        assert!(imports(&wat::parse_str("(module)").unwrap()).unwrap_err().contains("core module"));
        assert!(imports(b"\0asm").is_err());
        assert!(imports(b"hello").is_err());
    }
}
