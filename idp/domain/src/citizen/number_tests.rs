use super::*;
use proptest::prelude::*;
use time::macros::date;

const TODAY: Date = date!(2026 - 11 - 23);

fn read(text: &str) -> Result<ResidentNumber, NumberFault> {
    ResidentNumber::parse(text, TODAY, true)
}

#[test]
fn the_vectors_of_the_standard_and_our_own_pass() {
    for (text, sex, born) in [
        ("11010519491231002X", Sex::Female, date!(1949 - 12 - 31)),
        ("440524188001010014", Sex::Male, date!(1880 - 01 - 01)),
        ("359901199001010011", Sex::Male, date!(1990 - 01 - 01)),
        ("35990119900101002X", Sex::Female, date!(1990 - 01 - 01)),
        ("359901200002290030", Sex::Male, date!(2000 - 02 - 29)),
        ("810000199408230021", Sex::Female, date!(1994 - 08 - 23)),
        ("830000199201300022", Sex::Female, date!(1992 - 01 - 30)),
    ] {
        let number = read(text).unwrap();
        assert_eq!(number.as_str(), text);
        assert_eq!(number.born(), born);
        assert_eq!(number.sex(), sex, "{text}");
    }
}

#[test]
fn each_fault_has_its_own_name() {
    for (text, fault) in [
        ("", NumberFault::Empty),
        ("   ", NumberFault::Empty),
        ("1101051949123100", NumberFault::Length),
        ("11010519491231002X1", NumberFault::Length),
        ("359901900101001", NumberFault::OldForm),
        ("1101O519491231002X", NumberFault::Characters),
        ("110105194912310X21", NumberFault::Characters),
        ("十一零一零五一九四九一二三一零零二", NumberFault::Length),
        ("十一零一零五一九四九一二三一零零二叉", NumberFault::Characters),
        ("359901199002300017", NumberFault::Date),
        ("359901190002290013", NumberFault::Date),
        ("359901000101010013", NumberFault::Date),
        ("359901203001010018", NumberFault::FutureDate),
        ("110105194912310021", NumberFault::Checksum),
        ("11010519941231002X", NumberFault::Checksum),
        ("000102199001010016", NumberFault::Region),
    ] {
        assert_eq!(read(text), Err(fault), "{text}");
    }
    assert_eq!(
        ResidentNumber::parse("359901199001010011", TODAY, false),
        Err(NumberFault::Synthetic)
    );
}

#[test]
fn what_people_type_is_forgiven() {
    for text in
        [" 110105 19491231 002x ", "１１０１０５１９４９１２３１００２Ｘ", "110105-19491231-002X"]
    {
        assert_eq!(read(text).unwrap().as_str(), "11010519491231002X");
    }
}

#[test]
fn the_old_form_serves_to_look_up_only() {
    let number = ResidentNumber::from_old_form("359901900101001", TODAY, true).unwrap();
    assert_eq!(number.as_str(), "359901199001010011");
    assert_eq!(
        ResidentNumber::from_old_form("359901901301001", TODAY, true),
        Err(NumberFault::Date)
    );
    assert_eq!(ResidentNumber::from_old_form("35990190", TODAY, true), Err(NumberFault::Length));
}

#[test]
fn the_shown_form_hides_the_birth_date() {
    let number = read("35990119900101002X").unwrap();
    assert_eq!(number.masked(), "359*************2X");
    assert_eq!(format!("{number:?}"), "ResidentNumber(359*************2X)");
    assert!(!number.masked().contains("1990"));
}

#[test]
fn kinds_follow_the_first_digits() {
    assert_eq!(read("11010519491231002X").unwrap().kind(), DocumentKind::ResidentId);
    assert_eq!(
        read("810000199408230021").unwrap().kind(),
        DocumentKind::HongKongMacaoTaiwanResidence
    );
}

#[test]
fn ages_turn_on_the_birthday() {
    let number = read("359901200002290030").unwrap();
    assert_eq!(number.age_on(date!(2018 - 02 - 28)), 17);
    assert_eq!(number.age_on(date!(2018 - 03 - 01)), 18);
    assert_eq!(number.age_on(date!(2020 - 02 - 29)), 20);
}

#[test]
fn the_day_is_chinas() {
    assert_eq!(day_in_china(0), date!(1970 - 01 - 01));
    assert_eq!(day_in_china(16 * 3_600_000), date!(1970 - 01 - 02));
    assert_eq!(day_in_china(16 * 3_600_000 - 1), date!(1970 - 01 - 01));
}

proptest! {
    #[test]
    fn any_text_is_answered_without_a_panic(text in "\\PC{0,40}") {
        if let Ok(number) = read(&text) {
            prop_assert_eq!(number.as_str().len(), 18);
            prop_assert_eq!(read(number.as_str()).unwrap(), number);
        }
    }

    #[test]
    fn every_made_number_reads_back(days in 0i64..45_000, sequence in 0u16..1000) {
        let born = date!(1900 - 01 - 01) + time::Duration::days(days);
        let number = synthetic(born, sequence).unwrap();
        let back = read(number.as_str()).unwrap();
        prop_assert_eq!(back.born(), born);
        prop_assert_eq!(back.sex() == Sex::Male, sequence % 2 == 1);
    }

    #[test]
    fn one_wrong_digit_is_always_found(days in 0i64..45_000, sequence in 0u16..1000, at in 0usize..17, by in 1u8..10) {
        let number = synthetic(date!(1900 - 01 - 01) + time::Duration::days(days), sequence).unwrap();
        let mut bytes = number.as_str().as_bytes().to_vec();
        bytes[at] = b'0' + (bytes[at] - b'0' + by) % 10;
        prop_assert!(read(std::str::from_utf8(&bytes).unwrap()).is_err());
    }

    #[test]
    fn two_swapped_neighbours_are_always_found(days in 0i64..45_000, sequence in 0u16..1000, at in 0usize..16) {
        let number = synthetic(date!(1900 - 01 - 01) + time::Duration::days(days), sequence).unwrap();
        let mut bytes = number.as_str().as_bytes().to_vec();
        prop_assume!(bytes[at] != bytes[at + 1]);
        bytes.swap(at, at + 1);
        prop_assert!(read(std::str::from_utf8(&bytes).unwrap()).is_err());
    }
}
