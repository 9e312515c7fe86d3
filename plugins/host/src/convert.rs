//! Between the hall's values and those of the contract.

use std::collections::BTreeMap;

use plugins_hall::call as hall;
use serde_json::Value;

use crate::bindings::exports::tongban::service::plugin::{
    Actor, CaseView, Event, Problem, Transition,
};
use crate::bindings::tongban::types::types::Text;

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

pub(crate) fn actor(actor: &hall::Actor) -> Actor {
    Actor {
        subject: actor.subject.clone(),
        role: actor.role.clone(),
        proofing: actor.proofing,
        auth: actor.auth,
        on_behalf_of: actor.on_behalf_of.clone(),
    }
}

pub(crate) fn event(event: &hall::Event) -> Event {
    Event {
        seq: unsigned(event.seq),
        kind: event.kind.clone(),
        at: unsigned(event.at),
        actor: actor(&event.actor),
        payload: event.payload.to_string(),
    }
}

pub(crate) fn case(case: &hall::CaseSnapshot) -> CaseView {
    CaseView {
        number: case.number.clone(),
        item: case.item.clone(),
        state: case.state.clone(),
        state_version: case.state_version,
        data: case.data.to_string(),
        form: case.form.to_string(),
        opened: unsigned(case.opened),
    }
}

fn texts(texts: Vec<Text>) -> BTreeMap<String, String> {
    texts
        .into_iter()
        .filter(|text| matches!(text.lang.as_str(), "zh-CN" | "en"))
        .map(|text| (text.lang, text.value))
        .collect()
}

pub(crate) fn problem(problem: Problem) -> hall::Problem {
    hall::Problem {
        code: problem.code,
        field: problem.field,
        detail: texts(problem.detail),
        retryable: problem.retryable,
    }
}

/// A transition; none if its data is no JSON.
pub(crate) fn transition(transition: Transition) -> Option<hall::Transition> {
    let data: Value = serde_json::from_str(&transition.data).ok()?;
    Some(hall::Transition {
        edge: transition.edge,
        data,
        public_status: texts(transition.public_status),
        reasons: transition.reasons.into_iter().map(texts).collect(),
    })
}

/// Bytes of texts in several languages.
pub(crate) fn size_of_texts(texts: &[Text]) -> usize {
    let one = |text: &Text| text.lang.len().saturating_add(text.value.len()).saturating_add(48);
    texts.iter().map(one).fold(0, usize::saturating_add)
}

/// Bytes of a problem.
pub(crate) fn size_of_problem(problem: &Problem) -> usize {
    let field = problem.field.as_ref().map_or(0, String::len);
    size_of_texts(&problem.detail)
        .saturating_add(problem.code.len())
        .saturating_add(field)
        .saturating_add(64)
}

/// Bytes of a transition.
pub(crate) fn size_of_transition(transition: &Transition) -> usize {
    let reasons = transition.reasons.iter().map(|texts| size_of_texts(texts).saturating_add(24));
    reasons
        .fold(size_of_texts(&transition.public_status), usize::saturating_add)
        .saturating_add(transition.edge.len())
        .saturating_add(transition.data.len())
}
