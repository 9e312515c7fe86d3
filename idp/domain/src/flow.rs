//! What an authorization request needs next: one pure decision, made anew at every resumption
//! from stored facts only (attacks row 22).

use idp_protocol::acr::Reached;
use idp_protocol::authorize::AuthorizationRequest;
use idp_protocol::{ErrorCode, ProtocolError};

use crate::citizen::account::Shut;

/// What is known of who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// An officer, not a citizen.
    pub staff: bool,
    /// When they last proved who they are, milliseconds UTC.
    pub auth_time: i64,
    /// Levels on both axes.
    pub reached: Reached,
    /// Whether the account may receive a token.
    pub gate: Result<(), Shut>,
    /// The subject that this client knows them by.
    pub subject: String,
    /// The client needs no consent, or has it.
    pub allowed: bool,
}

/// What is stored of the flow itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// When the request came, milliseconds UTC.
    pub created_at: i64,
    /// The person who is signed in allowed it in this flow.
    pub consented: bool,
    /// The person who is signed in chose, in this flow, to go on as themselves.
    pub chosen: bool,
    /// Milliseconds UTC.
    pub now: i64,
}

/// The next step of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The sign-in page.
    SignIn,
    /// The registration page.
    Register,
    /// The page that offers the account that is signed in, or another.
    SelectAccount,
    /// The page that raises a level.
    StepUp,
    /// The consent page.
    Consent,
    /// The client is told no.
    Refuse(ProtocolError),
    /// The client gets its code.
    Issue,
}

/// Decides the next step. `request.id_token_hint` holds the verified subject of the hint, not the
/// token.
#[must_use]
pub fn next(request: &AuthorizationRequest, progress: Progress, facts: Option<&Facts>) -> Step {
    match need(request, progress, facts) {
        // OpenID Connect Core §3.1.2.6: with prompt=none, every page is an error instead.
        Step::SignIn | Step::Register | Step::SelectAccount if request.prompt.none => {
            refuse(ErrorCode::LoginRequired, "The person has to sign in.")
        }
        Step::StepUp if request.prompt.none => {
            refuse(ErrorCode::InteractionRequired, "The person has to reach a higher level.")
        }
        Step::Consent if request.prompt.none => {
            refuse(ErrorCode::ConsentRequired, "The person has to consent.")
        }
        step => step,
    }
}

fn need(request: &AuthorizationRequest, progress: Progress, facts: Option<&Facts>) -> Step {
    // Initiating User Registration 1.0 §4.1: whoever has an account finds the way from there.
    let begin = if request.prompt.create { Step::Register } else { Step::SignIn };
    let Some(facts) = facts else { return begin };
    // An officer is nobody to a partner: only the hall may meet one.
    if facts.staff && !request.scope.has("staff") {
        return begin;
    }
    // Whoever signed in since the request came has done what prompt and max_age ask for.
    let fresh = facts.auth_time >= progress.created_at;
    // OpenID Connect Core §3.1.2.1: prompt.
    if (request.prompt.login || request.prompt.create) && !fresh {
        return begin;
    }
    if request.prompt.select_account && !fresh && !progress.chosen {
        return Step::SelectAccount;
    }
    // OpenID Connect Core §3.1.2.1: max_age, in seconds.
    let age = progress.now - facts.auth_time;
    if !fresh && request.max_age.is_some_and(|most| age > most.saturating_mul(1000)) {
        return Step::SignIn;
    }
    // OpenID Connect Core §3.1.2.1: id_token_hint names who is expected.
    let hinted = request.id_token_hint.as_ref().is_none_or(|hinted| *hinted == facts.subject);
    // OpenID Connect Core §5.5.1: so does a value of sub in the claims parameter.
    let subjects = request.claims.subjects();
    if !hinted || !subjects.is_empty() && !subjects.contains(&facts.subject) {
        return if fresh {
            refuse(ErrorCode::LoginRequired, "Somebody else than the expected person signed in.")
        } else {
            Step::SignIn
        };
    }
    // Attacks row 26: the one gate.
    if facts.gate.is_err() {
        return refuse(ErrorCode::AccessDenied, "The account cannot be used.");
    }
    // Both axes; never silently lowered.
    if !facts.staff && !request.acr.satisfied(facts.reached) {
        return Step::StepUp;
    }
    if facts.staff && request.acr.auth > facts.reached.auth {
        return Step::SignIn;
    }
    // OpenID Connect Core §3.1.2.4, attacks row 34.
    let asks_again = request.prompt.consent && !progress.consented;
    if asks_again || !(facts.allowed || progress.consented) {
        return Step::Consent;
    }
    Step::Issue
}

fn refuse(code: ErrorCode, description: &'static str) -> Step {
    Step::Refuse(ProtocolError::new(code, description))
}

#[cfg(test)]
mod tests {
    use idp_protocol::authorize;
    use idp_protocol::client::Client;
    use idp_protocol::parameters::Parameters;

    use super::*;

    const PROGRESS: Progress =
        Progress { created_at: 10_000, consented: false, chosen: false, now: 20_000 };

    fn request(extra: &str) -> AuthorizationRequest {
        let client: Client = serde_json::from_value(serde_json::json!({"client_id": "a",
            "redirect_uris": ["https://a.example/cb"], "scope": "openid profile staff"}))
        .unwrap();
        let query = format!(
            "client_id=a&redirect_uri=https://a.example/cb&response_type=code&scope=openid{extra}"
        );
        {
            let parameters = Parameters::parse(query.as_bytes()).unwrap();
            authorize::check(&client, &parameters, authorize::Arrival::default()).unwrap()
        }
    }

