//! The command line, as its users call it.

mod bench;
mod damage;
mod dumps;
mod help;
mod in_use;
mod keys;
mod listings;
mod loads;
mod logs;
mod support;
