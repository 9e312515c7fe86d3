//! Region codes, GB/T 2260: the current table joined with the historical one. A number never
//! changes, so withdrawn codes stay valid for life (domain.md §1, §2).

use super::number::SYNTHETIC_REGION;

/// What the table knows of a region code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// A current county of the table.
    Current,
    /// A withdrawn code that numbers still carry.
    Historical,
    /// The province is known by its first two digits; its counties are not in our table.
    Province,
    /// The code of synthetic people.
    Synthetic,
    /// Nowhere in the table: worth a warning, never a refusal.
    Unknown,
}

/// Counties of Fujian by prefecture, table of 2023, 84 codes (domain.md §2).
const FUJIAN: [(&str, &[u8]); 9] = [
    ("3501", &[2, 3, 4, 5, 11, 12, 21, 22, 23, 24, 25, 28, 81]),
    ("3502", &[3, 5, 6, 11, 12, 13]),
    ("3503", &[2, 3, 4, 5, 22]),
    ("3504", &[4, 5, 21, 23, 24, 25, 26, 28, 29, 30, 81]),
    ("3505", &[2, 3, 4, 5, 21, 24, 25, 26, 27, 81, 82, 83]),
    ("3506", &[2, 3, 4, 5, 22, 23, 24, 26, 27, 28, 29]),
    ("3507", &[2, 3, 21, 22, 23, 24, 25, 81, 82, 83]),
    ("3508", &[2, 3, 21, 23, 24, 25, 81]),
    ("3509", &[2, 21, 22, 23, 24, 25, 26, 81, 82]),
];

/// Withdrawn county codes of Fujian (domain.md §1, and the mergers of 1997, 2002 and 2021).
const FUJIAN_WITHDRAWN: [&str; 10] = [
    "350182", "350221", "350321", "350402", "350403", "350427", "350625", "350681", "350784",
    "350822",
];

/// Prefectures of Fujian before they became cities (建阳, 宁德, 龙岩): everyone born there until
/// the nineties carries these.
const FUJIAN_WITHDRAWN_PREFECTURES: [&str; 3] = ["3521", "3522", "3526"];

/// First two digits of every province, autonomous region, municipality and special region,
/// with its name.
const PROVINCES: [(&str, &str); 34] = [
    ("11", "北京市"),
    ("12", "天津市"),
    ("13", "河北省"),
    ("14", "山西省"),
    ("15", "内蒙古自治区"),
    ("21", "辽宁省"),
    ("22", "吉林省"),
    ("23", "黑龙江省"),
    ("31", "上海市"),
    ("32", "江苏省"),
    ("33", "浙江省"),
    ("34", "安徽省"),
    ("35", "福建省"),
    ("36", "江西省"),
    ("37", "山东省"),
    ("41", "河南省"),
    ("42", "湖北省"),
    ("43", "湖南省"),
    ("44", "广东省"),
    ("45", "广西壮族自治区"),
    ("46", "海南省"),
    ("50", "重庆市"),
    ("51", "四川省"),
    ("52", "贵州省"),
    ("53", "云南省"),
    ("54", "西藏自治区"),
    ("61", "陕西省"),
    ("62", "甘肃省"),
    ("63", "青海省"),
    ("64", "宁夏回族自治区"),
    ("65", "新疆维吾尔自治区"),
    ("81", "香港特别行政区"),
    ("82", "澳门特别行政区"),
    ("83", "台湾省"),
];

/// What the table says of six digits.
pub fn look_up(code: &str) -> Region {
    if code.len() != 6 || !code.bytes().all(|b| b.is_ascii_digit()) {
        return Region::Unknown;
    }
    let (prefecture, county) = code.split_at(4);
    if code == SYNTHETIC_REGION {
        Region::Synthetic
    } else if FUJIAN_WITHDRAWN.contains(&code) || FUJIAN_WITHDRAWN_PREFECTURES.contains(&prefecture)
    {
        Region::Historical
    } else if let Some((_, counties)) = FUJIAN.iter().find(|(known, _)| *known == prefecture) {
        match county.parse::<u8>() {
            Ok(county) if counties.contains(&county) => Region::Current,
            _ => Region::Unknown,
        }
    } else if code.starts_with("35") {
        // Fujian's table is whole: what it lacks is unknown.
        Region::Unknown
    } else if province(code).is_some() {
        Region::Province
    } else {
        Region::Unknown
    }
}

/// Name of the province of a region code.
pub fn province(code: &str) -> Option<&'static str> {
    let first_two = code.get(..2)?;
    PROVINCES.iter().find(|(prefix, _)| *prefix == first_two).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_counties_of_2023() {
        assert_eq!(FUJIAN.iter().map(|(_, counties)| counties.len()).sum::<usize>(), 84);
    }

    #[test]
    fn codes_are_current_historical_or_unknown() {
        for (code, region) in [
            ("350102", Region::Current),
            ("350128", Region::Current),
            ("350982", Region::Current),
            ("350182", Region::Historical),
            ("350402", Region::Historical),
            ("350427", Region::Historical),
            ("350681", Region::Historical),
            ("350784", Region::Historical),
            ("350822", Region::Historical),
            ("352202", Region::Historical),
            ("359901", Region::Synthetic),
            ("350199", Region::Unknown),
            ("359902", Region::Unknown),
            ("110105", Region::Province),
            ("440524", Region::Province),
            ("810000", Region::Province),
            ("990000", Region::Unknown),
            ("3501", Region::Unknown),
            ("35010x", Region::Unknown),
        ] {
            assert_eq!(look_up(code), region, "{code}");
        }
    }

    #[test]
    fn no_code_is_both_current_and_withdrawn() {
        for code in FUJIAN_WITHDRAWN {
            let (prefecture, county) = code.split_at(4);
            let current = FUJIAN.iter().any(|(known, counties)| {
                *known == prefecture && counties.contains(&county.parse().unwrap())
            });
            assert!(!current, "{code}");
        }
    }

    #[test]
    fn provinces_have_names() {
        assert_eq!(province("350102"), Some("福建省"));
        assert_eq!(province("99"), None);
        assert_eq!(province("福建"), None);
    }
}
