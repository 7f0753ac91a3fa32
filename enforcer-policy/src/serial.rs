//! How the types of the kernel contract cross the socket and the journal: `#[serde(with = "enforcer_policy::serial")]`.
//!
//! In: [`Address`], [`Prefix`], [`FlowKey`], [`Action`], [`Rate`], [`AllowKind`], [`SubjectKind`], and `Option` and `Vec` of
//! them. Out: text where the format is human readable, few bytes where it is not. Never here: the types of the model, which derive.
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;

use enforcer_common::{Action, Address, AllowKind, FlowKey, Prefix, Rate, SubjectKind};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::text::{FlowText, parse_flow, parse_prefix};

/// Writes `value`.
pub fn serialize<T: Serial, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    value.write(serializer)
}

/// Reads a value.
pub fn deserialize<'de, T: Serial, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::read(deserializer)
}

/// A type of the kernel contract that can be written and read.
pub trait Serial: Sized {
    /// Writes it.
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
    /// Reads it.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// A number as 16 hexadecimal digits for people: JSON readers lose digits of great numbers.
pub mod hex {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// Writes `value`.
    pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&format_args!("{value:016x}"))
        } else {
            serializer.serialize_u64(*value)
        }
    }

    /// Reads a value.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        if !deserializer.is_human_readable() {
            return u64::deserialize(deserializer);
        }
        let text = String::deserialize(deserializer)?;
        crate::model::hex(&text).ok_or_else(|| D::Error::custom("not 16 lower-case hexadecimal digits"))
    }
}

/// Enums go by their word, or by their number.
macro_rules! words {
    ($($name:ty { $($variant:ident),* } $what:literal;)*) => {$(
        impl Serial for $name {
            fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.serialize_str(self.name())
                } else {
                    serializer.serialize_u8(*self as u8)
                }
            }

            fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let known = [$(Self::$variant),*];
                let found = if deserializer.is_human_readable() {
                    let word = String::deserialize(deserializer)?;
                    known.into_iter().find(|one| one.name() == word)
                } else {
                    let number = u8::deserialize(deserializer)?;
                    known.into_iter().find(|one| *one as u8 == number)
                };
                found.ok_or_else(|| de::Error::custom(concat!("unknown ", $what)))
            }
        }
    )*};
}

words! {
    Action { Observe, Limit, Deny, Reset, Drop } "action: write observe, limit, deny, reset or drop";
    AllowKind { Full, Proxy } "kind of allowlist entry: write full or proxy";
    SubjectKind { Ip, Device, Flow, Session, User, ApiKey }
        "kind of subject: write ip, device, flow, session, user or apikey";
}

/// As `{"per_minute": 60, "burst": 1}`; bytes: the two numbers.
impl Serial for Rate {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { per_minute, burst } = *self;
        Numbers { per_minute, burst }.serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Numbers { per_minute, burst } = Numbers::deserialize(deserializer)?;
        Ok(Self { per_minute, burst })
    }
}

/// A rate as serde sees it.
#[derive(Serialize, Deserialize)]
struct Numbers {
    per_minute: u32,
    burst: u32,
}

/// Bytes: the octets of the family.
impl Serial for Address {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(octets(self))
        }
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            return text.parse::<IpAddr>().map(Self::from).map_err(de::Error::custom);
        }
        bytes(deserializer, address)
    }
}

/// Bytes: the octets of the family, then the length as the family counts it.
impl Serial for Prefix {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        let (address, mut all) = (self.address(), [0; 17]);
        let (octets, skipped) = if self.is_v4() { (octets(&address), 96) } else { (&address.octets()[..], 0) };
        let (front, back) = all.split_at_mut(octets.len());
        front.copy_from_slice(octets);
        back[0] = self.length() - skipped;
        serializer.serialize_bytes(&all[..=octets.len()])
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return parse_prefix(&String::deserialize(deserializer)?).map_err(de::Error::custom);
        }
        bytes(deserializer, |bytes| {
            let (length, octets) = bytes.split_last()?;
            let width = u8::try_from(octets.len() * 8).ok()?;
            address(octets).filter(|_| *length <= width).map(|address| Self::new(address, 128 - width + length))
        })
    }
}

/// Bytes: source, destination, their ports in network order, protocol.
impl Serial for FlowKey {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(&FlowText(*self));
        }
        let mut all = [0; 37];
        all[..16].copy_from_slice(self.source().octets());
        all[16..32].copy_from_slice(self.destination().octets());
        all[32..34].copy_from_slice(&self.source_port().to_be_bytes());
        all[34..36].copy_from_slice(&self.destination_port().to_be_bytes());
        all[36] = self.protocol();
        serializer.serialize_bytes(&all)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return parse_flow(&String::deserialize(deserializer)?).map_err(de::Error::custom);
        }
        bytes(deserializer, |bytes| {
            let (source, rest) = bytes.split_first_chunk::<16>()?;
            let (destination, rest) = rest.split_first_chunk::<16>()?;
            let &[a, b, c, d, protocol] = rest else { return None };
            let ports = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            Some(Self::new(Address::v6(*source), ports.0, Address::v6(*destination), ports.1, protocol))
        })
    }
}

