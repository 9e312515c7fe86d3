//! Networks by their addresses: which are the operator's own, and which nobody may send us to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Addresses that begin alike (CIDR, RFC 4632), such as `10.0.0.0/8`; a lone address is a block of
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// IPv4 as the addresses that are mapped into IPv6 (RFC 4291 §2.5.5.2).
    base: u128,
    bits: u32,
}

impl Block {
    /// Whether an address begins like it; mapped ones count as what they map.
    #[must_use]
    pub fn has(self, address: IpAddr) -> bool {
        let shift = 128 - self.bits;
        let cut = |bits: u128| bits.checked_shr(shift).unwrap_or(0);
        cut(wide(address)) == cut(self.base)
    }
}

fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => four.to_ipv6_mapped().to_bits(),
        IpAddr::V6(six) => six.to_bits(),
    }
}

/// A text that is no block of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no block of addresses\nhint: write it like 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32"
)]
pub struct NoBlock;

impl FromStr for Block {
    type Err = NoBlock;

    fn from_str(text: &str) -> Result<Self, NoBlock> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().map_err(|_| NoBlock)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NoBlock)?;
        let own = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(own);
        if bits > own {
            return Err(NoBlock);
        }
        Ok(Self { base: wide(address), bits: 128 - own + bits })
    }
}

/// Blocks of IPv4 that are not the public network (the IANA registry of special-purpose addresses,
/// RFC 6890), multicast (RFC 5771) and the rest of the reserved ones (RFC 1112 §4).
const SPECIAL_4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Blocks within the global unicast addresses of IPv6 that are not the public network: protocol
/// assignments with Teredo (RFC 2928, RFC 4380), documentation (RFC 3849, RFC 9637), 6to4
/// (RFC 7526), which carries any IPv4 address in itself.
const SPECIAL_6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address is something else than a host of the public network: loopback, private,
/// link-local, multicast, reserved. Addresses that carry an IPv4 one (mapped, RFC 4291 §2.5.5.2;
/// translated, RFC 6052 §2.1) are what they carry.
#[must_use]
pub fn is_special(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(four) => SPECIAL_4.iter().any(|(base, bits)| {
            let shift = 32 - bits;
            four.to_bits() >> shift == base.to_bits() >> shift
        }),
        IpAddr::V6(six) => {
            let bits = six.to_bits();
            // RFC 6052 §2.1: 64:ff9b::/96.
            if bits >> 32 == 0x0064_ff9b_0000_0000_0000_0000 {
                return is_special(Ipv4Addr::from_bits((bits & 0xffff_ffff) as u32).into());
            }
            // RFC 4291 §2.4: everything global that is in use lies in 2000::/3.
            bits >> 125 != 1
                || SPECIAL_6.iter().any(|(base, length)| {
                    let shift = 128 - length;
                    bits >> shift == base.to_bits() >> shift
                })
        }
    }
}

/// Whether an address may be called: one of the public network, or of a block that the operator
/// opened.
#[must_use]
pub fn may_be_called(address: IpAddr, allow: &[Block]) -> bool {
    !is_special(address) || allow.iter().any(|block| block.has(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_holds_what_begins_like_it() {
        let has = |block: &str, address: &str| {
            block.parse::<Block>().unwrap().has(address.parse().unwrap())
        };
        assert!(has("10.0.0.0/8", "10.255.0.1") && !has("10.0.0.0/8", "11.0.0.1"));
        assert!(has("192.0.2.7", "192.0.2.7") && !has("192.0.2.7", "192.0.2.6"));
        assert!(has("2001:db8::/32", "2001:db8:ffff::1") && !has("2001:db8::/32", "2001:db9::1"));
        assert!(has("0.0.0.0/0", "203.0.113.9") && !has("0.0.0.0/0", "2001:db8::1"));
        assert!(has("::/0", "2001:db8::1"));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "example.org", "10.0.0.0/-1"] {
            assert_eq!(wrong.parse::<Block>(), Err(NoBlock), "{wrong}");
        }
    }

    #[test]
    fn attack_17_special_use_addresses_are_known_in_each_disguise() {
        for special in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.254",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.170",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:1::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(is_special(special.parse().unwrap()), "{special}");
        }
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2001:4860:4860::8888",
            "2400:3200::1",
            "2606:4700::1111",
        ] {
            assert!(!is_special(public.parse().unwrap()), "{public}");
        }
    }
}
