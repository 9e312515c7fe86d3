//! The packets of CMPP 2.0 as a service provider writes and reads them.

use md5::{Digest as _, Md5};

use super::Settings;

pub(super) const CONNECT: u32 = 0x0000_0001;
pub(super) const TERMINATE: u32 = 0x0000_0002;
pub(super) const SUBMIT: u32 = 0x0000_0004;
pub(super) const DELIVER: u32 = 0x0000_0005;
pub(super) const ACTIVE_TEST: u32 = 0x0000_0008;
/// An answer's command is its request's with this bit.
pub(super) const ANSWER: u32 = 0x8000_0000;
/// Bytes of the header: total length, command, sequence.
pub(super) const HEADER: usize = 12;
/// What a gateway sends to us is far below this.
pub(super) const LARGEST: usize = 1024;

/// UCS-2 units of a message, and of a part of a long one whose first six bytes are its header.
const WHOLE: usize = 70;
const PART: usize = 67;

pub(super) fn bytes(command: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let total = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    for number in [total, command, sequence] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes.extend_from_slice(body);
    bytes
}

/// Length of the body, command and sequence of a header; none if the length cannot be.
pub(super) fn header(bytes: &[u8; HEADER]) -> Option<(usize, u32, u32)> {
    let (numbers, _) = bytes.as_chunks::<4>();
    let [total, command, sequence] = numbers else { return None };
    let length = (u32::from_be_bytes(*total) as usize).checked_sub(HEADER)?;
    let numbers = (u32::from_be_bytes(*command), u32::from_be_bytes(*sequence));
    (length <= LARGEST).then_some((length, numbers.0, numbers.1))
}

fn padded(text: &str, width: usize) -> Vec<u8> {
    let mut field = text.as_bytes().to_vec();
    field.resize(width, 0);
    field
}

/// MMDDHHMMSS in Beijing, as CONNECT's timestamp wants it.
fn timestamp(now: i64) -> u32 {
    // Civil date from days (the usual arithmetic on a calendar that begins in March).
    let seconds = now.div_euclid(1000) + 8 * 3600;
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let day_of_era = (days + 719_468).rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let text = format!("{month:02}{day:02}{hour:02}{minute:02}{second:02}");
    text.parse().unwrap_or_default()
}

/// CMPP_CONNECT and its `AuthenticatorSource`.
pub(super) fn connect(settings: &Settings, now: i64) -> (Vec<u8>, [u8; 16]) {
    let timestamp = timestamp(now);
    let mut digest = Md5::new();
    digest.update(settings.source.as_bytes());
    digest.update([0; 9]);
    digest.update(settings.secret.as_bytes());
    digest.update(format!("{timestamp:010}").as_bytes());
    let authenticator: [u8; 16] = digest.finalize().into();
    let mut body = padded(&settings.source, 6);
    body.extend_from_slice(&authenticator);
    body.push(0x20); // Version 2.0.
    body.extend_from_slice(&timestamp.to_be_bytes());
    (body, authenticator)
}

/// The status of CMPP_CONNECT_RESP; none if the gateway does not know the secret either.
pub(super) fn connected(body: &[u8], authenticator: &[u8; 16], secret: &str) -> Option<u8> {
    let (status, rest) = body.split_first()?;
    if *status != 0 {
        return Some(*status);
    }
    let mut digest = Md5::new();
    digest.update([*status]);
    digest.update(authenticator);
    digest.update(secret.as_bytes());
    (rest.get(..16)? == digest.finalize().as_slice()).then_some(0)
}

/// One packet's worth of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    total: u8,
    number: u8,
    header: bool,
    content: Vec<u8>,
}

/// Cuts a text into packets, never inside a surrogate pair. `reference` tells long messages apart.
pub(super) fn parts(units: &[u16], reference: u32) -> Vec<Part> {
    let big_endian = |units: &[u16]| units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    if units.len() <= WHOLE {
        let whole = Part { total: 1, number: 1, header: false, content: big_endian(units) };
        return if units.is_empty() { Vec::new() } else { vec![whole] };
    }
    let mut cuts = Vec::new();
    let mut rest = units;
    while !rest.is_empty() {
        let mut end = rest.len().min(PART);
        if end < rest.len() && rest.get(end - 1).is_some_and(|unit| (0xd800..0xdc00).contains(unit))
        {
            end -= 1;
        }
        let (cut, after) = rest.split_at(end);
        cuts.push(cut);
        rest = after;
    }
    let Ok(total) = u8::try_from(cuts.len()) else { return Vec::new() };
    let reference = reference.to_be_bytes()[3];
    (1..=total)
        .zip(cuts)
        .map(|(number, cut)| {
            // GSM 03.40 §9.2.3.24.1: concatenated message with an 8-bit reference.
            let mut content = vec![5, 0, 3, reference, total, number];
            content.extend::<Vec<u8>>(big_endian(cut));
            Part { total, number, header: true, content }
        })
        .collect()
}

