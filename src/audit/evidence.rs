//! Is the log what was written? `guard` keeps it from being changed, `seal` hashes it into a chain (`chain`, of
//! `members`), `verify` looks whether it still is what was `sealed` but for `differences`, `misplaced` and `bounds`
//! find what digests do not hold. `redact` erases what must not be kept (`life` finds it) and `redactions`
//! remembers that; `tenant` finds what is one tenant's.

pub(super) mod bounds;
pub(super) mod chain;
pub(super) mod differences;
pub(super) mod guard;
pub(super) mod life;
pub(super) mod members;
pub(super) mod misplaced;
pub(super) mod redact;
pub(super) mod redactions;
pub(super) mod seal;
pub(super) mod sealed;
pub(super) mod tenant;
pub(super) mod verify;
