//! Builders over which the stories are told: a deployment, a browser without JavaScript, a relying
//! party, a virtual clock.
//!
//! A story takes a [`Deployment`] and is told on every engine by [`on_both!`]. Everything runs in
//! the test's process, over real sockets on ports that the system chose; no test sleeps.

// A story fails by panicking, with what the page said.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod browser;
mod clock;
mod demo;
mod deployment;
mod form;
mod hall;
mod outside;
mod page;
mod people;
mod relying_party;
mod walk;

pub use browser::{Browser, Gone};
pub use clock::VirtualClock;
pub use demo::Demo;
pub use deployment::{Deployment, Engine};
pub use form::{Form, Upload};
pub use hall::{examples, picture};
pub use outside::Outside;
pub use page::{Element, Page};
pub use people::{Citizen, Officer, totp};
pub use relying_party::{Answer, Asked, RelyingParty};
pub use walk::Arrived;

/// Tells each story on SQLite and, where `TONGBAN_TEST_POSTGRES_URL` names a server, on
/// PostgreSQL (set and unreachable is a failure).
#[macro_export]
macro_rules! on_both {
    ($($name:ident;)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() {
                super::$name($crate::Deployment::on($crate::Engine::Sqlite).await.unwrap()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() {
                if let Some(deployment) = $crate::Deployment::on($crate::Engine::Postgres).await {
                    super::$name(deployment).await;
                }
            })*
        }
    };
}
