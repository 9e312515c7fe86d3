//! The calls into a guest, each with its arguments owned, so that the future holds all it needs.

use std::future::Future;
use std::pin::Pin;

use wasmtime::Store;

use crate::bindings::Service;
use crate::bindings::exports::tongban::service::plugin::{
    Actor, CaseView, Descriptor, Event, Problem, Transition,
};
use crate::call::Call;

/// The guest's answer to one export.
pub(crate) type Answer<'s, T> = Pin<Box<dyn Future<Output = wasmtime::Result<T>> + Send + 's>>;

pub(crate) fn describe<'s>(
    store: &'s mut Store<Call>,
    service: &'s Service,
) -> Answer<'s, Descriptor> {
    Box::pin(service.tongban_service_plugin().call_describe(store))
}

pub(crate) fn form<'s>(
    store: &'s mut Store<Call>,
    service: &'s Service,
    (item, step, who, prefill): (String, String, Actor, String),
) -> Answer<'s, Result<String, Problem>> {
    Box::pin(async move {
        let plugin = service.tongban_service_plugin();
        plugin.call_form(store, &item, &step, &who, &prefill).await
    })
}

pub(crate) fn validate<'s>(
    store: &'s mut Store<Call>,
    service: &'s Service,
    (item, step, who, data): (String, String, Actor, String),
) -> Answer<'s, Vec<Problem>> {
    Box::pin(async move {
        let plugin = service.tongban_service_plugin();
        plugin.call_validate(store, &item, &step, &who, &data).await
    })
}

pub(crate) fn start<'s>(
    store: &'s mut Store<Call>,
    service: &'s Service,
    (item, event, form): (String, Event, String),
) -> Answer<'s, Result<Transition, Problem>> {
    Box::pin(async move {
        service.tongban_service_plugin().call_start(store, &item, &event, &form).await
    })
}

pub(crate) fn advance<'s>(
    store: &'s mut Store<Call>,
    service: &'s Service,
    (case, event): (CaseView, Event),
) -> Answer<'s, Result<Transition, Problem>> {
    Box::pin(
        async move { service.tongban_service_plugin().call_advance(store, &case, &event).await },
    )
}
