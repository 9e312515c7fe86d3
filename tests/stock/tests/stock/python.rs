//! Of PyPI: Authlib 1, in Flask as its manual has it.

use std::path::PathBuf;

use crate::play::{Library, place, root};

/// An interpreter that has the libraries.
pub(crate) fn interpreter() -> Option<PathBuf> {
    place("TONGBAN_TEST_PYTHON", "tests/stock/python/.venv/bin/python")
}

fn authlib() -> Option<Library> {
    let python = interpreter()?;
    let program = root().join("tests/stock/python/authlib_client.py");
    let command: Vec<PathBuf> = vec![python, program];
    Some(Library { command, authority: "REQUESTS_CA_BUNDLE" })
}

mod authlib {
    crate::told_by! { crate::python::authlib:
        signs_in_with_pkce_state_and_nonce;
        refuses_another_nonce;
        refuses_another_state;
        refuses_a_signature_by_another_key;
        rotates_the_refresh_token;
        redeems_a_code_once;
        redeems_by_its_own_verifier;
        comes_back_to_its_own_address;
        signs_in_by_private_key_jwt;
        signs_out;
        acts_for_itself;
        introspects_and_revokes;
    }
}
