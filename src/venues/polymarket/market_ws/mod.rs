//! The market channel: books of tokens, over a socket that is watched and dialled again.
//!
//! [`frame`] reads one text frame, [`book`] folds levels, [`session`] is the pure state of the connection, [`client`] is the
//! socket. The channel has no sequence numbers and no replay: after a reconnect every book is dropped until its new
//! snapshot, and a book that cannot be true is asked for anew.

pub mod book;
pub mod client;
pub mod frame;
pub mod session;
#[cfg(test)]
mod tests;
