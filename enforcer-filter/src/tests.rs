//! The crate on the host: records are read whatever they hold, tables are bounded, signs are what the agent reads.
use super::*;

fn field(tag: u16, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&tag.to_le_bytes()[..], &length.to_le_bytes(), bytes].concat()
}

#[test]
fn a_call_is_read_where_it_lies() {
    let header = field(11, &[&4_u16.to_le_bytes()[..], b"HostX"].concat());
    let answer = [field(13, &404_u16.to_le_bytes()), field(14, &[7; 16]), field(6, &5_u32.to_le_bytes())].concat();
    let strange = field(999, b"of an agent that tells more");
    let target = field(4, b"/items?limit=12&limit=13&x");
    let record = [field(1, &9_u64.to_le_bytes()), header, strange, answer, target].concat();
    let call = Call::read(&record);
    assert_eq!((call.time, call.header("HOST"), call.query("limit")), (9, Some(&b"X"[..]), Some(&b"12"[..])));
    assert!(call.is_forwarded && !call.is_crowded);
    let answer = call.answer.unwrap();
    assert_eq!((answer.status, answer.is_complete), (404, true));
    assert!(Call::read(b"").answer.is_none());
    (0..record.len()).for_each(|cut| drop(Call::read(&record[..cut])));
}

#[test]
fn parameters_have_names() {
    let one = field(32, &[&4_u16.to_le_bytes()[..], b"page500"].concat());
    let parameters = Parameters::read(&one);
    assert_eq!((parameters.count("page"), parameters.text("page"), parameters.count("none")), (500, &b"500"[..], 0));
    assert_eq!(number(b"99999999999999999999999"), Some(u64::MAX));
    assert_eq!([number(b""), number(b"1a"), number(b"-1")], [None; 3]);
}

#[test]
fn a_sign_is_json() {
    let sign = Sign::new("huge_page", 80).by_consumer().at_endpoint().count("entries", 9).count("bound", 5);
    let text = sign.suggest_limit("endpoint", 10, 3600).json();
    assert_eq!(
        text,
        r#"{"kind":"huge_page","confidence":80,"who":"consumer","endpoint":true,"suggest":{"action":"limit","scope":"endpoint","per_minute":10,"seconds":3600},"counts":[["entries",9],["bound",5]]}"#
    );
}

#[test]
fn the_longest_untouched_gives_way() {
    let mut table = Table::<u64, u32>::new(2);
    *table.entry(1) = 10;
    *table.entry(2) = 20;
    assert_eq!(*table.entry(1), 10);
    *table.entry(3) = 30;
    assert_eq!((table.len(), *table.entry(1), *table.entry(3), *table.entry(2)), (2, 10, 30, 0));
}