/// CMPP_SUBMIT to one phone, with a receipt asked for.
pub(super) fn submit(settings: &Settings, phone: &str, part: &Part) -> Vec<u8> {
    let mut body = vec![0; 8]; // Msg_Id, the gateway's to fill.
    body.extend([part.total, part.number]);
    body.push(1); // Registered_Delivery.
    body.push(5); // Msg_level.
    body.extend(padded("", 10)); // Service_Id.
    body.push(2); // Fee_UserType: the service provider pays.
    body.extend(padded("", 21)); // Fee_terminal_Id.
    body.push(0); // TP_pId.
    body.push(u8::from(part.header)); // TP_udhi.
    body.push(8); // Msg_Fmt: UCS-2.
    body.extend(padded(&settings.source, 6)); // Msg_src.
    body.extend(padded("01", 2)); // FeeType: free of charge for the receiver.
    body.extend(padded("", 6)); // FeeCode.
    body.extend(padded("", 17)); // ValId_Time.
    body.extend(padded("", 17)); // At_Time.
    body.extend(padded(&settings.sender, 21)); // Src_Id.
    body.push(1); // DestUsr_tl.
    body.extend(padded(phone, 21));
    body.push(u8::try_from(part.content.len()).unwrap_or(u8::MAX));
    body.extend_from_slice(&part.content);
    body.extend([0; 8]); // Reserve.
    body
}

/// Message id and result of CMPP_SUBMIT_RESP.
pub(super) fn submitted(body: &[u8]) -> Option<(u64, u8)> {
    let (id, rest) = body.split_at_checked(8)?;
    let [result] = rest else { return None };
    Some((u64::from_be_bytes(id.try_into().ok()?), *result))
}

/// Message id, and the state if it is a receipt, of CMPP_DELIVER.
pub(super) fn delivered(body: &[u8]) -> Option<([u8; 8], Option<String>)> {
    let id: [u8; 8] = body.get(..8)?.try_into().ok()?;
    // 8 id, 21 destination, 10 service, 3 formats, 21 source: then Registered_Delivery.
    if body.get(63)? != &1 {
        return Some((id, None));
    }
    let state = String::from_utf8_lossy(body.get(73..80)?).trim_end_matches('\0').to_owned();
    Some((id, Some(state)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_timestamp_is_the_minute_in_beijing() {
        assert_eq!(timestamp(0), 101_080_000); // 1970-01-01 08:00:00
        assert_eq!(timestamp(951_782_399_000), 229_075_959); // 2000-02-29 07:59:59
        assert_eq!(timestamp(1_798_732_799_000), 1_231_235_959); // 2026-12-31 23:59:59
    }

    #[test]
    fn seventy_characters_are_one_packet_and_seventy_one_are_two() {
        let text = |n: usize| "通".repeat(n).encode_utf16().collect::<Vec<_>>();
        assert_eq!(parts(&text(70), 1).len(), 1);
        assert_eq!(parts(&text(71), 1).len(), 2);
        assert!(parts(&[], 1).is_empty());
    }

    proptest! {
        #[test]
        fn parts_join_to_the_text_and_each_fits(text in "[a-z通办𠮷😀]{1,400}", reference: u32) {
            let units: Vec<u16> = text.encode_utf16().collect();
            let parts = parts(&units, reference);
            let mut joined = Vec::new();
            for part in &parts {
                prop_assert!(part.content.len() <= 140);
                let body = part.content.get(if part.header { 6 } else { 0 }..).unwrap();
                let own: Vec<u16> =
                    body.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
                prop_assert!(String::from_utf16(&own).is_ok(), "cut inside a character");
                joined.extend(own);
            }
            prop_assert_eq!(joined, units);
        }

        #[test]
        fn bytes_of_strangers_never_panic(bytes: Vec<u8>) {
            let _ = submitted(&bytes);
            let _ = delivered(&bytes);
            let _ = connected(&bytes, &[0; 16], "s");
        }
    }
}
