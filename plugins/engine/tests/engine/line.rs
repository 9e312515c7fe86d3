//! The whole line, as a citizen and an officer go it.

use plugins_engine::EngineError;
use plugins_engine::view::{Citizen, Decision, DeskFilter, Submitted};
use serde_json::json;

use crate::stage::{ENDORSEMENT, PASSPORT, Stage, application, citizen, officer, photo};

async fn a_passport_goes_from_form_to_rating(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    let case = stage.see(&number).await;
    assert_eq!(case.line.state, "fee_due");
    let payment = case.payment.unwrap();
    assert_eq!((payment.minor, payment.currency.as_str()), (12_000, "CNY"));
    assert!((8..=40).contains(&payment.order_id.len()));
    assert!(payment.order_id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_eq!(case.actions, ["pay", "withdraw"]);
    // A locked field is the verified fact, whatever was sent.
    assert_eq!(case.form["applicant"]["name"], "林晓");
    stage.pay(&number).await;
    // The operator's switch is off: the rule's approval is advice, a person decides.
    let review = stage.see(&number).await.line;
    assert_eq!(review.state, "review");
    assert_eq!(review.public_status, plugins_hall::status::of("review"), "nothing is decided yet");
    let desk = stage.engine.inbox(&officer(), DeskFilter::default()).await.unwrap();
    assert_eq!(desk.len(), 1);
    let seen = stage.engine.desk_case(&officer(), &number).await.unwrap();
    assert_eq!(seen.actions, ["approve", "correct", "refuse", "suspend", "extend"]);
    assert_eq!(seen.applicant["name"], "林晓");
    stage.decide(&number, Decision::Approve).await;
    let case = stage.see(&number).await;
    assert!(case.applicant.is_empty());
    assert_eq!(case.line.state, "dispatch");
    assert_eq!(case.parcel.as_deref(), Some("EE1"));
    assert!(case.documents[0].number.starts_with("SIM-"));
    for (id, kind) in
        ["picked_up", "in_transit", "out_for_delivery", "delivered"].iter().enumerate()
    {
        stage.push(kind, &id.to_string()).await;
        stage.push(kind, &id.to_string()).await;
    }
    let delivered = stage.see(&number).await.line;
    assert_eq!(delivered.state, "delivered");
    assert_eq!(delivered.public_status, plugins_hall::status::of("delivered"));
    stage.engine.rate("sub-1", &number, 5, Some("好".into())).await.unwrap();
    assert!(stage.engine.rate("sub-1", &number, 1, None).await.is_err());
    let expected = "case.submitted case.accepted fee.due payment.started payment.settled \
        rule.evaluated review.assigned decision.approved document.issued express.booked \
        express.picked_up express.in_transit express.out_for_delivery express.delivered case.rated";
    let kinds: Vec<_> =
        stage.kinds(&number).await.into_iter().filter(|kind| kind != "notice.sent").collect();
    assert_eq!(kinds, expected.split_whitespace().collect::<Vec<_>>());
    let parcels = stage.carrier.parcels.lock().unwrap();
    let to = &parcels.values().next().unwrap()["to"];
    assert_eq!(to["address"], "厦门市某街2号");
    assert_eq!(to["name"], "林晓");
    let texts = stage.telephone.texts.lock().unwrap();
    assert!(texts.len() >= 3 && texts.iter().all(|(to, _)| to == "+8613900000001"));
}

async fn an_endorsement_is_approved_by_rule_with_its_reasons(stage: Stage) {
    let number = stage.apply(ENDORSEMENT, "t1").await;
    stage.pay(&number).await;
    let case = stage.see(&number).await;
    assert_eq!(case.line.state, "dispatch");
    let approved = case.timeline.iter().find(|row| row.kind == "decision.approved").unwrap();
    assert_eq!(approved.actor, "rule");
    assert_eq!(approved.text[0]["zh-CN"], "符合条件");
    assert_eq!(case.due.signal, None);
}

async fn the_same_form_twice_is_one_case_and_another_persons_case_is_none(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    assert_eq!(stage.apply(PASSPORT, "t1").await, number);
    assert_eq!(stage.engine.cases("sub-1").await.unwrap().len(), 1);
    let other = stage.engine.case("sub-2", &number).await;
    assert!(matches!(other, Err(EngineError::NotFound)));
    assert!(matches!(stage.engine.withdraw("sub-2", &number).await, Err(EngineError::NotFound)));
    let id = stage.see(&number).await.materials[0].id.clone();
    assert!(stage.engine.material("sub-2", &id).await.is_err());
    assert_eq!(stage.engine.material("sub-1", &id).await.unwrap().0, "image/png");
}

async fn a_refused_form_keeps_what_was_typed_and_uploaded(stage: Stage) {
    let mut submission = application("t1");
    submission.form["reason"] = json!("lost");
    let refused = stage.engine.submit(&citizen(), PASSPORT, submission).await.unwrap();
    let Submitted::Refused(problems) = refused else { panic!("it was taken") };
    assert_eq!(problems[0].field.as_deref(), Some("reason"));
    let draft = stage.engine.load_draft(&citizen(), PASSPORT).await.unwrap().unwrap();
    assert_eq!(draft.form["reason"], "lost");
    assert_eq!(draft.materials[0].name, "photo");
    let mut again = application(&draft.transaction);
    again.uploads.clear();
    let taken = stage.engine.submit(&citizen(), PASSPORT, again).await.unwrap();
    assert!(matches!(taken, Submitted::Case(_)));
    assert!(stage.engine.load_draft(&citizen(), PASSPORT).await.unwrap().is_none());
}

async fn a_picture_is_really_decoded(stage: Stage) {
    let mut cut = photo(200, 260);
    cut.bytes.truncate(60);
    let mut text = photo(200, 260);
    text.bytes = b"GIF89a not a picture".to_vec();
    let codes = [(cut, "material.image"), (text, "material.image")];
    let small = (photo(20, 20), "material.pixels");
    for (upload, code) in codes.into_iter().chain([small]) {
        let mut submission = application("t1");
        submission.uploads = vec![upload];
        let answer = stage.engine.submit(&citizen(), PASSPORT, submission).await.unwrap();
        let Submitted::Refused(problems) = answer else { panic!("{code} was taken") };
        assert!(problems.iter().any(|one| one.code == code), "{problems:?}");
        assert!(problems.iter().all(|one| one.field.as_deref() == Some("materials.photo")));
    }
}

async fn the_level_is_asked_before_anything(stage: Stage) {
    let low = Citizen { proofing: 3, ..citizen() };
    let asked = stage.engine.form(&low, PASSPORT).await;
    assert!(matches!(asked, Err(EngineError::Level(4))));
    let asked = stage.engine.submit(&low, PASSPORT, application("t")).await;
    assert!(matches!(asked, Err(EngineError::Level(4))));
}

async fn references_reach_the_plugin_and_not_what_they_stand_for(stage: Stage) {
    stage.apply(PASSPORT, "t1").await;
    let seen = stage.plugin.seen.lock().unwrap()[0].clone();
    assert_eq!(seen["old_number"], "ref:old_number");
    assert_eq!(seen["delivery"]["address"], "ref:delivery.address");
    assert_eq!(seen["reason"], "full");
}

async fn an_officer_asks_for_a_correction_and_the_citizen_gives_it(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    stage.pay(&number).await;
    let refused = stage.engine.decide(&officer(), &number, None, Decision::Correct, "  ").await;
    assert!(matches!(refused, Err(EngineError::Refused(_))));
    stage.decide(&number, Decision::Correct).await;
    let case = stage.see(&number).await;
    assert_eq!(case.line.state, "correction");
    assert_eq!(case.corrections[0].detail["zh-CN"], "理由");
    assert!(case.due.suspended.is_some());
    let problems =
        stage.engine.correct(&citizen(), &number, json!({}), vec![photo(300, 400)]).await.unwrap();
    assert_eq!(problems[0].field.as_deref(), Some("reason"));
    let form = json!({ "reason": "expiring" });
    let problems =
        stage.engine.correct(&citizen(), &number, form, vec![photo(300, 400)]).await.unwrap();
    assert!(problems.is_empty());
    stage.work().await;
    let case = stage.see(&number).await;
    assert_eq!(case.line.state, "review");
    assert_eq!((case.materials.len(), case.due.suspended), (1, None));
    assert_eq!(stage.plugin.heard.lock().unwrap().last().unwrap(), "correction.received");
}

async fn an_officers_look_is_a_line_in_the_persons_trail(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    stage.engine.desk_case(&officer(), &number).await.unwrap();
    let lines = stage
        .db
        .read::<_, idp_store::StoreError, _>("lines", |tx| {
            Box::pin(async move { idp_store::audit::list(tx, "sub-1", i64::MAX, 10).await })
        })
        .await
        .unwrap();
    let kinds: Vec<_> = lines.iter().map(|line| line.kind.as_str()).collect();
    assert_eq!(kinds, ["officer_look", "plugin_call"]);
    assert_eq!(lines[0].actor, "officer:o1");
    // The applicant's own page says that an officer acted, not which.
    stage.pay(&number).await;
    stage.decide(&number, Decision::Suspend).await;
    let case = stage.see(&number).await;
    assert!(case.timeline.iter().all(|row| !row.actor.contains("o1")));
}

crate::on_both! {
    passport => super::a_passport_goes_from_form_to_rating;
    endorsement => super::an_endorsement_is_approved_by_rule_with_its_reasons;
    once => super::the_same_form_twice_is_one_case_and_another_persons_case_is_none;
    kept => super::a_refused_form_keeps_what_was_typed_and_uploaded;
    decoded => super::a_picture_is_really_decoded;
    level => super::the_level_is_asked_before_anything;
    references => super::references_reach_the_plugin_and_not_what_they_stand_for;
    correction => super::an_officer_asks_for_a_correction_and_the_citizen_gives_it;
    trail => super::an_officers_look_is_a_line_in_the_persons_trail;
}
