//! Shares: who may use an experiment beside its owner. The rules are those of [`super::experiment::sharing`].

pub mod handlers;