    fn facts() -> Facts {
        Facts {
            staff: false,
            auth_time: 5_000,
            reached: Reached { proofing: 3, auth: 1 },
            gate: Ok(()),
            subject: "s".into(),
            allowed: true,
        }
    }

    fn code(step: Step) -> ErrorCode {
        match step {
            Step::Refuse(error) => error.code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn core_3_1_2_6_prompt_none_shows_no_page() {
        let none = |extra: &str| request(&format!("&prompt=none{extra}"));
        assert_eq!(code(next(&none(""), PROGRESS, None)), ErrorCode::LoginRequired);
        assert_eq!(next(&none(""), PROGRESS, Some(&facts())), Step::Issue);
        let stranger = Facts { allowed: false, ..facts() };
        assert_eq!(code(next(&none(""), PROGRESS, Some(&stranger))), ErrorCode::ConsentRequired);
        let level = none("&acr_values=urn:tongban:proofing:4");
        assert_eq!(code(next(&level, PROGRESS, Some(&facts()))), ErrorCode::InteractionRequired);
        let age = none("&max_age=14");
        assert_eq!(code(next(&age, PROGRESS, Some(&facts()))), ErrorCode::LoginRequired);
    }

    #[test]
    fn core_3_1_2_1_login_and_max_age_want_a_fresh_sign_in() {
        let fresh = Facts { auth_time: 10_000, ..facts() };
        for extra in ["&prompt=login", "&prompt=login%20select_account", "&max_age=1", "&max_age=0"]
        {
            assert_eq!(next(&request(extra), PROGRESS, Some(&facts())), Step::SignIn, "{extra}");
            assert_eq!(next(&request(extra), PROGRESS, Some(&fresh)), Step::Issue, "{extra}");
        }
        assert_eq!(next(&request("&max_age=15"), PROGRESS, Some(&facts())), Step::Issue);
    }

    #[test]
    fn core_3_1_2_1_select_account_offers_the_one_that_is_signed_in() {
        let select = request("&prompt=select_account");
        assert_eq!(next(&select, PROGRESS, None), Step::SignIn);
        assert_eq!(next(&select, PROGRESS, Some(&facts())), Step::SelectAccount);
        let chosen = Progress { chosen: true, ..PROGRESS };
        assert_eq!(next(&select, chosen, Some(&facts())), Step::Issue);
        let fresh = Facts { auth_time: 10_000, ..facts() };
        assert_eq!(next(&select, PROGRESS, Some(&fresh)), Step::Issue);
        // A choice does not stand for the fresh sign-in that is asked for besides.
        let login = request("&prompt=login%20select_account");
        assert_eq!(next(&login, chosen, Some(&facts())), Step::SignIn);
    }

    #[test]
    fn user_registration_4_1_create_begins_with_registration() {
        let create = request("&prompt=create");
        assert_eq!(next(&create, PROGRESS, None), Step::Register);
        assert_eq!(next(&create, PROGRESS, Some(&facts())), Step::Register);
        let fresh = Facts { auth_time: 10_000, ..facts() };
        assert_eq!(next(&create, PROGRESS, Some(&fresh)), Step::Issue);
    }

    #[test]
    fn core_3_1_2_1_a_hint_names_who_is_expected() {
        let mut hinted = request("");
        hinted.id_token_hint = Some("other".into());
        assert_eq!(next(&hinted, PROGRESS, Some(&facts())), Step::SignIn);
        let fresh = Facts { auth_time: 11_000, ..facts() };
        assert_eq!(code(next(&hinted, PROGRESS, Some(&fresh))), ErrorCode::LoginRequired);
        hinted.id_token_hint = Some("s".into());
        assert_eq!(next(&hinted, PROGRESS, Some(&facts())), Step::Issue);
    }

    #[test]
    fn attack_26_a_shut_gate_issues_nothing() {
        let shut = Facts { gate: Err(Shut::Frozen), ..facts() };
        assert_eq!(code(next(&request(""), PROGRESS, Some(&shut))), ErrorCode::AccessDenied);
    }

    #[test]
    fn attack_34_consent_is_asked_and_asked_again() {
        let stranger = Facts { allowed: false, ..facts() };
        assert_eq!(next(&request(""), PROGRESS, Some(&stranger)), Step::Consent);
        let given = Progress { consented: true, ..PROGRESS };
        assert_eq!(next(&request(""), given, Some(&stranger)), Step::Issue);
        assert_eq!(next(&request("&prompt=consent"), PROGRESS, Some(&facts())), Step::Consent);
        assert_eq!(next(&request("&prompt=consent"), given, Some(&facts())), Step::Issue);
    }

    #[test]
    fn levels_are_raised_on_either_axis_and_officers_meet_the_hall_only() {
        for value in ["urn:tongban:proofing:4", "urn:tongban:auth:2"] {
            let wants = request(&format!("&acr_values={value}"));
            assert_eq!(next(&wants, PROGRESS, Some(&facts())), Step::StepUp, "{value}");
        }
        let officer = Facts { staff: true, ..facts() };
        assert_eq!(next(&request(""), PROGRESS, Some(&officer)), Step::SignIn);
        assert_eq!(next(&request("%20staff"), PROGRESS, Some(&officer)), Step::Issue);
    }
}
