//! Nobody learns who has an account (attacks row 29): the same words, the same limits, and the same
//! work, which is counted rather than timed.

use std::collections::BTreeSet;

use idp_store::{StoreError, Tx, args, statement};

use super::site::{Browser, PASSWORD, PHONE, Shown, Site};
use crate::pages::Hashing;
use crate::state::Settings;
use crate::testing::on_both;

/// Of nobody; the same length as [`PHONE`].
const NOBODY: &str = "13950123457";

statement!(
    KEPT,
    "select (select count(*) from otp) as codes, (select count(*) from journey) as journeys,
     (select count(*) from throttle) as counters"
);

/// Hashing of a cost that is neither the default nor the least: what is done for nobody cannot meet
/// it by chance.
fn priced() -> Settings {
    let hashing = Hashing { memory_kib: 16, passes: 2, ..Hashing::least() };
    Settings { hashing, ..Site::usual() }
}

/// What hashing was done since the last look.
fn work(site: &Site) -> Vec<String> {
    std::mem::take(&mut *site.state.passwords.work.lock().unwrap())
}

async fn kept(site: &Site) -> [i64; 3] {
    let read = site.state.db.read::<_, StoreError, _>("test", |tx: &mut Tx| {
        Box::pin(async move {
            let row = tx.one(&KEPT, args![]).await?;
            Ok([row.int("codes")?, row.int("journeys")?, row.int("counters")?])
        })
    });
    read.await.unwrap()
}

/// A page without what the person typed.
fn plain(shown: &Shown, typed: &str) -> String {
    let last = typed.get(typed.len().saturating_sub(4)..).unwrap_or_default();
    shown.body.replace(typed, "").replace(last, "")
}

async fn attack_29_every_failed_sign_in_costs_one_hash_of_the_same_cost(site: Site) {
    let person = site.citizen().await;
    site.officer().await;
    let (known, unknown) = (Site::number(2), Site::number(4));
    let identifiers =
        [PHONE, NOBODY, "lin", "nobody", "chen", "lin@b.cn", &known, &unknown].map(str::to_owned);
    let mut costs = BTreeSet::new();
    for identifier in &identifiers {
        site.browser().sign_in(identifier, "wrong password").await.is(422);
        let done = work(&site);
        assert_eq!(done.len(), 1, "{identifier}: {done:?}");
        costs.extend(done);
    }
    assert_eq!(costs.len(), 1, "{costs:?}");
    // A right one costs no more, and a stopped account no less.
    site.browser().sign_in("lin", PASSWORD).await.is(303);
    crate::citizens::freeze(&site.state.db, &person, site.state.now()).await.unwrap();
    site.browser().sign_in("lin", PASSWORD).await.is(403);
    site.browser().sign_in("lin", "wrong password").await.is(422);
    let done = work(&site);
    assert_eq!((done.len(), BTreeSet::from_iter(done)), (3, costs));
}

async fn attack_29_the_limit_of_tries_is_met_at_the_same_try(site: Site) {
    site.citizen().await;
    let mut told = Vec::new();
    for (last, identifier) in [(1, "lin"), (2, "nobody")] {
        let mut browser = site.browser();
        browser.network = [198, 51, 100, last];
        let mut statuses = Vec::new();
        for _ in 0..12 {
            statuses.push(browser.sign_in(identifier, "wrong password").await.status.as_u16());
        }
        told.push((statuses, work(&site)));
    }
    assert!(told[0].0.ends_with(&[429, 429]), "{told:?}");
    assert_eq!(told[0], told[1]);
}

/// Everything that a stranger can do with a phone at one of the ways that begin with one.
async fn pester(site: &Site, browser: &mut Browser, way: &str, phone: &str) -> Vec<String> {
    let mut seen = Vec::new();
    let mut note = |shown: &Shown| {
        seen.push(format!("{} {} {}", shown.status, shown.location(), plain(shown, phone)));
    };
    let (code, resend) = (format!("{way}/code"), format!("{way}/resend"));
    let begun = browser.post(way, &[("phone", phone)]).await;
    note(&begun);
    note(&browser.follow(&begun).await);
    note(&browser.post(&resend, &[]).await);
    for _ in 0..6 {
        note(&browser.post(&code, &[("code", "wrong!")]).await);
        // Six digits that no code of this test is.
        note(&browser.post(&code, &[("code", "000000")]).await);
    }
    site.pass(31_000);
    for _ in 0..2 {
        note(&browser.post(&resend, &[]).await);
        note(&browser.get(&code).await);
    }
    for next in ["/recover/evidence", "/recover/password", "/register/password", "/account"] {
        note(&browser.get(next).await);
    }
    for _ in 0..5 {
        note(&browser.post(way, &[("phone", phone)]).await);
    }
    seen
}

async fn attack_29_a_phone_tells_nothing_at_any_way_that_begins_with_one(empty: Site) {
    for way in ["/register", "/recover", "/signin/sms"] {
        let mut told = Vec::new();
        for phone in [PHONE, NOBODY] {
            let site = empty.afresh().await;
            site.citizen().await;
            let mut browser = site.browser();
            let before = kept(&site).await;
            let seen = pester(&site, &mut browser, way, phone).await;
            let after = kept(&site).await;
            let added: Vec<i64> = before.iter().zip(after).map(|(b, a)| a - b).collect();
            assert!(added[0] > 1 && added[1] > 1, "{way}: codes are kept for nobody too");
            told.push((seen, added, work(&site)));
            let sent = site.messages().await;
            assert!(sent.iter().all(|(to, _)| to.ends_with(phone)));
            // Registering writes to whoever is named; the other ways to account holders alone.
            assert_eq!(sent.is_empty(), phone == NOBODY && way != "/register", "{way}");
        }
        let (nobody, somebody) = (told.pop().unwrap(), told.pop().unwrap());
        for (one, other) in somebody.0.iter().zip(&nobody.0) {
            assert_eq!(one, other, "{way}");
        }
        assert_eq!(somebody.0.len(), nobody.0.len());
        assert_eq!((somebody.1, somebody.2), (nobody.1, nobody.2), "{way}");
    }
}

on_both! { at_a_price of Site with priced:
    attack_29_every_failed_sign_in_costs_one_hash_of_the_same_cost;
    attack_29_the_limit_of_tries_is_met_at_the_same_try;
    attack_29_a_phone_tells_nothing_at_any_way_that_begins_with_one;
}
