//! Synthetic people. Their numbers carry the region code 359901, which is assigned to no county,
//! so that none can belong to a citizen. The same two hundred every time: nothing here is random.

use std::sync::LazyLock;

/// A person whom the simulated registers know.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Person {
    /// As the card prints it.
    pub name: String,
    /// 18 characters.
    pub number: String,
    /// `male` or `female`.
    pub sex: &'static str,
    /// `YYYY-MM-DD`.
    pub birth_date: String,
    /// Registered address.
    pub address: String,
    /// 11 digits.
    pub phone: String,
    /// Number of the social-security card.
    pub social_security_card: String,
    /// 12 digits; none for those who are too young to drive.
    pub driving_licence_file: Option<String>,
    /// The register says that they have died.
    pub deceased: bool,
    /// What a test looks for them for; empty for most.
    pub special: &'static str,
}

/// How many there are.
pub const COUNT: usize = 200;

const FAMILIES: [&str; 25] = [
    "林", "陈", "黄", "张", "吴", "李", "王", "郑", "刘", "杨", "蔡", "叶", "许", "苏", "谢", "郭",
    "何", "曾", "邱", "江", "欧阳", "赖", "詹", "方", "洪",
];
const GIVEN: [&str; 24] = [
    "小满", "建国", "秀英", "志强", "丽华", "子涵", "雨桐", "国栋", "美玲", "俊杰", "海燕", "文斌",
    "晓东", "思远", "桂兰", "浩然", "静", "伟", "敏", "磊", "婷婷", "永福", "春梅", "明",
];
const STREETS: [&str; 8] =
    ["示范路", "通办路", "海丝街", "榕城巷", "三坊里", "闽江道", "鼓山街", "茉莉路"];

/// Persons at these places are there for a reason.
const SPECIAL: [(usize, &str, &str); 7] = [
    (20, "阿依古丽·买买提", "a name with a middle dot"),
    (21, "𠮷田雪", "a name with a character outside the basic plane"),
    (22, "", "born on a leap day"),
    (23, "", "a minor of fifteen"),
    (24, "", "has died"),
    (25, "", "has no driving licence"),
    (26, "", "number ends in X"),
];

static PEOPLE: LazyLock<Vec<Person>> = LazyLock::new(|| (0..COUNT).map(person).collect());

/// All of them, always in this order.
#[must_use]
pub fn all() -> &'static [Person] {
    &PEOPLE
}

/// The person of a number.
#[must_use]
pub fn by_number(number: &str) -> Option<&'static Person> {
    PEOPLE.iter().find(|person| person.number == number)
}

/// Check character of GB 11643-1999 (ISO 7064 MOD 11-2) of the first 17 digits.
fn check(body: &str) -> char {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 =
        body.bytes().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    "10X98765432".chars().nth((sum % 11) as usize).unwrap_or('1')
}

fn number(birth: (usize, usize, usize), sequence: usize) -> String {
    let (year, month, day) = birth;
    let body = format!("359901{year:04}{month:02}{day:02}{sequence:03}");
    let last = check(&body);
    format!("{body}{last}")
}

fn at<'a>(list: &[&'a str], index: usize) -> &'a str {
    list.get(index % list.len()).copied().unwrap_or_default()
}

fn person(index: usize) -> Person {
    let special = SPECIAL.iter().find(|(place, ..)| *place == index);
    let what = special.map_or("", |(_, _, what)| what);
    // Steps without a common factor spread the values without repeating a pair.
    let birth = match what {
        "born on a leap day" => (2000, 2, 29),
        "a minor of fifteen" => (2011, 6, 1),
        _ => (1948 + (index * 17) % 58, 1 + (index * 5) % 12, 1 + (index * 11) % 28),
    };
    let female = index % 2 == 1;
    // The parity of the sequence is the sex (GB 11643-1999 §4.2.3).
    let sequence = if female { index * 2 + 2 } else { index * 2 + 1 };
    let mut number_of = number(birth, sequence);
    let mut turned = sequence;
    while what == "number ends in X" && !number_of.ends_with('X') {
        turned = (turned + 400) % 1000;
        turned += usize::from(turned % 2 == sequence % 2) * 2;
        number_of = number(birth, turned % 1000);
    }
    let name = match special {
        Some((_, name, _)) if !name.is_empty() => (*name).to_owned(),
        _ => format!("{}{}", at(&FAMILIES, index * 7), at(&GIVEN, index * 5)),
    };
    let drives = birth.0 <= 2005 && what != "has no driving licence";
    Person {
        name,
        number: number_of,
        sex: if female { "female" } else { "male" },
        birth_date: format!("{:04}-{:02}-{:02}", birth.0, birth.1, birth.2),
        address: format!("福建省示范市通办区{}{}号", at(&STREETS, index), index + 1),
        phone: format!("1990000{index:04}"),
        social_security_card: format!("F{:08}", 35_990_000 + index * 37),
        driving_licence_file: drives.then(|| format!("3599{:08}", 10_000_000 + index * 7919)),
        deceased: what == "has died",
        special: what,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn two_hundred_people_of_whom_none_shares_a_number_a_phone_or_a_card() {
        assert_eq!(all().len(), COUNT);
        for value in [
            |person: &Person| person.number.clone(),
            |person: &Person| person.phone.clone(),
            |person: &Person| person.social_security_card.clone(),
        ] {
            assert_eq!(all().iter().map(value).collect::<HashSet<_>>().len(), COUNT);
        }
        let names: HashSet<_> = all().iter().map(|person| &person.name).collect();
        assert_eq!(names.len(), COUNT);
    }

    #[test]
    fn numbers_are_synthetic_and_well_formed() {
        for person in all() {
            assert!(person.number.starts_with("359901"), "{}", person.number);
            assert_eq!(person.number.len(), 18);
            assert_eq!(person.number.chars().last(), Some(check(&person.number[..17])));
            let odd = (person.number.as_bytes()[16] - b'0') % 2 == 1;
            assert_eq!(odd, person.sex == "male", "{}", person.number);
            assert_eq!(person.number[6..14], person.birth_date.replace('-', ""));
        }
        // The domain's own test vectors.
        assert_eq!(number((1990, 1, 1), 1), "359901199001010011");
        assert_eq!(number((1990, 1, 1), 2), "35990119900101002X");
    }

    #[test]
    fn those_who_are_special_are_what_they_say() {
        for (place, _, what) in SPECIAL {
            assert_eq!(all()[place].special, what);
        }
        assert!(all()[24].deceased && all()[25].driving_licence_file.is_none());
        assert!(all()[26].number.ends_with('X') && all()[22].birth_date == "2000-02-29");
        assert_eq!(all().iter().filter(|person| person.deceased).count(), 1);
    }
}
