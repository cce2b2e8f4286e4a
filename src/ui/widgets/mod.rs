//! Parts that views are made of. They know roles and rectangles, nothing of the desk.

pub(crate) mod bar;
pub(crate) mod curve;
pub(crate) mod panel;
pub(crate) mod spark;
pub(crate) mod strip;
pub(crate) mod table;
pub(crate) mod text;
