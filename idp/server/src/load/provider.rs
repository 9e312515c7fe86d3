//! Another provider, or ours behind TLS, as a file describes it: so that the same driver measures
//! all of them in one run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum as _;
use idp_protocol::jose::{Algorithm, Signer};
use reqwest::{Certificate, Identity};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use url::Url;

use super::browser::Transport;
use super::places::{self, Places};
use super::scenario::{Scenario, told};
use super::target::{Form, Signing, Target};

/// The file, TOML; paths in it are relative to it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    issuer: String,
    client_id: String,
    client_secret: String,
    redirect_uri: Url,
    scope: String,
    token_scope: Option<String>,
    /// Scenarios that it does not have.
    #[serde(default)]
    lacks: Vec<String>,
    /// Where it introspects, if its metadata does not say so.
    introspection_endpoint: Option<Url>,
    /// Who signs in, each worker another: `{person}` in a form.
    #[serde(default = "nobody_in_particular")]
    people: Vec<String>,
    /// Holds the number of its database's first process on the first line.
    database_pid: Option<PathBuf>,
    /// Certificates, PEM, that an https issuer is trusted by.
    authority: Option<PathBuf>,
    signing: Option<SigningFile>,
    mutual_tls: Option<MutualTls>,
    #[serde(default)]
    form: Vec<Form>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SigningFile {
    client_id: String,
    /// PKCS#8 of P-256, PEM.
    key: PathBuf,
    /// What assertions name: `issuer`, or `token` for the token endpoint's address.
    #[serde(default)]
    audience: Audience,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Audience {
    #[default]
    Issuer,
    Token,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MutualTls {
    client_id: String,
    /// Certificate and key, PEM.
    identity: PathBuf,
}

fn nobody_in_particular() -> Vec<String> {
    vec![String::new()]
}

/// A provider that can be measured.
#[derive(Debug)]
pub struct Provider {
    /// Where to, and as whom.
    pub target: Target,
    /// Scenarios that it does not have.
    pub lacks: Vec<Scenario>,
    /// Its database's first process.
    pub database: Option<u32>,
}

fn signing_of(
    file: &SigningFile,
    near: &Path,
    issuer: &str,
    token: &Url,
) -> Result<Signing, String> {
    let pem = std::fs::read(near.join(&file.key)).map_err(told)?;
    let key = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(told)?;
    let signer = Signer::new(Algorithm::Es256, key.secret_pkcs8_der()).map_err(told)?;
    let audience = match file.audience {
        Audience::Issuer => issuer.to_owned(),
        Audience::Token => token.to_string(),
    };
    Ok(Signing { client: file.client_id.clone(), signer, audience })
}

fn transport(file: &File, near: &Path) -> Result<Transport, String> {
    let read = |path: &PathBuf| std::fs::read(near.join(path)).map_err(told);
    let pem = file.authority.as_ref().map(read).transpose()?.unwrap_or_default();
    let authorities = Certificate::from_pem_bundle(&pem).map_err(told)?;
    let identity = file.mutual_tls.as_ref().map(|one| read(&one.identity)).transpose()?;
    let identity = identity.map(|pem| Identity::from_pem(&pem).map_err(told)).transpose()?;
    Ok(Transport { authorities, identity })
}

impl Provider {
    /// Reads a file and asks the provider for its addresses.
    ///
    /// # Errors
    /// A sentence: a file that cannot be read, a provider that does not answer or is elsewhere.
    pub async fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(told)?;
        let file: File = toml::from_str(&text).map_err(told)?;
        let lacks = file.lacks.iter().map(|name| Scenario::from_str(name, false));
        let lacks = lacks.collect::<Result<_, _>>().map_err(|cause| format!("`lacks`: {cause}"))?;
        let near = path.parent().unwrap_or(Path::new("."));
        let transport = transport(&file, near)?;
        let mut places = Places::of(&transport.client(false)?, &file.issuer).await?;
        if let Some(place) = file.introspection_endpoint {
            places.introspection = Some(places::here(place)?);
        }
        let signing = file.signing.as_ref();
        let signing = signing.map(|one| signing_of(one, near, &file.issuer, &places.token));
        let pid = file.database_pid.as_ref().map(|path| {
            let text = std::fs::read_to_string(near.join(path)).map_err(told)?;
            text.lines().next().unwrap_or_default().trim().parse().map_err(told)
        });
        let target = Target {
            name: file.name,
            issuer: file.issuer,
            places,
            client: (file.client_id, file.client_secret),
            scope: (file.scope, file.token_scope),
            signing: signing.transpose()?.map(Arc::new),
            certified: file.mutual_tls.map(|one| one.client_id),
            redirect_uri: file.redirect_uri,
            forms: file.form,
            people: file.people,
            hall: None,
            transport,
        };
        Ok(Self { target, lacks, database: pid.transpose()? })
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use axum::{Json, Router};
    use serde_json::json;

    use super::*;

    /// A provider's metadata at a port of its own, and a file that describes it.
    async fn described(more: &str) -> (tempfile::TempDir, PathBuf) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/realm", listener.local_addr().unwrap());
        let at = |path: &str| format!("{issuer}/{path}");
        let document = json!({"issuer": issuer, "authorization_endpoint": at("a"),
            "token_endpoint": at("t"), "userinfo_endpoint": at("u")});
        let serves = get(async || Json(document));
        let router = Router::new().route("/realm/.well-known/openid-configuration", serves);
        tokio::spawn(axum::serve(listener, router).into_future());
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("provider.toml");
        let text = format!(
            "name = 'other'\nissuer = '{issuer}'\nclient_id = 'c'\nclient_secret = 's'\n\
             redirect_uri = 'http://127.0.0.1:9/cb'\nscope = 'openid'\n{more}\n"
        );
        std::fs::write(&file, text).unwrap();
        (directory, file)
    }

    #[tokio::test]
    async fn a_provider_is_what_its_file_and_its_metadata_say() {
        let more = "lacks = ['refresh']\nintrospection_endpoint = 'http://127.0.0.1:1/i'\n\
                    database_pid = 'pid'\n[[form]]\nhas = 'user'\nfill = { user = '{person}' }";
        let (directory, file) = described(more).await;
        std::fs::write(directory.path().join("pid"), "77\nmore\n").unwrap();
        let Provider { target, lacks, database } = Provider::read(&file).await.unwrap();
        assert_eq!(target.places.token.path(), "/realm/t");
        assert_eq!(target.places.introspection.unwrap().path(), "/i");
        assert_eq!((lacks, database), (vec![Scenario::Refresh], Some(77)));
        assert_eq!((target.forms.len(), target.people.len()), (1, 1));
    }

    #[tokio::test]
    async fn what_a_file_says_wrong_is_told_and_nothing_elsewhere_is_asked() {
        for (more, told) in [
            ("introspection_endpoint = 'http://example.org/i'", "not on this machine"),
            ("databse_pid = 'pid'", "databse_pid"),
            ("database_pid = 'nothing'", "No such file"),
            ("lacks = ['refersh']", "`lacks`"),
        ] {
            let (_directory, file) = described(more).await;
            let cause = Provider::read(&file).await.unwrap_err();
            assert!(cause.contains(told), "{more}: {cause}");
        }
        let (_directory, file) = described("").await;
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replacen("http://127.0.0.1", "http://example.org", 1)).unwrap();
        assert!(Provider::read(&file).await.unwrap_err().contains("not on this machine"));
    }
}
