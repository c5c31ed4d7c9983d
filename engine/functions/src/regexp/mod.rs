//! Regular expressions of Java.

mod functions;
mod java;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use datafusion_common::Result;
use regex::Regex;

pub(crate) use functions::definitions;
pub(crate) use java::compile;

/// A compiled pattern with the memory that searching with it takes; `None` if it is not one.
type Compiled = Option<Rc<Regex>>;

/// Compiled patterns: a pattern is compiled once, however many rows it comes with.
#[derive(Debug, Default)]
pub(crate) struct PatternCache {
    last: Option<(String, Compiled)>,
    compiled: HashMap<String, Compiled>,
}

thread_local! {
    /// Java's patterns of the batches before.
    static JAVA: RefCell<PatternCache> = RefCell::default();
}

/// Uses Java's patterns of this thread, which stay compiled from one batch to the next.
///
/// # Errors
/// Those of `evaluate`.
pub(crate) fn with_patterns<R>(evaluate: impl FnOnce(&mut PatternCache) -> Result<R>) -> Result<R> {
    JAVA.with(|cache| match cache.try_borrow_mut() {
        Ok(mut cache) => evaluate(&mut cache),
        Err(_) => evaluate(&mut PatternCache::default()),
    })
}

impl PatternCache {
    /// Most patterns that are kept.
    const MOST: usize = 256;

    /// The pattern, or an error if it is not one.
    pub(crate) fn get_or_compile(
        &mut self,
        pattern: &str,
        compile: impl FnOnce(&str) -> Result<Regex>,
    ) -> Result<&Regex> {
        self.get(pattern, |pattern| compile(pattern).map(Some))?
            .ok_or_else(|| crate::error::bug("a compiled pattern is missing"))
    }

    /// The pattern, or `None` if it is not one.
    pub(crate) fn get(
        &mut self,
        pattern: &str,
        compile: impl FnOnce(&str) -> Result<Option<Regex>>,
    ) -> Result<Option<&Regex>> {
        if self.last.as_ref().is_none_or(|(text, _)| text != pattern) {
            let regex = match self.compiled.get(pattern) {
                Some(regex) => regex.clone(),
                None => {
                    if self.compiled.len() >= Self::MOST {
                        self.compiled.clear();
                    }
                    let regex = compile(pattern)?.map(Rc::new);
                    self.compiled.insert(pattern.to_owned(), regex.clone());
                    regex
                }
            };
            self.last = Some((pattern.to_owned(), regex));
        }
        Ok(self.last.as_ref().and_then(|(_, regex)| regex.as_deref()))
    }
}
