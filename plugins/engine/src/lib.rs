//! The unit of work: from an event on a case to one commit, and the worker that carries its outbox.
//!
//! Facts (a form handed in, money paid, a parcel delivered, an officer's decision) are recorded by
//! the hall first, whatever the plugin does; then the plugin has its turn about them. A turn is one
//! call with no transaction open and one commit under the sequence that it saw.

mod citizen;
mod context;
mod desk;
mod effect;
pub mod error;
mod intake;
mod message;
mod money;
mod parcel;
pub mod parts;
mod pending;
mod show;
mod turn;
mod unit;
mod upload;
pub mod view;
pub mod worker;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use idp_store::Tx;
use plugins_hall::catalogue::{Catalogue, Item};

pub use error::EngineError;
pub use parts::{Failpoints, NoFailpoints, Parts, Settings};
use unit::{Halt, Unit};
pub use worker::Worker;

/// How often a change that lost against another is run again.
const RACES: u32 = 8;

/// The hall's engine. Clones share it.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

/// What all steps share.
pub(crate) struct Shared {
    pub(crate) parts: Parts,
    pub(crate) catalogue: Catalogue,
    pub(crate) ticking: tokio::sync::Mutex<()>,
}

/// A step inside a unit.
type Step<'u, T> = Pin<Box<dyn Future<Output = Result<T, Halt>> + Send + 'u>>;

impl Engine {
    /// Joins the parts.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] if the embedded catalogue does not read.
    pub fn new(parts: Parts) -> Result<Self, EngineError> {
        let catalogue = Catalogue::embedded().map_err(EngineError::Unavailable)?;
        Ok(Self {
            shared: Arc::new(Shared { parts, catalogue, ticking: tokio::sync::Mutex::default() }),
        })
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.shared.parts
    }

    pub(crate) fn now(&self) -> i64 {
        self.shared.parts.ambient.now()
    }

    /// The dated catalogue.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.shared.catalogue
    }

    /// One item.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub fn item(&self, code: &str) -> Result<&Item, EngineError> {
        self.shared.catalogue.find(code).ok_or(EngineError::NotFound)
    }

    /// Whether an active plugin serves the item: its guide is shown in any case.
    #[must_use]
    pub fn serves(&self, item: &Item) -> bool {
        self.parts().runtime.descriptors().contains_key(&item.plugin)
    }

    /// Runs a step on a case of `subject`, under its sequence, again when it lost.
    pub(crate) async fn change<T, F>(
        &self,
        name: &'static str,
        subject: Option<&str>,
        number: &str,
        step: F,
    ) -> Result<T, EngineError>
    where
        F: for<'u, 't> Fn(&'u mut Unit<'t>) -> Step<'u, T> + Send + Sync + 'static,
        T: Send + 'static,
    {
        let step = Arc::new(step);
        let now = self.now();
        let (subject, number) = (subject.map(str::to_owned), number.to_owned());
        for _ in 0..RACES {
            let (step, shared) = (step.clone(), self.shared.clone());
            let (subject, number) = (subject.clone(), number.clone());
            let outcome = self
                .parts()
                .db
                .write(name, move |tx: &mut Tx| {
                    let (step, shared) = (step.clone(), shared.clone());
                    let (subject, number) = (subject.clone(), number.clone());
                    Box::pin(async move {
                        let opened = Unit::open(&shared, tx, &number, now).await?;
                        // Another's case is as good as none (no oracle for numbers).
                        let mine = |unit: &Unit<'_>| {
                            subject.as_ref().is_none_or(|subject| *subject == unit.case.subject)
                        };
                        let Some(mut unit) = opened.filter(mine) else {
                            return Err(Halt::Engine(EngineError::NotFound));
                        };
                        let value = step(&mut unit).await?;
                        unit.commit().await?;
                        Ok(value)
                    })
                })
                .await;
            match outcome {
                Err(Halt::Lost) => {}
                // The edge is gone: the case has moved on since the page was shown.
                Err(Halt::Plugin("edge", _)) => return Err(EngineError::Conflict),
                other => {
                    self.parts().wake.notify_one();
                    return other.map_err(EngineError::from);
                }
            }
        }
        Err(EngineError::Conflict)
    }
}
