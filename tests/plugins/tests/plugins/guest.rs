//! A guest of a few lines of WebAssembly text over the SDK's own contract: quick to build, and able
//! to do what a compiler would never let a programmer do.

use std::fmt::Write as _;

use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

/// Where the data of a guest begins.
const DATA: usize = 1_024;

/// What a guest may import besides the contract: enough of WASI to ask for it.
const WORLD: &str = r"
    package test:guest;
    world guest {
        include tongban:service/service@1.0.0;
        import wasi:cli/exit@0.2.6;
        import wasi:random/insecure-seed@0.2.6;
    }
";
const WASI: [&str; 2] = [
    "package wasi:cli@0.2.6; interface exit { exit: func(status: result); }",
    "package wasi:random@0.2.6; interface insecure-seed { insecure-seed: func() -> tuple<u64, u64>; }",
];

/// A guest under construction. It answers every call well until it is told otherwise.
pub(crate) struct Guest {
    pub(crate) id: String,
    data: Vec<u8>,
    imports: String,
    functions: String,
    pages: u32,
    bodies: [String; 4],
    /// `[grants.…]` lines of its manifest.
    pub(crate) grants: String,
    /// Lines of `[limits]`.
    pub(crate) limits: String,
    /// Version that the component says; the manifest says 1.0.0.
    version: &'static str,
    describe: Option<String>,
}

fn quoted(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\{byte:02x}");
        text
    })
}

impl Guest {
    pub(crate) fn new(id: &str) -> Self {
        let mut guest = Self {
            id: id.to_owned(),
            data: Vec::new(),
            imports: String::new(),
            functions: String::new(),
            pages: 2,
            bodies: [const { String::new() }; 4],
            grants: String::new(),
            limits: String::new(),
            version: "1.0.0",
            describe: None,
        };
        let form = guest.text(r#"{"type":"object"}"#);
        let form = guest.words(&[0, form.0, form.1]);
        let none = guest.words(&[0, 0]);
        let stay = guest.answer("stay", "{}");
        guest.bodies = [form, none, stay, stay].map(|address| format!("(i32.const {address})"));
        guest
    }

    /// The item that it serves.
    pub(crate) fn item(&self) -> String {
        format!("{}.item", self.id)
    }

    /// A text in its memory: address and length.
    pub(crate) fn text(&mut self, text: &str) -> (u32, u32) {
        let at = DATA + self.data.len();
        self.data.extend_from_slice(text.as_bytes());
        (u32::try_from(at).unwrap(), u32::try_from(text.len()).unwrap())
    }

    /// Words in its memory: their address.
    pub(crate) fn words(&mut self, words: &[u32]) -> u32 {
        while !self.data.len().is_multiple_of(8) {
            self.data.push(0);
        }
        let at = DATA + self.data.len();
        self.data.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        u32::try_from(at).unwrap()
    }

    /// An answer of `start` and `advance`: an edge, data, nothing else.
    pub(crate) fn answer(&mut self, edge: &str, data: &str) -> u32 {
        let (edge, data) = (self.text(edge), self.text(data));
        self.words(&[0, edge.0, edge.1, data.0, data.1, 0, 0, 0, 0, 0, 0])
    }

    /// Imports a function as `$name`.
    pub(crate) fn import(mut self, interface: &str, name: &str, signature: &str) -> Self {
        let _ = writeln!(
            self.imports,
            "(import \"{interface}\" \"{name}\" (func ${name} {signature}))"
        );
        self
    }

    /// Another function of its own.
    pub(crate) fn function(mut self, text: &str) -> Self {
        self.functions.push_str(text);
        self
    }

    /// How many pages it has from the start.
    pub(crate) fn pages(mut self, pages: u32) -> Self {
        self.pages = pages;
        self
    }

    pub(crate) fn form(mut self, body: &str) -> Self {
        body.clone_into(&mut self.bodies[0]);
        self
    }

    pub(crate) fn validate(mut self, body: &str) -> Self {
        body.clone_into(&mut self.bodies[1]);
        self
    }

    pub(crate) fn start(mut self, body: &str) -> Self {
        body.clone_into(&mut self.bodies[2]);
        self
    }

    /// What `describe` does first.
    pub(crate) fn describe(mut self, body: &str) -> Self {
        self.describe = Some(body.to_owned());
        self
    }

    pub(crate) fn version(mut self, version: &'static str) -> Self {
        self.version = version;
        self
    }

    pub(crate) fn grants(mut self, grants: &str) -> Self {
        self.grants.push_str(grants);
        self
    }

    pub(crate) fn limits(mut self, limits: &str) -> Self {
        self.limits.push_str(limits);
        self
    }

    /// Its manifest.
    pub(crate) fn manifest(&self) -> String {
        format!(
            "id = \"{}\"\nversion = \"1.0.0\"\nworld = \"tongban:service/service@1.0.0\"\n\
             department = \"test\"\nstate_version = 1\nitems = [\"{}\"]\n{}\n[limits]\n{}\n",
            self.id,
            self.item(),
            self.grants,
            self.limits
        )
    }

    fn module(&mut self) -> String {
        let (id, version, item) = (self.id.clone(), self.version, self.item());
        let (id, version, item) = (self.text(&id), self.text(version), self.text(&item));
        let items = self.words(&[item.0, item.1, 0, 0, 0, 0]);
        let said = self.words(&[id.0, id.1, version.0, version.1, 1, items, 1, 0, 0]);
        let describe = self.describe.clone().unwrap_or_default();
        let [form, validate, start, advance] = &self.bodies;
        let asked = "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)";
        let name = "tongban:service/plugin@1.0.0";
        format!(
            r#"(module
  {imports}
  (memory (export "memory") {pages})
  (global $heap (mut i32) (i32.const {heap}))
  (global $n (mut i32) (i32.const 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get 3)))
    (block $fits
      (loop $more
        (br_if $fits (i32.le_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))))
        (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))
        (unreachable)))
    (local.get $at))
  {functions}
  (func (export "{name}#describe") (result i32) {describe} (i32.const {said}))
  (func (export "{name}#form") {asked} (result i32) {form})
  (func (export "{name}#validate") {asked} (result i32) {validate})
  (func (export "{name}#start") (param i32) (result i32) {start})
  (func (export "{name}#advance") (param i32) (result i32) {advance})
  (data (i32.const {DATA}) "{data}"))"#,
            imports = self.imports,
            pages = self.pages,
            heap = 65_536,
            functions = self.functions,
            data = quoted(&self.data),
        )
    }

    /// The component.
    pub(crate) fn build(&mut self) -> Vec<u8> {
        let text = self.module();
        assert!(DATA + self.data.len() < 65_536, "the data runs into the heap");
        let mut bytes = wat::parse_str(&text).unwrap_or_else(|fault| panic!("{fault}"));
        let mut resolve = Resolve::default();
        let root = env!("CARGO_MANIFEST_DIR");
        resolve.push_dir(format!("{root}/../../plugin-sdk/wit")).unwrap();
        for text in WASI {
            resolve.push_str("wasi.wit", text).unwrap();
        }
        let package = resolve.push_str("guest.wit", WORLD).unwrap();
        let world = resolve.select_world(&[package], Some("guest")).unwrap();
        wit_component::embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8)
            .unwrap();
        let mut encoder = ComponentEncoder::default().validate(true).module(&bytes).unwrap();
        encoder.encode().unwrap_or_else(|fault| panic!("{fault:?}"))
    }
}
