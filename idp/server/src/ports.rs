//! The identity half, as the hall asks it: verified facts of the person behind the hall's own
//! pairwise subject.

use std::collections::BTreeMap;

use async_trait::async_trait;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use idp_domain::ambient::Ambient;
use idp_protocol::details::Reach;
use idp_store::person::PersonClaims;
use idp_store::{Db, StoreError, person, subject};
use idp_web::certificate::Chain;
use idp_web::{Sender, resource};
use plugins_hall::port::{
    BearerCall, BearerRefused, Bearers, CasesNamed, CasesOpened, Identity, PortError, Shown,
};

/// Reads facts from the identity half's store.
#[derive(Clone)]
pub struct Facts {
    /// Both halves' database.
    pub db: Db,
    /// Clock, for ages.
    pub ambient: Ambient,
    /// The hall's sector.
    pub sector: String,
}

fn failed(cause: StoreError) -> PortError {
    PortError { code: "store", cause: cause.to_string() }
}

fn age(born: &str, now: i64) -> Option<i32> {
    let today = idp_domain::citizen::number::day_in_china(now);
    let mut parts = born.split('-').map(|part| part.parse::<i32>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let had_birthday = (i32::from(u8::from(today.month())), i32::from(today.day())) >= (month, day);
    Some(today.year() - year - i32::from(!had_birthday))
}

fn masked_phone(phone: &str) -> String {
    let national = phone.strip_prefix("+86").unwrap_or(phone);
    let (head, tail) = (national.get(..3).unwrap_or_default(), national.get(7..));
    format!("{head}****{}", tail.unwrap_or_default())
}

fn fact(id: &str, claims: &PersonClaims, name: &str, now: i64) -> Option<String> {
    let older = |years| age(&claims.birth_date, now).map(|age| (age >= years).to_string());
    match name {
        "person_id" => Some(id.to_owned()),
        "name" => Some(claims.name.clone()),
        "sex" => Some(claims.sex.to_owned()),
        "birth_date" => Some(claims.birth_date.clone()),
        "region" => Some(claims.region.clone()),
        "number" => Some(claims.number.clone()),
        "number_masked" => Some(claims.number_masked.clone()),
        "phone" => claims.phone.clone(),
        "phone_masked" => claims.phone.as_deref().map(masked_phone),
        "address" => claims.address.clone(),
        "proofing_level" => Some(claims.proofing.to_string()),
        "age_over_16" => older(16),
        "age_over_18" => older(18),
        _ => None,
    }
}

#[async_trait]
impl Identity for Facts {
    async fn facts(
        &self,
        subject: &str,
        names: &[&str],
    ) -> Result<BTreeMap<String, String>, PortError> {
        let (sector, sub) = (self.sector.clone(), subject.to_owned());
        let found = self.db.read::<_, StoreError, _>("facts", move |tx| {
            let (sector, sub) = (sector.clone(), sub.clone());
            Box::pin(async move {
                let Some(id) = subject::person(tx, &sector, &sub).await? else { return Ok(None) };
                Ok(person::claims(tx, &id).await?.map(|claims| (id, claims)))
            })
        });
        let Some((id, claims)) = found.await.map_err(failed)? else {
            return Err(PortError { code: "unknown_subject", cause: String::new() });
        };
        let now = self.ambient.now();
        let facts = names
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), fact(&id, &claims, name, now)?)));
        Ok(facts.collect())
    }
}

/// Partners' access tokens, as the hall may read them.
pub struct Tokens(pub idp_web::State);

#[async_trait]
impl Bearers for Tokens {
    async fn cases(
        &self,
        call: &BearerCall,
    ) -> Result<Result<Option<CasesOpened>, BearerRefused>, PortError> {
        let BearerCall { method, path, authorization, proofs, certificate } = call.clone();
        let certificate = certificate.and_then(|shown| Chain::new(shown.0));
        let sender = Sender { method, path, proofs, certificate };
        let call = resource::Call { authorization, sender };
        let answer = resource::citizen(&self.0, &call, "cases", crate::hall::CLIENT_ID).await;
        let named = |reach: Reach| CasesNamed { items: reach.items, cases: reach.cases };
        let told = |opened: resource::Opened| CasesOpened {
            subject: opened.subject,
            only: opened.only.map(named),
        };
        let opened = answer.map_err(failed)?.map(|opened| opened.map(told));
        Ok(opened.map_err(|refusal| {
            let text = |value: &http::HeaderValue| value.to_str().map(str::to_owned).ok();
            let challenges = refusal.challenges.iter().filter_map(text);
            let mut headers: Vec<_> =
                challenges.map(|challenge| ("www-authenticate", challenge)).collect();
            headers.extend(refusal.nonce.map(|nonce| ("dpop-nonce", nonce)));
            BearerRefused { code: refusal.code.as_str(), headers }
        }))
    }
}

/// Tells the hall which certificate a request came with.
pub(crate) async fn shown(mut request: Request, next: Next) -> Response {
    if let Some(chain) = request.extensions().get::<Chain>() {
        let shown = Shown(chain.all().to_vec());
        request.extensions_mut().insert(shown);
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_masked_and_an_age_counts_birthdays_in_beijing() {
        assert_eq!(masked_phone("+8613900000001"), "139****0001");
        assert_eq!(age("2008-11-24", 1_795_449_600_000), Some(18));
        assert_eq!(age("2008-11-25", 1_795_449_600_000), Some(17));
    }
}
