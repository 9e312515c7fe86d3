//! What happens to a request over the back channel (CIBA) after it was asked: the operator's and the
//! demo's answer, and the ping that tells the client.

use std::time::Duration;

use idp_domain::ambient::Ambient;
use idp_domain::outgoing::Limits;
use idp_protocol::acr::{self, Reached};
use idp_protocol::pairwise;
use idp_store::backchannel::Backchannel;
use idp_store::grant::{Detail, Grant};
use idp_store::{Db, StoreError, Tx, audit, outbox};
use serde_json::{Value, json};

use crate::State;
use crate::oidc::subject;
use crate::state::Lifetimes;

/// Name of pings in the outbox.
pub const INTERFACE: &str = "ciba-ping";
/// What an `auth_req_id` begins with.
pub const PREFIX: &str = "tbq_";
/// What an answer to a ping may cost: its body is not read (CIBA Core §10.2).
const PING: Limits = Limits { time: Duration::from_secs(3), bytes: 4096 };

/// What waits for a person, without those that mean nobody.
///
/// # Errors
/// As the database says.
pub async fn waiting(db: &Db, now: i64) -> Result<Vec<Backchannel>, StoreError> {
    let found: Vec<Backchannel> = db
        .read("ciba_list", move |tx: &mut Tx| {
            Box::pin(async move { idp_store::backchannel::waiting(tx, now).await })
        })
        .await?;
    Ok(found.into_iter().filter(|asked| !asked.person_id.is_empty()).collect())
}

/// Tells the client of a decision, if it is pinged; in the transaction of the decision.
///
/// # Errors
/// As the database says.
pub(crate) async fn tell(
    tx: &mut Tx,
    id: String,
    asked: &Backchannel,
    now: i64,
) -> Result<(), StoreError> {
    let Some(ping) = &asked.asked.ping else { return Ok(()) };
    let arguments = json!({"client_id": asked.client_id, "token": ping.token,
        "auth_req_id": ping.auth_req_id});
    let key = format!("ciba-ping.{}", asked.id);
    let entry = outbox::Entry { id, key, interface: INTERFACE, subject: None, arguments, at: now };
    outbox::enqueue(tx, entry).await
}

/// Sends one ping of the outbox; the answer is for its row.
///
/// # Errors
/// What keeps the client from being told, for the operator.
pub async fn ping(state: &State, arguments: &Value) -> Result<Value, String> {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    let found = state.clients.find(state, text("client_id")).await;
    let Some(known) = found.map_err(|cause| cause.to_string())? else {
        return Ok(json!({"gone": true}));
    };
    let Some(uri) = known.client.backchannel_client_notification_endpoint.as_deref() else {
        return Ok(json!({"gone": true}));
    };
    // CIBA Core §10.2.
    let authorization = format!("Bearer {}", text("token"));
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let body = json!({"auth_req_id": text("auth_req_id")}).to_string().into_bytes();
    match state.outgoing().post(uri, &headers, body, PING).await {
        // CIBA Core §10.2: whatever it answers below 500, it was told; redirects are not followed.
        Ok(answer) if answer.status < 500 => Ok(json!({"status": answer.status})),
        Ok(answer) => Err(format!("the client answered {}", answer.status)),
        Err(cause) => Err(cause.to_string()),
    }
}

/// Decides in the person's stead: the operator by command, the demo by its simulator. False if the
/// request does not wait. It stands in the person's trail as what it is.
///
/// # Errors
/// As the database says.
pub async fn decide(db: &Db, ambient: &Ambient, id: &str, allow: bool) -> Result<bool, StoreError> {
    let salt = db.vault().derive("subject.pairwise")?;
    let (id, grant_id, ping_id) = (id.to_owned(), ambient.id(), ambient.id());
    let now = ambient.now();
    db.write("ciba_decide", move |tx: &mut Tx| {
        let (id, grant_id, ping_id) = (id.clone(), grant_id.clone(), ping_id.clone());
        Box::pin(async move {
            let Some(asked) = idp_store::backchannel::find(tx, &id).await? else {
                return Ok(false);
            };
            let done = if allow {
                allowed(tx, &asked, grant_id, &salt, now).await?
            } else {
                idp_store::backchannel::deny(tx, &id, now).await?
            };
            if done {
                tell(tx, ping_id, &asked, now).await?;
            }
            Ok(done)
        })
    })
    .await
}

async fn allowed(
    tx: &mut Tx,
    asked: &Backchannel,
    grant_id: String,
    salt: &[u8; 32],
    now: i64,
) -> Result<bool, StoreError> {
    let Some(registered) = idp_store::client::find(tx, &asked.client_id).await? else {
        return Ok(false);
    };
    let person = &asked.person_id;
    // Attacks row 26: the one gate.
    let Some(account) = idp_store::account::find(tx, person).await? else { return Ok(false) };
    if account.gate().is_err() {
        return Ok(false);
    }
    let client = registered.client;
    let reached = Reached { proofing: u8::try_from(account.proofing).unwrap_or(0), auth: 1 };
    if !asked.asked.acr.satisfied(reached) {
        return Ok(false);
    }
    let lifetimes = Lifetimes::default();
    let lasts = if client.may("refresh_token") {
        lifetimes.refresh_ms
    } else {
        lifetimes.access_ms + lifetimes.code_ms
    };
    let grant = Grant {
        id: grant_id,
        client_id: client.client_id.clone(),
        person_id: person.clone(),
        kind: "citizen".to_owned(),
        session_id: None,
        detail: Detail {
            scope: asked.asked.scope.text(),
            claims: idp_protocol::claims::ClaimsRequest::default(),
            auth_time: now / 1000,
            amr: Vec::new(),
            acr: acr::claim(asked.asked.acr, reached),
            proofing: reached.proofing,
            auth: reached.auth,
            offline: asked.asked.scope.has("offline_access"),
            resources: asked.asked.targets.resources.clone(),
            authorization_details: asked.asked.targets.authorization_details.clone(),
            code_jkt: None,
        },
        created_at: now,
        expires_at: now + lasts,
    };
    if !idp_store::backchannel::allow(tx, &asked.id, &grant.id, now).await? {
        return Ok(false);
    }
    idp_store::grant::create(tx, &grant).await?;
    let sector = subject::sector(&client);
    let sub = pairwise::subject(salt, &sector, person);
    idp_store::subject::remember(tx, &sector, &sub, person, now).await?;
    let details = json!({"client": client.client_id, "name": client.client_name,
        "groups": [], "by": "operator"});
    let line = audit::Line { at: now, kind: "ciba_allowed", actor: "operator".into(), details };
    audit::append(tx, person, line).await?;
    Ok(true)
}
