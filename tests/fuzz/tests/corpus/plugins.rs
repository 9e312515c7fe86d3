//! What a department ships: the manifest of its package, and the component. They ask, and never give
//! themselves more than the product allows.

use plugins_host::admit;
use plugins_host::manifest::{Grants, Limits, Manifest};

/// What no manifest can ask for.
const NOBODYS: [&str; 6] = [
    "wasi:filesystem/types@0.2.6",
    "wasi:sockets/tcp@0.2.6",
    "wasi:clocks/wall-clock@0.2.6",
    "wasi:http/outgoing-handler@0.2.6",
    "tongban:host/inside@1.0.0",
    "evil:pay/payment@1.0.0",
];
/// A manifest that asks for nothing.
const LEAST: &str = include_str!("../../beside/manifest/least");
/// The product's own limits.
const MOST: Limits = Limits {
    memory_mb: 64,
    cpu_ms: 1_000,
    wall_ms: 5_000,
    host_calls: 500,
    output_kb: 1_024,
    in_flight: 64,
};

/// A manifest: within the product's limits, of its own items only, with the words of what it may
/// say, and with no interface that it was not granted.
pub(super) fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(manifest) = Manifest::parse(text) else { return };
    assert_eq!(manifest.world, "tongban:service/service@1.0.0");
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let id = &manifest.id;
    assert!(!id.is_empty() && id.bytes().all(plain), "{id}");
    for item in &manifest.items {
        let own = item.strip_prefix(id).is_some_and(|rest| rest.starts_with('.'));
        assert!(own, "{item} is another's");
    }
    within(manifest.limits);
    let templates = manifest.grants.notify.iter().flat_map(|grant| &grant.templates);
    for template in templates {
        let texts = manifest.messages.get(template).expect("words");
        assert!(["zh-CN", "en"].iter().all(|tag| texts.get(*tag).is_some_and(|t| !t.is_empty())));
    }
    for name in NOBODYS {
        assert!(admit::check([name], &manifest).is_err(), "{name}");
    }
    let none = Manifest { grants: Grants::default(), ..manifest.clone() };
    for (name, granted) in manifest.granted() {
        let import = format!("tongban:{name}/it@1.0.0");
        let admitted = admit::check([import.as_str()], &manifest).is_ok();
        assert_eq!((admitted, text.contains(name) || !granted), (granted, true), "{name}");
        assert!(admit::check([import.as_str()], &none).is_err(), "{name} without a grant");
    }
    let written = toml::to_string(&manifest).expect("a manifest is TOML");
    assert_eq!(Manifest::parse(&written).as_ref(), Ok(&manifest), "written otherwise");
}

fn within(asked: Limits) {
    for (asked, most) in [
        (asked.memory_mb, MOST.memory_mb),
        (asked.cpu_ms, MOST.cpu_ms),
        (asked.wall_ms, MOST.wall_ms),
        (asked.host_calls, MOST.host_calls),
        (asked.output_kb, MOST.output_kb),
        (asked.in_flight, MOST.in_flight),
    ] {
        assert!(asked <= most, "above the product's own");
    }
    assert!(asked.in_flight > 0 && asked.memory_mb > 0 && asked.cpu_ms > 0, "no call could run");
}

/// An import section of one more interface: of files.
const FILES: &[u8] = b"\x0a\x20\x01\x00\x1bwasi:filesystem/types@0.2.6\x05\x00";

/// A component's bytes: what it imports is what stands in them, nothing that comes before an import
/// hides it, and without a grant it gets nothing of the house and nothing of the machine.
pub(super) fn component(bytes: &[u8]) {
    let Ok(imports) = admit::imports(bytes) else { return };
    assert!(bytes.starts_with(b"\0asm\x0d\0\x01\0"), "no component");
    for name in &imports {
        assert!(bytes.windows(name.len().max(1)).any(|part| part == name.as_bytes()), "{name}");
    }
    let greedy = [bytes, FILES].concat();
    let more = admit::imports(&greedy).expect("one section more");
    assert_eq!(more.last().map(String::as_str), Some("wasi:filesystem/types@0.2.6"), "hidden");
    let none = Manifest::parse(LEAST).expect("a manifest");
    let names = |all: &[String]| admit::check(all.iter().map(String::as_str), &none).is_ok();
    assert!(!names(&more), "files");
    if names(&imports) {
        let known = ["wasi:cli/", "wasi:io/", "wasi:random/", "tongban:"];
        let granted = ["identity", "flow", "store", "pay", "notify", "express", "files"];
        for name in &imports {
            assert!(known.iter().any(|start| name.starts_with(start)), "{name}");
            let package = name.strip_prefix("tongban:").and_then(|name| name.split('/').next());
            assert!(!package.is_some_and(|package| granted.contains(&package)), "{name}");
        }
    }
}
