//! What people type into forms: who they are, and a device's code.

use idp_domain::citizen::evidence::{Evidence, EvidenceKind};
use idp_domain::citizen::name::PersonName;
use idp_domain::citizen::number::{ResidentNumber, day_in_china};
use idp_domain::citizen::phone::Phone;
use idp_protocol::device;

use crate::{NOW, text};

/// Numbers, phones and names: what is read is read again as the same, and neither masks nor
/// `Debug` tell what they hide (attacks row 43).
pub(crate) fn person(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let today = day_in_china(NOW * 1000);
    for synthetic in [false, true] {
        let new = ResidentNumber::parse(text, today, synthetic).ok();
        let old = ResidentNumber::from_old_form(text, today, synthetic).ok();
        for number in [new, old].into_iter().flatten() {
            let whole = number.as_str();
            assert!(whole.len() == 18 && number.born() <= today && number.age_on(today) >= 0);
            assert_eq!(ResidentNumber::parse(whole, today, synthetic).as_ref(), Ok(&number));
            assert!(synthetic || number.region_code() != "359901", "nobody's real number");
            let told = format!("{number:?} {}", number.masked());
            assert!(!told.contains(&whole[6..14]), "the birth date shows");
        }
    }
    if let Ok(phone) = Phone::parse(text) {
        assert_eq!(phone.e164().len(), 14);
        assert_eq!(Phone::parse(phone.e164()).as_ref(), Ok(&phone));
        let told = format!("{phone:?} {}", phone.masked());
        assert!(!told.contains(phone.national()), "the number shows");
    }
    if let Ok(name) = PersonName::parse(text) {
        assert!((2..=60).contains(&name.as_str().chars().count()));
        assert!(!name.as_str().contains(['<', '>', '&', '"', '\n']), "markup");
        assert_eq!(PersonName::parse(name.as_str()).as_ref(), Ok(&name));
    }
    for kind in [EvidenceKind::SocialSecurityCard, EvidenceKind::DrivingLicenceFile] {
        if let Ok(read) = Evidence::parse(kind, text) {
            assert!(read.value().len() <= 20);
            let again = Evidence::parse(kind, read.value()).map(|again| again.value().to_owned());
            assert_eq!(again.as_deref(), Ok(read.value()));
        }
    }
}

/// A device's code as it is typed (RFC 8628 §6.1): one of ours, and the same in every spelling.
pub(crate) fn user_code(bytes: &[u8]) {
    let Some(code) = text(bytes).and_then(device::typed) else { return };
    assert_eq!(code.len(), device::LENGTH);
    assert!(code.bytes().all(|letter| device::ALPHABET.contains(&letter)), "no letter of ours");
    for spelt in [device::shown(&code), code.to_lowercase(), format!(" {code} ")] {
        assert_eq!(device::typed(&spelt).as_ref(), Some(&code));
    }
    assert_eq!(device::typed(&format!("{code}B")), None, "too long");
}
