//! The part of the snapshot about functions.

use crate::error::Result;
use crate::lint::read::{rows, Row};
use dbguard_core::lint::catalog::{Function, FunctionUse, Parameter};

pub fn functions() -> Result<Vec<Function>> {
    rows(include_str!("sql/functions.sql"), function)
}

fn function(r: Row) -> Result<Function> {
    Ok(Function {
        oid: r.oid(1)?,
        schema: r.get(2)?,
        name: r.get(3)?,
        owner: r.oid(4)?,
        language: r.get(5)?,
        arguments: r.maybe(6)?.unwrap_or_default(),
        security_definer: r.get(7)?,
        config: r.list(8)?,
        source: r.maybe(9)?,
        public_execute: r.get(10)?,
        trigger: r.get(11)?,
        volatility: r.letter(12)?.unwrap_or('v'),
        parameters: parameters(&r.list(13)?, &r.oids(14)?, &r.list(15)?),
        row_type: r.get(16)?,
        shared: r.get(17)?,
        unsteady: r.get(18)?,
        reads: r.oids(19)?,
        returns: r.oid(20)?,
        ..Function::default()
    })
}

/// Names and modes are missing where all are the usual.
fn parameters(names: &[String], types: &[u32], modes: &[String]) -> Vec<Parameter> {
    let parameter = |(n, type_oid): (usize, &u32)| Parameter {
        name: names.get(n).cloned().unwrap_or_default(),
        type_oid: *type_oid,
        mode: modes.get(n).and_then(|m| m.chars().next()).unwrap_or('i'),
    };
    types.iter().enumerate().map(parameter).collect()
}

pub fn uses() -> Result<Vec<FunctionUse>> {
    rows(include_str!("sql/function_uses.sql"), |r| {
        Ok(FunctionUse {
            function: r.oid(1)?,
            kind: r.letter(2)?.unwrap_or_default(),
            relation: r.oid(3)?,
            object: r.oid(4)?,
            column: r.get(5)?,
        })
    })
}
