//! Statements that make a partition.

use dbguard_core::quote::{ident, literal, qualified};

/// What a partition takes over from its parent, beyond what LIKE copies.
pub struct Blueprint {
    pub schema: String,
    pub name: String,
    pub comment: Option<String>,
    pub tablespace: Option<String>,
    pub access_method: Option<String>,
    /// pg_class.relreplident
    pub replica_identity: char,
    pub columns: Vec<Column>,
    /// Whom default privileges, or ownership, would give what the parent does not.
    pub revoke: Vec<Grantee>,
    pub grants: Vec<Grant>,
    /// Row-level security, if partitions are to have it.
    pub security: Option<Security>,
    /// Whether it is of the audit log and guarded against TRUNCATE, which row triggers do not see.
    pub guarded: bool,
    /// Whether what it holds is not written ahead; a partitioned table of version 18 never is so.
    pub unlogged: bool,
    /// Storage options, which a partitioned table cannot hold.
    pub storage: Vec<(String, String)>,
    /// The columns of unique indexes that each partition has for itself.
    pub unique: Vec<Vec<String>>,
    pub hash: Option<Hash>,
}

/// What the planner was told about a column.
pub struct Column {
    pub name: String,
    pub statistics: Option<i32>,
    pub options: Vec<(String, String)>,
}

/// A role; `None` is PUBLIC.
pub type Grantee = Option<String>;

pub struct Grant {
    /// Of one column; `None` is the whole table.
    pub column: Option<String>,
    pub to: Grantee,
    pub privileges: Vec<String>,
    pub grantable: bool,
}

pub struct Security {
    pub enabled: bool,
    pub forced: bool,
    pub policies: Vec<Policy>,
}

pub struct Policy {
    pub name: String,
    pub permissive: bool,
    /// pg_policy.polcmd
    pub command: char,
    pub roles: Vec<Grantee>,
    /// Expressions as the server prints them.
    pub using: Option<String>,
    pub check: Option<String>,
    pub comment: Option<String>,
}

/// Each partition is itself partitioned by hash.
pub struct Hash {
    pub columns: Vec<String>,
    pub count: u32,
}

/// The statements that make partition `name`, in order; `children` are the names of its parts if it
/// is split by hash. ATTACH to the set comes last, on a table that is complete and that nobody knows
/// yet: it is the only one that can wait for others.
pub fn make(parent: &Blueprint, name: &str, children: &[String], from: &str, to: &str) -> Vec<String> {
    let mut statements = table(parent, name, children);
    statements.extend(own_indexes(parent, name));
    let schema = &*parent.schema;
    statements.push(attach((schema, &parent.name), (schema, name), &values(Some(from), Some(to))));
    statements
}

/// The table of partition `name` and its parts, attached to nothing.
pub fn table(parent: &Blueprint, name: &str, children: &[String]) -> Vec<String> {
    let partition = qualified(&parent.schema, name);
    let mut statements = Vec::new();
    match &parent.hash {
        None => leaf(parent, name, &mut statements),
        Some(hash) => {
            statements.push(create(parent, &partition, Some(hash)));
            properties(parent, &partition, &mut statements);
            for (remainder, child) in children.iter().enumerate() {
                leaf(parent, child, &mut statements);
                let part = format!("FOR VALUES WITH (MODULUS {}, REMAINDER {remainder})", hash.count);
                let schema = &*parent.schema;
                statements.push(attach((schema, name), (schema, child), &part));
            }
        }
    }
    statements
}

/// The indexes it has for itself: on the whole partition, since an index of a part would know of its own
/// rows only.
pub fn own_indexes(parent: &Blueprint, name: &str) -> Vec<String> {
    let partition = qualified(&parent.schema, name);
    let index = |columns: &Vec<String>| format!("CREATE UNIQUE INDEX ON {partition} ({})", names(columns));
    parent.unique.iter().map(index).collect()
}

/// `bound` as `values` writes it, or DEFAULT.
pub fn attach(parent: (&str, &str), partition: (&str, &str), bound: &str) -> String {
    format!(
        "ALTER TABLE {} ATTACH PARTITION {} {bound}",
        qualified(parent.0, parent.1),
        qualified(partition.0, partition.1)
    )
}

/// Without a value a range is open on that side.
pub fn values(from: Option<&str>, to: Option<&str>) -> String {
    let from = from.map_or("MINVALUE".to_owned(), literal);
    let to = to.map_or("MAXVALUE".to_owned(), literal);
    format!("FOR VALUES FROM ({from}) TO ({to})")
}

/// Fails where the unique indexes of the set do not allow it to be split by hash; to be taken back.
pub fn try_hash(parent: &Blueprint, name: &str, hash: &Hash) -> String {
    format!(
        "CREATE TABLE {} (LIKE {} INCLUDING INDEXES) PARTITION BY HASH ({})",
        qualified(&parent.schema, name),
        qualified(&parent.schema, &parent.name),
        names(&hash.columns)
    )
}

/// The statements that give `table` what it takes over of properties, privileges and policies.
pub fn given(blueprint: &Blueprint, (schema, name): super::retire::Table) -> Vec<String> {
    let mut statements = Vec::new();
    properties(blueprint, &qualified(schema, name), &mut statements);
    statements
}

