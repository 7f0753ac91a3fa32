//! An inventory on its way to a center. In: an inventory; bytes of a stranger. Out: bytes; the inventory, or why they are none. Never here: who
//! sends them. Bounded both packed and unpacked.
use super::Inventory;

/// The form that inventories are kept and sent in.
pub const FORM: &[u8; 8] = b"ENFAPI01";
/// Bytes of a packed inventory at most.
pub const LONGEST: usize = 8 << 20;
const LONGEST_PLAIN: usize = 64 << 20;
/// Names repeat, so little work saves most.
const LEVEL: u8 = 3;

/// Why bytes are no inventory, or an inventory makes none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PackError {
    /// It has another form.
    #[error("the inventory has the form of another version")]
    Form,
    /// It is more than is sent.
    #[error("the inventory is too large to be sent")]
    TooLarge,
    /// It means nothing.
    #[error("the inventory is damaged")]
    Damaged,
}

impl Inventory {
    /// Its bytes.
    pub fn pack(&self) -> Result<Vec<u8>, PackError> {
        let plain = postcard::to_stdvec(self).map_err(|_unwritable| PackError::Damaged)?;
        let packed = [FORM.as_slice(), &miniz_oxide::deflate::compress_to_vec(&plain, LEVEL)].concat();
        let fits = plain.len() <= LONGEST_PLAIN && packed.len() <= LONGEST;
        if fits { Ok(packed) } else { Err(PackError::TooLarge) }
    }

    /// Of bytes.
    pub fn unpack(bytes: &[u8]) -> Result<Self, PackError> {
        if bytes.len() > LONGEST {
            return Err(PackError::TooLarge);
        }
        let packed = bytes.strip_prefix(FORM).ok_or(PackError::Form)?;
        let plain = miniz_oxide::inflate::decompress_to_vec_with_limit(packed, LONGEST_PLAIN);
        postcard::from_bytes(&plain.map_err(|_broken| PackError::Damaged)?).map_err(|_broken| PackError::Damaged)
    }
}
