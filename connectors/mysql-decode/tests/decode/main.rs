//! Tests through the public interface, in one binary.

mod changelog;
mod framing;
mod hostile;
mod servers;
mod support;
mod values;
