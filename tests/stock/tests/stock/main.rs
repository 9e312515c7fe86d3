//! Stock relying parties against `tongban serve` over https: libraries that nobody here wrote, each
//! as a program of its own, with their own checks switched on. The person's browser between them is
//! played over plain HTTP.
//!
//! `tests/run` installs the libraries and names them in `TONGBAN_TEST_NODE_LIBRARIES`,
//! `TONGBAN_TEST_PYTHON` and `TONGBAN_TEST_APACHE`, which makes their absence a failure. Without
//! them their stories are not asked for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test stops by panicking.

mod apache;
mod console;
mod key;
mod node;
mod page;
mod pages;
mod play;
mod provider;
mod python;
mod rust;
mod site;
mod sm2;
mod stories;

/// Makes a test of each story, told by a library on each database.
macro_rules! told_by {
    ($library:path: $($story:ident;)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $story() {
                if let Some(stage) = crate::play::Stage::of($library(), tests_kit::Engine::Sqlite).await {
                    crate::stories::$story(stage).await;
                }
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $story() {
                if let Some(stage) = crate::play::Stage::of($library(), tests_kit::Engine::Postgres).await {
                    crate::stories::$story(stage).await;
                }
            })*
        }
    };
}
pub(crate) use told_by;
