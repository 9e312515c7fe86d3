//! By which name a client knows a person (OpenID Connect Core §8).

use idp_protocol::client::{Client, SubjectType};
use idp_protocol::pairwise;

use crate::State;
use crate::session::Who;

/// The sector of a client's subjects, as `subject` rows name it.
pub(crate) fn sector(client: &Client) -> String {
    match client.subject_type {
        // One name for everyone; no host is called so.
        SubjectType::Public => "public:".to_owned(),
        SubjectType::Pairwise => client.sector().unwrap_or_else(|| client.client_id.clone()),
    }
}

/// The subject: a pseudonym of the sector for a citizen, the staff id for an officer, whom only
/// the hall meets.
pub(crate) fn of(state: &State, client: &Client, who: &Who) -> String {
    match who {
        Who::Citizen(person) => pairwise::subject(&state.salt, &sector(client), person),
        Who::Staff(id) => id.clone(),
    }
}

/// The session as a client knows it: two partners cannot join their lists by `sid` either.
pub(crate) fn sid(state: &State, client: &Client, session_id: &str) -> String {
    let place = format!("sid {}", client.client_id);
    pairwise::subject(&state.salt, &place, session_id)
}
