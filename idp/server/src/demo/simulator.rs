//! Which simulator serves under which name, with the secrets of the demo's data directory.

use std::path::Path;
use std::sync::Arc;

use plugins_simulators::{Clock, bank, express, face, partner, register, sms};
use tokio::net::TcpListener;

use super::place::{Secrets, port};
use super::seed::PARTNERS;
use crate::ambient;
use crate::cli::Failure;

fn clock() -> Clock {
    let ambient = ambient::system();
    Arc::new(move || ambient.now())
}

/// Serves one simulator until it is stopped.
///
/// # Errors
/// [`Failure`] for an unknown name, or as the simulator says.
pub async fn run(name: &str, own: u16, data: &Path, listener: TcpListener) -> Result<(), Failure> {
    let text = std::fs::read_to_string(data.join("secrets.json")).map_err(|cause| {
        Failure::No(format!(
            "{} is no demo's data directory: {cause}\nhint: start `tongban demo --data DIR` first",
            data.display()
        ))
    })?;
    let secrets: Secrets = serde_json::from_str(&text)?;
    let dir = data.join(name);
    std::fs::create_dir_all(&dir)?;
    let clock = clock();
    match name {
        "register" => {
            let settings = register::Settings { dir, secret: secrets.register, clock };
            register::serve(settings, listener).await?;
        }
        "face" => {
            let address = format!("http://localhost:{own}");
            let settings = face::Settings { dir, secret: secrets.face, address, clock };
            face::serve(settings, listener).await?;
        }
        "sms" => {
            let next = own.saturating_add(port::CMPP - port::SMS);
            let cmpp = TcpListener::bind(("127.0.0.1", next)).await?;
            let (source, secret) = ("901234".to_owned(), secrets.sms);
            sms::serve(sms::Settings { dir, source, secret, clock }, listener, cmpp).await?;
        }
        "bank" => {
            let merchant = "777290058110048".to_owned();
            let settings = bank::Settings { dir, merchant, later: 5_000, clock };
            bank::serve(settings, listener).await?;
        }
        "express" => {
            let product = own.saturating_sub(port::EXPRESS);
            let notify = Some(format!("http://localhost:{product}/express/notice"));
            let secret = secrets.express;
            let settings = express::Settings { dir, secret, notify, pace: 4_000, clock };
            express::serve(settings, listener).await?;
        }
        name => {
            let settings = site(name, own, &secrets).ok_or_else(|| {
                Failure::Usage(format!("there is no simulator {name}\nhint: see --help"))
            })?;
            partner::serve(settings, listener).await?;
        }
    }
    Ok(())
}

fn site(name: &str, own: u16, secrets: &Secrets) -> Option<partner::Settings> {
    let at = PARTNERS.iter().position(|(client_id, ..)| *client_id == name)?;
    let (client_id, chinese, english, scope) = PARTNERS.get(at)?;
    let product = own.checked_sub(*port::PARTNERS.get(at)?)?;
    Some(partner::Settings {
        name: (*chinese).to_owned(),
        name_en: (*english).to_owned(),
        address: format!("http://localhost:{own}"),
        issuer: format!("http://localhost:{product}"),
        client_id: (*client_id).to_owned(),
        client_secret: secrets.partners.get(at)?.clone(),
        scopes: scope.split(' ').filter(|word| *word != "openid").map(str::to_owned).collect(),
    })
}
