//! Networks and flows as people write them.
//!
//! In: text from operators, configuration and lists. Out: canonical values, or an error that names the mend. Never here:
//! comments, columns and the rest of what lists contain (that is `lists`), guesses at what was meant.
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use enforcer_common::{Address, FlowKey, Prefix};

/// Why a text is not an address or a network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PrefixError {
    /// What follows the slash is no plain number.
    #[error("the length after / is not a plain number: write it like /24, without signs, leading zeros or a netmask")]
    Length,
    /// The length is past the family's width.
    #[error("the length after / is too long: the longest is /{maximum} here")]
    LengthTooLong {
        /// The width of the family.
        maximum: u8,
    },
    /// No address.
    #[error("not an address: write IPv4 like 203.0.113.7 or 203.0.113.0/24, IPv6 like 2001:db8::7 or 2001:db8::/32")]
    NotAnAddress,
    /// An IPv6 address with an interface.
    #[error("an address with an interface (%...) names nobody from outside: leave out the % and what follows")]
    Zone,
}

/// Why a text is not a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FlowError {
    /// Not an address and a port.
    #[error("the {side} is not an address and port: write 203.0.113.7:5555, or [2001:db8::7]:5555 for IPv6")]
    End {
        /// `source` or `destination`.
        side: &'static str,
    },
    /// One end is IPv4, the other IPv6.
    #[error("source and destination are of different families: give both as IPv4 or both as IPv6")]
    Families,
    /// Neither a known protocol nor a number.
    #[error("unknown protocol: write tcp, udp or an IANA protocol number up to 255")]
    Protocol,
    /// Not the three parts of a flow.
    #[error("not a flow: write it like `tcp 203.0.113.7:5555 > 10.0.0.1:80`, client first")]
    Shape,
}

/// Reads an address or a network; bits past the length are cleared, and IPv4-mapped IPv6 is IPv4.
pub fn parse_prefix(text: &str) -> Result<Prefix, PrefixError> {
    network(text).map(|network| network.prefix)
}

/// Reads a flow as [`FlowText`] writes it.
pub fn parse_flow(text: &str) -> Result<FlowKey, FlowError> {
    let (client, server) = text.split_once('>').ok_or(FlowError::Shape)?;
    let (name, source) = client.trim().split_once(char::is_whitespace).ok_or(FlowError::Shape)?;
    let protocol = protocol(name).ok_or(FlowError::Protocol)?;
    let (source, source_port) = end(source).ok_or(FlowError::End { side: "source" })?;
    let (destination, destination_port) = end(server).ok_or(FlowError::End { side: "destination" })?;
    if source.is_v4() != destination.is_v4() {
        return Err(FlowError::Families);
    }
    Ok(FlowKey::new(source, source_port, destination, destination_port, protocol))
}

/// A flow for people: `tcp 203.0.113.7:5555 > 10.0.0.1:80`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowText(pub FlowKey);

impl fmt::Display for FlowText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.0;
        let source = SocketAddr::new(key.source().into(), key.source_port());
        let destination = SocketAddr::new(key.destination().into(), key.destination_port());
        match PROTOCOLS.iter().find(|(_, number)| *number == key.protocol()) {
            Some((name, _)) => write!(f, "{name} {source} > {destination}"),
            None => write!(f, "{} {source} > {destination}", key.protocol()),
        }
    }
}

const PROTOCOLS: [(&str, u8); 2] = [("tcp", 6), ("udp", 17)];

fn protocol(name: &str) -> Option<u8> {
    match PROTOCOLS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)) {
        Some((_, number)) => Some(*number),
        None => decimal(name.as_bytes()),
    }
}

/// One end of a flow.
fn end(text: &str) -> Option<(Address, u16)> {
    let end: SocketAddr = text.trim().parse().ok()?;
    match end {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => None,
        SocketAddr::V4(_) | SocketAddr::V6(_) => Some((IpAddr::into(end.ip()), end.port())),
    }
}

/// A network, and what had to be done to make it one.
#[derive(Clone, Copy)]
pub(crate) struct Network {
    /// The network.
    pub(crate) prefix: Prefix,
    /// Bits past the length were set, and were cleared.
    pub(crate) cleared: bool,
}

/// Reads an address or a network.
pub(crate) fn network(text: &str) -> Result<Network, PrefixError> {
    if let Some((address, rest)) = v4(text.as_bytes()) {
        return sized(address, rest, 32);
    }
    let (address, length) = text.split_at(text.find('/').unwrap_or(text.len()));
    if address.contains('%') {
        return Err(PrefixError::Zone);
    }
    let Some(v6) = v6(address.as_bytes()).or_else(|| address.parse().ok()) else {
        return Err(PrefixError::NotAnAddress);
    };
    sized(Address::v6(v6.octets()), length.as_bytes(), 128)
}

