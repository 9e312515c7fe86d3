//! The contract's normal form: a line for each type and function, without words for people, order
//! of declarations, or aliases.

use std::collections::BTreeMap;

use wit_parser::{
    Function, Handle, InterfaceId, Resolve, Type, TypeDef, TypeDefKind, TypeOwner, WorldItem,
};

/// What stands under a name.
pub(crate) struct Line {
    /// Fields, cases, parameters and answer.
    pub(crate) shape: String,
    /// Whether a plugin has to provide it.
    pub(crate) exported: bool,
}

/// The normal form of sources, each a package after those that it uses.
pub(crate) fn form(sources: &[(String, String)]) -> Result<BTreeMap<String, Line>, String> {
    let mut resolve = Resolve::default();
    for (path, text) in sources {
        resolve.push_str(path, text).map_err(|cause| format!("{path}: {cause:#}"))?;
    }
    let mut lines = BTreeMap::new();
    let mut exports = Vec::new();
    for (_, world) in resolve.worlds.iter() {
        let own = format!("{} {}", package(&resolve, world.package), world.name);
        for (kind, items) in [("import", &world.imports), ("export", &world.exports)] {
            for (key, item) in items {
                let exported = kind == "export";
                let (name, shape) = match item {
                    WorldItem::Interface { id, .. } => {
                        exports.extend(exported.then_some(*id));
                        (interface(&resolve, *id), "interface".to_owned())
                    }
                    WorldItem::Function(function) => {
                        (function.name.clone(), signature(&resolve, function))
                    }
                    WorldItem::Type { id, .. } => {
                        (format!("{key:?}"), shape(&resolve, &resolve.types[*id]))
                    }
                };
                lines.insert(format!("{kind} {own} {name}"), Line { shape, exported });
            }
        }
    }
    for (id, one) in resolve.interfaces.iter() {
        let place = interface(&resolve, id);
        let exported = exports.contains(&id);
        for (name, id) in &one.types {
            let of = &resolve.types[*id];
            // What is only borrowed from another interface stands there.
            if !matches!(&of.kind, TypeDefKind::Type(Type::Id(_))) {
                let name = format!("{} {place}.{name}", of.kind.as_str());
                lines.insert(name, Line { shape: shape(&resolve, of), exported: false });
            }
        }
        for (name, function) in &one.functions {
            let shape = signature(&resolve, function);
            lines.insert(format!("func {place}.{name}"), Line { shape, exported });
        }
    }
    Ok(lines)
}

/// A package with its major version: minor ones match each other when a component is linked.
fn package(resolve: &Resolve, id: Option<wit_parser::PackageId>) -> String {
    let Some(id) = id else { return String::new() };
    let name = &resolve.packages[id].name;
    let major = name.version.as_ref().map_or(0, |version| version.major);
    format!("{}:{}@{major}", name.namespace, name.name)
}

fn interface(resolve: &Resolve, id: InterfaceId) -> String {
    let one = &resolve.interfaces[id];
    format!("{}/{}", package(resolve, one.package), one.name.as_deref().unwrap_or("inline"))
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let one = |param: &wit_parser::Param| format!("{}: {}", param.name, named(resolve, &param.ty));
    let params: Vec<String> = function.params.iter().map(one).collect();
    let answer = function.result.as_ref().map(|ty| format!(" -> {}", named(resolve, ty)));
    let waits = if function.kind.is_async() { "async " } else { "" };
    format!("{waits}func({}){}", params.join(", "), answer.unwrap_or_default())
}

/// A type where it is used.
fn named(resolve: &Resolve, ty: &Type) -> String {
    let Type::Id(id) = ty else { return format!("{ty:?}").to_lowercase() };
    let of = &resolve.types[*id];
    match (&of.kind, &of.name, of.owner) {
        (TypeDefKind::Type(ty @ Type::Id(_)), ..) => named(resolve, ty),
        (_, Some(name), TypeOwner::Interface(id)) => format!("{}.{name}", interface(resolve, id)),
        (_, Some(name), _) => name.clone(),
        (_, None, _) => shape(resolve, of),
    }
}

/// What a type is made of.
fn shape(resolve: &Resolve, of: &TypeDef) -> String {
    let name = |ty: &Type| named(resolve, ty);
    let maybe = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "_".to_owned(), name);
    match &of.kind {
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter().map(|f| format!("{}: {}", f.name, name(&f.ty)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter().map(|c| format!("{}({})", c.name, maybe(&c.ty)));
            cases.collect::<Vec<_>>().join(" | ")
        }
        TypeDefKind::Enum(cases) => {
            cases.cases.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(" | ")
        }
        TypeDefKind::Flags(flags) => {
            flags.flags.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(" + ")
        }
        TypeDefKind::Tuple(tuple) => {
            format!("tuple<{}>", tuple.types.iter().map(name).collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Option(ty) => format!("option<{}>", name(ty)),
        TypeDefKind::Result(of) => format!("result<{}, {}>", maybe(&of.ok), maybe(&of.err)),
        TypeDefKind::List(ty) => format!("list<{}>", name(ty)),
        TypeDefKind::Handle(Handle::Own(id)) => format!("own<{}>", name(&Type::Id(*id))),
        TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", name(&Type::Id(*id))),
        TypeDefKind::Type(ty) => name(ty),
        other => other.as_str().to_owned(),
    }
}
