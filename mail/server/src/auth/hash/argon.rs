//! argon2 (RFC 9106): checking any `$argon2…$` string, making argon2id ones.
//!
//! The working memory stays with the thread and is used again: taking 19 MiB from the allocator and giving them back for
//! every login leaves holes that the next login's piece does not fit into (measured: 60 MiB per thread instead of 19).

use std::cell::RefCell;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as PhcString, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq;

use super::{HashError, MAX_MEMORY_BYTES};

/// Most passes: at 256 MiB each costs about 0.1 s, and OWASP's largest recommendation is 5.
const MAX_PASSES: u32 = 16;
/// Most lanes: they are computed one after the other here, and libraries default to at most 8.
const MAX_LANES: u32 = 32;
/// Shortest hash that is worth comparing; a shorter one would match by chance.
const MIN_KEY_BYTES: usize = 16;
/// Octets of a hash that is made here, as every library's default.
const KEY_BYTES: usize = 32;
/// A piece of more than 32 MiB comes from the kernel and goes back to it at once (glibc's largest threshold); what of it is not
/// used is only a number. A smaller one would stay with the allocator.
const PIECE_BLOCKS: usize = 33 * 1024;
/// Most memory that stays with a thread; what libraries use by default is below it.
const KEPT_BLOCKS: usize = 64 * 1024;

thread_local! {
    static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// A parsed argon2 string.
pub(super) struct Argon {
    function: Argon2<'static>,
    salt: Vec<u8>,
    key: Vec<u8>,
    is_id: bool,
}

impl Argon {
    pub(super) fn parse(stored: &str) -> Result<Self, HashError> {
        let scheme = "argon2";
        let malformed = |what| HashError::Malformed { scheme, what };
        let hash = PhcString::new(stored).map_err(|_| malformed("not a PHC string"))?;
        let params = Params::try_from(&hash).map_err(|_| malformed("parameters"))?;
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(|_| malformed("algorithm"))?;
        let version = match hash.version {
            Some(version) => Version::try_from(version).map_err(|_| malformed("version"))?,
            // Strings from before the field was introduced are of the first version.
            None => Version::V0x10,
        };
        let key = hash.hash.ok_or(malformed("no hash after the salt"))?;
        let salt = hash.salt.ok_or(malformed("no salt"))?;
        if key.len() < MIN_KEY_BYTES {
            return Err(malformed("hash shorter than 16 bytes"));
        }
        if u64::from(params.m_cost()) * 1024 > MAX_MEMORY_BYTES {
            return Err(HashError::TooExpensive { scheme, what: "more than 256 MiB of memory" });
        }
        if params.t_cost() > MAX_PASSES || params.p_cost() > MAX_LANES {
            return Err(HashError::TooExpensive { scheme, what: "more than 16 passes or 32 lanes" });
        }
        let is_id = algorithm == Algorithm::Argon2id;
        let function = Argon2::new(algorithm, version, params);
        Ok(Argon { function, salt: salt.to_vec(), key: key.as_bytes().to_vec(), is_id })
    }

    pub(super) fn is_id(&self) -> bool {
        self.is_id
    }

    /// At least the memory and the work of what [`make`] makes.
    pub(super) fn is_current(&self) -> bool {
        let (own, ours) = (self.function.params(), Params::DEFAULT);
        let work = |params: &Params| u64::from(params.m_cost()) * u64::from(params.t_cost());
        self.is_id && own.m_cost() >= ours.m_cost() && work(own) >= work(&ours)
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let mut derived = vec![0; self.key.len()];
        derive(&self.function, password, &self.salt, &mut derived).is_some()
            && derived.ct_eq(&self.key).into()
    }
}

/// A new PHC string: argon2id, 19 MiB, two passes, one lane (the library's default and OWASP's first choice).
pub(super) fn make(password: &[u8]) -> Result<String, HashError> {
    let function = Argon2::default();
    let salt = Salt::generate();
    let mut key = [0; KEY_BYTES];
    derive(&function, password, &salt, &mut key).ok_or(HashError::Failed)?;
    let string = PhcString {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(function.params()).map_err(|_| HashError::Failed)?,
        salt: Some(salt),
        hash: Some(Output::new(&key).map_err(|_| HashError::Failed)?),
    };
    Ok(string.to_string())
}

/// Runs the function in this thread's memory.
fn derive(function: &Argon2<'_>, password: &[u8], salt: &[u8], key: &mut [u8]) -> Option<()> {
    let count = function.params().block_count();
    MEMORY.with_borrow_mut(|memory| {
        if memory.len() < count {
            // Given back before the larger one is taken, so that there are never both.
            *memory = Vec::new();
            *memory = Vec::with_capacity(count.max(PIECE_BLOCKS));
            memory.resize(count, Block::new());
        }
        let done = function.hash_password_into_with_memory(password, salt, key, &mut memory[..count]);
        if memory.len() > KEPT_BLOCKS {
            *memory = Vec::new();
        }
        done.ok()
    })
}

/// Gives this thread's memory back.
pub(super) fn release() {
    MEMORY.with_borrow_mut(|memory| *memory = Vec::new());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_and_a_large_one_given_back() {
        let kept = || MEMORY.with_borrow(Vec::len);
        let check = |memory: u32| {
            let params = Params::new(memory, 1, 1, Some(KEY_BYTES)).unwrap();
            let function = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let (mut own, mut theirs) = ([0; KEY_BYTES], [0; KEY_BYTES]);
            derive(&function, b"password", b"somesalt", &mut own).unwrap();
            function.hash_password_into(b"password", b"somesalt", &mut theirs).unwrap();
            assert_eq!(own, theirs, "{memory} KiB");
        };
        check(64);
        assert_eq!(kept(), 64);
        check(256);
        check(32);
        assert_eq!(kept(), 256, "the larger one serves the smaller need");
        check(u32::try_from(KEPT_BLOCKS).unwrap() + 1024);
        assert_eq!(kept(), 0);
        check(64);
        release();
        assert_eq!(kept(), 0);
    }

    /// From test.c of the reference implementation; the vectors of RFC 9106 §5 have a secret key, which strings do not carry.
    #[test]
    fn reference_answers() {
        for stored in [
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
            "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
        ] {
            let hash = Argon::parse(stored).unwrap();
            assert!(hash.verify(b"password"), "{stored}");
            assert!(!hash.verify(b"Password"), "{stored}");
        }
    }
}
