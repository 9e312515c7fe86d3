//! What a fresh demo holds: people with accounts, officers, partners.

use idp_domain::citizen::name::PersonName;
use idp_domain::citizen::number::{ResidentNumber, day_in_china};
use idp_domain::citizen::phone::Phone;
use idp_domain::citizen::proofing::Proofing;
use idp_store::account::NewAccount;
use idp_store::person::Record;
use idp_store::staff::Staff;
use idp_store::{Db, StoreError, account, person, staff};
use idp_web::pages::{Hasher, TestPerson};
use plugins_simulators::people::Person;
use serde_json::json;

use super::place::{Place, port};
use crate::ambient;
use crate::app::open_database;
use crate::cli::Failure;

/// Someone of the demo, for demo.json.
pub(super) struct Shown {
    pub(super) person: &'static Person,
    /// None: not registered yet.
    pub(super) proofing: Option<u8>,
    pub(super) about: &'static str,
}

/// An officer of the demo.
pub(super) struct Officer {
    pub(super) user_name: &'static str,
    pub(super) name: &'static str,
    pub(super) role: &'static str,
    pub(super) totp: String,
}

/// Everyone.
pub(super) struct Seeded {
    pub(super) people: Vec<Shown>,
    pub(super) staff: Vec<Officer>,
}

const OFFICERS: [(&str, &str, &str); 3] = [
    ("officer", "陈警官", "officer"),
    ("supervisor", "郑督察", "supervisor"),
    ("admin", "林管理员", "administrator"),
];

/// Partners: client id, names, scopes.
pub(super) const PARTNERS: [(&str, &str, &str, &str); 2] = [
    ("mztong", "闽政通", "Minzhengtong", "openid profile phone identity"),
    ("wsbs", "省网上办事大厅", "Provincial service hall", "openid profile"),
];

/// Registers partners, makes people and officers that are not there yet.
pub(super) async fn run(place: &Place) -> Result<Seeded, Failure> {
    let db = open_database(&place.config).await?;
    partners(place, &db).await?;
    let hasher = Hasher::new(idp_web::pages::Hashing::default());
    let people = choose();
    for shown in &people {
        if let Some(level) = shown.proofing {
            enrol(place, &db, &hasher, shown.person, level).await?;
        }
    }
    let mut officers = Vec::new();
    for (user_name, name, role) in OFFICERS {
        let totp = officer(place, &db, &hasher, (user_name, name, role)).await?;
        officers.push(Officer { user_name, name, role, totp });
    }
    Ok(Seeded { people, staff: officers })
}

/// Those who can sign in, for the sandbox's console.
pub(super) fn test_people(place: &Place, seeded: &Seeded) -> Vec<TestPerson> {
    let with_account = |shown: &Shown| {
        let person = shown.person;
        Some(TestPerson {
            name: person.name.to_string(),
            phone: person.phone.to_string(),
            number: person.number.to_string(),
            password: place.secrets.password.clone(),
            proofing: shown.proofing?,
        })
    };
    seeded.people.iter().filter_map(with_account).collect()
}

/// The first living adults get accounts; others wait to be registered; the special ones are named.
fn choose() -> Vec<Shown> {
    let today = day_in_china(ambient::system().now());
    let adult = |person: &&'static Person| {
        ResidentNumber::parse(&person.number, today, true)
            .is_ok_and(|number| (18..70).contains(&number.age_on(today)))
    };
    let mut chosen = Vec::new();
    let living = plugins_simulators::people::all().iter().filter(|person| !person.deceased);
    for (at, person) in living.filter(adult).take(12).enumerate() {
        let (proofing, about) = match at {
            0..=2 => (Some(3), "has an account at proofing level 3"),
            3..=5 => (Some(4), "has an account at proofing level 4: no face check"),
            _ => (None, "is in the population register and has no account: register as them"),
        };
        chosen.push(Shown { person, proofing, about });
    }
    let dead = plugins_simulators::people::all().iter().find(|person| person.deceased);
    chosen.extend(dead.map(|person| Shown {
        person,
        proofing: None,
        about: "has died, says the register: cannot be registered",
    }));
    chosen
}

