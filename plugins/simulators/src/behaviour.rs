//! How a simulator behaves: well, or as badly as counterparts do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nothing.
    Ok,
    /// It does what it is asked and answers late.
    Slow,
    /// It does nothing and answers 503.
    Down,
    /// It refuses for a reason of its own.
    Refuse,
    /// What it sends by itself comes twice.
    Duplicate,
    /// What it sends by itself comes late.
    Late,
    /// It does what it is asked and answers nonsense.
    Garble,
    /// It says, well formed and signed, what is not so.
    Lie,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Slow,
        Self::Down,
        Self::Refuse,
        Self::Duplicate,
        Self::Late,
        Self::Garble,
        Self::Lie,
    ];
}

/// A behaviour as it is set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What is wrong.
    pub mode: Mode,
    /// For `slow` and `late`, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// How many requests it holds for; without it, until another is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Only requests whose fields have these values.
    #[serde(default, rename = "match", skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Value>,
}

/// What to do with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Act {
    /// What is wrong.
    pub mode: Mode,
    /// How late.
    pub delay: Duration,
}

impl Act {
    /// The answer as the journal has it: what left, not what should have left.
    #[must_use]
    pub fn journaled(self, answer: &Value) -> Value {
        if self.mode == Mode::Garble { Value::from("garbled") } else { answer.clone() }
    }

    /// Waits as long as `slow` says; the other modes answer at once.
    pub async fn wait(self) {
        if self.mode == Mode::Slow {
            tokio::time::sleep(self.delay).await;
        }
    }
}

/// The behaviours that are set, the newest first to match. Clones share them.
#[derive(Clone, Default)]
pub struct Behaviours(Arc<Mutex<Vec<Rule>>>);

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Behaviours {
    /// Sets a behaviour. One for the same requests is replaced; `ok` for all requests clears all.
    pub fn set(&self, rule: Rule) {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rule.mode == Mode::Ok && rule.fields.is_empty() {
            rules.clear();
            return;
        }
        rules.retain(|known| known.fields != rule.fields);
        // For no request at all: nothing is set.
        if rule.count != Some(0) {
            rules.push(rule);
        }
    }

    /// What is set.
    #[must_use]
    pub fn rules(&self) -> Vec<Rule> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What to do with a request of these fields; counts it.
    #[must_use]
    pub fn act(&self, fields: &BTreeMap<String, String>) -> Act {
        self.act_among(fields, &Mode::ALL)
    }

    /// The same for something that only these modes can spoil: the others are not counted.
    #[must_use]
    pub fn act_among(&self, fields: &BTreeMap<String, String>, modes: &[Mode]) -> Act {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |rule: &Rule| {
            modes.contains(&rule.mode)
                && rule.fields.iter().all(|(name, value)| fields.get(name) == Some(&text(value)))
        };
        let Some(at) = rules.iter().rposition(fits) else {
            return Act { mode: Mode::Ok, delay: Duration::ZERO };
        };
        let mut act = Act { mode: Mode::Ok, delay: Duration::ZERO };
        if let Some(rule) = rules.get_mut(at) {
            act = Act {
                mode: rule.mode,
                delay: Duration::from_millis(rule.delay_ms.unwrap_or(3000).min(600_000)),
            };
            rule.count = rule.count.map(|left| left.saturating_sub(1));
        }
        rules.retain(|rule| rule.count != Some(0));
        act
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn set(behaviours: &Behaviours, rule: Value) {
        behaviours.set(serde_json::from_value(rule).unwrap());
    }

    #[test]
    fn a_behaviour_counts_down_matches_and_is_cleared() {
        let behaviours = Behaviours::default();
        set(&behaviours, json!({"mode": "down", "count": 2}));
        set(&behaviours, json!({"mode": "slow", "delay_ms": 5, "match": {"orderId": "1", "n": 7}}));
        let notices = [Mode::Duplicate, Mode::Late];
        assert_eq!(behaviours.act_among(&fields(&[]), &notices).mode, Mode::Ok, "and not counted");
        let slow = behaviours.act(&fields(&[("orderId", "1"), ("n", "7")]));
        assert_eq!(slow, Act { mode: Mode::Slow, delay: Duration::from_millis(5) });
        for mode in [Mode::Down, Mode::Down, Mode::Ok] {
            assert_eq!(behaviours.act(&fields(&[("orderId", "2")])).mode, mode);
        }
        set(&behaviours, json!({"mode": "down", "count": 0}));
        assert_eq!(behaviours.act(&fields(&[])).mode, Mode::Ok, "for no request");
        set(&behaviours, json!({"mode": "ok"}));
        assert!(behaviours.rules().is_empty());
        assert!(serde_json::from_value::<Rule>(json!({"mode": "odd"})).is_err());
        assert!(serde_json::from_value::<Rule>(json!({"mode": "ok", "delay": 1})).is_err());
    }
}
