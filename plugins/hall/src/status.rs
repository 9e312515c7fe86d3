//! The one line that tells the applicant where the case stands. A plugin may say it better for the
//! edge that it chose; whatever else moves the case (an officer, a payment, a carrier), these do.

use crate::text::{Text, text};

/// The line of a state.
#[must_use]
pub fn of(state: &str) -> Text {
    let (zh, en) = match state {
        "draft" => ("草稿，尚未提交。", "A draft, not submitted yet."),
        "precheck" => ("正在预审您的申请。", "Your application is being checked."),
        "correction" => (
            "申请需要补正，请按要求补正后重新提交。",
            "Corrections are needed; please mend and send it again.",
        ),
        "rejected_accept" => ("申请不予受理，理由见下。", "Not accepted; the reasons stand below."),
        "accepted" => ("申请已受理。", "Accepted."),
        "fee_due" => ("申请已受理，请缴费。", "Accepted. Please pay the fee."),
        "paid" => ("费用已缴，等待审查。", "Paid. The review comes next."),
        "review" => ("正在审查，尚未作出决定。", "Under review; nothing is decided yet."),
        "special_procedure" => (
            "正在进行特别程序，期间不计入办理时限。",
            "In a special procedure, during which the clock stands.",
        ),
        "approved" => ("已准予。", "Approved."),
        "refused" => {
            ("不予批准，理由和救济途径见下。", "Refused; reasons and remedies stand below.")
        }
        "making" => ("已准予，证件制作中。", "Approved; the document is being made."),
        "dispatch" => ("证件已制成，正在邮寄。", "The document is made and on its way."),
        "ready_for_pickup" => {
            ("证件已制成，请前往领取。", "The document is ready to be picked up.")
        }
        "delivered" => {
            ("证件已送达，办件完成。欢迎评价。", "Delivered; the case is done. Please rate it.")
        }
        "rated" => ("办件已完成，感谢您的评价。", "The case is done. Thank you for rating it."),
        "withdrawn" => ("申请已撤回。", "Withdrawn."),
        "refund_due" => {
            ("费用将退回原支付账户。", "The fee will be returned to where it came from.")
        }
        "refunded" => ("费用已退回原支付账户。", "The fee has been returned."),
        _ => ("已收到您的申请。", "Your application has been received."),
    };
    text(zh, en)
}
