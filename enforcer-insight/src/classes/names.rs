//! What names of fields say. In: a name. Out: the classes it hints at, and whether it names something else. Never here: values kept.
use super::Data;

/// What a name says about its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Hints {
    /// The class it names.
    pub(super) class: Option<Data>,
    /// It names an id, a time or an amount: long digits there are nothing else.
    pub(super) other: bool,
}

/// The hints of a name: of its last field.
pub(super) fn hints(name: &str) -> Hints {
    let last = name.trim_end_matches("[]").rsplit('.').next().unwrap_or_default().trim_start_matches('@');
    let dense: String = last.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let class = NAMED.iter().find(|(parts, _)| parts.iter().any(|part| dense.contains(part))).map(|(_, class)| *class);
    let short = SHORT.iter().find(|(name, _)| *name == dense).map(|(_, class)| *class);
    let lower = last.to_ascii_lowercase();
    let ends = ["id", "uuid", "guid", "key", "hash", "ts"]
        .iter()
        .any(|end| lower == *end || lower.ends_with(&format!("_{end}")) || last.ends_with("Id"));
    Hints { class: short.or(class), other: ends || OTHER.iter().any(|part| dense.contains(part)) }
}

/// The class of a value whose name alone tells it. Empty and masked ones, words and small numbers are none.
pub(super) fn by_name(hints: Hints, text: &[u8]) -> Option<Data> {
    let class = hints.class.filter(|class| matches!(class, Data::Password | Data::Secret))?;
    let trimmed = text.trim_ascii();
    let least = if class == Data::Password { 1 } else { 8 };
    let word = matches!(
        trimmed,
        b"true" | b"false" | b"null" | b"none" | b"undefined" | b"password" | b"REDACTED" | b"[REDACTED]"
    );
    let masked = trimmed.iter().all(|byte| b"*xX.-# ".contains(byte) || *byte >= 0x80);
    (trimmed.len() >= least && !word && !masked).then_some(class)
}

/// Parts of names; the first that fits counts.
const NAMED: [(&[&str], Data); 17] = [
    (
        &[
            "passwordhint",
            "passwordpolicy",
            "passwordreset",
            "passwordlength",
            "tokentype",
            "tokenexpir",
            "secretname",
            "tokencount",
            "passwordchanged",
            "passwordexpir",
            "passwordupdated",
        ],
        Data::Email,
    ),
    (
        &["password", "passwd", "passphrase", "passcode", "contrasena", "motdepasse", "kennwort", "passwort", "senha"],
        Data::Password,
    ),
    (
        &[
            "clientsecret",
            "apikey",
            "accesskey",
            "secretkey",
            "privatekey",
            "accesstoken",
            "refreshtoken",
            "authtoken",
            "idtoken",
            "sessiontoken",
            "secret",
            "bearer",
            "apitoken",
            "signingkey",
            "encryptionkey",
        ],
        Data::Secret,
    ),
    (
        &[
            "cardnumber",
            "cardno",
            "creditcard",
            "debitcard",
            "ccnumber",
            "cardnum",
            "primaryaccountnumber",
            "paymentcard",
        ],
        Data::Card,
    ),
    (&["phone", "mobile", "telephone", "msisdn", "cellular", "handy", "telefon"], Data::Phone),
    (&["socialsecurity", "ssn"], Data::NationalUs),
    (&["residentregistration", "jumin", "rrn"], Data::NationalKorea),
    (&["pesel"], Data::NationalPoland),
    (&["aadhaar", "aadhar"], Data::NationalIndia),
    (&["steuerid", "taxid", "idnr", "steueridentifikation", "steuernummer"], Data::NationalGermany),
    (&["burgerservice", "sofinummer"], Data::NationalNetherlands),
    (&["codicefiscale", "fiscalcode"], Data::NationalItaly),
    (&["insee", "securitesociale"], Data::NationalFrance),
    (&["nationalinsurance"], Data::NationalUk),
    (&["cadastropessoa"], Data::NationalBrazil),
    (&["iban"], Data::Iban),
    (&["email"], Data::Email),
];

/// Whole names.
const SHORT: [(&str, Data); 13] = [
    ("pwd", Data::Password),
    ("pass", Data::Password),
    ("pw", Data::Password),
    ("pin", Data::Password),
    ("token", Data::Secret),
    ("jwt", Data::Secret),
    ("pan", Data::Card),
    ("tel", Data::Phone),
    ("fax", Data::Phone),
    ("bsn", Data::NationalNetherlands),
    ("cpf", Data::NationalBrazil),
    ("nir", Data::NationalFrance),
    ("nino", Data::NationalUk),
];

/// Parts of names of what long digits are otherwise.
const OTHER: [&str; 30] = [
    "uuid",
    "timestamp",
    "createdat",
    "updatedat",
    "expires",
    "trace",
    "span",
    "order",
    "invoice",
    "sku",
    "isbn",
    "ean",
    "barcode",
    "version",
    "price",
    "amount",
    "total",
    "balance",
    "offset",
    "nonce",
    "seq",
    "cursor",
    "sha",
    "checksum",
    "digest",
    "transaction",
    "tracking",
    "serial",
    "epoch",
    "size",
];
