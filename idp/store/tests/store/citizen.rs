//! Persons, accounts, codes, throttles, journeys and staff.

use idp_domain::citizen::account::{AccountState, PersonStatus, Shut};
use idp_domain::citizen::journey::{Purpose, State};
use idp_domain::citizen::name::PersonName;
use idp_domain::citizen::number;
use idp_domain::citizen::phone::Phone;
use idp_domain::citizen::proofing::Proofing;
use idp_store::account::{Identifier, NewAccount};
use idp_store::journey::Journey;
use idp_store::otp::Redeemed;
use idp_store::person::Record;
use idp_store::throttle::Limit;
use idp_store::{StoreError, Tx, account, face, journey, otp, person, prune, staff, throttle};

use crate::engines::Fresh;

/// Runs a block in a write unit.
macro_rules! write {
    ($fresh:expr, |$tx:ident| $body:expr) => {
        $fresh.db.write("test", move |$tx: &mut Tx| Box::pin(async move { $body })).await
    };
}

fn record(sequence: u16) -> Record {
    let born = time::Date::from_calendar_date(1990, time::Month::January, 1).unwrap();
    let number = number::synthetic(born, sequence).unwrap();
    Record::new(&PersonName::parse("林小满").unwrap(), &number, None)
}

fn phone(text: &str) -> Phone {
    Phone::parse(text).unwrap()
}

fn new_account(person: &str, number: &str) -> NewAccount {
    NewAccount {
        person_id: person.to_owned(),
        phone: Some(phone(number)),
        user_name: Some(format!("user-{person}")),
        email: Some(format!("{person}@example.cn")),
        password: "$argon2id$x".to_owned(),
        language: None,
    }
}

async fn open(
    fresh: &Fresh,
    id: &'static str,
    sequence: u16,
    number: &'static str,
) -> Option<String> {
    write!(fresh, |tx| {
        person::create(tx, id, &record(sequence), Proofing::RealName, 1).await?;
        account::create(tx, &new_account(id, number), 1).await
    })
    .unwrap()
}

async fn found(fresh: &Fresh, by: Identifier) -> Option<String> {
    fresh
        .db
        .read("find", move |tx: &mut Tx| {
            let by = by.clone();
            Box::pin(async move { account::find_by(tx, &by).await })
        })
        .await
        .unwrap_or_else(|error: StoreError| panic!("{error}"))
        .map(|account| account.person_id)
}

async fn an_account_is_found_by_everything_a_person_types(fresh: Fresh) {
    open(&fresh, "p1", 2, "13950000001").await;
    for by in [
        Identifier::Phone(phone("13950000001")),
        Identifier::Number(record(2).number),
        Identifier::Email("p1@example.cn".to_owned()),
        Identifier::UserName("user-p1".to_owned()),
    ] {
        assert_eq!(found(&fresh, by).await.as_deref(), Some("p1"));
    }
    assert_eq!(found(&fresh, Identifier::Phone(phone("13950000002"))).await, None);
    let contacts = fresh
        .db
        .read("contacts", |tx: &mut Tx| Box::pin(async move { account::contacts(tx, "p1").await }))
        .await
        .unwrap_or_else(|error: StoreError| panic!("{error}"));
    assert_eq!(contacts.phone.as_deref(), Some("+8613950000001"));
    assert_eq!(contacts.email.as_deref(), Some("p1@example.cn"));
}

async fn one_number_is_one_person_and_one_account(fresh: Fresh) {
    open(&fresh, "p1", 2, "13950000001").await;
    let again: Result<(), StoreError> =
        write!(fresh, |tx| person::create(tx, "p2", &record(2), Proofing::RealName, 1).await);
    assert!(matches!(again, Err(StoreError::Conflict)));
    let second =
        write!(fresh, |tx| account::create(tx, &new_account("p1", "13950000009"), 1).await);
    assert!(matches!(second, Err(StoreError::Conflict)));
}

async fn a_phone_moves_to_who_has_proven_to_hold_it(fresh: Fresh) {
    assert_eq!(open(&fresh, "p1", 2, "13950000001").await, None);
    assert_eq!(open(&fresh, "p2", 4, "13950000001").await.as_deref(), Some("p1"));
    assert_eq!(found(&fresh, Identifier::Phone(phone("13950000001"))).await.as_deref(), Some("p2"));
    assert_eq!(found(&fresh, Identifier::Number(record(2).number)).await.as_deref(), Some("p1"));
}

