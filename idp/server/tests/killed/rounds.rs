//! The rounds, and the books at their end.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests_kit::{Demo, Gone};

use crate::chance::Chance;
use crate::citizen::{Citizen, ENDORSEMENT, Officer, PASSPORT};

/// Rounds of a default run, and of a slow one.
const ROUNDS: (u64, u64) = (24, 300);
/// Steps of the engine's work at which it dies once, whatever the seed.
const STEPS: [&str; 12] = [
    "submit.answered",
    "submit.committed",
    "payment.started",
    "payment.notice",
    "turn.call",
    "turn.answered",
    "turn.committed",
    "inbox.applied",
    "outbox.claimed",
    "outbox.answered",
    "outbox.settled",
    "decided",
];
/// How long it may take until a step is reached.
const REACHED: Duration = Duration::from_secs(90);
/// Rounds for which one case is begun.
const ROUNDS_A_CASE: usize = 2;
/// What happens once to every case.
const ONCE: [&str; 6] = [
    "case.submitted",
    "payment.settled",
    "decision.approved",
    "express.booked",
    "express.delivered",
    "case.rated",
];
/// How long the last effects may take: a lease that a death left has to lapse first.
const PATIENCE: Duration = Duration::from_secs(100);
/// After this a default run kills no more: it is told on machines that do other work too.
const LONGEST: Duration = Duration::from_secs(150);

#[allow(clippy::disallowed_methods)] // Tests are told what to do.
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Kills the product some milliseconds from now, from outside.
fn doom(demo: &Demo, after: u64) -> tokio::task::JoinHandle<()> {
    let process = demo.process().expect("it runs").to_string();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(after)).await;
        let killed = Command::new("kill").args(["-KILL", &process]).status();
        assert!(killed.unwrap().success(), "it died before it was killed");
    })
}

struct Story {
    demo: Demo,
    citizen: Citizen,
    officer: Officer,
    examples: BTreeMap<&'static str, BTreeMap<String, String>>,
    chance: Chance,
    begun: u64,
    /// What the deaths cut off.
    cut: BTreeMap<&'static str, u32>,
}

impl Story {
    async fn open(database: Option<String>, seed: u64) -> Self {
        let demo = Demo::start(Path::new(env!("CARGO_BIN_EXE_tongban")), database);
        let person = demo.people(4).remove(0);
        let citizen = Citizen::arrive(&demo, &person).await;
        let officer = Officer::arrive(&demo).await;
        let mut examples = BTreeMap::new();
        for item in [ENDORSEMENT, PASSPORT] {
            examples.insert(item, tests_kit::examples(&demo.text("/issuer"), item).await);
        }
        Self {
            demo,
            citizen,
            officer,
            examples,
            chance: Chance(seed),
            begun: 0,
            cut: BTreeMap::new(),
        }
    }

    /// One person does one thing.
    async fn act(&mut self, fresh: bool, most: usize) -> Result<bool, Gone> {
        let open: Vec<usize> =
            (0..self.citizen.cases.len()).filter(|at| !self.citizen.cases[*at].rated).collect();
        if fresh && self.citizen.cases.len() < most {
            let item = if self.begun % 3 == 2 { PASSPORT } else { ENDORSEMENT };
            self.citizen.begin(&self.demo, item, &self.examples[item]).await?;
            self.begun += 1;
            return self.citizen.step(self.citizen.cases.len() - 1, "").await;
        }
        let choice = usize::try_from(self.chance.below(open.len() as u64 + 1)).unwrap();
        match open.get(choice) {
            Some(at) => self.citizen.step(*at, "很快").await,
            None => {
                self.citizen.doing = "deciding";
                self.officer.decide().await
            }
        }
    }

