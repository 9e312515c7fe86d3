//! Numbers of cases: random, because a sequence betrays totals, with a check character, because
//! people read them out on the telephone.
//!
//! Twelve characters of Crockford's alphabet (no I, L, O, U): eleven random, then the check
//! character of ISO 7064's hybrid system over 32 characters, which finds every single wrong
//! character and nearly every swap of neighbours.

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 12;
const M: u32 = 32;

fn value(byte: u8) -> Option<u32> {
    let position = ALPHABET.iter().position(|known| *known == byte)?;
    u32::try_from(position).ok()
}

/// The running product of ISO 7064 §9 after all characters but the last.
fn product(body: &[u8]) -> Option<u32> {
    body.iter().try_fold(M, |product, byte| {
        let sum = (value(*byte)? + product) % M;
        Some((if sum == 0 { M } else { sum }) * 2 % (M + 1))
    })
}

/// The number made of random bytes; 16 bytes are enough and more are not used.
#[must_use]
pub fn make(random: [u8; 16]) -> String {
    let mut text: Vec<u8> = random
        .iter()
        .take(LENGTH - 1)
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 32)).copied())
        .collect();
    let check = (M + 1 - product(&text).unwrap_or(1)) % M;
    text.extend(usize::try_from(check).ok().and_then(|check| ALPHABET.get(check)));
    text.into_iter().map(char::from).collect()
}

/// A number as somebody typed it: hyphens and blanks left out, lower case raised, `I L O` read as
/// the digits that they look like. None if the check character does not fit.
#[must_use]
pub fn parse(text: &str) -> Option<String> {
    if text.len() > 40 {
        return None;
    }
    let plain: String = text
        .chars()
        .filter(|c| !matches!(c, '-' | ' '))
        .map(|c| match c.to_ascii_uppercase() {
            'I' | 'L' => '1',
            'O' => '0',
            other => other,
        })
        .collect();
    let (body, last) = plain.as_bytes().split_at_checked(LENGTH - 1)?;
    let [last] = last else { return None };
    ((product(body)? + value(*last)?) % M == 1).then_some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_made_is_read_and_one_wrong_character_is_not(
            random: [u8; 16], at in 0_usize..12, other in 0_usize..32,
        ) {
            let number = make(random);
            prop_assert_eq!(number.len(), 12);
            prop_assert_eq!(parse(&number), Some(number.clone()));
            prop_assert_eq!(parse(&number.to_lowercase()), Some(number.clone()));
            let mut wrong = number.clone().into_bytes();
            wrong[at] = ALPHABET[other];
            let wrong = String::from_utf8(wrong).unwrap();
            if wrong != number {
                prop_assert_eq!(parse(&wrong), None);
            }
        }

        #[test]
        fn any_text_is_read_or_not_and_never_panics(text: String) {
            let _ = parse(&text);
        }
    }

    #[test]
    fn people_type_numbers_in_groups() {
        let number = make([7; 16]);
        let grouped = format!("{}-{} {}", &number[..4], &number[4..8], &number[8..]);
        assert_eq!(parse(&grouped), Some(number));
        assert_eq!(parse(""), None);
    }
}