async fn attack_26_the_gate_shuts_for_frozen_and_ended(fresh: Fresh) {
    open(&fresh, "p1", 2, "13950000001").await;
    let gate = || async {
        fresh
            .db
            .read("gate", |tx: &mut Tx| Box::pin(async move { account::gate_of(tx, "p1").await }))
            .await
            .unwrap_or_else(|error: StoreError| panic!("{error}"))
    };
    assert_eq!(gate().await, Ok(()));
    let (active, frozen) = (AccountState::Active, AccountState::Frozen);
    assert!(write!(fresh, |tx| account::set_state(tx, "p1", active, frozen).await).unwrap());
    assert!(!write!(fresh, |tx| account::set_state(tx, "p1", active, frozen).await).unwrap());
    assert_eq!(gate().await, Err(Shut::Frozen));
    write!(fresh, |tx| account::set_state(tx, "p1", frozen, active).await).unwrap();
    write!(fresh, |tx| person::set_status(tx, "p1", PersonStatus::Deceased).await).unwrap();
    assert_eq!(gate().await, Err(Shut::PersonEnded));
}

async fn a_level_never_falls(fresh: Fresh) {
    open(&fresh, "p1", 2, "13950000001").await;
    assert!(write!(fresh, |tx| person::raise(tx, "p1", Proofing::RealPerson, 5).await).unwrap());
    assert!(!write!(fresh, |tx| person::raise(tx, "p1", Proofing::RealName, 6).await).unwrap());
    let person = write!(fresh, |tx| person::find(tx, "p1").await).unwrap().unwrap();
    assert_eq!((person.proofing, person.proofed_at), (Proofing::RealPerson, 5));
    assert!(person.record == record(2));
}

async fn attack_28_a_code_serves_once_in_time_and_for_few_tries(fresh: Fresh) {
    write!(fresh, |tx| {
        otp::issue(tx, "once", "123456", 100).await?;
        otp::issue(tx, "guessed", "123456", 100).await
    })
    .unwrap();
    let mut tries = Vec::new();
    for (id, code, now) in [
        ("once", "123456", 101),
        ("once", "000000", 1),
        ("once", "123456", 2),
        ("once", "123456", 3),
        ("none", "123456", 3),
    ] {
        tries.push(write!(fresh, |tx| otp::redeem(tx, id, code, now).await).unwrap());
    }
    use Redeemed::{Accepted, Dead, Wrong};
    assert_eq!(tries, [Dead, Wrong, Accepted, Dead, Dead]);
    let mut guesses = Vec::new();
    for _ in 0..5 {
        guesses.push(write!(fresh, |tx| otp::redeem(tx, "guessed", "9", 1).await).unwrap());
    }
    assert_eq!(guesses, [Wrong, Wrong, Wrong, Wrong, Dead]);
    let late = write!(fresh, |tx| otp::redeem(tx, "guessed", "123456", 1).await);
    assert_eq!(late.unwrap(), Dead);
}

async fn attack_27_tries_are_counted_in_windows_even_side_by_side(fresh: Fresh) {
    let limit = Limit { scope: "test", subject: "13950000001".to_owned(), tries: 3, window: 1000 };
    let racers = (0..12).map(|_| {
        let (db, limits) = (fresh.db.clone(), vec![limit.clone()]);
        tokio::spawn(async move {
            db.write("count", move |tx: &mut Tx| {
                let limits = limits.clone();
                Box::pin(async move { throttle::count(tx, &limits, 10).await })
            })
            .await
            .unwrap_or_else(|error: StoreError| panic!("{error}"))
        })
    });
    let mut free = 0;
    for racer in racers.collect::<Vec<_>>() {
        free += i32::from(racer.await.unwrap().is_none());
    }
    assert_eq!(free, 3);
    for (now, passes) in [(1009, false), (1010, true)] {
        let limits = vec![limit.clone()];
        let passed = fresh
            .db
            .write("count", move |tx: &mut Tx| {
                let limits = limits.clone();
                Box::pin(async move { throttle::count(tx, &limits, now).await })
            })
            .await
            .unwrap_or_else(|error: StoreError| panic!("{error}"));
        assert_eq!(passed.is_none(), passes, "{now}");
    }
}

fn started() -> Journey {
    Journey {
        id: "j".to_owned(),
        secret: "s".to_owned(),
        purpose: Purpose::Registration,
        state: State::CodeSent,
        phone: "+8613950000001".to_owned(),
        otp_id: None,
        sends: 1,
        sent_at: 1,
        password: None,
        person_id: None,
        flow: Some("f".to_owned()),
    }
}

async fn attack_22_a_journey_moves_only_from_where_it_stands(fresh: Fresh) {
    write!(fresh, |tx| journey::create(tx, &started(), 100).await).unwrap();
    let mut moved = Vec::new();
    for (step, now) in [
        ((State::PhoneVerified, State::PasswordChosen), 1),
        ((State::CodeSent, State::PhoneVerified), 101),
        ((State::CodeSent, State::PhoneVerified), 1),
        ((State::CodeSent, State::PhoneVerified), 1),
        ((State::PhoneVerified, State::PasswordChosen), 1),
    ] {
        moved.push(
            write!(fresh, |tx| journey::advance(tx, "j", step, Some("h"), now).await).unwrap(),
        );
    }
    assert_eq!(moved, [false, false, true, false, true]);
    let found = write!(fresh, |tx| journey::find(tx, "j", 1).await).unwrap().unwrap();
    assert!(found.state == State::PasswordChosen && found.phone == "+8613950000001");
    assert_eq!((found.password.as_deref(), found.flow.as_deref()), (Some("h"), Some("f")));
    assert!(write!(fresh, |tx| journey::find(tx, "j", 100).await).unwrap().is_none());
}

