//! Which tries are counted against what (attacks rows 27, 28, 30).

use idp_store::throttle::Limit;

use crate::state::State;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// Codes that one network may ask for in an hour, over all phones: a block of flats behind one
/// address has to get through, a pump of messages (attacks row 28) has not.
const CODES_PER_NETWORK: i64 = 120;
/// Comparisons with the register for one number in a day (attacks row 30).
const MATCHES_PER_NUMBER: i64 = 20;
/// Wrong passwords for one account in an hour from devices that it does not know, over all
/// networks: a guess spread over many networks is stopped here, while the person's own devices
/// and the way by SMS stay open (attacks row 27).
const STRANGERS_PER_ACCOUNT: i64 = 100;
/// Wrong passwords in a minute over all accounts from devices that are not known (stuffing).
const STRANGERS: i64 = 3_000;

/// Sign-in with a password: who is tried, from where, and whether the device is known there.
pub(crate) fn signin(
    state: &State,
    identifier: &str,
    network: &str,
    device: Option<&str>,
) -> Vec<Limit> {
    let limits = &state.settings.limits;
    let (tries, window) = (i64::from(limits.signin_failures_per_account), limits.signin_window_ms);
    if let Some(device) = device {
        // A known device is counted by itself: strangers cannot shut it out.
        let subject = format!("{identifier} {device}");
        return vec![Limit { scope: "signin.device", subject, tries, window }];
    }
    vec![
        Limit {
            scope: "signin.account",
            subject: format!("{identifier} {network}"),
            tries,
            window,
        },
        Limit {
            scope: "signin.network",
            subject: network.to_owned(),
            tries: i64::from(limits.signin_failures_per_network),
            window,
        },
        Limit {
            scope: "signin.strangers",
            subject: identifier.to_owned(),
            tries: STRANGERS_PER_ACCOUNT,
            window: HOUR,
        },
        Limit { scope: "signin.all", subject: String::new(), tries: STRANGERS, window: 60_000 },
    ]
}

/// Sending a one-time code.
pub(crate) fn code(state: &State, phone: &str, network: &str) -> Vec<Limit> {
    let limits = &state.settings.limits;
    vec![
        Limit {
            scope: "code.phone",
            subject: phone.to_owned(),
            tries: i64::from(limits.codes_per_phone_per_hour),
            window: HOUR,
        },
        Limit {
            scope: "code.network",
            subject: network.to_owned(),
            tries: CODES_PER_NETWORK,
            window: HOUR,
        },
        Limit {
            scope: "code.all",
            subject: String::new(),
            tries: i64::from(limits.codes_per_day),
            window: DAY,
        },
    ]
}

/// Authorization requests, each of which is kept until it is answered or expires (attacks row 42).
/// Whoever is behind one address shares it: hundreds of people may, a flood may not.
pub(crate) fn authorization(state: &State, network: &str) -> Option<Limit> {
    let tries = i64::from(state.settings.limits.authorizations_per_network_per_minute);
    let subject = network.to_owned();
    (tries > 0).then_some(Limit { scope: "authorize.network", subject, tries, window: 60_000 })
}

/// Registrations of partners, and changes of them: each is a row, and may make us fetch.
pub(crate) fn registration(state: &State, network: &str) -> Option<Limit> {
    let tries = i64::from(state.settings.limits.registrations_per_network_per_minute);
    let subject = network.to_owned();
    (tries > 0).then_some(Limit { scope: "register.network", subject, tries, window: 60_000 })
}

/// Device authorizations of one network in a minute: each is a row until it expires.
const DEVICES_PER_NETWORK: i64 = 120;
/// Wrong user codes of one network in a quarter of an hour.
const USER_CODES_PER_NETWORK: i64 = 30;
/// Wrong user codes in an hour over all networks. With ten thousand codes alive at once, who tries
/// them all up meets one of theirs once in a thousand hours (RFC 8628 §5.1; attacks row 32).
const USER_CODES: i64 = 3_000;

/// A device that asks for a code.
pub(crate) fn device(network: &str) -> Limit {
    Limit {
        scope: "device.network",
        subject: network.to_owned(),
        tries: DEVICES_PER_NETWORK,
        window: 60_000,
    }
}

/// A person, or somebody else, who types a code.
pub(crate) fn user_code(network: &str) -> Vec<Limit> {
    vec![
        Limit {
            scope: "user_code.network",
            subject: network.to_owned(),
            tries: USER_CODES_PER_NETWORK,
            window: HOUR / 4,
        },
        Limit { scope: "user_code.all", subject: String::new(), tries: USER_CODES, window: HOUR },
    ]
}

/// Requests over the back channel that one person is shown in an hour (attacks row 33).
const BACKCHANNEL_SHOWN: i64 = 120;
/// Messages about them to one person in an hour: whoever is called too often allows in the end.
const BACKCHANNEL_TOLD: i64 = 5;

/// What a person is shown, and what they are told of by message.
pub(crate) fn backchannel(person: &str) -> [Limit; 2] {
    let limit = |scope, tries| Limit { scope, subject: person.to_owned(), tries, window: HOUR };
    [limit("ciba.shown", BACKCHANNEL_SHOWN), limit("ciba.told", BACKCHANNEL_TOLD)]
}

/// Comparing a person with the register.
pub(crate) fn matching(state: &State, number: &str, network: &str) -> Vec<Limit> {
    let limits = &state.settings.limits;
    vec![
        Limit {
            scope: "match.network",
            subject: network.to_owned(),
            tries: i64::from(limits.register_matches_per_network_per_hour),
            window: HOUR,
        },
        Limit {
            scope: "match.number",
            subject: number.to_owned(),
            tries: MATCHES_PER_NUMBER,
            window: DAY,
        },
    ]
}
