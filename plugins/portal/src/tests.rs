//! What holds for all pages together.

use std::collections::{BTreeMap, BTreeSet};

use crate::lang::{ALL, Lang};

/// contract.md, States of the machines A and B.
pub(crate) const STATES: &str = "draft submitted precheck correction rejected_accept accepted \
    fee_due paid review special_procedure approved refused making dispatch ready_for_pickup \
    delivered rated withdrawn refund_due refunded";

/// contract.md, Timeline events.
const EVENTS: &str = "case.submitted case.accepted case.rejected case.withdrawn correction.asked \
    correction.received clock.suspended clock.resumed clock.extended fee.due payment.started \
    payment.settled payment.failed refund.due refund.settled review.assigned rule.evaluated \
    decision.approved decision.refused document.issued appointment.booked express.booked \
    express.picked_up express.in_transit express.out_for_delivery express.delivered \
    express.problem pickup.ready pickup.taken notice.sent case.rated signal.blue signal.yellow \
    signal.red plugin.failed";

fn keys(lang: Lang) -> BTreeSet<String> {
    let text = match lang {
        Lang::ZhCn => include_str!("../locales/zh-CN.ftl"),
        Lang::En => include_str!("../locales/en.ftl"),
    };
    text.lines()
        .filter(|line| line.starts_with(char::is_alphabetic))
        .filter_map(|line| line.split_once(" = "))
        .map(|(key, _)| key.to_owned())
        .collect()
}

fn sources() -> BTreeMap<String, String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = BTreeMap::new();
    for folder in ["src", "templates"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name != "tests.rs" {
                all.insert(name, std::fs::read_to_string(path).unwrap());
            }
        }
    }
    all
}

/// Keys that are put together when a page is made.
fn made() -> BTreeSet<String> {
    let mut made = BTreeSet::new();
    let mut add = |prefix: &str, names: &str| {
        made.extend(names.split_whitespace().map(|name| format!("{prefix}-{name}")));
    };
    add("state", STATES);
    add("event", &EVENTS.replace(['.', '_'], "-"));
    add("level", "0 1 2 3 4 5");
    add("rating", "1 2 3 4 5");
    add("due", "promised statutory");
    add("ago", "minutes hours days");
    add("in", "minutes hours days");
    add("signal", "blue yellow red");
    add("actor", "citizen officer system rule counterpart");
    add("decision", "approve correct refuse suspend resume extend taken");
    add("fact", "name sex birth-date number-masked");
    add("station", "submitted fee-due review approved dispatch delivered");
    add("element", &crate::guide::NAMES.join(" "));
    add("trips", "0 1");
    made.extend(["limit-working", "limit-calendar"].map(str::to_owned));
    made
}

/// The text between `before` and the next quote, for every place that has it.
fn quoted<'s>(source: &'s str, before: &str) -> Vec<&'s str> {
    source
        .match_indices(before)
        .filter_map(|(at, _)| source.get(at + before.len()..)?.split('"').next())
        .collect()
}

#[test]
fn no_sentence_is_missing_and_none_is_unused() {
    let mut used = made();
    for (name, source) in sources() {
        for before in [".t(\"", ".ta(\"", ".with(\"", ".find(\""] {
            used.extend(quoted(&source, before).into_iter().map(str::to_owned));
        }
        if name == "signin.rs" {
            let keys = quoted(&source, "\", \"");
            used.extend(keys.into_iter().filter(|k| k.starts_with("signin-")).map(str::to_owned));
            used.insert("signin-level".to_owned());
        }
        for before in [
            "_FAULT, \"",
            "REQUEST, \"",
            "CONFLICT, \"",
            "FORBIDDEN, \"",
            "UNAUTHORIZED, \"",
            "UNAVAILABLE, \"",
            "LARGE, \"",
            "ENTITY, \"",
            "ERROR, \"",
            "NOT_FOUND, \"",
        ] {
            used.extend(quoted(&source, before).into_iter().map(|code| format!("fault-{code}")));
        }
        if name == "fault.rs" {
            let codes = quoted(&source, "=> \"").into_iter().chain(["internal"]);
            used.extend(codes.map(|code| format!("fault-{code}")));
        }
    }
    used.retain(|key| {
        key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) && !key.is_empty()
    });
    for lang in ALL {
        let keys = keys(lang);
        let missing: Vec<_> = used.difference(&keys).collect();
        assert!(missing.is_empty(), "{} lacks {missing:?}", lang.tag());
        let hints =
            |key: &&String| key.strip_suffix("-hint").is_some_and(|code| used.contains(code));
        let unused: Vec<_> = keys.difference(&used).filter(|key| !hints(key)).collect();
        assert!(unused.is_empty(), "{} has unused {unused:?}", lang.tag());
    }
    assert_eq!(keys(Lang::ZhCn), keys(Lang::En));
}
