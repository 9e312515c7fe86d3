//! Each fault of what a person typed has its own sentence.

use idp_domain::citizen::evidence::EvidenceFault;
use idp_domain::citizen::name::NameFault;
use idp_domain::citizen::number::NumberFault;
use idp_domain::citizen::password::PasswordFault;
use idp_domain::citizen::phone::PhoneFault;

/// A fault that a page can tell.
pub(crate) trait Told {
    /// Key of its sentence.
    fn key(&self) -> &'static str;
}

impl Told for NumberFault {
    fn key(&self) -> &'static str {
        match self {
            Self::Empty => "number-empty",
            Self::Length => "number-length",
            Self::OldForm => "number-old-form",
            Self::Characters => "number-characters",
            Self::Date => "number-date",
            Self::FutureDate => "number-future-date",
            Self::Checksum => "number-checksum",
            Self::Region => "number-region",
            Self::Synthetic => "number-synthetic",
        }
    }
}

impl Told for PhoneFault {
    fn key(&self) -> &'static str {
        match self {
            Self::Empty => "phone-empty",
            Self::Characters => "phone-characters",
            Self::Length => "phone-length",
            Self::NotMobile => "phone-not-mobile",
        }
    }
}

impl Told for NameFault {
    fn key(&self) -> &'static str {
        match self {
            Self::Empty => "name-empty",
            Self::Short => "name-short",
            Self::Long => "name-long",
            Self::Characters => "name-characters",
        }
    }
}

impl Told for EvidenceFault {
    fn key(&self) -> &'static str {
        match self {
            Self::Empty => "evidence-empty",
            Self::SocialSecurityCard => "evidence-social-security-card",
            Self::DrivingLicenceFile => "evidence-driving-licence-file",
        }
    }
}

impl Told for PasswordFault {
    fn key(&self) -> &'static str {
        match self {
            Self::Short => "password-short",
            Self::Long => "password-long",
            Self::Common => "password-common",
            Self::Personal => "password-personal",
        }
    }
}
