//! Generated from plugin-sdk/wit, the single source of the contract.

#![allow(missing_docs, unreachable_pub, clippy::all)] // Generated.

wasmtime::component::bindgen!({
    path: "../../plugin-sdk/wit",
    world: "tongban:service/service",
    imports: {
        // The only one that may wait; the others answer from what the call already holds.
        "tongban:store/docs@1.0.0.get": async | trappable,
        "tongban:store/docs@1.0.0.put": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});
