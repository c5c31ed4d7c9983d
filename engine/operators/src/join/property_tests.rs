//! Random changelogs.