impl<T: Serial> Serial for Option<T> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_ref().map(Borrowed).serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<Owned<T>>::deserialize(deserializer)?.map(|owned| owned.0))
    }
}

impl<T: Serial> Serial for Vec<T> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Borrowed))
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Owned<T>>::deserialize(deserializer)?.into_iter().map(|owned| owned.0).collect())
    }
}

struct Borrowed<'a, T>(&'a T);

impl<T: Serial> Serialize for Borrowed<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}

struct Owned<T>(T);

impl<'de, T: Serial> Deserialize<'de> for Owned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(deserializer).map(Self)
    }
}

/// The octets of its family.
fn octets(address: &Address) -> &[u8] {
    if address.is_v4() { &address.octets()[12..] } else { address.octets() }
}

/// The address of four or sixteen octets.
fn address(octets: &[u8]) -> Option<Address> {
    let v4 = octets.try_into().map(Address::v4);
    v4.or_else(|_| octets.try_into().map(Address::v6)).ok()
}

/// Reads bytes and makes a value of them.
fn bytes<'de, D: Deserializer<'de>, T>(deserializer: D, make: fn(&[u8]) -> Option<T>) -> Result<T, D::Error> {
    deserializer.deserialize_bytes(Bytes(make, PhantomData))
}

struct Bytes<T>(fn(&[u8]) -> Option<T>, PhantomData<T>);

impl<T> de::Visitor<'_> for Bytes<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of an address, a network or a flow")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<T, E> {
        (self.0)(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Everything {
        #[serde(with = "super")]
        address: Address,
        #[serde(with = "super")]
        prefixes: Vec<Prefix>,
        #[serde(with = "super")]
        flow: FlowKey,
        #[serde(with = "super")]
        action: Action,
        #[serde(with = "super")]
        kind: Option<SubjectKind>,
        #[serde(with = "super")]
        none: Option<AllowKind>,
        #[serde(with = "super")]
        rate: Option<Rate>,
        #[serde(with = "hex")]
        digest: u64,
    }

    fn everything(octets: [u8; 16], length: u8) -> Everything {
        let [a, b, c, d, ..] = octets;
        let (v4, v6) = (Address::v4([a, b, c, d]), Address::v6(octets));
        Everything {
            address: v6,
            prefixes: vec![Prefix::new(v6, length), Prefix::new(v4, length.max(96)), Prefix::host(v4)],
            flow: FlowKey::new(v4, 5555, v4, 80, a),
            action: Action::Reset,
            kind: Some(SubjectKind::Device),
            none: None,
            rate: Some(Rate { per_minute: 60, burst: 1 }),
            digest: u64::from(a) << 56,
        }
    }

    #[test]
    fn people_read_words() {
        let mut all = everything([203, 0, 113, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 32);
        all.flow = FlowKey::new(all.flow.source(), 5555, all.flow.source(), 80, 6);
        let json = serde_json::to_string(&all).unwrap();
        let expected = concat!(
            r#"{"address":"cb00:7107::1","prefixes":["cb00:7107::/32","0.0.0.0/0","203.0.113.7"],"#,
            r#""flow":"tcp 203.0.113.7:5555 > 203.0.113.7:80","action":"reset","kind":"device","none":null,"#,
            r#""rate":{"per_minute":60,"burst":1},"digest":"cb00000000000000"}"#
        );
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<Everything>(&json).unwrap(), all);
    }

    #[test]
    fn an_address_costs_its_octets() {
        let size = |prefix| {
            let all = Everything { prefixes: vec![prefix; 10], ..everything([9; 16], 0) };
            let none = Everything { prefixes: vec![], ..everything([9; 16], 0) };
            postcard::to_stdvec(&all).unwrap().len() - postcard::to_stdvec(&none).unwrap().len()
        };
        assert_eq!(size(parse_prefix("203.0.113.0/24").unwrap()), 60);
        assert_eq!(size(parse_prefix("2001:db8::/32").unwrap()), 180);
    }

    proptest! {
        #[test]
        fn both_forms_come_back(octets in any::<[u8; 16]>(), length in 0_u8..=128) {
            let all = everything(octets, length);
            let bytes = postcard::to_stdvec(&all).unwrap();
            prop_assert_eq!(&postcard::from_bytes::<Everything>(&bytes).unwrap(), &all);
            prop_assert_eq!(serde_json::from_str::<Everything>(&serde_json::to_string(&all).unwrap()).unwrap(), all);
            for end in 0..bytes.len() {
                prop_assert!(postcard::from_bytes::<Everything>(&bytes[..end]).is_err());
            }
        }
    }
}
