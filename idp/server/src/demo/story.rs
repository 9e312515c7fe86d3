//! What the demo says of itself: a page of text for a person, `demo.json` for a program.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::place::{Place, port};
use super::seed::{PARTNERS, Seeded};
use super::sims;
use crate::cli::Failure;

/// `demo.json`, as the contract writes it.
pub(super) fn json(place: &Place, seeded: &Seeded) -> Result<String, Failure> {
    let password = &place.secrets.password;
    let people: Vec<Value> = seeded
        .people
        .iter()
        .map(|shown| {
            let person = shown.person;
            json!({
                "name": person.name, "number": person.number, "phone": person.phone,
                "password": shown.proofing.map(|_| password),
                "proofing": shown.proofing.unwrap_or(0), "registered": shown.proofing.is_some(),
                "evidence": {
                    "social_security_card": person.social_security_card,
                    "driving_licence_file": person.driving_licence_file,
                },
                "special": shown.about,
            })
        })
        .collect();
    let staff: Vec<Value> = seeded
        .staff
        .iter()
        .map(|officer| {
            json!({ "name": officer.user_name, "display_name": officer.name, "role": officer.role,
                "password": password, "totp_secret": officer.totp })
        })
        .collect();
    let partners: Vec<_> = PARTNERS.iter().zip(port::PARTNERS).collect();
    let clients: Vec<Value> = partners
        .iter()
        .zip(&place.secrets.partners)
        .map(|(((client_id, ..), offset), secret)| {
            json!({ "client_id": client_id, "client_secret": secret,
                "redirect_uris": [format!("{}/callback", place.address(*offset))] })
        })
        .collect();
    let simulators: Vec<Value> = sims::ALL
        .iter()
        .filter(|(_, offset)| !port::PARTNERS.contains(offset))
        .map(|(name, offset)| json!({ "name": name, "address": place.address(*offset) }))
        .collect();
    let issuer = &place.config.server.issuer;
    let document = json!({
        "issuer": issuer, "hall": issuer, "admin": Value::Null,
        "people": people, "staff": staff, "clients": clients,
        "partners": partners.iter().map(|((_, name, ..), offset)| {
            json!({ "name": name, "address": place.address(*offset) })
        }).collect::<Vec<_>>(),
        "simulators": simulators,
        "items": ["exit-entry.passport-renewal", "exit-entry.hk-macao-group-endorsement"],
        "database": place.config.database.url,
    });
    Ok(serde_json::to_string_pretty(&document)?)
}

/// What to try first.
pub(super) fn text(place: &Place, seeded: &Seeded) -> String {
    let mut text = String::new();
    let issuer = &place.config.server.issuer;
    let _ = writeln!(text, "\n  Tongban 通办 is ready: {issuer}\n");
    let _ = writeln!(text, "  Password of everyone: {}\n", place.secrets.password);
    let _ = writeln!(text, "  People (sign in with the phone or the number):");
    for shown in &seeded.people {
        let person = shown.person;
        let _ = writeln!(
            text,
            "    {}  {}  {}  {}",
            person.name, person.phone, person.number, shown.about
        );
    }
    let _ = writeln!(
        text,
        "\n  Officers (user name, then the code of an authenticator with this key):"
    );
    for officer in &seeded.staff {
        let _ = writeln!(text, "    {}  {}  {}", officer.user_name, officer.role, officer.totp);
    }
    let _ = writeln!(text, "\n  Try first:");
    let _ = writeln!(
        text,
        "    1. {}  闽政通: sign in, agree; then {}: no question asked",
        place.address(port::PARTNERS[0]),
        place.address(port::PARTNERS[1])
    );
    let _ = writeln!(
        text,
        "    2. {issuer}/register  as someone without an account; codes arrive at {}",
        place.address(port::SMS)
    );
    let _ = writeln!(text, "    3. {issuer}/account  sessions, consents, who looked at my data");
    let _ = writeln!(text, "    4. {issuer}/items  the hall");
    let _ = writeln!(text, "    5. {issuer}/sandbox  your own client, and every request of it\n");
    let _ = writeln!(
        text,
        "  Everything is in {}; demo.json there is for programs. Ctrl-C stops.",
        place.directory.display()
    );
    text
}
