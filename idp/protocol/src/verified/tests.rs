use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_800_000_000;

/// 2026-11-24T00:00:00Z.
const PROVEN: i64 = 1_795_478_400;

fn facts() -> Value {
    json!({
        "verification": {
            "trust_framework": TRUST_FRAMEWORK, "assurance_level": "3",
            "time": "2026-11-24T00:00:00Z",
            "evidence": [{"type": "electronic_record",
                "check_details": [{"check_method": CHECK_METHOD, "organization": "x"}],
                "record": {"type": RECORD, "source": {"country_code": "CHN"}}}],
        },
        "claims": {"name": "林小满", "birthdate": "1950-01-01"},
    })
}

fn asked_at(value: &Value, now: i64) -> Option<Value> {
    let mut requests = read(value).unwrap();
    only(&mut requests, &Scope::parse("openid profile").unwrap());
    select(&requests, &facts(), now)
}

fn asked(value: Value) -> Option<Value> {
    asked_at(&value, NOW)
}

/// The verification that answers, with the name.
fn told(verification: Value) -> Option<Value> {
    asked(json!({"verification": verification, "claims": {"name": null}}))
        .map(|told| told["verification"].clone())
}

#[test]
fn ida_5_3_and_5_7_2_what_is_asked_for_and_known_is_told_and_nothing_else() {
    let claims = json!({"name": null, "birthdate": {"essential": false},
        "made_up": {"essential": true}});
    let answer = asked(json!({
        "verification": {"trust_framework": null, "nonsense": null}, "claims": claims,
    }));
    let expected = json!({"verification": {"trust_framework": TRUST_FRAMEWORK},
        "claims": {"name": "林小满", "birthdate": "1950-01-01"}});
    assert_eq!(answer.unwrap(), expected);
    assert_eq!(asked(json!({"verification": {}, "claims": {"made_up": null}})), None);
}

#[test]
fn ida_5_4_evidence_is_filtered_by_its_type_and_told_as_deep_as_asked() {
    let one = |more: Value| {
        let mut filter = json!({"type": {"value": "electronic_record"}});
        filter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        told(json!({"trust_framework": null, "evidence": [filter]})).unwrap()["evidence"].clone()
    };
    assert_eq!(one(json!({})), json!([{"type": "electronic_record"}]));
    assert_eq!(
        one(json!({"record": {"source": null}, "check_details": [{"check_method": null}]})),
        json!([{"record": {"source": {"country_code": "CHN"}, "type": RECORD},
            "check_details": [{"check_method": CHECK_METHOD}], "type": "electronic_record"}])
    );
    assert_eq!(one(json!({"record": {"essential": true}}))[0]["record"]["type"], RECORD);
    // Linked by OR.
    let either = json!([{"type": {"value": "document"}}, {"type": {"value": "electronic_record"}}]);
    assert!(told(json!({"trust_framework": null, "evidence": either})).is_some());
}

#[test]
fn ida_5_7_4_a_requirement_of_the_verification_that_is_not_met_leaves_all_out() {
    let wrong = json!([{"type": {"value": "electronic_record"},
        "check_details": [{"check_method": {"value": "vdig"}}]}]);
    for verification in [
        json!({"trust_framework": {"value": "de_aml"}}),
        json!({"trust_framework": {"values": ["de_aml", "eidas"]}}),
        json!({"trust_framework": {"values": TRUST_FRAMEWORK}}),
        json!({"trust_framework": [{"value": TRUST_FRAMEWORK}]}),
        json!({"trust_framework": null, "time": {"max_age": 10}}),
        json!({"trust_framework": null, "time": {"max_age": "63113852"}}),
        json!({"trust_framework": null, "assurance_level": {"max_age": 63_113_852}}),
        json!({"trust_framework": null, "made_up": {"value": "x"}}),
        json!({"trust_framework": null, "made_up": {"deeper": [{"value": "x"}]}}),
        json!({"trust_framework": null, "evidence": [{"type": {"value": "document"}}]}),
        json!({"trust_framework": null, "evidence": wrong}),
    ] {
        assert_eq!(told(verification.clone()), None, "{verification}");
    }
    assert!(told(json!({"trust_framework": {"value": TRUST_FRAMEWORK}})).is_some());
    assert!(told(json!({"trust_framework": {"values": ["x", TRUST_FRAMEWORK]}})).is_some());
}

#[test]
fn ida_5_5_2_an_age_counts_to_the_second() {
    let sent = json!({"verification": {"trust_framework": null, "time": {"max_age": 60}},
        "claims": {"name": null}});
    assert!(asked_at(&sent, PROVEN + 60).is_some());
    assert!(asked_at(&sent, PROVEN + 61).is_none());
}

