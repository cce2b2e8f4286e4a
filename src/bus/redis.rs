//! The bus over Redis.
