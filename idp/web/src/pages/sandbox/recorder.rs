//! What was seen of the sandbox's clients: in memory, bounded, without a usable secret in it.

use std::collections::{HashMap, VecDeque};

use idp_domain::ambient;

/// Clients that are watched; beyond, the one that was quiet longest is forgotten.
const MOST_CLIENTS: usize = 200;
/// Events of a client.
const MOST_EVENTS: usize = 40;
/// Flows, pushed requests and codes of a client that later requests are compared with.
const MOST_ASKED: usize = 20;

/// A name and what stood beside it, as a page may show it.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) value: String,
}

/// How a token's signature stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signature {
    Good,
    Bad,
    /// Sealed: only its reader can open it.
    Sealed,
}

/// A token, without its signature.
#[derive(Debug, Clone)]
pub(super) struct Decoded {
    pub(super) name: String,
    pub(super) header: String,
    pub(super) claims: String,
    pub(super) signature: Signature,
}

/// Why a request failed, as only the sandbox says it: the key of a sentence, and what goes into it.
#[derive(Debug, Clone)]
pub(super) struct Cause {
    pub(super) key: &'static str,
    pub(super) args: Vec<(&'static str, String)>,
}

/// A request and its answer.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// Milliseconds UTC.
    pub(super) at: i64,
    /// Key of its title.
    pub(super) title: &'static str,
    /// Method and path.
    pub(super) request: String,
    pub(super) status: u16,
    pub(super) sent: Vec<Line>,
    pub(super) answered: Vec<Line>,
    pub(super) tokens: Vec<Decoded>,
    pub(super) cause: Option<Cause>,
}

/// What an authorization request said that its token request is compared with.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) redirect_uri: Option<String>,
    pub(super) challenge: Option<String>,
}

/// A code that was given out.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    /// Milliseconds UTC.
    pub(super) at: i64,
    /// When it was redeemed.
    pub(super) used_at: Option<i64>,
    pub(super) asked: Asked,
}

/// A sign-in that the console began as its client.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

#[derive(Default)]
struct Ring {
    events: VecDeque<Event>,
    /// By flow, by pushed request, by the digest of a code.
    asked: VecDeque<(String, Asked)>,
    codes: VecDeque<(String, Issued)>,
    attempt: Option<Attempt>,
    /// Its secret was not shown yet.
    fresh: bool,
    touched: u64,
}

/// All of it.
#[derive(Default)]
pub(super) struct Recorder {
    rings: HashMap<String, Ring>,
    /// Which client a flow is of.
    flows: VecDeque<(String, String)>,
    turn: u64,
}

fn push<T>(queue: &mut VecDeque<T>, most: usize, item: T) {
    if queue.len() >= most {
        queue.pop_front();
    }
    queue.push_back(item);
}

impl Recorder {
    fn ring(&mut self, client: &str) -> Option<&mut Ring> {
        self.turn += 1;
        let ring = self.rings.get_mut(client)?;
        ring.touched = self.turn;
        Some(ring)
    }

    /// From now on a client is watched. Nobody but the console says so: what others send in the name
    /// of clients that it does not know leaves nothing here.
    pub(super) fn watch(&mut self, client: &str) {
        if self.ring(client).is_some() {
            return;
        }
        if self.rings.len() >= MOST_CLIENTS {
            let quiet = self.rings.iter().min_by_key(|(_, ring)| ring.touched);
            if let Some(quiet) = quiet.map(|(client, _)| client.clone()) {
                self.rings.remove(&quiet);
            }
        }
        let ring = Ring { touched: self.turn, ..Ring::default() };
        self.rings.insert(client.to_owned(), ring);
    }

    pub(super) fn watches_somebody(&self) -> bool {
        !self.rings.is_empty()
    }

    pub(super) fn watches(&self, client: &str) -> bool {
        self.rings.contains_key(client)
    }

    pub(super) fn forget(&mut self, client: &str) {
        self.rings.remove(client);
    }

    pub(super) fn clear(&mut self, client: &str) {
        if let Some(ring) = self.ring(client) {
            ring.events.clear();
        }
    }

    pub(super) fn add(&mut self, client: &str, event: Event) {
        if let Some(ring) = self.ring(client) {
            push(&mut ring.events, MOST_EVENTS, event);
        }
    }

