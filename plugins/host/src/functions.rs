//! The functions that a plugin may call. Each counts, asks the grant before any effect, buffers what
//! is wished for, and is kept for replay.

use plugins_hall::call::Effect;
use serde_json::{Value, json};

use crate::bindings::tongban;
use crate::bindings::tongban::pay::payment::Quote;
use crate::bindings::tongban::store::docs::Doc;
use crate::bindings::tongban::types::types::{Problem, Prop};
use crate::call::{Call, Document, denied};
use crate::convert;

/// The last millisecond of the year 2999: what a plugin may reckon with.
const LAST: i64 = 32_503_679_999_999;
/// Working days that are added at once.
const SPAN: i32 = 3_000;

type Answer<T> = wasmtime::Result<Result<T, Problem>>;

impl Call {
    /// Ends a host call: kept with its arguments, and handed on.
    fn done<T>(
        &mut self,
        function: &str,
        arguments: &Value,
        answer: Result<(T, Value), Problem>,
    ) -> Answer<T> {
        match answer {
            Ok((value, shown)) => {
                self.keep(function, arguments, shown, true);
                Ok(Ok(value))
            }
            Err(problem) => {
                self.keep(function, arguments, json!({ "denied": problem.code }), false);
                Ok(Err(problem))
            }
        }
    }

    /// Buffers an effect under a fresh id; the call is already counted.
    fn wish(
        &mut self,
        function: &str,
        key: &str,
        arguments: &Value,
        allowed: Result<(), Problem>,
        effect: impl FnOnce(String) -> Effect,
    ) -> Answer<String> {
        let answer = allowed.and_then(|()| self.writes()).map(|()| {
            let id = self.id(key);
            self.effects.push(effect(id.clone()));
            (id.clone(), json!(id))
        });
        self.done(function, arguments, answer)
    }
}

/// Bytes of texts that arrived with a call.
fn sizes<'t>(texts: impl IntoIterator<Item = &'t String>) -> usize {
    // A text of nothing costs too.
    texts.into_iter().map(|text| text.len().saturating_add(16)).fold(0, usize::saturating_add)
}

fn size_of_props(props: &[Prop]) -> usize {
    sizes(props.iter().flat_map(|prop| [&prop.key, &prop.value]))
}

impl tongban::types::types::Host for Call {}
impl tongban::service::model::Host for Call {}

impl tongban::identity::identity::Host for Call {
    fn attribute(&mut self, name: String) -> Answer<Option<String>> {
        self.count(name.len())?;
        let names = self.manifest.grants.identity.as_ref().map(|grant| &grant.attributes);
        let allowed = self.granted(names, &name, "[grants.identity] attributes");
        let answer = allowed.map(|()| {
            let value = self.context.attributes.get(&name).cloned();
            (value.clone(), json!(value))
        });
        self.done("identity.attribute", &json!([name]), answer)
    }
}

impl tongban::flow::flow::Host for Call {
    fn assign(&mut self, role: String, queue: String) -> Answer<()> {
        self.count(sizes([&role, &queue]))?;
        let names = self.manifest.grants.flow.as_ref().map(|grant| &grant.queues);
        let allowed = self.granted(names, &queue, "[grants.flow] queues");
        let arguments = json!([role, queue]);
        let effect = |_| Effect::Assign { role, queue };
        Ok(self.wish("flow.assign", "", &arguments, allowed, effect)?.map(|_| ()))
    }

    fn ask_correction(&mut self, problems: Vec<Problem>) -> Answer<()> {
        self.count(problems.iter().map(convert::size_of_problem).sum())?;
        let problems: Vec<_> = problems.into_iter().take(50).map(convert::problem).collect();
        let arguments = json!(problems);
        let effect = |_| Effect::AskCorrection { problems };
        Ok(self.wish("flow.ask-correction", "", &arguments, Ok(()), effect)?.map(|_| ()))
    }

    fn suspend_clock(&mut self, reason: String) -> Answer<()> {
        self.count(reason.len())?;
        let arguments = json!([reason]);
        let effect = |_| Effect::SuspendClock { reason };
        Ok(self.wish("flow.suspend-clock", "", &arguments, Ok(()), effect)?.map(|_| ()))
    }

    fn resume_clock(&mut self) -> Answer<()> {
        self.count(0)?;
        let effect = |_| Effect::ResumeClock;
        Ok(self.wish("flow.resume-clock", "", &json!([]), Ok(()), effect)?.map(|_| ()))
    }

