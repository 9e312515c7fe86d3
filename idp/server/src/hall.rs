//! The hall's pages: a relying party of the provider, registered at the first start.

use std::sync::Arc;

use axum::Router;
use idp_domain::ambient::Ambient;
use idp_store::{Db, StoreError};
use plugins_engine::Engine;
use plugins_portal::provider::Provider;
use serde_json::json;

use crate::app::StartError;
use crate::config::Config;

/// The sector of the hall's pairwise subjects.
pub const SECTOR: &str = "hall";
/// The hall's client id.
pub const CLIENT_ID: &str = "hall";

/// The hall's secret is derived from the master secret: every node knows it, nobody stores it.
fn secret(db: &Db) -> Result<String, StoreError> {
    Ok(hex::encode(db.vault().derive("hall.client_secret")?))
}

async fn register(config: &Config, db: &Db, ambient: &Ambient) -> Result<String, StartError> {
    let secret = secret(db)?;
    let origin = &config.server.issuer;
    let registration = json!({
        "client_id": CLIENT_ID, "client_secret": secret,
        "client_name": "办事大厅", "client_name#en": "Service hall",
        "redirect_uris": [format!("{origin}/hall/callback")],
        "post_logout_redirect_uris": [format!("{origin}/")],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid profile phone address identity staff",
        "sector_identifier": SECTOR,
        "legal_basis": "行政许可法第三十三条：行政机关通过电子政务受理申请",
    });
    let refused = |cause: idp_web::clients::Refused| StartError::Hall(cause.to_string());
    let known = idp_web::clients::show(db, CLIENT_ID).await?;
    if known.is_some() {
        idp_web::clients::update(db, ambient, registration).await.map_err(refused)?;
    } else {
        idp_web::clients::create(db, ambient, registration).await.map_err(refused)?;
    }
    Ok(secret)
}

fn origin_of(address: &str) -> String {
    url::Url::parse(address).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

/// The hall's routes.
///
/// # Errors
/// [`StartError`].
pub async fn router(
    config: &Config,
    db: &Db,
    ambient: &Ambient,
    engine: &Engine,
    web: &idp_web::State,
) -> Result<Router, StartError> {
    let client_secret = register(config, db, ambient).await?;
    let origin = origin_of(&config.server.issuer);
    let settings = Arc::new(plugins_portal::Settings {
        issuer: config.server.issuer.clone(),
        client_id: CLIENT_ID.to_owned(),
        client_secret,
        redirect_uri: format!("{}/hall/callback", config.server.issuer),
        post_logout_redirect_uri: format!("{}/", config.server.issuer),
        origin: origin.clone(),
        gateway_origin: origin_of(&config.payment.gateway),
        port: url::Url::parse(&config.server.issuer)
            .ok()
            .and_then(|url| url.port_or_known_default())
            .unwrap_or(443),
        secure: origin.starts_with("https://"),
    });
    let http = crate::counterparts::trusting(config)?
        .redirect(reqwest::redirect::Policy::none())
        .timeout(std::time::Duration::from_secs(10))
        .build()
        .map_err(|cause| StartError::Hall(cause.to_string()))?;
    let provider = Arc::new(Provider::new(settings.clone(), ambient.clone(), http));
    let state = plugins_portal::State {
        settings,
        db: db.clone(),
        ambient: ambient.clone(),
        catalogue: Arc::new(engine.catalogue().clone()),
        engine: engine.clone(),
        provider,
        bearers: Arc::new(crate::ports::Tokens(web.clone())),
    };
    let missing = plugins_portal::missing(state.clone());
    Ok(plugins_portal::router(state).fallback_service(missing))
}