/// The statements as one text, for people.
pub fn script(statements: &[String]) -> String {
    statements.iter().map(|statement| format!("{statement};")).collect::<Vec<_>>().join("\n")
}

/// A table that holds rows.
fn leaf(parent: &Blueprint, name: &str, statements: &mut Vec<String>) {
    let table = qualified(&parent.schema, name);
    statements.push(create(parent, &table, None));
    if !parent.storage.is_empty() {
        statements.push(format!("ALTER TABLE {table} SET ({})", options(&parent.storage)));
    }
    properties(parent, &table, statements);
    if parent.guarded {
        statements.push(super::audit::guard_truncate(&parent.schema, name));
    }
}

/// LIKE without identity, which a partition takes from its parent, and without indexes, which
/// ATTACH builds and links.
fn create(parent: &Blueprint, table: &str, hash: Option<&Hash>) -> String {
    let unlogged = if parent.unlogged && hash.is_none() { "UNLOGGED " } else { "" };
    let mut sql = format!(
        "CREATE {unlogged}TABLE {table} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED \
         INCLUDING STORAGE INCLUDING COMPRESSION INCLUDING COMMENTS INCLUDING STATISTICS)",
        qualified(&parent.schema, &parent.name)
    );
    match (hash, &parent.access_method) {
        (Some(hash), _) => sql += &format!(" PARTITION BY HASH ({})", names(&hash.columns)),
        (None, Some(method)) => sql += &format!(" USING {}", ident(method)),
        (None, None) => {}
    }
    if let Some(tablespace) = &parent.tablespace {
        sql += &format!(" TABLESPACE {}", ident(tablespace));
    }
    sql
}

/// What partitions and their parts have alike.
fn properties(parent: &Blueprint, table: &str, statements: &mut Vec<String>) {
    if let Some(comment) = &parent.comment {
        statements.push(format!("COMMENT ON TABLE {table} IS {}", literal(comment)));
    }
    for column in &parent.columns {
        let name = ident(&column.name);
        if let Some(target) = column.statistics {
            statements.push(format!("ALTER TABLE {table} ALTER COLUMN {name} SET STATISTICS {target}"));
        }
        if !column.options.is_empty() {
            let options = options(&column.options);
            statements.push(format!("ALTER TABLE {table} ALTER COLUMN {name} SET ({options})"));
        }
    }
    for role in &parent.revoke {
        statements.push(format!("REVOKE ALL ON TABLE {table} FROM {}", grantee(role)));
    }
    statements.extend(parent.grants.iter().map(|given| grant(given, table)));
    if let Some(security) = &parent.security {
        for given in &security.policies {
            statements.push(policy(given, table));
            if let Some(comment) = &given.comment {
                let comment = literal(comment);
                statements.push(format!("COMMENT ON POLICY {} ON {table} IS {comment}", ident(&given.name)));
            }
        }
        if security.enabled {
            statements.push(format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"));
        }
        if security.forced {
            statements.push(format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY"));
        }
    }
    match parent.replica_identity {
        'f' => statements.push(format!("ALTER TABLE {table} REPLICA IDENTITY FULL")),
        'n' => statements.push(format!("ALTER TABLE {table} REPLICA IDENTITY NOTHING")),
        _ => {}
    }
}

fn names(columns: &[String]) -> String {
    columns.iter().map(|column| ident(column)).collect::<Vec<_>>().join(", ")
}

/// `name = 'value'`, where a name may have a namespace (`toast.`).
pub fn options(options: &[(String, String)]) -> String {
    let one = |(name, value): &(String, String)| {
        let name = match name.split_once('.') {
            Some((space, name)) => qualified(space, name),
            None => ident(name),
        };
        format!("{name} = {}", literal(value))
    };
    options.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn grant(given: &Grant, table: &str) -> String {
    let column = given.column.as_ref().map_or(String::new(), |column| format!(" ({})", ident(column)));
    let privileges: Vec<_> =
        given.privileges.iter().map(|privilege| format!("{privilege}{column}")).collect();
    format!(
        "GRANT {} ON TABLE {table} TO {}{}",
        privileges.join(", "),
        grantee(&given.to),
        if given.grantable { " WITH GRANT OPTION" } else { "" }
    )
}

fn policy(given: &Policy, table: &str) -> String {
    let command = match given.command {
        'r' => "SELECT",
        'a' => "INSERT",
        'w' => "UPDATE",
        'd' => "DELETE",
        _ => "ALL",
    };
    let mut sql = format!(
        "CREATE POLICY {} ON {table} AS {} FOR {command} TO {}",
        ident(&given.name),
        if given.permissive { "PERMISSIVE" } else { "RESTRICTIVE" },
        given.roles.iter().map(grantee).collect::<Vec<_>>().join(", ")
    );
    if let Some(using) = &given.using {
        sql += &format!(" USING ({using})");
    }
    if let Some(check) = &given.check {
        sql += &format!(" WITH CHECK ({check})");
    }
    sql
}

fn grantee(role: &Grantee) -> String {
    role.as_ref().map_or("PUBLIC".to_owned(), |role| ident(role))
}

/// The replica identity of a partition whose parent has one by index.
pub fn replica_identity_index(schema: &str, name: &str, index: &str) -> String {
    format!("ALTER TABLE {} REPLICA IDENTITY USING INDEX {}", qualified(schema, name), ident(index))
}