    /// A client's events, newest first.
    pub(super) fn events(&self, client: &str) -> Vec<Event> {
        let ring = self.rings.get(client);
        ring.map(|ring| ring.events.iter().rev().cloned().collect()).unwrap_or_default()
    }

    pub(super) fn ask(&mut self, client: &str, under: &str, asked: Asked) {
        if let Some(ring) = self.ring(client) {
            push(&mut ring.asked, MOST_ASKED, (under.to_owned(), asked));
        }
    }

    pub(super) fn asked(&self, client: &str, under: &str) -> Option<Asked> {
        let mut asked = self.rings.get(client)?.asked.iter();
        asked.find(|(known, _)| known == under).map(|(_, asked)| asked.clone())
    }

    pub(super) fn begin_flow(&mut self, flow: &str, client: &str) {
        let most = MOST_CLIENTS * MOST_ASKED;
        push(&mut self.flows, most, (flow.to_owned(), client.to_owned()));
    }

    pub(super) fn flow(&self, flow: &str) -> Option<String> {
        let mut flows = self.flows.iter();
        flows.find(|(known, _)| known == flow).map(|(_, client)| client.clone())
    }

    pub(super) fn issue(&mut self, client: &str, code: &str, issued: Issued) {
        if let Some(ring) = self.ring(client) {
            push(&mut ring.codes, MOST_ASKED, (ambient::hash(code), issued));
        }
    }

    pub(super) fn issued(&self, client: &str, code: &str) -> Option<Issued> {
        let digest = ambient::hash(code);
        let mut codes = self.rings.get(client)?.codes.iter();
        codes.find(|(known, _)| *known == digest).map(|(_, issued)| issued.clone())
    }

    pub(super) fn redeem(&mut self, client: &str, code: &str, at: i64) {
        let digest = ambient::hash(code);
        let codes = self.ring(client).map(|ring| &mut ring.codes);
        let found = codes.and_then(|codes| codes.iter_mut().find(|(known, _)| *known == digest));
        if let Some((_, issued)) = found {
            issued.used_at = Some(at);
        }
    }

    pub(super) fn attempt(&mut self, client: &str, attempt: Attempt) {
        if let Some(ring) = self.ring(client) {
            ring.attempt = Some(attempt);
        }
    }

    /// The attempt that began with `state`, once, if it is of this client.
    pub(super) fn take_attempt(&mut self, client: &str, state: &str) -> Option<Attempt> {
        let ring = self.ring(client)?;
        ring.attempt.take_if(|attempt| attempt.state == state)
    }

    /// A client was registered just now: its secret is shown once.
    pub(super) fn registered(&mut self, client: &str) {
        self.watch(client);
        if let Some(ring) = self.ring(client) {
            ring.fresh = true;
        }
    }

    /// Whether its secret is to be shown; never again.
    pub(super) fn first_look(&mut self, client: &str) -> bool {
        self.ring(client).is_some_and(|ring| std::mem::take(&mut ring.fresh))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event {
            at: 0,
            title: "",
            request: String::new(),
            status: 200,
            sent: Vec::new(),
            answered: Vec::new(),
            tokens: Vec::new(),
            cause: None,
        }
    }

    #[test]
    fn attack_42_what_the_sandbox_remembers_is_bounded() {
        let mut recorder = Recorder::default();
        recorder.add("nobody", event());
        assert!(recorder.events("nobody").is_empty());
        for n in 0..MOST_CLIENTS + 5 {
            recorder.watch(&n.to_string());
        }
        assert_eq!(recorder.rings.len(), MOST_CLIENTS);
        assert!(!recorder.watches("0") && recorder.watches("5"));
        for _ in 0..MOST_EVENTS + 5 {
            recorder.add("5", event());
            recorder.issue("5", "c", Issued { at: 0, used_at: None, asked: Asked::default() });
            recorder.ask("5", "f", Asked::default());
        }
        assert_eq!(recorder.events("5").len(), MOST_EVENTS);
        let ring = &recorder.rings["5"];
        assert_eq!((ring.codes.len(), ring.asked.len()), (MOST_ASKED, MOST_ASKED));
    }
}
