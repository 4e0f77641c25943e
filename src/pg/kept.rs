//! Statements that are asked for each of many things, and so are planned once a backend.

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::{Oid, PgOid};
use pgrx::spi::{OwnedPreparedStatement, Query, SpiClient, SpiCursor, SpiResult, SpiTupleTable};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_long;
use std::mem::ManuallyDrop;
use std::rc::Rc;

/// A statement that is the same each time, but for its arguments. One made up with names in it would stay in
/// memory for nothing. The server plans it anew where what it rests on has changed.
pub struct Kept<'a>(pub &'a str);

/// By the statement, and then by the types of its arguments: a value must never go where one of another type is read.
type Plans = HashMap<String, Vec<(Vec<Oid>, Rc<OwnedPreparedStatement>)>>;

thread_local! {
    /// Not dropped at exit: the server's memory is gone by then.
    static PLANS: ManuallyDrop<RefCell<Plans>> = ManuallyDrop::new(RefCell::default());
}

impl Kept<'_> {
    fn plan(&self, client: &SpiClient, args: &[DatumWithOid]) -> SpiResult<Rc<OwnedPreparedStatement>> {
        let fits = |types: &[Oid]| types.iter().copied().eq(args.iter().map(DatumWithOid::oid));
        let found = PLANS.with(|plans| {
            let plans = plans.borrow();
            let plans = plans.get(self.0)?;
            plans.iter().find(|(types, _)| fits(types)).map(|(_, plan)| plan.clone())
        });
        if let Some(plan) = found {
            return Ok(plan);
        }
        let types: Vec<Oid> = args.iter().map(DatumWithOid::oid).collect();
        let of_args: Vec<PgOid> = types.iter().copied().map(PgOid::from).collect();
        let plan = Rc::new(client.prepare(self.0, &of_args)?.keep());
        PLANS.with(|plans| {
            plans.borrow_mut().entry(self.0.to_owned()).or_default().push((types, plan.clone()));
        });
        Ok(plan)
    }
}

impl<'conn> Query<'conn> for Kept<'_> {
    fn execute<'mcx>(
        self,
        client: &SpiClient<'conn>,
        limit: Option<c_long>,
        args: &[DatumWithOid<'mcx>],
    ) -> SpiResult<SpiTupleTable<'conn>> {
        self.plan(client, args)?.as_ref().execute(client, limit, args)
    }

    fn try_open_cursor<'mcx>(
        self,
        client: &SpiClient<'conn>,
        args: &[DatumWithOid<'mcx>],
    ) -> SpiResult<SpiCursor<'conn>> {
        self.plan(client, args)?.as_ref().try_open_cursor(client, args)
    }
}