fn officer() -> staff::Staff {
    staff::Staff {
        id: "s1".to_owned(),
        user_name: "officer".to_owned(),
        name: "陈警官".to_owned(),
        role: "officer".to_owned(),
        password: "$argon2id$x".to_owned(),
        totp: vec![1; 20],
        active: true,
    }
}

async fn attack_46_a_totp_window_serves_once(fresh: Fresh) {
    write!(fresh, |tx| staff::create(tx, &officer(), 1).await).unwrap();
    let mut used = Vec::new();
    for step in [10, 10, 9, 11] {
        used.push(write!(fresh, |tx| staff::use_step(tx, "s1", step).await).unwrap());
    }
    assert_eq!(used, [true, false, false, true]);
    let found = write!(fresh, |tx| staff::find_by_name(tx, "officer").await).unwrap().unwrap();
    assert_eq!((found.name.as_str(), found.totp.len()), ("陈警官", 20));
}

async fn attack_48_the_file_holds_no_number_and_no_phone(fresh: Fresh) {
    open(&fresh, "p1", 2, "13950000001").await;
    write!(fresh, |tx| journey::create(tx, &started(), 100).await).unwrap();
    let Some(directory) = &fresh.file else { return };
    let number = record(2).number;
    let mut bytes = Vec::new();
    for file in std::fs::read_dir(directory.path()).unwrap() {
        bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    assert!(bytes.len() > 4096);
    for secret in [number.as_str(), "13950000001", "林小满", "p1@example.cn"] {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} stands in the file");
    }
}

async fn what_nobody_looks_at_any_more_is_removed(fresh: Fresh) {
    let limit = Limit { scope: "test", subject: "s".to_owned(), tries: 3, window: 100 };
    write!(fresh, |tx| staff::create(tx, &officer(), 1).await).unwrap();
    let limits = vec![limit];
    fresh
        .db
        .write("fill", move |tx: &mut Tx| {
            let limits = limits.clone();
            Box::pin(async move {
                otp::issue(tx, "o", "123456", 100).await?;
                throttle::count(tx, &limits, 0).await?;
                journey::create(tx, &started(), 100).await?;
                let pending = staff::Pending { staff_id: "s1".to_owned(), flow: None };
                staff::begin(tx, "w", "s", &pending, 100).await?;
                let check = face::FaceCheck {
                    id: "c".to_owned(),
                    person_id: "p".to_owned(),
                    counterpart_id: "f".to_owned(),
                    flow: None,
                };
                face::create(tx, &check, 1, 100).await
            })
        })
        .await
        .unwrap_or_else(|error: StoreError| panic!("{error}"));
    let mut removed = Vec::new();
    for now in [100, 101, 101] {
        removed.push(write!(fresh, |tx| prune::round(tx, now).await).unwrap());
    }
    // Not before their time; and in steps, so that a flood's leavings keep nobody waiting.
    assert_eq!(removed, [0, 5, 0]);
    for from in [0_u32, 250] {
        let ids: Vec<String> = (from..from + 250).map(|n| format!("o{n}")).collect();
        fresh
            .db
            .write("fill", move |tx: &mut Tx| {
                let ids = ids.clone();
                Box::pin(async move {
                    for id in &ids {
                        otp::issue(tx, id, "123456", 200).await?;
                    }
                    Ok(())
                })
            })
            .await
            .unwrap_or_else(|error: StoreError| panic!("{error}"));
    }
    let mut removed = Vec::new();
    for _ in 0..4 {
        removed.push(write!(fresh, |tx| prune::round(tx, 201).await).unwrap());
    }
    assert_eq!(removed, [200, 200, 100, 0]);
}

crate::on_both! {
    pruned => super::what_nobody_looks_at_any_more_is_removed;
    found_by => super::an_account_is_found_by_everything_a_person_types;
    one_account => super::one_number_is_one_person_and_one_account;
    phone_moves => super::a_phone_moves_to_who_has_proven_to_hold_it;
    gate => super::attack_26_the_gate_shuts_for_frozen_and_ended;
    level => super::a_level_never_falls;
    codes => super::attack_28_a_code_serves_once_in_time_and_for_few_tries;
    throttles => super::attack_27_tries_are_counted_in_windows_even_side_by_side;
    journeys => super::attack_22_a_journey_moves_only_from_where_it_stands;
    totp => super::attack_46_a_totp_window_serves_once;
    dump => super::attack_48_the_file_holds_no_number_and_no_phone;
}
