//! The hall's own messages to applicants: short, with the case's number and nothing personal.

use std::collections::BTreeMap;

use plugins_hall::text::{Text, pick};
use plugins_store::case::Case;

use crate::Shared;

/// An amount of minor units as people read it.
pub(crate) fn yuan(minor: i64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}

/// The message about a step, in the applicant's language; none where the step needs none.
pub(crate) fn standard(step: &str, case: &Case, title: &Text) -> Option<String> {
    let number = &case.number;
    let name = pick(title, &case.lang);
    let fee = case.quote.as_ref().and_then(|quote| quote.get("minor")?.as_i64());
    let fee = yuan(fee.unwrap_or_default());
    let label = case.label.as_deref().unwrap_or_default();
    let (zh, en) = match step {
        "fee_due" => (
            format!("您的办件{number}（{name}）已受理，请在办件页缴费{fee}元。"),
            format!("Case {number} ({name}) is accepted. Please pay CNY {fee} on its page."),
        ),
        "correction" => (
            format!("您的办件{number}（{name}）需要补正，请在办件页查看。"),
            format!("Case {number} ({name}) needs corrections; see its page."),
        ),
        "rejected_accept" => (
            format!("您的办件{number}（{name}）不予受理，理由见办件页。"),
            format!("Case {number} ({name}) was not accepted; the reasons are on its page."),
        ),
        "approved" => (
            format!("您的办件{number}（{name}）已准予，正在制证。"),
            format!("Case {number} ({name}) is approved; the document is being made."),
        ),
        "refused" => (
            format!("您的办件{number}（{name}）不予批准，理由和救济途径见办件页。"),
            format!("Case {number} ({name}) is refused; reasons and remedies are on its page."),
        ),
        "booked" => (
            format!("您的办件{number}（{name}）已交寄，单号{label}。"),
            format!("Case {number} ({name}) is on its way, parcel {label}."),
        ),
        "delivered" => (
            format!("您的办件{number}（{name}）已送达。欢迎在办件页评价。"),
            format!("Case {number} ({name}) is delivered. Please rate it on its page."),
        ),
        "ready_for_pickup" => (
            format!("您的办件{number}（{name}）可以领取。"),
            format!("Case {number} ({name}) is ready to be picked up."),
        ),
        "refund_due" => (
            format!("您的办件{number}的缴费{fee}元将退回原支付账户。"),
            format!("The fee of case {number}, CNY {fee}, will be returned to where it came from."),
        ),
        "refunded" => (
            format!("您的办件{number}的缴费{fee}元已退回。"),
            format!("The fee of case {number}, CNY {fee}, has been returned."),
        ),
        _ => return None,
    };
    let (zh, en) = (format!("【通办】{zh}"), format!("[Tongban] {en}"));
    Some(if case.lang == "en" { en } else { zh })
}

/// Longest message, characters.
const LONGEST: usize = 300;

/// A message of the plugin's own: its texts stand in the manifest, where the operator has read
/// them; the plugin fills in values and never writes free text to a citizen.
pub(crate) fn of_plugin(
    shared: &Shared,
    case: &Case,
    template: &str,
    params: &BTreeMap<String, String>,
) -> Option<String> {
    let descriptors = shared.parts.runtime.descriptors();
    let messages = descriptors.get(&case.plugin)?.pointer("/manifest/messages")?;
    let texts: Text = serde_json::from_value(messages.get(template)?.clone()).ok()?;
    let mut text = pick(&texts, &case.lang).replace("{number}", &case.number);
    for (name, value) in params {
        let value: String = value.chars().filter(|c| !c.is_control()).take(60).collect();
        text = text.replace(&format!("{{{name}}}"), &value);
    }
    (!text.is_empty() && text.chars().count() <= LONGEST).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_in_yuan() {
        assert_eq!(yuan(12_000), "120.00");
        assert_eq!(yuan(1_505), "15.05");
    }
}
