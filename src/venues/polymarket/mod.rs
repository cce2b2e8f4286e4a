//! Polymarket: CLOB, Gamma, sockets and signing.
