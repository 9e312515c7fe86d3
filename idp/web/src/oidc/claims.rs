//! Values of the claims that were asked for and allowed.

use idp_domain::citizen::proofing::Proofing;
use idp_protocol::verified::{self, Request};
use idp_store::person::PersonClaims;
use idp_store::staff::Staff;
use idp_store::{StoreError, Tx};
use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::State;

/// Claims about a citizen, and what the record proves; what is not known is left out, never null
/// (OpenID Connect Core §5.3.2).
pub(crate) fn of_person(
    names: &[String],
    proven: &[Request],
    person: &PersonClaims,
    now: i64,
) -> Map<String, Value> {
    let mut claims = Map::new();
    for name in names {
        if let Some(value) = value(name, person, now) {
            claims.insert(name.clone(), value);
        }
    }
    let proven = verified(proven, person, now);
    claims.extend(proven.map(|proven| (verified::NAME.to_owned(), proven)));
    claims
}

/// An officer, to make claims of.
///
/// # Errors
/// As the database says.
pub(crate) async fn staff(state: &State, id: &str) -> Result<Option<Staff>, StoreError> {
    let id = id.to_owned();
    state
        .db
        .read("staff_claims", move |tx: &mut Tx| {
            let id = id.clone();
            Box::pin(async move { idp_store::staff::find(tx, &id).await })
        })
        .await
}

fn value(name: &str, person: &PersonClaims, now: i64) -> Option<Value> {
    Some(match name {
        "name" => person.name.clone().into(),
        // OpenID Connect Core §5.1.
        "gender" => if person.sex == "M" { "male" } else { "female" }.into(),
        "birthdate" => person.birth_date.clone().into(),
        "locale" => person.locale.as_deref().unwrap_or("zh-CN").into(),
        "zoneinfo" => "Asia/Shanghai".into(),
        "updated_at" => (person.updated_at / 1000).into(),
        "email" => person.email.clone()?.into(),
        // An address that nobody has answered from is not verified.
        "email_verified" => person.email.as_ref().map(|_| false)?.into(),
        "phone_number" => person.phone.clone()?.into(),
        "phone_number_verified" => person.phone.as_ref().map(|_| true)?.into(),
        // OpenID Connect Core §5.1.1.
        "address" => json!({"formatted": person.address.clone()?, "country": "CN"}),
        "number_masked" => person.number_masked.clone().into(),
        "region" => person.region.clone().into(),
        "age_over_16" => (age(&person.birth_date, now)? >= 16).into(),
        "age_over_18" => (age(&person.birth_date, now)? >= 18).into(),
        _ => return None,
    })
}

/// What the record proves, asked for as such (OpenID Connect for Identity Assurance §5); nothing
/// below the level at which name and number were matched.
fn verified(requests: &[Request], person: &PersonClaims, now: i64) -> Option<Value> {
    if requests.is_empty() || person.proofing < verified::LEAST {
        return None;
    }
    let at = OffsetDateTime::from_unix_timestamp(person.updated_at / 1000).ok()?;
    let at = at.format(&Rfc3339).ok()?;
    let mut claims = Map::new();
    for name in verified::SUPPORTED {
        claims.extend(value(name, person, now).map(|value| ((*name).to_owned(), value)));
    }
    let mut verification = json!({
        "trust_framework": verified::TRUST_FRAMEWORK,
        "assurance_level": format!("urn:tongban:proofing:{}", person.proofing),
        "time": at,
    });
    // When the record was compared is not kept, and of a proof at a counter not even whether it
    // was: what is not known is not told.
    if i64::from(person.proofing) < Proofing::Counter.level() {
        verification["evidence"] = json!([{
            "type": "electronic_record",
            "check_details": [{"check_method": verified::CHECK_METHOD}],
            "record": {"type": verified::RECORD, "source": {"country_code": "CHN"}},
        }]);
    }
    verified::select(requests, &json!({"verification": verification, "claims": claims}), now / 1000)
}

/// Full years at a moment, by the calendar of Beijing.
fn age(born: &str, now: i64) -> Option<i32> {
    let mut parts = born.splitn(3, '-').map(str::parse::<i32>);
    let born = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    let today = OffsetDateTime::from_unix_timestamp(now / 1000).ok()? + Duration::hours(8);
    let day = (i32::from(u8::from(today.month())), i32::from(today.day()));
    Some(today.year() - born.0 - i32::from(day < (born.1, born.2)))
}

/// Claims about an officer, released to the hall only.
pub(crate) fn of_staff(names: &[String], staff: &Staff) -> Map<String, Value> {
    let known = [
        ("staff_id", &staff.id),
        ("staff_name", &staff.name),
        ("staff_role", &staff.role),
        ("name", &staff.name),
    ];
    known
        .into_iter()
        .filter(|(name, _)| names.iter().any(|asked| asked == name))
        .map(|(name, value)| (name.to_owned(), value.clone().into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_birthday_counts_from_its_first_minute_in_beijing() {
        // 2024-03-01T00:00 in Beijing.
        let birthday = 1_709_222_400_000;
        assert_eq!(age("2006-03-01", birthday), Some(18));
        assert_eq!(age("2006-03-01", birthday - 1000), Some(17));
        assert_eq!(age("2006-02-29", birthday), Some(18));
        assert_eq!(age("nonsense", birthday), None);
    }
}
