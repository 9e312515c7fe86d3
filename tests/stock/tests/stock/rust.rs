//! The crate `openidconnect` 4.

use std::path::PathBuf;

use crate::play::Library;

#[allow(clippy::unnecessary_wraps)] // As of the libraries that may not be there.
fn openidconnect() -> Option<Library> {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_stock_openidconnect"));
    Some(Library { command: vec![program], authority: "STOCK_AUTHORITY" })
}

mod openidconnect {
    crate::told_by! { crate::rust::openidconnect:
        signs_in_with_pkce_state_and_nonce;
        refuses_another_nonce;
        refuses_metadata_of_another_issuer;
        refuses_a_signature_by_another_key;
        rotates_the_refresh_token;
        redeems_a_code_once;
        redeems_by_its_own_verifier;
        comes_back_to_its_own_address;
        signs_out;
        acts_for_itself;
        introspects_and_revokes;
        signs_in_on_a_device;
    }
}