    /// Works until the product has died at a step.
    async fn dies_at(&mut self, step: &str) {
        self.demo.restart_to_die_at(step);
        let (begun, most) = (Instant::now(), self.citizen.cases.len() + 2);
        while !self.demo.is_dead() {
            assert!(begun.elapsed() < REACHED, "{step} is not reached:\n{}", self.demo.log());
            let fresh = self.chance.below(2) == 0;
            if !matches!(self.act(fresh, most).await, Ok(true)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        self.demo.restart();
    }

    /// Works until the product dies of the killer.
    async fn round(&mut self, most: usize) {
        // Most of what a step does is done within this time; some kills hit the worker after it.
        let span = if self.chance.below(3) == 0 { 1_500 } else { 250 };
        let after = self.chance.below(span);
        let doom = doom(&self.demo, after);
        let mut cut = "waiting";
        while !doom.is_finished() {
            let fresh = self.chance.below(2) == 0;
            match self.act(fresh, most).await {
                Err(_) => {
                    cut = self.citizen.doing;
                    break;
                }
                Ok(true) => {}
                Ok(false) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        *self.cut.entry(cut).or_default() += 1;
        doom.await.unwrap();
        self.demo.restart();
    }

    /// Lets everything come to its end without another death.
    async fn finish(&mut self) {
        let begun = Instant::now();
        while let Some(at) = self.citizen.cases.iter().position(|case| !case.rated) {
            let moved = match self.citizen.step(at, "很快").await {
                Ok(moved) => moved,
                Err(gone) => panic!("{gone}\n{}", self.demo.log()),
            };
            let decided = self.officer.decide().await.unwrap_or(false);
            if !moved && !decided {
                let page = self.citizen.browser.page();
                let late = begun.elapsed() > Duration::from_secs(200);
                assert!(!late, "it stands still: {}\n{}", page.told(), self.demo.log());
                self.citizen.cases.rotate_left(1);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    async fn books(&mut self) {
        let cases = self.citizen.cases.len();
        let issuer = self.demo.text("/issuer");
        let page = self.citizen.browser.open(&format!("{issuer}/cases")).await.fine();
        let listed = page.all("a[data-case]").len();
        assert_eq!(listed, cases, "one case an application: {}", page.told());
        let mut numbers: Vec<_> =
            self.citizen.cases.iter().filter_map(|case| case.address.clone()).collect();
        numbers.sort();
        numbers.dedup();
        assert_eq!(numbers.len(), cases, "no two applications became one");

        let paid = |line: &&Value| {
            matches!(line["operation"].as_str(), Some("pay" | "settle"))
                && line["answer"]["state"] == "paid"
        };
        let bank = self.demo.journal("bank").await;
        assert_eq!(bank.iter().filter(paid).count(), cases, "one charge a case");
        let express = self.demo.journal("express").await;
        let booked = express.iter().filter(|line| line["operation"] == "book").count();
        assert_eq!(booked, cases, "one parcel a case");
        for case in &self.citizen.cases {
            let address = case.address.as_ref().unwrap();
            let begun = Instant::now();
            loop {
                let page = self.citizen.browser.open(address).await.fine();
                let rows = page.all("[data-event]");
                let count = |kind: &str| {
                    rows.iter().filter(|row| row.attribute("data-event") == kind).count()
                };
                for once in ONCE {
                    assert!(count(once) < 2, "twice {once} of {}: {}", case.item, page.told());
                }
                let missing: Vec<_> = ONCE.iter().filter(|kind| count(kind) == 0).collect();
                if missing.is_empty() {
                    break;
                }
                let late = begun.elapsed() > PATIENCE;
                assert!(!late, "{missing:?} of {}: {}", case.item, page.told());
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        let verified = self.demo.command(&["audit", "verify"]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    }
}

async fn told_on(database: Option<String>, share: u64) {
    let seed = told("TONGBAN_SEED").and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("TONGBAN_SEED={seed} repeats the choices of this run");
    let slow = told("TONGBAN_SLOW").is_some();
    let rounds = if slow { ROUNDS.1 } else { ROUNDS.0 } / share;
    let mut story = Story::open(database, seed).await;
    let begun = Instant::now();
    for step in STEPS {
        story.dies_at(step).await;
    }
    let most = story.citizen.cases.len() + usize::try_from(rounds).unwrap() / ROUNDS_A_CASE;
    let mut killed = 0;
    while killed < rounds && (slow || begun.elapsed() < LONGEST) {
        story.round(most).await;
        killed += 1;
    }
    story.finish().await;
    story.books().await;
    let (cases, seconds) = (story.citizen.cases.len(), begun.elapsed().as_secs());
    let cut = &story.cut;
    println!(
        "died at {} steps, killed {killed} times, {cases} cases, {seconds} s, {cut:?}",
        STEPS.len()
    );
    assert!(killed >= rounds / 2 && cases >= 3, "too slow a machine: {killed} rounds");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_no_case_is_lost_and_nothing_happens_twice_on_sqlite() {
    told_on(None, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_no_case_is_lost_and_nothing_happens_twice_on_postgres() {
    if let Some(server) = told("TONGBAN_TEST_POSTGRES_URL") {
        told_on(Some(idp_store::testing::fresh_postgres_url(&server).await.unwrap()), 2).await;
    }
}
