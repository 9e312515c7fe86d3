//! `tongban citizen` and `tongban staff`.

use crate::place::{Place, alone};

const PASSWORD: &str = "purple-Teapot-rain";

fn create(count: &str) -> Vec<&str> {
    let words = ["citizen", "create", "--synthetic", "--count", count, "--password", PASSWORD];
    words.into_iter().chain(["--proofing", "4", "--json"]).collect()
}

#[test]
fn synthetic_citizens_are_made_and_a_second_run_finishes_the_first() {
    let place = Place::new();
    let first = place.run(&create("3")).is(0);
    let people = first.json();
    assert_eq!(people.len(), 3);
    assert!(first.talk.is_empty(), "nothing to say, and no bar without a terminal: {}", first.talk);
    for person in &people {
        assert_eq!((&person["created"], &person["proofing"]), (&true.into(), &4.into()));
        assert!(person["number"].as_str().unwrap().starts_with("359901"));
    }
    let again = place.run(&create("5")).is(0);
    assert!(again.talk.contains("3 were there already"), "{}", again.talk);
    let all = again.json();
    let made: Vec<bool> = all.iter().map(|person| person["created"] == true).collect();
    assert_eq!(made, [false, false, false, true, true]);
    assert!(people.iter().zip(&all).all(|(one, same)| one["id"] == same["id"]));
    place.run(&["audit", "verify"]).is(0);
}

#[test]
fn a_citizen_is_shown_masked_and_the_trail_says_who_looked() {
    let place = Place::new();
    let person = place.run(&create("1")).is(0).json().remove(0);
    let (phone, number) = (person["phone"].as_str().unwrap(), person["number"].as_str().unwrap());
    let shown = place.run(&["citizen", "show", phone, "--json"]).is(0);
    for secret in [phone, number, person["name"].as_str().unwrap()] {
        assert!(!shown.data.contains(secret), "{}", shown.data);
    }
    let shown = &shown.json()[0];
    assert_eq!((&shown["id"], &shown["state"]), (&person["id"], &"active".into()));
    place.run(&["citizen", "show", person["id"].as_str().unwrap()]).is(0);
    let missing = place.run(&["citizen", "show", "13812345678"]).is(1);
    assert!(missing.data.is_empty() && missing.talk.contains("hint: "), "{}", missing.talk);
    assert!(!missing.talk.contains("13812345678"), "{}", missing.talk);
}

#[test]
fn a_citizen_is_stopped_and_opened_again() {
    let place = Place::new();
    let person = place.run(&create("1")).is(0).json().remove(0);
    let number = person["number"].as_str().unwrap();
    let state =
        || place.run(&["citizen", "show", number, "--json"]).is(0).json()[0]["state"].clone();
    place.run(&["citizen", "freeze", number]).is(0);
    assert_eq!(state(), "disabled");
    place.run(&["citizen", "freeze", number]).is(1);
    place.run(&["citizen", "freeze", number, "--undo"]).is(0);
    assert_eq!(state(), "active");
    place.run(&["citizen", "freeze", number, "--undo"]).is(1);
}

#[test]
fn synthetic_people_stay_out_of_real_deployments() {
    let place = Place::with("[server]\nissuer = \"https://id.example\"\n");
    let refused = place.run(&create("1")).is(1);
    assert!(refused.talk.contains("synthetic people are for the demo"), "{}", refused.talk);
    assert!(!place.path("tongban.sqlite").exists(), "nothing was begun");
}

#[test]
fn wrong_usage_is_told_with_status_2() {
    let place = Place::new();
    place.run(&["citizen", "create", "--count", "3", "--password", PASSWORD]).is(2);
    place.run(&["citizen", "create", "--synthetic", "--password", "12345678"]).is(2);
    let level = ["citizen", "create", "--synthetic", "--password", PASSWORD, "--proofing", "6"];
    place.run(&level).is(2);
    place.run(&["staff", "create", "--name", "chen", "--role", "king"]).is(2);
    alone(&["nonsense"]).is(2);
}

#[test]
fn officers_are_created_once_and_listed_without_their_secrets() {
    let place = Place::new();
    let words = ["staff", "create", "--name", "Chen", "--display-name", "陈警官"];
    let words: Vec<&str> = words.into_iter().chain(["--role", "officer", "--json"]).collect();
    let made = place.run(&words).is(0).json().remove(0);
    assert_eq!((&made["name"], &made["role"]), (&"chen".into(), &"officer".into()));
    let (seed, password) =
        (made["totp_secret"].as_str().unwrap(), made["password"].as_str().unwrap());
    assert!(seed.len() == 32 && password.len() == 20);
    let taken = place.run(&words).is(1);
    assert!(taken.talk.contains("the user name is taken"), "{}", taken.talk);
    let listed = place.run(&["staff", "list", "--json"]).is(0);
    assert!(!listed.data.contains(seed) && !listed.data.contains(password));
    assert_eq!(listed.json()[0]["display_name"], "陈警官");
}

#[test]
fn every_command_has_help_with_an_example() {
    for words in [
        &["citizen", "create"][..],
        &["citizen", "show"],
        &["citizen", "freeze"],
        &["staff", "create"],
        &["staff", "list"],
        &["check"],
        &["doctor"],
        &["migrate"],
        &["backup"],
        &["restore"],
    ] {
        let words: Vec<&str> = words.iter().copied().chain(["--help"]).collect();
        let help = alone(&words).is(0).data;
        assert!(help.contains("Example: tongban "), "{words:?}: {help}");
    }
}
