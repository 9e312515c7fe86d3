//! `tongban client …`, and a deployment that must not start (attacks rows 38, 50).

use crate::place::{Place, alone};

const DOCUMENT: &str = "https://app.example/client.json";
const SM2: &str = r#"{"client_id": "gm", "redirect_uris": ["https://gm.example/cb"],
    "id_token_signed_response_alg": "SGD_SM3_SM2"}"#;

/// The line that `client list` has of a client.
fn listed(place: &Place, id: &str) -> Option<String> {
    let list = place.run(&["client", "list"]).is(0).data;
    list.lines().find(|line| line.split('\t').next() == Some(id)).map(str::to_owned)
}

#[test]
fn a_partner_is_made_shown_kept_out_let_in_and_removed() {
    let place = Place::new();
    let words = ["client", "create", "--name", "甲", "--redirect-uri", "https://a.example/cb"];
    let made = place.run(&words).is(0);
    let value = |name: &str| {
        let line = made.data.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name}: {}", made.data)).trim().to_owned()
    };
    let (id, secret) = (value("client_id "), value("client_secret "));
    assert!(made.talk.contains("shown this once"), "{}", made.talk);
    let shown = place.run(&["client", "show", &id]).is(0).data;
    assert!(shown.contains("https://a.example/cb") && !shown.contains(&secret), "{shown}");
    assert_eq!(listed(&place, &id), Some(format!("{id}\t甲")));
    place.run(&["client", "disable", &id]).is(0);
    assert_eq!(listed(&place, &id), Some(format!("{id}\t甲\tdisabled")));
    place.run(&["client", "enable", &id]).is(0);
    assert_eq!(listed(&place, &id), Some(format!("{id}\t甲")));
    place.run(&["client", "delete", &id]).is(0);
    assert_eq!(listed(&place, &id), None);
    for command in ["show", "disable", "enable", "delete"] {
        let refused = place.run(&["client", command, &id]).is(1);
        assert!(refused.talk.contains("hint: `tongban client list`"), "{}", refused.talk);
    }
}

#[test]
fn who_has_no_secret_is_told_of_none() {
    let place = Place::new();
    std::fs::write(
        place.path("public.json"),
        r#"{"client_name": "乙", "redirect_uris": ["https://b.example/cb"],
            "token_endpoint_auth_method": "none"}"#,
    )
    .unwrap();
    let file = place.path("public.json").display().to_string();
    let made = place.run(&["client", "create", "--from", &file]).is(0);
    assert!(made.data.starts_with("client_id ") && made.talk.is_empty(), "{}", made.talk);
}

#[test]
fn attack_38_a_site_that_never_came_is_kept_out() {
    let place = Place::new();
    place.run(&["client", "disable", DOCUMENT]).is(0);
    assert!(listed(&place, DOCUMENT).is_some_and(|line| line.contains("disabled")));
    place.run(&["client", "enable", DOCUMENT]).is(0);
    assert!(listed(&place, DOCUMENT).is_none_or(|line| !line.contains("disabled")));
}

#[test]
fn an_initial_access_token_is_shown_once_and_taken_back() {
    let place = Place::new();
    let made = place.run(&["client", "token", "create", "--uses", "2", "--json"]).is(0).json();
    let (id, text) = (made[0]["id"].as_str().unwrap(), &made[0]["initial_access_token"]);
    assert!(text.as_str().unwrap().starts_with("tbi_"), "{text}");
    let list = place.run(&["client", "token", "list", "--json"]).is(0);
    assert_eq!((&list.json()[0]["id"], &list.json()[0]["uses"]), (&made[0]["id"], &2.into()));
    assert!(!list.data.contains("tbi_"), "{}", list.data);
    place.run(&["client", "token", "revoke", id]).is(0);
    assert!(place.run(&["client", "token", "list"]).is(0).data.is_empty());
    place.run(&["client", "token", "revoke", id]).is(1);
}

#[test]
fn sm2_is_registered_where_it_is_offered() {
    let off = Place::new();
    std::fs::write(off.path("gm.json"), SM2).unwrap();
    let file = off.path("gm.json").display().to_string();
    let refused = off.run(&["client", "create", "--from", &file]).is(1);
    assert!(refused.talk.contains("hint: `[protocol] sm2 = true`"), "{}", refused.talk);
    assert_eq!(listed(&off, "gm"), None);
    let on = Place::with("[protocol]\nsm2 = true\n");
    on.run(&["client", "create", "--from", &file]).is(0);
    assert!(listed(&on, "gm").is_some());
}

/// What keeps `serve` from starting, in a configuration with these lines.
fn refusal(more: &str, master: Option<&str>) -> String {
    let place = Place::with(more);
    if let Some(master) = master {
        std::fs::write(place.path("master"), master).unwrap();
    }
    place.run(&["serve"]).is(1).talk
}

#[test]
fn attack_50_nothing_starts_with_secrets_that_others_have() {
    let demo = refusal("[server]\ndemo = true\nlisten = \"127.0.0.1:0\"\n", None);
    assert!(demo.contains("`server.demo` is true") && demo.contains("hint: "), "{demo}");
    for master in ["", "secret", "c2VjcmV0"] {
        let short = refusal("[server]\nlisten = \"127.0.0.1:0\"\n", Some(master));
        assert!(short.contains("secrets.master") && short.contains("hint: "), "{short}");
    }
    // Nor is one shipped: two that are made are two.
    assert_ne!(alone(&["secret"]).is(0).data, alone(&["secret"]).is(0).data);
}
