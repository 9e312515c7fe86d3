//! No secret is compared by `==`, which ends at the first difference and so tells how far a guess
//! was right (attacks row 44).

use std::path::Path;

use tests_tidy::{files, root};

/// Last words of names whose values only their owner should know, or are what is stored of these.
const NAMES: [&str; 6] = ["secret", "secret_hash", "browser_hash", "previous_hash", "mac", "totp"];

/// What is asked of a secret and tells nothing of it.
const HARMLESS: [&str; 4] = ["is_empty()", "len()", "is_some()", "is_none()"];

/// Whether an operand is a secret, or what a secret is turned into for a comparison.
fn is_secret(operand: &str) -> bool {
    let operand = operand.trim_matches(['(', '&', '*', ';', ' ']);
    let harmless = HARMLESS.iter().any(|call| operand.ends_with(call));
    !harmless && operand.split(['.', '(', ')', '?']).any(|word| NAMES.contains(&word))
}

/// Whether a line compares a secret in the usual way.
fn compares_a_secret(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    [" == ", " != "].into_iter().any(|operator| {
        let parts: Vec<&str> = code.split(operator).collect();
        parts.windows(2).any(|pair| {
            let [left, right] = pair else { return false };
            let left = left.rsplit([' ', '|', '!']).next().unwrap_or_default();
            let right = right.split([' ', '|', '{', ',']).next().unwrap_or_default();
            is_secret(left) || is_secret(right)
        })
    })
}

/// The lines of a file before its tests.
fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("a source file");
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().map(str::to_owned).collect()
}

#[test]
fn attack_44_secrets_are_compared_in_constant_time() {
    for line in [
        "if stored.secret_hash == digest {",
        "    return code != self.secret;",
        "let same = row.text() == known.previous_hash && x;",
        "a == b && (one.mac) != other",
        "known.secret_hash.as_deref() == Some(digest)",
        "Some(digest) == Some(stored.mac)",
    ] {
        assert!(compares_a_secret(line), "not found: {line}");
    }
    for line in [
        "if secret.is_empty() == empty {",
        "// secret == secret",
        "let secret = a == b;",
        "token.secret.len() == 43",
    ] {
        assert!(!compares_a_secret(line), "{line}");
    }
    let (mut found, mut read) = (Vec::new(), 0);
    for room in ["idp", "plugins"] {
        let room = root().join(room);
        for path in files(&room, "rs") {
            let within = path.strip_prefix(&room).expect("below the room");
            if within.components().any(|part| part.as_os_str() == "tests") {
                continue;
            }
            read += 1;
            let bad = lines(&path).into_iter().filter(|line| compares_a_secret(line));
            found.extend(bad.map(|line| format!("{}: {}", path.display(), line.trim())));
        }
    }
    assert!(read > 100, "only {read} files were looked at");
    assert!(found.is_empty(), "compare by `compare::same` or `ct_eq`:\n{}", found.join("\n"));
}
