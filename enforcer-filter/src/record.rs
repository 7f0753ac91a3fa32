//! What the agent tells. In: a record: fields, each a number of two bytes, a length of four, and so many bytes, lowest byte first.
//! Out: a call, parameters. Never here: copies; all of it is read where it lies, and fields that are not known are skipped.

/// A call, and its answer when one was seen.
#[derive(Clone, Debug, Default)]
pub struct Call<'r> {
    /// Milliseconds since 1970.
    pub time: u64,
    /// The service.
    pub service: &'r [u8],
    /// The method.
    pub method: &'r [u8],
    /// Path and query, as sent.
    pub target: &'r [u8],
    /// Method and path template, such as `GET /accounts/{}`.
    pub endpoint: &'r [u8],
    /// Who it is for, as narrowly as is known.
    pub consumer: Key,
    /// Every identity that it bears.
    pub identities: Vec<Key>,
    /// The objects that it names.
    pub objects: Vec<Object>,
    /// Sensitive data in it.
    pub sensitive: Vec<Sensitive<'r>>,
    /// Its headers.
    pub headers: Vec<Header<'r>>,
    /// The first bytes of its body.
    pub body: &'r [u8],
    /// It came through a proxy that is believed.
    pub is_forwarded: bool,
    /// Several people are served at its address.
    pub is_crowded: bool,
    /// Its answer.
    pub answer: Option<Answer<'r>>,
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Answer<'r> {
    /// Its status.
    pub status: u16,
    /// Microseconds to its first byte.
    pub first_byte: u64,
    /// Microseconds to its last.
    pub whole: u64,
    /// Its bytes, head included.
    pub bytes: u64,
    /// It was seen to its end.
    pub is_complete: bool,
    /// Its headers.
    pub headers: Vec<Header<'r>>,
    /// The first bytes of its body.
    pub body: &'r [u8],
}

/// Somebody, as a key of tables: the same for the same one, on this host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Key {
    /// What it is: 1 address, 2 device, 4 session, 5 user, 6 key of a partner.
    pub kind: u8,
    /// A digest.
    pub key: u64,
}

/// An object that a call names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Object {
    /// The digest of its name.
    pub digest: u64,
    /// Its name, if that is a number.
    pub number: Option<u64>,
}

/// Sensitive data of one class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sensitive<'r> {
    /// Where: 0 address, 1 request, 2 answer.
    pub place: u8,
    /// How often.
    pub count: u32,
    /// What, such as `card`.
    pub class: &'r [u8],
}

/// A header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header<'r> {
    /// Its name, as sent.
    pub name: &'r [u8],
    /// Its value.
    pub value: &'r [u8],
}

impl<'r> Call<'r> {
    /// Reads a record.
    pub fn read(record: &'r [u8]) -> Self {
        let (mut call, mut answer, mut flags) = (Self::default(), Answer::default(), 0);
        for (tag, bytes) in fields(record) {
            match tag {
                1 => call.time = number_at(bytes, 0),
                2 => call.service = bytes,
                3 => call.method = bytes,
                4 => call.target = bytes,
                5 => call.endpoint = bytes,
                6 => flags = low(bytes),
                7 => call.consumer = key(bytes),
                8 => call.identities.push(key(bytes)),
                9 => call.objects.push(object(bytes)),
                10 => call.sensitive.extend(sensitive(bytes)),
                11 => call.headers.extend(header(bytes)),
                12 => call.body = bytes,
                13 => {
                    answer.status = u16::try_from(low(bytes)).unwrap_or_default();
                    call.answer = Some(Answer::default());
                }
                14 => (answer.first_byte, answer.whole) = (number_at(bytes, 0), number_at(bytes, 8)),
                15 => answer.bytes = number_at(bytes, 0),
                16 => answer.headers.extend(header(bytes)),
                17 => answer.body = bytes,
                // Of an agent that tells more.
                _ => {}
            }
        }
        (call.is_forwarded, call.is_crowded, answer.is_complete) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
        call.answer = call.answer.is_some().then_some(answer);
        call
    }

    /// The first value of a header, its name in any case.
    pub fn header(&self, name: &str) -> Option<&'r [u8]> {
        self.headers.iter().find(|one| one.name.eq_ignore_ascii_case(name.as_bytes())).map(|one| one.value)
    }

    /// The query, without its question mark.
    pub fn query_text(&self) -> &'r [u8] {
        let begin = self.target.iter().position(|byte| *byte == b'?').map_or(self.target.len(), |at| at + 1);
        self.target.get(begin..).unwrap_or_default()
    }

    /// The first value of this name in the query, as sent.
    pub fn query(&self, name: &str) -> Option<&'r [u8]> {
        pairs(self.query_text()).find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
    }
}

/// Parameters by their names.
#[derive(Clone, Debug, Default)]
pub struct Parameters<'r>(Vec<Header<'r>>);

impl<'r> Parameters<'r> {
    /// Reads a record.
    pub fn read(record: &'r [u8]) -> Self {
        Self(fields(record).filter(|(tag, _)| *tag == 32).filter_map(|(_, bytes)| header(bytes)).collect())
    }

    /// A number, or a time in seconds; 0 for a name that is none.
    pub fn count(&self, name: &str) -> u64 {
        number(self.text(name)).unwrap_or_default()
    }

    /// A text or a word; empty for a name that is none.
    pub fn text(&self, name: &str) -> &'r [u8] {
        self.0.iter().find(|one| one.name == name.as_bytes()).map(|one| one.value).unwrap_or_default()
    }
}

/// Digits and nothing else; one that is too long counts as the greatest.
pub fn number(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let add = |sum: u64, byte: &u8| sum.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
    digits.then(|| text.iter().fold(0, add))
}

/// The pairs of a query or a form, as sent.
pub fn pairs(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(|byte| *byte == b'&').filter_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        Some((pair.get(..equals)?, pair.get(equals + 1..)?))
    })
}

/// Numbers and contents of fields, until the record ends or makes no sense.
fn fields(mut record: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, rest) = record.split_first_chunk::<2>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (bytes, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        record = rest;
        Some((u16::from_le_bytes(*tag), bytes))
    })
}

/// Eight bytes at a place; 0 when there are fewer.
fn number_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// As many bytes as there are, four at most.
fn low(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

fn key(bytes: &[u8]) -> Key {
    Key { kind: bytes.first().copied().unwrap_or_default(), key: number_at(bytes, 1) }
}

fn object(bytes: &[u8]) -> Object {
    let is_number = bytes.get(8) == Some(&1);
    Object { digest: number_at(bytes, 0), number: is_number.then(|| number_at(bytes, 9)) }
}

fn sensitive(bytes: &[u8]) -> Option<Sensitive<'_>> {
    let (place, rest) = bytes.split_first()?;
    let (count, class) = rest.split_first_chunk::<4>()?;
    Some(Sensitive { place: *place, count: u32::from_le_bytes(*count), class })
}

fn header(bytes: &[u8]) -> Option<Header<'_>> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (name, value) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    Some(Header { name, value })
}