async fn enrol(
    place: &Place,
    db: &Db,
    hasher: &Hasher,
    known: &'static Person,
    level: u8,
) -> Result<(), Failure> {
    let ambient = ambient::system();
    let now = ambient.now();
    let number = ResidentNumber::parse(&known.number, day_in_china(now), true)?;
    let name = PersonName::parse(&known.name)?;
    let phone = Phone::parse(&known.phone)?;
    let mut salt = [0; 16];
    ambient.random.fill(&mut salt);
    let there = {
        let text = number.as_str().to_owned();
        db.read::<_, StoreError, _>("known", move |tx| {
            let text = text.clone();
            Box::pin(async move { person::id_by_number(tx, &text).await })
        })
        .await?
    };
    if there.is_some() {
        return Ok(());
    }
    let password = hasher.hash(&place.secrets.password, salt).await?;
    let record = Record::new(&name, &number, Some(known.address.clone()));
    let proofing = Proofing::from_level(i64::from(level)).unwrap_or(Proofing::RealName);
    let id = ambient.id();
    db.write::<_, StoreError, _>("enrol", move |tx| {
        let (id, record) = (id.clone(), record.clone());
        let new = NewAccount {
            person_id: id.clone(),
            phone: Some(phone.clone()),
            user_name: None,
            email: None,
            password: password.clone(),
            language: None,
        };
        Box::pin(async move {
            person::create(tx, &id, &record, proofing, now).await?;
            account::create(tx, &new, now).await.map(drop)
        })
    })
    .await?;
    Ok(())
}

async fn officer(
    place: &Place,
    db: &Db,
    hasher: &Hasher,
    (user_name, name, role): (&'static str, &'static str, &'static str),
) -> Result<String, Failure> {
    let ambient = ambient::system();
    let known = db
        .read::<_, StoreError, _>("staff", move |tx| Box::pin(staff::find_by_name(tx, user_name)))
        .await?;
    if let Some(known) = known {
        return Ok(base32(&known.totp));
    }
    let (mut salt, mut seed) = ([0; 16], [0; 20]);
    ambient.random.fill(&mut salt);
    ambient.random.fill(&mut seed);
    let staff = Staff {
        id: ambient.id(),
        user_name: user_name.to_owned(),
        name: name.to_owned(),
        role: role.to_owned(),
        password: hasher.hash(&place.secrets.password, salt).await?,
        totp: seed.to_vec(),
        active: true,
    };
    let now = ambient.now();
    db.write::<_, StoreError, _>("create_staff", move |tx| {
        let staff = staff.clone();
        Box::pin(async move { staff::create(tx, &staff, now).await })
    })
    .await?;
    Ok(base32(&seed))
}

/// RFC 4648 §6 without padding, as authenticator apps take it.
pub(crate) fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut text, mut bits, mut value) = (String::new(), 0_u32, 0_u32);
    for byte in bytes {
        value = (value << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            let at = ((value >> bits) & 31) as usize;
            text.push(char::from(ALPHABET.get(at).copied().unwrap_or(b'A')));
        }
    }
    if bits > 0 {
        let at = ((value << (5 - bits)) & 31) as usize;
        text.push(char::from(ALPHABET.get(at).copied().unwrap_or(b'A')));
    }
    text
}

async fn partners(place: &Place, db: &Db) -> Result<(), Failure> {
    let ambient = ambient::system();
    let rows = PARTNERS.iter().zip(&place.secrets.partners).zip(port::PARTNERS);
    for (((client_id, name, english, scope), secret), offset) in rows {
        let address = place.address(offset);
        let mut registration = json!({
            "client_id": client_id, "client_secret": secret,
            "client_name": name, "client_name#en": english,
            "redirect_uris": [format!("{address}/callback")],
            "post_logout_redirect_uris": [format!("{address}/")],
            "grant_types": ["authorization_code"], "scope": scope,
            // All partners of the demo live on localhost; their sectors differ all the same.
            "sector_identifier": format!("{client_id}.example"),
        });
        if *client_id == "wsbs" {
            // An organ of the state that acts in its duties: it tells, and does not ask (PIPL 35).
            registration["legal_basis"] =
                json!("个人信息保护法第三十四条、第三十五条：国家机关为履行法定职责处理个人信息");
        }
        if idp_web::clients::show(db, client_id).await?.is_some() {
            idp_web::clients::update(db, &ambient, registration).await?;
        } else {
            idp_web::clients::create(db, &ambient, registration).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn rfc_4648_10_base32_vectors() {
        for (plain, text) in [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foobar", "MZXW6YTBOI")] {
            assert_eq!(super::base32(plain.as_bytes()), text);
        }
    }
}
