//! One address form for both families: 16 bytes, IPv4 mapped.

/// An address in canonical form. IPv4 is `::ffff:a.b.c.d`, so one code path serves both families.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Address([u8; 16]);

const MAPPED: u64 = 0xffff_0000_0000;

/// An address as registers hold it. The data path computes with this: taking bytes apart and together again costs more than
/// a lookup.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Halves {
    /// The upper 64 bits, host order.
    pub high: u64,
    /// The lower 64 bits, host order.
    pub low: u64,
}

impl Halves {
    /// Of an IPv4 address.
    #[inline(always)]
    pub const fn v4(address: u32) -> Self {
        Self { high: 0, low: MAPPED | address as u64 }
    }

    /// True for an IPv4 (mapped) address.
    #[inline(always)]
    pub const fn is_v4(self) -> bool {
        self.high == 0 && self.low >> 32 == MAPPED >> 32
    }

    /// As it lies in maps and events.
    #[inline(always)]
    pub const fn address(self) -> Address {
        Address::from_halves(self.high, self.low)
    }

    /// The block number `at` of those of `width` bits that begin here; either in the lower half or in the upper.
    pub(crate) const fn block(self, at: u64, width: u32) -> Self {
        if width > 64 {
            Self { high: self.high, low: self.low | at << (128 - width) }
        } else {
            Self { high: self.high | at << (64 - width), low: self.low }
        }
    }

    /// With everything past `length` bits cleared.
    #[inline(always)]
    pub(crate) const fn masked(self, length: u32) -> Self {
        Self { high: self.high & ones(length), low: self.low & ones(length.saturating_sub(64)) }
    }
}

impl Address {
    /// From four octets in network order.
    #[inline(always)]
    pub const fn v4(octets: [u8; 4]) -> Self {
        let [a, b, c, d] = octets;
        Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
    }

    /// From sixteen octets in network order; an IPv4-mapped address is IPv4 from here on.
    #[inline(always)]
    pub const fn v6(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// From the two halves, most significant first, in host order.
    #[inline(always)]
    pub const fn from_halves(high: u64, low: u64) -> Self {
        Self((((high as u128) << 64) | low as u128).to_be_bytes())
    }

    /// Both halves.
    #[inline(always)]
    pub const fn halves(&self) -> Halves {
        Halves { high: self.high(), low: self.low() }
    }

    /// The bytes in network order.
    #[inline(always)]
    pub const fn octets(&self) -> &[u8; 16] {
        &self.0
    }

    /// The upper 64 bits, host order.
    #[inline(always)]
    pub const fn high(&self) -> u64 {
        let o = &self.0;
        u64::from_be_bytes([o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7]])
    }

    /// The lower 64 bits, host order.
    #[inline(always)]
    pub const fn low(&self) -> u64 {
        let o = &self.0;
        u64::from_be_bytes([o[8], o[9], o[10], o[11], o[12], o[13], o[14], o[15]])
    }

    /// True for an IPv4 (mapped) address.
    #[inline(always)]
    pub const fn is_v4(&self) -> bool {
        self.high() == 0 && self.low() >> 32 == MAPPED >> 32
    }
}

/// A network in canonical form: length counts canonical bits (IPv4 /24 is 120), bits past the length are zero.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Prefix {
    address: Address,
    length: u8,
}

impl Prefix {
    /// The network of `length` canonical bits that holds `address`; a length over 128 counts as 128.
    pub const fn new(address: Address, length: u8) -> Self {
        let length = if length > 128 { 128 } else { length };
        Self { address: address.halves().masked(length as u32).address(), length }
    }

    /// A single address.
    pub const fn host(address: Address) -> Self {
        Self::new(address, 128)
    }

    /// The first address.
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Canonical bits that are fixed: 1 to 128.
    pub const fn length(&self) -> u8 {
        self.length
    }

    /// True when all its addresses are IPv4.
    pub const fn is_v4(&self) -> bool {
        self.length >= 96 && self.address.is_v4()
    }

    /// True when `address` lies inside.
    pub const fn contains(&self, address: Address) -> bool {
        let Halves { high, low } = address.halves().masked(self.length as u32);
        high == self.address.high() && low == self.address.low()
    }

    /// True when some address is in both.
    pub const fn overlaps(&self, other: Self) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }
}

/// A word with its first `count` bits set; 64 or more sets all.
#[inline(always)]
const fn ones(count: u32) -> u64 {
    if count == 0 {
        0
    } else if count >= 64 {
        u64::MAX
    } else {
        u64::MAX << (64 - count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_first_and_last_address_and_not_the_neighbours() {
        let net = Prefix::new(Address::v4([203, 0, 113, 7]), 96 + 24);
        assert_eq!(net.address(), Address::v4([203, 0, 113, 0]));
        assert!(net.contains(Address::v4([203, 0, 113, 255])));
        assert!(!net.contains(Address::v4([203, 0, 114, 0])));
        assert!(!net.contains(Address::v4([203, 0, 112, 255])));
    }

    #[test]
    fn ipv4_and_its_mapped_form_are_one_address() {
        let mut mapped = [0; 16];
        mapped[10..].copy_from_slice(&[0xff, 0xff, 192, 0, 2, 1]);
        assert_eq!(Address::v6(mapped), Address::v4([192, 0, 2, 1]));
        assert!(Address::v6(mapped).is_v4());
    }
}
