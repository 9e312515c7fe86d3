//! The libraries of npm: `openid-client` 6, and `oauth4webapi` 3 on which it stands.

use std::path::PathBuf;

use crate::play::{Library, place, root};

/// Where the libraries are.
pub(crate) fn libraries() -> Option<PathBuf> {
    place("TONGBAN_TEST_NODE_LIBRARIES", "tests/stock/node/node_modules")
}

/// What runs them.
pub(crate) fn interpreter() -> Option<PathBuf> {
    place("TONGBAN_TEST_NODE", "/usr/bin/node")
        .or_else(|| place("TONGBAN_TEST_NODE", "/usr/local/bin/node"))
}

/// A program of tests/stock/node.
pub(crate) fn program(name: &str) -> Option<Library> {
    libraries()?;
    let command: Vec<PathBuf> = vec![interpreter()?, root().join("tests/stock/node").join(name)];
    Some(Library { command, authority: "NODE_EXTRA_CA_CERTS" })
}

fn openid_client() -> Option<Library> {
    program("openid_client.mjs")
}

fn oauth4webapi() -> Option<Library> {
    program("oauth4webapi.mjs")
}

mod openid_client {
    crate::told_by! { crate::node::openid_client:
        signs_in_with_pkce_state_and_nonce;
        refuses_another_nonce;
        refuses_another_state;
        refuses_another_issuer;
        refuses_metadata_of_another_issuer;
        refuses_a_signature_by_another_key;
        rotates_the_refresh_token;
        signs_in_by_private_key_jwt;
        pushes_the_request;
        binds_tokens_by_dpop;
        signs_the_request;
        takes_a_signed_answer;
        signs_out;
        acts_for_itself;
        introspects_and_revokes;
        signs_in_on_a_device;
        asks_over_the_back_channel;
        keeps_to_fapi2;
        signs_messages_as_fapi2;
        decrypts_the_id_token;
        takes_signed_userinfo;
        takes_code_and_id_token;
        registers_itself;
    }
}

mod oauth4webapi {
    crate::told_by! { crate::node::oauth4webapi:
        signs_in_with_pkce_state_and_nonce;
        refuses_another_nonce;
        refuses_another_state;
        refuses_another_issuer;
        refuses_metadata_of_another_issuer;
        rotates_the_refresh_token;
        signs_in_by_private_key_jwt;
        pushes_the_request;
        binds_tokens_by_dpop;
        signs_the_request;
        takes_a_signed_answer;
        signs_out;
        acts_for_itself;
        introspects_and_revokes;
        introspects_into_a_signed_answer;
        proves_its_access_tokens_to_a_resource;
        signs_in_on_a_device;
        asks_over_the_back_channel;
        keeps_to_fapi2;
        signs_messages_as_fapi2;
        takes_code_and_id_token;
    }
}
