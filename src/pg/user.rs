//! Acting as another role for the length of a closure, as foreign-key triggers and VACUUM do.

use super::guc;
use pgrx::pg_sys;

/// How far the switched role is fenced in.
#[derive(Clone, Copy)]
pub enum Fence {
    /// As foreign-key triggers: the statement inside is ours and runs nobody else's code.
    Local,
    /// The same under whatever search_path there is: for a `KeptPlan`, which qualifies every name, in the path of
    /// every write.
    Qualified,
    /// As VACUUM and REINDEX: code of the role may run inside, and must not be able to change
    /// anything of the session (SECURITY_RESTRICTED_OPERATION).
    Restricted,
    /// The same, with all rows of the role's own tables seen where row-level security is forced on it: for
    /// what moves rows, of which none may stay behind.
    RestrictedAllRows,
}

/// Runs `f` as `role`, under a search_path of our own whatever was done to it before, and forgets every setting
/// that was changed inside: code of the role must not choose what our next statements mean. An error inside
/// needs no clean-up here: aborting the (sub)transaction puts all back. Must not be held across a COMMIT.
pub fn as_role<T>(role: pg_sys::Oid, fence: Fence, f: impl FnOnce() -> T) -> T {
    let mut saved = pg_sys::InvalidOid;
    let mut context: i32 = 0;
    let flags = match fence {
        Fence::Local | Fence::Qualified => {
            pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_NOFORCE_RLS
        }
        Fence::Restricted => pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION,
        Fence::RestrictedAllRows => {
            pg_sys::SECURITY_LOCAL_USERID_CHANGE
                | pg_sys::SECURITY_RESTRICTED_OPERATION
                | pg_sys::SECURITY_NOFORCE_RLS
        }
    };
    // SAFETY: the pair of calls the server itself uses around such work; `saved` and `context` are ours.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut saved, &mut context);
        pg_sys::SetUserIdAndSecContext(role, context | flags as i32);
        let result = match fence {
            Fence::Qualified => f(),
            _ => guc::forgotten(&[guc::SAFE_PATH], f),
        };
        pg_sys::SetUserIdAndSecContext(saved, context);
        result
    }
}

/// A role's name; empty if there is no such role.
pub fn name(role: pg_sys::Oid) -> Vec<u8> {
    // SAFETY: a syscache look-up; the name is copied at once.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() {
            return vec![];
        }
        std::ffi::CStr::from_ptr(name).to_bytes().to_vec()
    }
}

/// The role that is current: what privileges are checked against.
pub fn current() -> pg_sys::Oid {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::GetUserId() }
}

/// Whether a foreign key is at work, or we ourselves with the rights of another: nobody else acts like this.
pub fn is_without_row_security() -> bool {
    in_context(pg_sys::SECURITY_NOFORCE_RLS)
}

/// Whether we ourselves act with the rights of another who must not change the session: purging, moving, erasing.
pub fn is_restricted() -> bool {
    in_context(pg_sys::SECURITY_RESTRICTED_OPERATION)
}

fn in_context(flag: u32) -> bool {
    let (mut role, mut context) = (pg_sys::InvalidOid, 0);
    // SAFETY: reads variables of the backend into ours.
    unsafe { pg_sys::GetUserIdAndSecContext(&mut role, &mut context) };
    context & flag as i32 != 0
}

/// The role that is current outside of all functions that act as their owner.
pub fn outer() -> pg_sys::Oid {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::GetOuterUserId() }
}

/// Whether that role is a superuser.
pub fn is_superuser() -> bool {
    // SAFETY: a syscache look-up.
    unsafe { pg_sys::superuser() }
}

/// The role the session acts as by its own choice: SESSION_USER.
pub fn session() -> pg_sys::Oid {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::GetSessionUserId() }
}
