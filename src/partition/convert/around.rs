//! What other objects hold of a table: views, foreign keys of other tables, publications, sequences. Each has
//! to be turned to the table that takes its place.

use super::table::letter;
use crate::error::Result;
use dbguard_core::partition::list;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

pub struct Around {
    pub views: Vec<View>,
    pub referrers: Vec<Referrer>,
    pub publications: Vec<Publication>,
    pub owned: Vec<Owned>,
    pub identities: Vec<Identity>,
}

pub struct View {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub owner: Oid,
    pub definition: String,
    pub options: Vec<(String, String)>,
    pub temporary: bool,
    /// Whether its owner may replace it.
    pub replaceable: bool,
}

/// A foreign key of another table.
pub struct Referrer {
    pub relation: Oid,
    pub schema: String,
    pub table: String,
    pub partitioned: bool,
    pub owner: Oid,
    pub name: String,
    pub definition: String,
    pub validated: bool,
    /// The index of ours that it refers to.
    pub index: String,
    pub comment: Option<String>,
}

pub struct Publication {
    pub name: String,
    pub owner: Oid,
    /// Whether changes are published as the partitioned table's.
    pub via_root: bool,
    /// Whether the table itself is listed, and if so with a WHERE or some of its columns only.
    pub listed: bool,
    pub restricted: bool,
    /// Whether its owner may add a table of this one's owner.
    pub addable: bool,
    /// Whether the caller may act for its owner.
    pub own: bool,
}

/// A sequence that goes with a column.
pub struct Owned {
    pub schema: String,
    pub name: String,
    pub column: String,
}

pub struct Identity {
    pub column: String,
    pub always: bool,
    pub schema: String,
    pub name: String,
    pub options: String,
    pub comment: Option<String>,
    /// Privilege, role (none: PUBLIC) and whether it may be passed on.
    pub grants: Vec<(String, Option<String>, bool)>,
    /// Whom default privileges give what the sequence's own do not.
    pub revoke: Vec<Option<String>>,
}

impl Around {
    pub fn of(table: Oid) -> Result<Around> {
        Ok(Around {
            views: views(table)?,
            referrers: referrers(table)?,
            publications: publications(table)?,
            owned: owned(table)?,
            identities: identities(table)?,
        })
    }
}

fn views(table: Oid) -> Result<Vec<View>> {
    const VIEWS: &str = "
        SELECT v.oid, n.nspname::text, v.relname::text, v.relowner, pg_get_viewdef(v.oid), v.reloptions,
               has_schema_privilege(v.relowner, n.oid, 'CREATE'), v.relpersistence = 't'
        FROM pg_class v JOIN pg_namespace n ON n.oid = v.relnamespace
        WHERE v.relkind = 'v' AND v.oid IN (
          SELECT r.ev_class FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
          WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1
            AND r.rulename = '_RETURN')
        ORDER BY 2, 3";
    Spi::connect(|client| {
        let mut views = vec![];
        for row in client.select(VIEWS, None, &[table.into()])? {
            let options: Vec<String> = row.get(6)?.unwrap_or_default();
            views.push(View {
                oid: row.get(1)?.unwrap_or(Oid::INVALID),
                schema: row.get(2)?.unwrap_or_default(),
                name: row.get(3)?.unwrap_or_default(),
                owner: row.get(4)?.unwrap_or(Oid::INVALID),
                definition: row.get(5)?.unwrap_or_default(),
                options: options.iter().filter_map(|text| list::option(text)).collect(),
                replaceable: row.get(7)?.unwrap_or(false),
                temporary: row.get(8)?.unwrap_or(false),
            });
        }
        Ok(views)
    })
}

fn referrers(table: Oid) -> Result<Vec<Referrer>> {
    const REFERRERS: &str = "
        SELECT c.oid, n.nspname::text, c.relname::text, c.relkind = 'p', c.relowner, k.conname::text,
               pg_get_constraintdef(k.oid), k.convalidated, i.relname::text, obj_description(k.oid, 'pg_constraint')
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_class i ON i.oid = k.conindid
        WHERE k.confrelid = $1 AND k.contype = 'f' AND k.conparentid = 0 AND k.conrelid <> $1
        ORDER BY c.oid, k.conname";
    Spi::connect(|client| {
        let mut referrers = vec![];
        for row in client.select(REFERRERS, None, &[table.into()])? {
            referrers.push(Referrer {
                relation: row.get(1)?.unwrap_or(Oid::INVALID),
                schema: row.get(2)?.unwrap_or_default(),
                table: row.get(3)?.unwrap_or_default(),
                partitioned: row.get(4)?.unwrap_or(false),
                owner: row.get(5)?.unwrap_or(Oid::INVALID),
                name: row.get(6)?.unwrap_or_default(),
                definition: row.get(7)?.unwrap_or_default(),
                validated: row.get(8)?.unwrap_or(false),
                index: row.get(9)?.unwrap_or_default(),
                comment: row.get(10)?,
            });
        }
        Ok(referrers)
    })
}

