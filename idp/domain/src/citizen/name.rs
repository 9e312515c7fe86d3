//! Names of persons as cards print them.

use std::fmt;

/// The longest name that a card prints is far below this.
const LONGEST: usize = 60;

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NameFault {
    /// Nothing was given.
    #[error("no name was given\nhint: give it as the identity card prints it")]
    Empty,
    /// One character only.
    #[error("the name is too short\nhint: give family name and given name")]
    Short,
    /// Longer than any card prints.
    #[error("the name is too long\nhint: give it as the identity card prints it")]
    Long,
    /// A character that no card prints.
    #[error(
        "the name has a character that no card prints\nhint: Chinese characters, letters and the middle dot"
    )]
    Characters,
}

/// A name in the form in which it is compared: one kind of middle dot, no space between Chinese
/// characters, single spaces between words of letters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PersonName(String);

impl PersonName {
    /// Reads what a person types. The many middle dots of input methods (names of minorities and
    /// of foreigners have them) become U+00B7.
    pub fn parse(text: &str) -> Result<Self, NameFault> {
        // What has no width stands between no two words: the spaces beside it are one.
        let seen: String = text.chars().filter(|c| !matches!(c, '\u{200b}' | '\u{feff}')).collect();
        let joined = seen.split_whitespace().collect::<Vec<_>>().join(" ");
        let dotted: String = joined.chars().map(|c| if is_dot(c) { '·' } else { c }).collect();
        let name = if dotted.chars().any(is_han) {
            dotted.chars().filter(|c| *c != ' ').collect()
        } else {
            dotted
        };
        let count = name.chars().count();
        if count == 0 {
            return Err(NameFault::Empty);
        }
        if count > LONGEST {
            return Err(NameFault::Long);
        }
        if !name
            .chars()
            .all(|c| is_han(c) || is_letter(c) || matches!(c, '·' | ' ' | '-' | '\'' | '.'))
            || !name.chars().any(|c| is_han(c) || is_letter(c))
        {
            return Err(NameFault::Characters);
        }
        if count == 1 {
            return Err(NameFault::Short);
        }
        Ok(Self(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For showing: the first character stays, the rest is hidden.
    pub fn masked(&self) -> String {
        let mut characters = self.0.chars();
        let first = characters.next().map(String::from).unwrap_or_default();
        format!("{first}{}", "*".repeat(characters.count().clamp(1, 4)))
    }
}

impl fmt::Debug for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonName({})", self.masked())
    }
}

fn is_dot(c: char) -> bool {
    matches!(c, '·' | '•' | '‧' | '∙' | '⋅' | '・' | '･' | '．' | '●' | '˙')
}

/// Letters of Latin script with their marks: the 2023 foreigner's card prints them.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || (matches!(c, '\u{c0}'..='\u{24f}') && c.is_alphabetic())
}

/// Unified ideographs with their extensions, the compatibility block, and 〇.
fn is_han(c: char) -> bool {
    matches!(c, '〇' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_read_as_cards_print_them() {
        for (text, name) in [
            ("林小满", "林小满"),
            (" 林 小满 ", "林小满"),
            ("阿依古丽•买买提", "阿依古丽·买买提"),
            ("𠮷田", "𠮷田"),
            ("SMITH  John", "SMITH John"),
            ("O'Neill", "O'Neill"),
            ("Mary \u{200b} Ann \u{200b}", "Mary Ann"),
        ] {
            assert_eq!(PersonName::parse(text).unwrap().as_str(), name);
        }
    }

    #[test]
    fn each_fault_has_its_own_name() {
        for (text, fault) in [
            ("", NameFault::Empty),
            ("　", NameFault::Empty),
            ("林", NameFault::Short),
            ("林3", NameFault::Characters),
            ("··", NameFault::Characters),
            ("<script>", NameFault::Characters),
            ("林\u{202e}小", NameFault::Characters),
        ] {
            assert_eq!(PersonName::parse(text), Err(fault), "{text}");
        }
        assert_eq!(PersonName::parse(&"林".repeat(61)), Err(NameFault::Long));
    }

    #[test]
    fn the_shown_form_keeps_the_first_character() {
        assert_eq!(PersonName::parse("林小满").unwrap().masked(), "林**");
        assert_eq!(format!("{:?}", PersonName::parse("欧阳").unwrap()), "PersonName(欧*)");
    }

    proptest! {
        #[test]
        fn reading_is_stable(text in "\\PC{0,70}") {
            if let Ok(name) = PersonName::parse(&text) {
                prop_assert_eq!(PersonName::parse(name.as_str()), Ok(name));
            }
        }
    }
}