    fn note(&mut self, kind: String, payload: String) -> Answer<()> {
        self.count(sizes([&kind, &payload]))?;
        let parsed = serde_json::from_str::<Value>(&payload);
        let allowed = parsed.as_ref().map(|_| ()).map_err(|_| denied("a note is JSON"));
        let arguments = json!([kind, payload]);
        let effect = |_| Effect::Note { kind, payload: parsed.unwrap_or_default() };
        Ok(self.wish("flow.note", "", &arguments, allowed, effect)?.map(|_| ()))
    }
}

impl Call {
    fn collection(&self, name: &str) -> Result<(), Problem> {
        let names = self.manifest.grants.store.as_ref().map(|grant| &grant.collections);
        self.granted(names, name, "[grants.store] collections")
    }

    /// A document as the call sees it: two reads of one call are the same.
    async fn document(&mut self, collection: &str, id: &str) -> Answer<Document> {
        if let Err(problem) = self.collection(collection) {
            return Ok(Err(problem));
        }
        let key = (collection.to_owned(), id.to_owned());
        if let Some(known) = self.documents.get(&key) {
            return Ok(Ok(known.clone()));
        }
        let Ok(found) = self.context.documents.get(collection, id).await else {
            let why = denied("the store cannot answer now");
            return Ok(Err(Problem { code: "busy".to_owned(), retryable: true, ..why }));
        };
        if let Some((body, _)) = &found {
            self.took(body.to_string().len())?;
        }
        self.versions.insert(key.clone(), found.as_ref().map_or(0, |known| known.1));
        self.documents.insert(key, found.clone());
        Ok(Ok(found))
    }
}

impl tongban::store::docs::Host for Call {
    async fn get(&mut self, collection: String, id: String) -> Answer<Option<Doc>> {
        self.count(sizes([&collection, &id]))?;
        let answer = self.document(&collection, &id).await?.map(|found| {
            let shown = json!(found);
            (found.map(|(body, version)| Doc { body: body.to_string(), version }), shown)
        });
        self.done("docs.get", &json!([collection, id]), answer)
    }

    async fn put(
        &mut self,
        collection: String,
        id: String,
        body: String,
        expect: Option<u64>,
    ) -> Answer<u64> {
        self.count(sizes([&collection, &id, &body]))?;
        let known = self.document(&collection, &id).await?;
        let parsed = serde_json::from_str::<Value>(&body);
        let version = known.as_ref().ok().and_then(|known| known.as_ref()).map_or(0, |k| k.1);
        let allowed = known.and_then(|_| match &parsed {
            Err(_) => Err(denied("a document is JSON")),
            Ok(_) if expect.is_some_and(|expect| expect != version) => {
                Err(Problem { code: "conflict".to_owned(), ..denied("the document has changed") })
            }
            Ok(_) => Ok(()),
        });
        let body = parsed.unwrap_or_default();
        let arguments = json!([collection, id, body, expect]);
        let key = (collection.clone(), id.clone());
        let kept = body.clone();
        // The first write of the call carries the version that the call saw, so that a write of
        // another case in between makes this turn run again; later ones follow the first.
        let seen = self.versions.get(&key).copied();
        let effect = |_| Effect::PutDocument { collection, id, json: body, expect: seen };
        let answer = self.wish("docs.put", "", &arguments, allowed, effect)?;
        Ok(answer.map(|_| {
            self.versions.remove(&key);
            self.documents.insert(key, Some((kept, version.saturating_add(1))));
            version.saturating_add(1)
        }))
    }

    fn remove(&mut self, collection: String, id: String) -> Answer<()> {
        self.count(sizes([&collection, &id]))?;
        let allowed = self.collection(&collection);
        let arguments = json!([collection, id]);
        let key = (collection.clone(), id.clone());
        let effect = |_| Effect::RemoveDocument { collection, id };
        let answer = self.wish("docs.remove", "", &arguments, allowed, effect)?;
        Ok(answer.map(|_| {
            self.documents.insert(key, None);
        }))
    }
}

impl Call {
    fn quote(&self, id: &str) -> Result<Quote, Problem> {
        let names = self.manifest.grants.pay.as_ref().map(|grant| &grant.quotes);
        self.granted(names, id, "[grants.pay] quotes")?;
        let quote = self.context.quotes.get(id);
        let quote = quote.ok_or_else(|| denied("the catalogue has no such quote on this day"))?;
        Ok(Quote {
            id: quote.id.clone(),
            minor: quote.minor,
            currency: quote.currency.clone(),
            basis: quote.basis.clone(),
        })
    }
}

impl tongban::pay::payment::Host for Call {
    fn find(&mut self, id: String) -> Answer<Quote> {
        self.count(id.len())?;
        let answer = self.quote(&id).map(|quote| {
            let shown = json!([quote.minor, quote.currency]);
            (quote, shown)
        });
        self.done("payment.find", &json!([id]), answer)
    }

