//! The fuzzer's entry: `TONGBAN_FUZZ=TARGET fuzz -max_total_time=60 DIRECTORY`.

#![no_main]
#![allow(clippy::disallowed_methods)] // The fuzzer's own arguments are libFuzzer's.

use std::sync::OnceLock;

use tests_fuzz::{TARGETS, Target};

fn wanted() -> Target {
    static WANTED: OnceLock<Target> = OnceLock::new();
    *WANTED.get_or_init(|| {
        let name = std::env::var("TONGBAN_FUZZ").unwrap_or_default();
        let found = TARGETS.iter().find(|(known, _)| *known == name);
        let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
        found.unwrap_or_else(|| panic!("TONGBAN_FUZZ names one of {names:?}")).1
    })
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| wanted()(data));
