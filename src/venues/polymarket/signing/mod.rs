//! Everything that is computed over keys and hashes, without I/O: order structs, ids and signatures, L1 and L2
//! authentication, wallet addresses, amounts. The client signs with it, the simulator verifies with it.
//!
//! Every function here reproduces Polymarket's own published clients byte for byte; `tests/signing_vectors.rs` compares.

mod amounts;
mod body;
mod book_hash;
mod contracts;
mod deposit;
mod key;
mod l1;
mod l2;
mod order;
mod position;
mod salt;
mod verify;
mod wallet;

pub use amounts::{AmountError, Amounts, MARKET_TAKER_DECIMALS, TickGrid, limit, market_buy, market_sell};
pub use body::{OrderTerms, post_body, side_word, tif_word};
pub use book_hash::{BookText, LevelText, book_hash};
pub use contracts::{Contracts, EXCHANGE_NAME, Exchange};
pub use deposit::{deposit_type_string, wrap_signature};
pub use key::{LocalKey, RecoverError, recover};
pub use l1::{L1_MESSAGE, L1Headers, l1_digest, l1_headers};
pub use l2::{ApiCredentials, L2Headers, L2Signer, l2_pre_image};
pub use order::{Order, SignatureType, order_hash, order_type_string, sign_order, signed_digest, struct_hash};
pub use position::is_position_id;
pub use salt::{MAX_SALT, derive_salt};
pub use verify::{VerifyError, recover_owner, verify_order};
pub use wallet::{Wallets, derive_wallets};