    fn request(&mut self, quote: String, purpose: String, key: String) -> Answer<String> {
        self.count(sizes([&quote, &purpose, &key]))?;
        let allowed = self.quote(&quote).map(|_| ());
        let arguments = json!([quote, purpose, key]);
        let author = key.clone();
        let effect = |id| Effect::RequestPayment { id, quote, purpose, key };
        self.wish("payment.request", &author, &arguments, allowed, effect)
    }

    fn refund(&mut self, payment: String, reason: String, key: String) -> Answer<String> {
        self.count(sizes([&payment, &reason, &key]))?;
        let arguments = json!([payment, reason, key]);
        let author = key.clone();
        let effect = |id| Effect::Refund { id, payment, reason, key };
        self.wish("payment.refund", &author, &arguments, Ok(()), effect)
    }
}

impl tongban::notify::message::Host for Call {
    fn send(
        &mut self,
        template: String,
        to: String,
        params: Vec<Prop>,
        key: String,
    ) -> Answer<String> {
        self.count(sizes([&template, &to, &key]).saturating_add(size_of_props(&params)))?;
        let names = self.manifest.grants.notify.as_ref().map(|grant| &grant.templates);
        let allowed = self.granted(names, &template, "[grants.notify] templates").and_then(|()| {
            // A plugin writes to whom the case concerns, never to a number that it names.
            if to == "applicant" { Ok(()) } else { Err(denied("only `applicant` can be told")) }
        });
        let params: std::collections::BTreeMap<_, _> =
            params.into_iter().take(50).map(|prop| (prop.key, prop.value)).collect();
        let arguments = json!([template, to, params, key]);
        let author = key.clone();
        let effect = |id| Effect::SendMessage { id, template, to, params, key };
        self.wish("message.send", &author, &arguments, allowed, effect)
    }
}

impl tongban::express::shipment::Host for Call {
    fn book(
        &mut self,
        kind: String,
        to: String,
        contents: Vec<String>,
        key: String,
    ) -> Answer<String> {
        self.count(sizes([&kind, &to, &key]).saturating_add(sizes(&contents)))?;
        let names = self.manifest.grants.express.as_ref().map(|grant| &grant.kinds);
        let allowed = self.granted(names, &kind, "[grants.express] kinds");
        let arguments = json!([kind, to, contents, key]);
        let author = key.clone();
        let effect = |id| Effect::BookShipment { id, kind, to, contents, key };
        self.wish("shipment.book", &author, &arguments, allowed, effect)
    }
}

impl tongban::files::document::Host for Call {
    fn issue(&mut self, template: String, data: String, key: String) -> Answer<String> {
        self.count(sizes([&template, &data, &key]))?;
        let names = self.manifest.grants.files.as_ref().map(|grant| &grant.templates);
        let parsed = serde_json::from_str::<Value>(&data);
        let allowed = self
            .granted(names, &template, "[grants.files] templates")
            .and_then(|()| parsed.as_ref().map(|_| ()).map_err(|_| denied("the data is no JSON")));
        let arguments = json!([template, data, key]);
        let author = key.clone();
        let effect =
            |id| Effect::IssueDocument { id, template, data: parsed.unwrap_or_default(), key };
        self.wish("document.issue", &author, &arguments, allowed, effect)
    }
}

impl tongban::kit::log::Host for Call {
    fn event(&mut self, level: String, code: String, props: Vec<Prop>) -> wasmtime::Result<()> {
        self.count(sizes([&level, &code]).saturating_add(size_of_props(&props)))?;
        let plugin = self.manifest.id.as_str();
        let code: String = code.chars().filter(|c| !c.is_control()).take(80).collect();
        // The values stay out: a plugin's log must not become the place where personal data lies.
        tracing::info!(plugin, level = level.as_str(), code, props = props.len(), "plugin log");
        Ok(())
    }
}

impl tongban::kit::calendar::Host for Call {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.count(0)?;
        Ok(u64::try_from(self.context.now).unwrap_or(0))
    }

    fn add_working_days(&mut self, at: u64, days: i32) -> wasmtime::Result<u64> {
        self.count(0)?;
        let at = i64::try_from(at).unwrap_or(LAST);
        // Far times and long spans would keep the host counting, or leave what a date can be.
        let (at, days) = (at.clamp(0, LAST), days.clamp(-SPAN, SPAN));
        let day = self.context.calendar.add_working_days(at, days);
        Ok(u64::try_from(day).unwrap_or(0))
    }
}

impl tongban::kit::config::Host for Call {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        self.count(name.len())?;
        let value = self.context.settings.get(&name).cloned();
        self.keep("config.get", &json!([name]), json!(value), true);
        Ok(value)
    }
}