/// `address` with what follows it in the text: nothing, or a slash and a length of at most `width`.
fn sized(address: Address, rest: &[u8], width: u8) -> Result<Network, PrefixError> {
    let length = match rest {
        [] => width,
        [b'/', digits @ ..] => match decimal(digits) {
            Some(length) if length <= width => length,
            None if digits.is_empty() || digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) => {
                return Err(PrefixError::Length);
            }
            None if digits[0] == b'0' => return Err(PrefixError::Length),
            Some(_) | None => return Err(PrefixError::LengthTooLong { maximum: width }),
        },
        _ => return Err(PrefixError::NotAnAddress),
    };
    let prefix = Prefix::new(address, 128 - width + length);
    Ok(Network { prefix, cleared: prefix.address() != address })
}

/// Reads a dotted quad from the front: the address, and what follows it. Same rules as `std`, and one pass: lists have
/// millions of these.
fn v4(text: &[u8]) -> Option<(Address, &[u8])> {
    let mut octets = [0; 4];
    let mut at = 0;
    for (place, octet) in octets.iter_mut().enumerate() {
        if place > 0 {
            if text.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
        let first = at;
        let mut number = 0;
        while let Some(digit) = text.get(at).copied().and_then(digit) {
            number = number * 10 + digit;
            at += 1;
            if number > 255 || (digit == number && at > first + 1) {
                return None;
            }
        }
        if at == first {
            return None;
        }
        *octet = u8::try_from(number).ok()?;
    }
    Some((Address::v4(octets), text.get(at..)?))
}

/// Reads the forms of IPv6 that lists are full of: groups, and one gap at most. The rest (IPv4 at the end) and all errors are
/// left to `std`, which looks for IPv4 at every group.
fn v6(text: &[u8]) -> Option<Ipv6Addr> {
    let (mut groups, mut count, mut gap) = ([0_u16; 8], 0, None);
    let mut rest = text;
    if let Some(after) = rest.strip_prefix(b"::") {
        (gap, rest) = (Some(0), after);
    }
    while !rest.is_empty() {
        let (group, after) = group(rest)?;
        *groups.get_mut(count)? = group;
        count += 1;
        rest = match after {
            [] => break,
            [b':', b':', after @ ..] if gap.is_none() => {
                gap = Some(count);
                after
            }
            [b':', after @ ..] if !after.is_empty() => after,
            _ => return None,
        };
    }
    let missing = groups.len() - count;
    match gap {
        None if missing == 0 => {}
        Some(at) if missing > 0 => groups[at..].rotate_right(missing),
        None | Some(_) => return None,
    }
    Some(Ipv6Addr::from(groups))
}

/// One to four hexadecimal digits from the front, and what follows them.
fn group(text: &[u8]) -> Option<(u16, &[u8])> {
    let digits = text.iter().take(4).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (group, rest) = text.split_at(digits);
    let value = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or(0);
    let number = group.iter().fold(0, |number, byte| number << 4 | value(byte));
    Some((u16::try_from(number).ok()?, rest)).filter(|_| digits > 0)
}

/// A number up to 255 in plain digits, without leading zeros.
fn decimal(digits: &[u8]) -> Option<u8> {
    let number = match *digits {
        [a] => digit(a)?,
        [a, b] if a != b'0' => digit(a)? * 10 + digit(b)?,
        [a, b, c] if a != b'0' => digit(a)? * 100 + digit(b)? * 10 + digit(c)?,
        _ => return None,
    };
    u8::try_from(number).ok()
}

fn digit(byte: u8) -> Option<u32> {
    byte.is_ascii_digit().then(|| u32::from(byte - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v4_of(text: &str) -> Prefix {
        parse_prefix(text).unwrap()
    }

    #[test]
    fn the_quick_way_reads_ipv6_as_std_does() {
        let words = [
            "::",
            "::1",
            "1::",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7::",
            "::2:3:4:5:6:7:8",
            "1:2:3:4::5:6:7:8",
            "1::2::3",
            ":::",
            "1:",
            ":1",
            "::1:",
            "12345::",
            "2001:DB8::a",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7:8::",
            "g::",
        ];
        for word in words {
            assert_eq!(v6(word.as_bytes()), word.parse().ok(), "{word}");
        }
    }

    #[test]
    fn the_forms_of_a_network() {
        let net = Prefix::new(Address::v4([203, 0, 113, 0]), 120);
        for text in ["203.0.113.0/24", "203.0.113.7/24", "::ffff:203.0.113.7/120", "::ffff:cb00:7107/120"] {
            assert_eq!(v4_of(text), net, "{text}");
        }
        assert_eq!(v4_of("203.0.113.7"), v4_of("::ffff:203.0.113.7"));
        assert_eq!(v4_of("203.0.113.7/32"), v4_of("203.0.113.7"));
        assert_eq!(v4_of("0.0.0.0/0").length(), 96);
        assert_eq!(v4_of("::/0").length(), 0);
        assert_eq!(v4_of("2001:db8::/32").to_string(), "2001:db8::/32");
    }

    #[test]
    fn errors_name_the_mend() {
        let too_long = |maximum| PrefixError::LengthTooLong { maximum };
        let cases = [
            ("", PrefixError::NotAnAddress),
            ("example.com", PrefixError::NotAnAddress),
            ("1.2.3", PrefixError::NotAnAddress),
            ("1.2.3.4.5", PrefixError::NotAnAddress),
            ("1.2.3.04", PrefixError::NotAnAddress),
            ("1.2.3.256", PrefixError::NotAnAddress),
            ("1.2.3.4:80", PrefixError::NotAnAddress),
            ("[2001:db8::1]", PrefixError::NotAnAddress),
            ("fe80::1%eth0", PrefixError::Zone),
            ("1.2.3.4/", PrefixError::Length),
            ("1.2.3.4/+8", PrefixError::Length),
            ("1.2.3.4/08", PrefixError::Length),
            ("1.2.3.0/255.255.255.0", PrefixError::Length),
            ("1.2.3.4/33", too_long(32)),
            ("1.2.3.4/1000", too_long(32)),
            ("2001:db8::/129", too_long(128)),
        ];
        for (text, error) in cases {
            assert_eq!(parse_prefix(text), Err(error), "{text}");
        }
    }

    #[test]
    fn the_forms_of_a_flow() {
        let text = "tcp 203.0.113.7:5555 > 10.0.0.1:80";
        let key = FlowKey::new(Address::v4([203, 0, 113, 7]), 5555, Address::v4([10, 0, 0, 1]), 80, 6);
        assert_eq!(parse_flow(text), Ok(key));
        assert_eq!(parse_flow("TCP  [::ffff:203.0.113.7]:5555>10.0.0.1:80 "), Ok(key));
        assert_eq!(FlowText(key).to_string(), text);
        let cases = [
            ("", FlowError::Shape),
            ("tcp > 10.0.0.1:80", FlowError::Shape),
            ("icmp 1.2.3.4:1 > 10.0.0.1:80", FlowError::Protocol),
            ("tcp 1.2.3.4 > 10.0.0.1:80", FlowError::End { side: "source" }),
            ("tcp 1.2.3.4:1 > 10.0.0.1:99999", FlowError::End { side: "destination" }),
            ("tcp [fe80::1%2]:1 > [fe80::2]:80", FlowError::End { side: "source" }),
            ("tcp 1.2.3.4:1 > [2001:db8::1]:80", FlowError::Families),
        ];
        for (text, error) in cases {
            assert_eq!(parse_flow(text), Err(error), "{text}");
        }
    }

    fn near_v4() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<[u8; 4]>().prop_map(|o| IpAddr::from(o).to_string()),
            "[0-9]{0,4}(\\.[0-9]{0,4}){0,5}",
            "[0-9./: ]{0,20}"
        ]
    }

    fn near_v6() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<[u8; 16]>().prop_map(|o| IpAddr::from(o).to_string()),
            "[0-9a-fA-F:.]{0,40}",
            "::ffff:[0-9.]{7,12}"
        ]
    }

    proptest! {
        #[test]
        fn addresses_are_what_std_says_they_are(text in prop_oneof![near_v4(), near_v6()]) {
            let ours = parse_prefix(&text).ok();
            let theirs = text.parse::<IpAddr>().ok().map(|ip| Prefix::host(ip.into()));
            if text.contains('/') {
                prop_assert!(theirs.is_none());
            } else {
                prop_assert_eq!(ours, theirs);
            }
        }

        #[test]
        fn a_network_is_its_address_and_its_length(
            text in prop_oneof![near_v4(), near_v6()], length in any::<u8>(), over in 0_u8..2,
        ) {
            let ip = text.parse::<IpAddr>().ok();
            let width = if ip.is_some_and(|ip| ip.is_ipv4()) { 32 } else { 128 };
            let length = if over == 1 { length } else { length % (width + 1) };
            let expected = ip.filter(|_| length <= width).map(|ip| Prefix::new(ip.into(), 128 - width + length));
            prop_assert_eq!(parse_prefix(&format!("{text}/{length}")).ok(), expected);
        }

        #[test]
        fn what_is_printed_is_read_back(octets in any::<[u8; 16]>(), v4 in any::<bool>(), length in 0_u8..=128) {
            let [a, b, c, d, ..] = octets;
            let address = if v4 { Address::v4([a, b, c, d]) } else { Address::v6(octets) };
            let prefix = Prefix::new(address, if v4 { length.max(96) } else { length });
            prop_assert_eq!(parse_prefix(&prefix.to_string()), Ok(prefix));
        }

        #[test]
        fn a_printed_flow_is_read_back(a in any::<[u8; 16]>(), b in any::<[u8; 16]>(), ports in any::<(u16, u16)>(), protocol: u8) {
            let (source, destination) = (Address::v6(a), Address::v6(b));
            prop_assume!(source.is_v4() == destination.is_v4());
            let key = FlowKey::new(source, ports.0, destination, ports.1, protocol);
            prop_assert_eq!(parse_flow(&FlowText(key).to_string()), Ok(key));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            for end in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
                let _ = (parse_prefix(&text[..end]), parse_flow(&text[..end]));
            }
        }
    }
}
