//! Every input of the corpus, and some thousand changed ones, the same in each run. Guided by
//! coverage, and for minutes, it is `tests/run --slow`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test may stop.

mod plugins;

use std::path::Path;

use tests_fuzz::{TARGETS, Target};

/// Changes of one input.
const CHANGES: usize = 1_000;

/// A sequence that is the same everywhere (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % end.max(1)
    }
}

/// Targets whose rooms are too heavy for the fuzzer's own build: they are tried here only, and what
/// they are tried on stands in `beside`.
const BESIDE: &[(&str, Target)] =
    &[("component", plugins::component), ("manifest", plugins::manifest)];

fn inputs(place: &str, target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(place).join(target);
    let entries = std::fs::read_dir(&directory).unwrap_or_else(|_| panic!("{directory:?}"));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 2, "{directory:?} holds fewer than two examples");
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn changed(numbers: &mut Numbers, from: &[Vec<u8>]) -> Vec<u8> {
    const ODD: &[u8] = b"\0\xff.=&%{}[]\",:+/ \n#@*\\-_09aZ";
    let mut bytes = from[numbers.below(from.len())].clone();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len() + 1);
        match numbers.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
            1 if at < bytes.len() => bytes[at] = ODD[numbers.below(ODD.len())],
            2 => bytes.insert(at, ODD[numbers.below(ODD.len())]),
            3 => bytes.truncate(at),
            4 => {
                let end = at + numbers.below(bytes.len() - at + 1);
                bytes.drain(at..end);
            }
            _ => {
                let other = &from[numbers.below(from.len())];
                let tail = other[numbers.below(other.len() + 1)..].to_vec();
                bytes.truncate(at);
                bytes.extend(tail);
            }
        }
    }
    bytes
}

fn told(place: &str, name: &str, target: Target) {
    let from = inputs(place, name);
    for input in &from {
        target(input);
    }
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    for _ in 0..CHANGES {
        target(&changed(&mut numbers, &from));
    }
}

#[test]
fn what_comes_from_outside_breaks_no_promise() {
    for (name, target) in TARGETS {
        told("corpus", name, *target);
    }
}

#[test]
fn what_departments_ship_breaks_no_promise() {
    for (name, target) in BESIDE {
        told("beside", name, *target);
    }
}

#[test]
fn every_directory_of_the_corpus_has_its_target() {
    for (place, targets) in [("corpus", TARGETS), ("beside", BESIDE)] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
        for entry in std::fs::read_dir(directory).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(targets.iter().any(|(known, _)| *known == name), "{place}/{name}");
        }
    }
}
