//! Who the stories are about.

use idp_store::StoreError;
use idp_web::citizens::{self, NewCitizen, NewStaff, Outcome};
use idp_web::pages::Hashing;
use plugins_simulators::people::{self, Person};

use crate::Deployment;

/// The password of everyone who has one.
pub(crate) const PASSWORD: &str = "Tests-only-7-lotus";

/// A citizen with an account.
#[derive(Debug, Clone)]
pub struct Citizen {
    /// As the registers know them.
    pub person: &'static Person,
    /// Id of the record.
    pub id: String,
    /// Password.
    pub password: &'static str,
}

/// An officer.
#[derive(Clone)]
pub struct Officer {
    /// Name for signing in.
    pub user_name: String,
    /// Password.
    pub password: &'static str,
    /// Seed of the authenticator.
    pub seed: [u8; 20],
}

impl Officer {
    /// The authenticator's code at a time.
    #[must_use]
    pub fn code(&self, now_ms: i64) -> String {
        code(&self.seed, now_ms)
    }
}

/// RFC 6238 with SHA-1, 30 seconds, six digits.
fn code(seed: &[u8], now_ms: i64) -> String {
    let counter = u64::try_from(now_ms / 30_000).unwrap_or(0);
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed);
    let tag = aws_lc_rs::hmac::sign(&key, &counter.to_be_bytes());
    // RFC 4226 §5.3, dynamic truncation.
    let at = usize::from(tag.as_ref()[19] & 15);
    let number = tag.as_ref()[at..at + 4].iter().fold(0_u32, |n, b| (n << 8) | u32::from(*b));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

/// The code of now for a key in base32, as `demo.json` gives it.
///
/// # Panics
/// If it is no base32 (RFC 4648 §6).
#[must_use]
pub fn totp(key: &str) -> String {
    let (mut seed, mut bits, mut value) = (Vec::new(), 0_u32, 0_u32);
    for letter in key.chars() {
        let at = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(letter).expect("base32");
        value = (value << 5) | u32::try_from(at).expect("five bits");
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            seed.push(u8::try_from((value >> bits) & 255).expect("a byte"));
        }
    }
    code(&seed, idp_domain::ambient::Clock::now(&idp_server::ambient::SystemClock))
}

impl Deployment {
    /// The synthetic person of an index; 0 to 19 are living adults with nothing special.
    #[must_use]
    pub fn person(&self, index: usize) -> &'static Person {
        &people::all()[index]
    }

    /// Gives a synthetic person an account at a proofing level.
    ///
    /// # Panics
    /// If it cannot be made.
    pub async fn citizen(&self, index: usize, proofing: u8) -> Citizen {
        let person = self.person(index);
        let hash = citizens::hash_password(&self.ambient, Hashing::least(), PASSWORD);
        let new = NewCitizen {
            name: person.name.clone(),
            number: person.number.clone(),
            phone: Some(person.phone.clone()),
            user_name: None,
            email: None,
            address: Some(person.address.clone()),
            proofing,
            password_hash: hash.expect("a hash"),
            source: "demo",
        };
        let made = citizens::create(&self.db, &self.ambient, true, vec![new]).await;
        match made.expect("a citizen").pop() {
            Some(Outcome::Created(id)) => Citizen { person, id, password: PASSWORD },
            other => panic!("no account for {}: {other:?}", person.number),
        }
    }

    /// An officer with a role.
    ///
    /// # Panics
    /// If there cannot be one.
    pub async fn officer(&self, user_name: &str, role: &str) -> Officer {
        let hash = citizens::hash_password(&self.ambient, Hashing::least(), PASSWORD);
        let seed = [42; 20];
        let new = NewStaff {
            user_name: user_name.to_owned(),
            name: "陈警官".to_owned(),
            role: role.to_owned(),
            password_hash: hash.expect("a hash"),
            totp: Some(seed),
        };
        citizens::create_staff(&self.db, &self.ambient, new).await.expect("an officer");
        Officer { user_name: user_name.to_owned(), password: PASSWORD, seed }
    }

    /// The kinds of a person's audit trail, oldest first; the trail is verified on the way.
    ///
    /// # Panics
    /// If a chain is broken.
    pub async fn trail(&self, person: &str) -> Vec<String> {
        let person = person.to_owned();
        let lines = self.db.read::<_, StoreError, _>("trail", move |tx| {
            let person = person.clone();
            Box::pin(async move {
                let (_, broken) = idp_store::audit::verify(tx, "").await?;
                assert_eq!(broken, None, "the audit trail is broken");
                idp_store::audit::list(tx, &person, i64::MAX, 1000).await
            })
        });
        lines.await.expect("a trail").into_iter().rev().map(|line| line.kind).collect()
    }
}
