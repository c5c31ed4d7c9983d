//! Values between the wire and Arrow: what every MySQL value means, independent of which protocol carried it.
//!
//! Both the row events and the result sets end in the `put_…` functions of this module, so that a row read by SELECT and
//! the same row read from the log cannot come out differently.

mod address;
mod decimal;
mod decimal_text;
mod fault;
mod float_text;
pub(crate) mod json;
mod number;
mod temporal;
mod temporal_text;
mod text;

pub(crate) use address::{inet4_text, inet6_text, uuid_text};
pub(crate) use decimal::{DecimalLayout, decimal_from_text};
pub(crate) use fault::{Decoded, Fault, Put};
pub(crate) use temporal::{Clock, Date, DateTime, Span};
pub(crate) use text::split_set;
