//! The pages as data: what the templates show.

use askama::Template;

use super::form::Field;
use super::shell::Shell;

/// A link, with the `data-action` that programs find it by (contract.md).
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) href: String,
    pub(crate) label: String,
    pub(crate) action: &'static str,
}

impl Link {
    pub(crate) fn new(href: impl Into<String>, label: String) -> Self {
        Self { href: href.into(), label, action: "" }
    }

    pub(crate) fn action(mut self, action: &'static str) -> Self {
        self.action = action;
        self
    }
}

/// A sentence that stands out.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    pub(crate) class: &'static str,
    pub(crate) role: &'static str,
    pub(crate) text: String,
    pub(crate) links: Vec<Link>,
}

impl Notice {
    /// Something went wrong: read out at once.
    pub(crate) fn error(text: String) -> Self {
        Self { class: "alert-error", role: "alert", text, links: Vec::new() }
    }

    pub(crate) fn info(text: String) -> Self {
        Self { class: "alert-info", role: "status", text, links: Vec::new() }
    }

    /// Something to know before going on.
    pub(crate) fn warning(text: String) -> Self {
        Self { class: "alert-warning", role: "status", text, links: Vec::new() }
    }

    pub(crate) fn success(text: String) -> Self {
        Self { class: "alert-success", role: "status", text, links: Vec::new() }
    }

    pub(crate) fn link(mut self, link: Link) -> Self {
        self.links.push(link);
        self
    }
}

/// One of the steps of a journey.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) label: String,
    pub(crate) done: bool,
    pub(crate) current: bool,
}

/// A page with one form.
#[derive(Template)]
#[template(path = "form.html")]
pub(crate) struct FormPage {
    pub(crate) shell: Shell,
    pub(crate) title: String,
    pub(crate) lead: Option<String>,
    pub(crate) steps: Vec<Step>,
    pub(crate) notice: Option<Notice>,
    pub(crate) partner: Option<super::partner_card::PartnerCard>,
    pub(crate) action: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) submit: String,
    pub(crate) second: String,
    pub(crate) second_action: String,
    pub(crate) others: Vec<Link>,
    pub(crate) links: Vec<Link>,
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct MessagePage {
    pub(crate) shell: Shell,
    pub(crate) title: String,
    pub(crate) notice: Notice,
    /// An error code of a protocol, or empty.
    pub(crate) code: String,
    pub(crate) paragraphs: Vec<String>,
}

/// A line of a choice: a group of claims and what it holds.
#[derive(Debug, Clone)]
pub(crate) struct ClaimLine {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) text: String,
}

/// A button of a choice.
#[derive(Debug, Clone)]
pub(crate) struct Button {
    pub(crate) name: &'static str,
    pub(crate) value: &'static str,
    pub(crate) label: String,
    pub(crate) class: &'static str,
}

/// A page on which a person chooses between buttons.
#[derive(Template)]
#[template(path = "choice.html")]
pub(crate) struct ChoicePage {
    pub(crate) shell: Shell,
    pub(crate) title: String,
    pub(crate) simulator: Option<String>,
    pub(crate) notice: Option<Notice>,
    pub(crate) lead: String,
    pub(crate) lines: Vec<ClaimLine>,
    pub(crate) action: String,
    pub(crate) hidden: Vec<(String, String)>,
    pub(crate) buttons: Vec<Button>,
    pub(crate) small: Option<String>,
}

/// The page that posts an authorization response to the partner.
#[derive(Template)]
#[template(path = "form_post.html")]
pub(crate) struct FormPostPage {
    pub(crate) shell: Shell,
    pub(crate) redirect_uri: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) script: &'static str,
}

/// The page on which a person decides about a device.
#[derive(Template)]
#[template(path = "device.html")]
pub(crate) struct DevicePage {
    pub(crate) shell: Shell,
    pub(crate) title: String,
    pub(crate) warning: String,
    /// The device is in another network than the person.
    pub(crate) elsewhere: bool,
    pub(crate) facts: Vec<(String, String)>,
    pub(crate) lead: String,
    pub(crate) lines: Vec<ClaimLine>,
    pub(crate) action: String,
    pub(crate) buttons: Vec<Button>,
    pub(crate) small: String,
}

/// A request over the back channel, in the list.
pub(crate) struct WaitingView {
    pub(crate) id: String,
    pub(crate) partner: String,
    pub(crate) message: String,
    pub(crate) begun: String,
}

/// What waits for the person.
#[derive(Template)]
#[template(path = "waiting.html")]
pub(crate) struct WaitingPage {
    pub(crate) shell: Shell,
    pub(crate) requests: Vec<WaitingView>,
}

/// The page that signs the browser out at its partners.
#[derive(Template)]
#[template(path = "leaving.html")]
pub(crate) struct LeavingPage {
    pub(crate) shell: Shell,
    pub(crate) title: String,
    pub(crate) frames: Vec<String>,
    /// Where it goes on to.
    pub(crate) next: Option<String>,
    pub(crate) script: &'static str,
}

/// The person as their own page shows them.
#[derive(Debug, Clone)]
pub(crate) struct WhoView {
    pub(crate) name: String,
    pub(crate) number: String,
    pub(crate) phone: String,
    pub(crate) level: u8,
    pub(crate) level_name: String,
    pub(crate) proofed_at: String,
}

/// A session as the account page shows it.
#[derive(Debug, Clone)]
pub(crate) struct SessionView {
    pub(crate) id: String,
    pub(crate) device: String,
    pub(crate) since: String,
    pub(crate) current: bool,
}

/// A consent as the account page shows it.
#[derive(Debug, Clone)]
pub(crate) struct ConsentView {
    pub(crate) client_id: String,
    pub(crate) client_name: String,
    pub(crate) what: String,
    pub(crate) since: String,
}

/// A line of the audit trail as pages show it.
#[derive(Debug, Clone)]
pub(crate) struct TrailLine {
    pub(crate) kind: String,
    pub(crate) datetime: String,
    pub(crate) time: String,
    pub(crate) title: String,
    pub(crate) text: String,
}

/// The account centre.
#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct AccountPage {
    pub(crate) shell: Shell,
    pub(crate) done: Option<String>,
    /// Requests over the back channel that wait.
    pub(crate) waiting: usize,
    pub(crate) who: WhoView,
    pub(crate) sessions: Vec<SessionView>,
    pub(crate) consents: Vec<ConsentView>,
    pub(crate) lines: Vec<TrailLine>,
}

/// The audit trail.
#[derive(Template)]
#[template(path = "audit.html")]
pub(crate) struct AuditPage {
    pub(crate) shell: Shell,
    pub(crate) lines: Vec<TrailLine>,
    /// Line before which the next page begins.
    pub(crate) before: Option<i64>,
}

/// The account page of an officer.
#[derive(Template)]
#[template(path = "staff.html")]
pub(crate) struct StaffPage {
    pub(crate) shell: Shell,
    pub(crate) name: String,
    pub(crate) role: String,
}
