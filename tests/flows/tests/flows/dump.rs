//! The whole file of a deployment, as a thief would read it.

use tests_kit::Deployment;

/// Fails if any of these, or an 18-digit number, stands in the database's file or its log; on a
/// server there is no file to read.
pub fn holds_nothing_of(on: &Deployment, secrets: &[&[u8]]) {
    let Some(file) = &on.file else { return };
    let mut bytes = Vec::new();
    for name in ["", "-wal"] {
        bytes.extend(std::fs::read(format!("{}{name}", file.display())).unwrap_or_default());
    }
    assert!(bytes.len() > 50_000, "the file was read");
    for secret in secrets {
        assert!(secret.len() > 5, "too short to be looked for");
        let found = bytes.windows(secret.len()).any(|window| window == *secret);
        assert!(!found, "attack: {} bytes of a secret stand in the file", secret.len());
    }
    let is_number = |window: &[u8]| {
        window.starts_with(b"359901")
            && window[..17].iter().all(u8::is_ascii_digit)
            && (window[17].is_ascii_digit() || window[17] == b'X')
    };
    assert!(!bytes.windows(18).any(is_number), "an 18-digit number stands in the file");
}
