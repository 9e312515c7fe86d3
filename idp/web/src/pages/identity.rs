//! Name, number and evidence: the form that registration and recovery share, and the comparison
//! with the population register.

use axum::response::Response;
use http::StatusCode;
use idp_domain::citizen::evidence::{Evidence, EvidenceKind};
use idp_domain::citizen::name::PersonName;
use idp_domain::citizen::number::{ResidentNumber, day_in_china};
use idp_domain::citizen::port::{Match, RegisterFacts};
use idp_store::StoreError;
use idp_store::throttle;

use super::faults::Told as _;
use super::form::{Field, Fields};
use super::limits;
use super::page::{Form, Page};
use super::view::Notice;
use super::ways::Way;

/// What a person claims to be, in form.
pub(crate) struct Claimed {
    pub(crate) name: PersonName,
    pub(crate) number: ResidentNumber,
    pub(crate) evidence: Evidence,
}

/// What was typed, and the sentence of each fault.
#[derive(Default)]
pub(crate) struct Typed {
    name: (String, Option<&'static str>),
    number: (String, Option<&'static str>),
    kind: String,
    evidence: (String, Option<&'static str>),
}

/// What came of the comparison.
pub(crate) enum Compared {
    /// All of it belongs to one living person.
    Matched(RegisterFacts),
    /// It does not: not known, not theirs, or deceased. Which, is nobody's to learn (attacks
    /// rows 29, 30).
    No,
    /// Too many comparisons.
    Limited,
    /// The register did not answer.
    Unavailable,
}

/// Reads the form; every fault has its own sentence.
pub(crate) fn read(page: &Page, fields: &Fields) -> Result<Claimed, Typed> {
    let today = day_in_china(page.now());
    let synthetic = page.state.settings.demo;
    let name = PersonName::parse(fields.get("name"));
    let number = ResidentNumber::parse(fields.get("number"), today, synthetic);
    let kind = EvidenceKind::from_code(fields.get("evidence_kind"));
    let evidence = kind.map(|kind| Evidence::parse(kind, fields.get("evidence")));
    match (name, number, evidence) {
        (Ok(name), Ok(number), Some(Ok(evidence))) => Ok(Claimed { name, number, evidence }),
        (name, number, evidence) => Err(Typed {
            name: (fields.get("name").to_owned(), name.err().map(|fault| fault.key())),
            number: (fields.get("number").to_owned(), number.err().map(|fault| fault.key())),
            kind: fields.get("evidence_kind").to_owned(),
            evidence: (
                fields.get("evidence").to_owned(),
                match evidence {
                    Some(evidence) => evidence.err().map(|fault| fault.key()),
                    None => Some("evidence-kind-unknown"),
                },
            ),
        }),
    }
}

impl Typed {
    /// What was typed, without a fault of form.
    pub(crate) fn again(fields: &Fields) -> Self {
        Self {
            name: (fields.get("name").to_owned(), None),
            number: (fields.get("number").to_owned(), None),
            kind: fields.get("evidence_kind").to_owned(),
            evidence: (fields.get("evidence").to_owned(), None),
        }
    }
}

/// The page of the form.
pub(crate) fn form(
    page: &Page,
    way: &Way,
    (action, step): (&'static str, usize),
    typed: &Typed,
    (status, notice): (StatusCode, Option<Notice>),
) -> Response {
    let told = |key: Option<&'static str>| key.map(|key| page.t(key));
    let mut name = Field::text("name", page.t("label-name")).hint(page.t("hint-name"));
    name = name.value(&typed.name.0).error(told(typed.name.1));
    name.autocomplete = "name";
    let mut number = Field::text("number", page.t("label-number")).hint(page.t("hint-number"));
    number = number.value(&typed.number.0).error(told(typed.number.1));
    number.longest = 40;
    let mut kind = Field::text("evidence_kind", page.t("label-evidence-kind"));
    kind = kind.hint(page.t("hint-evidence-kind")).value(&typed.kind);
    kind.kind = "select";
    kind.options =
        EvidenceKind::ALL.into_iter().map(|kind| (kind.code(), page.t(kind_key(kind)))).collect();
    let mut evidence = Field::text("evidence", page.t("label-evidence"));
    evidence = evidence.hint(page.t("hint-evidence"));
    evidence = evidence.value(&typed.evidence.0).error(told(typed.evidence.1));
    evidence.longest = 60;
    page.form(
        status,
        Form {
            title: page.t(way.title),
            lead: Some(page.t("identity-lead")),
            steps: way.steps(page.lang, step),
            notice,
            action,
            flow: page.flow(),
            fields: vec![name, number, kind, evidence],
            submit: page.t("check-identity"),
            ..Form::default()
        },
    )
}

fn kind_key(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::SocialSecurityCard => "kind-social-security-card",
        EvidenceKind::DrivingLicenceFile => "kind-driving-licence-file",
    }
}

/// Status and sentence of a comparison that did not match.
pub(crate) fn refusal(page: &Page, compared: &Compared) -> (StatusCode, Option<Notice>) {
    let (status, key) = match compared {
        Compared::Limited => (StatusCode::TOO_MANY_REQUESTS, "match-limited"),
        Compared::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "match-unavailable"),
        Compared::Matched(_) | Compared::No => (StatusCode::UNPROCESSABLE_ENTITY, "match-no"),
    };
    (status, Some(Notice::error(page.t(key))))
}

/// Asks the register, within the limits, while no transaction is open.
pub(crate) async fn compare(page: &Page, claimed: &Claimed) -> Result<Compared, StoreError> {
    let limits = limits::matching(&page.state, claimed.number.as_str(), &page.network);
    let (counted, now) = (limits.clone(), page.now());
    let passed = page
        .state
        .db
        .write::<_, StoreError, _>("match_try", move |tx| {
            let counted = counted.clone();
            Box::pin(async move { throttle::count(tx, &counted, now).await })
        })
        .await?;
    if passed.is_some() {
        return Ok(Compared::Limited);
    }
    let evidence = std::slice::from_ref(&claimed.evidence);
    let answer = page.state.register.match_person(&claimed.name, &claimed.number, evidence).await;
    match answer {
        Ok(Match::Match(facts)) => Ok(Compared::Matched(facts)),
        Ok(Match::NoMatch | Match::NotFound | Match::Deceased) => Ok(Compared::No),
        Err(cause) => {
            tracing::warn!(reason = cause.reason, "the population register did not answer");
            // Not the person's fault: the try is given back.
            page.state
                .db
                .write::<_, StoreError, _>("match_release", move |tx| {
                    let limits = limits.clone();
                    Box::pin(async move { throttle::release(tx, &limits, now).await })
                })
                .await?;
            Ok(Compared::Unavailable)
        }
    }
}
