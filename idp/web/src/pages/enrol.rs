//! The last step of registration: person, account, evidence, audit line and the journey's end in
//! one unit. One person, one account.

use idp_domain::citizen::journey::{Event, State as At, step};
use idp_domain::citizen::phone::Phone;
use idp_domain::citizen::port::RegisterFacts;
use idp_domain::citizen::proofing::Proofing;
use idp_store::account::{self, NewAccount};
use idp_store::audit::{self, Line};
use idp_store::journey::{self, Journey};
use idp_store::person::{self, Proof, Record};
use idp_store::{StoreError, Tx};
use serde_json::json;

use super::identity::Claimed;
use super::page::Page;

#[derive(Clone)]
struct Enrolment {
    person_id: String,
    record: Record,
    evidence: &'static str,
    account: NewAccount,
    journey: Journey,
    now: i64,
}

/// Opens the account of a person whom the register has matched; none if they have one.
pub(crate) async fn enrol(
    page: &Page,
    journey: &Journey,
    claimed: &Claimed,
    facts: RegisterFacts,
) -> Result<Option<String>, StoreError> {
    let unfinished = || StoreError::Data("a journey without its password".to_owned());
    let person_id = page.state.ambient.id();
    let enrolment = Enrolment {
        record: Record::new(&claimed.name, &claimed.number, facts.address),
        evidence: claimed.evidence.kind().code(),
        account: NewAccount {
            person_id: person_id.clone(),
            phone: Phone::parse(&journey.phone).ok(),
            user_name: None,
            email: None,
            password: journey.password.clone().ok_or_else(unfinished)?,
            language: Some(page.lang.tag().to_owned()),
        },
        person_id,
        journey: journey.clone(),
        now: page.now(),
    };
    let again = enrolment.clone();
    let first = page
        .state
        .db
        .write("enrol", move |tx| {
            let enrolment = enrolment.clone();
            Box::pin(async move { enrol_unit(tx, enrolment).await })
        })
        .await;
    match first {
        // Another registration of the same person was first: now there is an account.
        Err(StoreError::Conflict) => {
            page.state
                .db
                .write("enrol", move |tx| {
                    let enrolment = again.clone();
                    Box::pin(async move { enrol_unit(tx, enrolment).await })
                })
                .await
        }
        other => other,
    }
}

async fn enrol_unit(tx: &mut Tx, mut new: Enrolment) -> Result<Option<String>, StoreError> {
    let known = person::id_by_number(tx, &new.record.number).await?;
    let has_account = match &known {
        Some(id) => account::find(tx, id).await?.is_some(),
        None => false,
    };
    let event = if has_account { Event::MatchedExisting } else { Event::MatchedNew };
    let Ok(to) = step(new.journey.purpose, new.journey.state, event) else { return Ok(None) };
    let moved = (At::PasswordChosen, to);
    if !journey::advance(tx, &new.journey.id, moved, None, new.now).await? || has_account {
        return Ok(None);
    }
    match known {
        Some(id) => {
            new.person_id = id;
            person::raise(tx, &new.person_id, Proofing::RealName, new.now).await?;
        }
        None => {
            person::create(tx, &new.person_id, &new.record, Proofing::RealName, new.now).await?;
        }
    }
    new.account.person_id.clone_from(&new.person_id);
    let former = account::create(tx, &new.account, new.now).await?;
    prove(tx, &new).await?;
    let details = json!({ "proofing": 3, "evidence": ["phone", "resident_number", new.evidence] });
    let line = Line { at: new.now, kind: "registered", actor: "self".to_owned(), details };
    audit::append(tx, &new.person_id, line).await?;
    if let Some(former) = former {
        let actor = "self".to_owned();
        let line = Line { at: new.now, kind: "phone_moved", actor, details: json!({}) };
        audit::append(tx, &former, line).await?;
    }
    journey::end(tx, &new.journey.id).await?;
    Ok(Some(new.person_id))
}

async fn prove(tx: &mut Tx, new: &Enrolment) -> Result<(), StoreError> {
    for (kind, source, level) in [
        ("phone", "sms", 1),
        ("resident_number", "population_register", 3),
        (new.evidence, "population_register", 3),
    ] {
        let (kind, source) = (kind.to_owned(), source.to_owned());
        person::add_proof(tx, &new.person_id, &Proof { kind, source, level, at: new.now }).await?;
    }
    Ok(())
}