#[test]
fn ida_5_7_4_a_claim_of_another_value_is_left_out() {
    for other in [json!("x"), json!(5), json!(null), json!(["林小满"])] {
        let claims = json!({"name": {"value": other}, "birthdate": null});
        let told = asked(json!({"verification": {"trust_framework": null}, "claims": claims}));
        assert_eq!(told.unwrap()["claims"], json!({"birthdate": "1950-01-01"}), "{other}");
    }
    assert_eq!(asked(json!({"verification": {}, "claims": {"name": {"value": "x"}}})), None);
    let right = asked(json!({"verification": {}, "claims": {"name": {"value": "林小满"}}}));
    assert!(right.is_some());
}

#[test]
fn ida_schema_5_3_whoever_asks_for_no_claim_gets_the_verification_alone() {
    let told = asked(json!({"verification": {"trust_framework": null, "assurance_level": null}}));
    let verification = json!({"trust_framework": TRUST_FRAMEWORK, "assurance_level": "3"});
    assert_eq!(told.unwrap(), json!({"verification": verification, "claims": {}}));
}

#[test]
fn ida_5_6_of_several_requests_those_that_are_met_are_answered() {
    let of = |framework: &str| json!({"verification": {"trust_framework": {"value": framework}}, "claims": {"name": null}});
    assert!(asked(json!([of("x"), of(TRUST_FRAMEWORK)])).unwrap().is_object());
    let both = asked(json!([of(TRUST_FRAMEWORK), of(TRUST_FRAMEWORK)])).unwrap();
    assert_eq!(both.as_array().unwrap().len(), 2);
}

#[test]
fn attack_34_a_verified_claim_reaches_no_further_than_its_scope() {
    for claims in [json!({"name": null}), json!({})] {
        let sent = json!({"verification": {}, "claims": claims});
        let mut requests = read(&sent).unwrap();
        only(&mut requests, &Scope::parse("openid phone").unwrap());
        assert!(requests.is_empty(), "{sent}");
    }
}

#[test]
fn attack_34_one_scope_covers_all_that_is_proven() {
    assert!(SUPPORTED.iter().all(|name| crate::claims::group(name) == Some(SCOPE)));
}

#[test]
fn attack_42_deep_wide_and_misshapen_requests_are_refused() {
    let mut deep = json!(null);
    for _ in 0..12 {
        deep = json!({"a": deep});
    }
    let wide: Map<String, Value> = (0..49).map(|n| (n.to_string(), Value::Null)).collect();
    for odd in [
        json!({"verification": {"x": deep}}),
        json!({"claims": {"name": deep}}),
        json!({"claims": wide}),
        json!(vec![json!({}); 9]),
        json!(1),
        json!("x"),
        json!({"claims": []}),
        json!({"claims": {"name": "x"}}),
        json!([null]),
    ] {
        assert_eq!(read(&odd), None, "{odd}");
    }
}

/// JSON of any shape, not deep.
fn anything() -> impl Strategy<Value = Value> {
    let names = prop_oneof!["value", "values", "max_age", "type", "time", "evidence", "[a-z]{1,4}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z_]{0,8}".prop_map(Value::from),
        Just(json!(TRUST_FRAMEWORK)),
    ];
    leaf.prop_recursive(5, 32, 4, move |inner| {
        let members = proptest::collection::btree_map(names.clone(), inner.clone(), 0..4);
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(Value::from),
            members.prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever is asked, nothing is told that is not so.
    #[test]
    fn what_is_told_is_known(verification in anything(), name in anything()) {
        let sent = json!({"verification": verification, "claims": {"name": name}});
        let Some(requests) = read(&sent) else { return Ok(()) };
        let Some(told) = select(&requests, &facts(), NOW) else { return Ok(()) };
        prop_assert_eq!(&told["claims"], &json!({"name": "林小满"}));
        prop_assert_eq!(&told["verification"]["trust_framework"], TRUST_FRAMEWORK);
        for (member, value) in told["verification"].as_object().unwrap() {
            prop_assert!(contains(&facts()["verification"][member], value), "{}", value);
        }
    }
}

/// Whether a value is a part of another.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(name, part)| whole.get(name).is_some_and(|whole| contains(whole, part))),
        (Value::Array(whole), Value::Array(part)) => {
            part.iter().all(|part| whole.iter().any(|whole| contains(whole, part)))
        }
        _ => whole == part,
    }
}