fn publications(table: Oid) -> Result<Vec<Publication>> {
    const PUBLICATIONS: &str = "
        SELECT p.pubname::text, p.pubowner, p.pubviaroot, r.oid IS NOT NULL,
               r.prqual IS NOT NULL OR r.prattrs IS NOT NULL, pg_has_role(p.pubowner, c.relowner, 'USAGE'),
               pg_has_role(p.pubowner, 'USAGE')
        FROM pg_publication p
        JOIN pg_class c ON c.oid = $1
        LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = c.oid
        WHERE p.puballtables OR r.oid IS NOT NULL
           OR EXISTS (SELECT FROM pg_publication_namespace n WHERE n.pnpubid = p.oid AND n.pnnspid = c.relnamespace)
        ORDER BY 1";
    Spi::connect(|client| {
        let mut publications = vec![];
        for row in client.select(PUBLICATIONS, None, &[table.into()])? {
            publications.push(Publication {
                name: row.get(1)?.unwrap_or_default(),
                owner: row.get(2)?.unwrap_or(Oid::INVALID),
                via_root: row.get(3)?.unwrap_or(false),
                listed: row.get(4)?.unwrap_or(false),
                restricted: row.get(5)?.unwrap_or(false),
                addable: row.get(6)?.unwrap_or(false),
                own: row.get(7)?.unwrap_or(false),
            });
        }
        Ok(publications)
    })
}

fn owned(table: Oid) -> Result<Vec<Owned>> {
    const OWNED: &str = "
        SELECT n.nspname::text, s.relname::text, a.attname::text
        FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
        JOIN pg_namespace n ON n.oid = s.relnamespace
        JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1
          AND d.deptype = 'a' ORDER BY 1, 2";
    Spi::connect(|client| {
        let mut sequences = vec![];
        for row in client.select(OWNED, None, &[table.into()])? {
            sequences.push(Owned {
                schema: row.get(1)?.unwrap_or_default(),
                name: row.get(2)?.unwrap_or_default(),
                column: row.get(3)?.unwrap_or_default(),
            });
        }
        Ok(sequences)
    })
}

fn identities(table: Oid) -> Result<Vec<Identity>> {
    const IDENTITIES: &str = "
        SELECT a.attname::text, a.attidentity::text, n.nspname::text, s.relname::text,
               format('START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s %s', q.seqstart,
                      q.seqincrement, q.seqmin, q.seqmax, q.seqcache, CASE WHEN q.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END),
               obj_description(s.oid, 'pg_class'),
               ARRAY(SELECT g.privilege_type FROM aclexplode(s.relacl) g WHERE g.grantee <> s.relowner
                     ORDER BY g.grantee, g.privilege_type),
               ARRAY(SELECT r.rolname::text FROM aclexplode(s.relacl) g LEFT JOIN pg_roles r ON r.oid = g.grantee
                     WHERE g.grantee <> s.relowner ORDER BY g.grantee, g.privilege_type),
               ARRAY(SELECT g.is_grantable FROM aclexplode(s.relacl) g WHERE g.grantee <> s.relowner
                     ORDER BY g.grantee, g.privilege_type),
               ARRAY(SELECT DISTINCT r.rolname::text FROM pg_default_acl d CROSS JOIN aclexplode(d.defaclacl) g
                     LEFT JOIN pg_roles r ON r.oid = g.grantee
                     WHERE d.defaclrole = s.relowner AND d.defaclobjtype = 'S' AND g.grantee <> s.relowner
                       AND d.defaclnamespace IN (0, s.relnamespace) ORDER BY 1)
        FROM pg_attribute a
        JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid
                        AND d.refobjsubid = a.attnum AND d.classid = 'pg_class'::regclass AND d.deptype = 'i'
        JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
        JOIN pg_namespace n ON n.oid = s.relnamespace
        JOIN pg_sequence q ON q.seqrelid = s.oid
        WHERE a.attrelid = $1 AND a.attidentity <> '' AND NOT a.attisdropped ORDER BY a.attnum";
    Spi::connect(|client| {
        let mut identities = vec![];
        for row in client.select(IDENTITIES, None, &[table.into()])? {
            let privileges: Vec<String> = row.get(7)?.unwrap_or_default();
            let roles: Vec<Option<String>> = row.get(8)?.unwrap_or_default();
            let grantable: Vec<bool> = row.get(9)?.unwrap_or_default();
            let grants =
                privileges.into_iter().zip(roles).zip(grantable).map(|((p, r), g)| (p, r, g)).collect();
            identities.push(Identity {
                column: row.get(1)?.unwrap_or_default(),
                always: letter(&row.get::<String>(2)?.unwrap_or_default()) == 'a',
                schema: row.get(3)?.unwrap_or_default(),
                name: row.get(4)?.unwrap_or_default(),
                options: row.get(5)?.unwrap_or_default(),
                comment: row.get(6)?,
                grants,
                revoke: row.get(10)?.unwrap_or_default(),
            });
        }
        Ok(identities)
    })
}
