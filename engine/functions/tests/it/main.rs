//! Expressions from SQL text to value, in the order that the planner goes: parse, bind, coerce, evaluate.

mod aggregates;
mod arithmetic;
mod casts;
mod collections;
mod columns;
mod conditions;
mod harness;
mod json;
mod numbers;
mod plans;
mod temporal;
mod texts;
