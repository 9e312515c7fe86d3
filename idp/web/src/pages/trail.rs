//! 谁看过我的数据: the audit trail as the person reads it.

use idp_protocol::client::document::Address;
use idp_store::audit::Shown;
use serde_json::Value;

use super::text::Lang;
use super::times;
use super::view::TrailLine;

/// A line as a page shows it.
pub(crate) fn line(lang: Lang, shown: &Shown) -> TrailLine {
    TrailLine {
        kind: shown.kind.clone(),
        datetime: times::iso(shown.at),
        time: times::local(shown.at),
        title: title_key(&shown.kind).map_or_else(|| shown.kind.clone(), |key| lang.t(key)),
        text: text(lang, shown),
    }
}

fn title_key(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "sign_in" => "trail-sign-in",
        "sign_in_failed" => "trail-sign-in-failed",
        "sign_out" => "trail-sign-out",
        "consent" => "trail-consent",
        "device_allowed" => "trail-device-allowed",
        "ciba_allowed" => "trail-ciba-allowed",
        "consent_withdrawn" => "trail-consent-withdrawn",
        "claims_released" => "trail-claims-released",
        "proofing_raised" => "trail-proofing-raised",
        "registered" => "trail-registered",
        "plugin_call" => "trail-plugin-call",
        "officer_look" => "trail-officer-look",
        "session_ended" => "trail-session-ended",
        "frozen" => "trail-frozen",
        "unfrozen" => "trail-unfrozen",
        "record_changed" => "trail-record-changed",
        "token_reused" => "trail-token-reused",
        "token_exchanged" => "trail-token-exchanged",
        "token_asserted" => "trail-token-asserted",
        "recovered" => "trail-recovered",
        "password_changed" => "trail-password-changed",
        "phone_moved" => "trail-phone-moved",
        _ => return None,
    })
}

/// What the details tell a person: the partner, item or device, and which data.
fn text(lang: Lang, shown: &Shown) -> String {
    let details = &shown.details;
    let told = |key: &str| details.get(key).and_then(Value::as_str);
    // Whose id is an address chose its own name: the host is what others vouch for (attacks row 34).
    let host = told("client").and_then(|id| Address::parse(id).ok());
    let partner = ["name", "client_name"]
        .into_iter()
        .find_map(told)
        .map(|name| super::consent::named(lang, name.to_owned(), host.as_ref().map(Address::host)));
    let other = || ["client", "item", "plugin", "case", "officer"].into_iter().find_map(told);
    let mut parts: Vec<String> =
        partner.or_else(|| other().map(str::to_owned)).into_iter().collect();
    let groups = details.get("groups").or_else(|| details.get("claims"));
    if let Some(groups) = groups.and_then(Value::as_array) {
        let names = groups.iter().filter_map(Value::as_str).map(|group| {
            super::consent::group_keys(group)
                .map_or_else(|| group.to_owned(), |keys| lang.t(keys.0))
        });
        parts.push(names.collect::<Vec<_>>().join(lang.t("list-comma").trim_matches('"')));
    }
    if let Some(device) = details.get("device").and_then(Value::as_str) {
        parts.push(device_name(lang, device));
    }
    if let Some(network) = details.get("network").and_then(Value::as_str) {
        parts.push(network.to_owned());
    }
    parts.retain(|part| !part.is_empty());
    parts.join(" · ")
}

/// A browser and a system out of a `User-Agent`: enough to know one's own.
pub(crate) fn device_name(lang: Lang, agent: &str) -> String {
    let first = |known: &[(&str, &'static str)]| {
        known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    let browser = first(&[
        ("MicroMessenger", "WeChat"),
        ("Edg", "Edge"),
        ("Firefox", "Firefox"),
        ("Chrome", "Chrome"),
        ("Safari", "Safari"),
        ("curl", "curl"),
    ]);
    let system = first(&[
        ("HarmonyOS", "HarmonyOS"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} · {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => lang.t("device-unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_says_who_and_what() {
        let shown = |details| Shown {
            n: 1,
            at: 0,
            kind: "consent".to_owned(),
            actor: "self".to_owned(),
            details,
            hash: String::new(),
        };
        let told =
            line(Lang::Chinese, &shown(json!({ "name": "闽政通", "groups": ["phone", "x"] })));
        assert_eq!(told.text, "闽政通 · 手机号码、x");
        assert_eq!(
            (told.datetime.as_str(), told.time.as_str()),
            ("1970-01-01T00:00:00Z", "1970-01-01 08:00")
        );
        assert_eq!(line(Lang::English, &shown(Value::Null)).text, "");
    }

    #[test]
    fn attack_34_whoever_named_itself_stands_with_its_host() {
        let told = |client: &str| {
            let details = json!({ "client": client, "name": "闽政通", "groups": [] });
            let (kind, actor) = ("consent".to_owned(), "self".to_owned());
            line(Lang::Chinese, &Shown { n: 1, at: 0, kind, actor, details, hash: String::new() })
                .text
        };
        assert_eq!(told("mztong"), "闽政通");
        let published = told("https://evil.example/client.json");
        assert!(published.contains("闽政通") && published.contains("evil.example"), "{published}");
    }

    #[test]
    fn a_device_has_a_short_name() {
        let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36";
        assert_eq!(device_name(Lang::English, agent), "Chrome · Linux");
        assert_eq!(device_name(Lang::English, "<script>"), "Unknown device");
    }
}
