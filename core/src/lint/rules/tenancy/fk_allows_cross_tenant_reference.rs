use crate::lint::catalog::{Attribute, Catalog, Constraint, Oid, Relation, RelationKind};
use crate::lint::finding::{Finding, Fix, Object, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::tenancy::tenant_tables;
use crate::lint::text::{count, idents};
use crate::quote::ident;
use std::collections::HashMap;

pub static RULE: Rule = Rule {
    code: "TEN007",
    name: "fk_allows_cross_tenant_reference",
    category: Category::Tenancy,
    severity: Severity::Warning,
    title: "Foreign key lets a row refer to another tenant's row",
    why: "Both tables hold several tenants' rows, and the key does not carry the tenant: a wrong \
          or forged id points at another tenant's row, and row-level security does not apply to \
          the check of a foreign key. Where no foreign key of the database carries the tenant, \
          that is told once, as info.",
    bad: "CREATE TABLE items (tenant_id int, order_id int REFERENCES orders (id));",
    good: "CREATE TABLE items (tenant_id int, order_id int, FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id));",
    remedy: "a second foreign key with the tenant in front, over UNIQUE (tenant, id) of the parent",
    peers: "",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("one without among others with", "CREATE TABLE p (tenant_id int, id int PRIMARY KEY, UNIQUE (tenant_id, id)); CREATE TABLE t (tenant_id int, p int, FOREIGN KEY (tenant_id, p) REFERENCES p (tenant_id, id)); CREATE TABLE u (tenant_id int, p int REFERENCES p ON DELETE CASCADE)"),
        case("nobody does it", "CREATE TABLE p (tenant_id int, id int PRIMARY KEY); CREATE TABLE u (tenant_id int, p int REFERENCES p)"),
        case("to itself, hostile names", r#"CREATE TABLE p (tenant_id int, id int PRIMARY KEY, UNIQUE (tenant_id, id)); CREATE TABLE t (tenant_id int, p int, FOREIGN KEY (tenant_id, p) REFERENCES p (tenant_id, id)); CREATE TABLE "T.t" ("Tenant_ID" int, "Id.x" int PRIMARY KEY, "Ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp" int REFERENCES "T.t")"#),
        case("from a partitioned table", "CREATE TABLE p (tenant_id int, id int PRIMARY KEY, UNIQUE (id, tenant_id)); CREATE TABLE t (tenant_id int, p int, FOREIGN KEY (p, tenant_id) REFERENCES p (id, tenant_id)); CREATE TABLE u (tenant_id int, p int REFERENCES p) PARTITION BY LIST (p); CREATE TABLE u1 PARTITION OF u DEFAULT"),
    ],
    silent: &[
        case("carries the tenant", r#"CREATE TABLE "P.p" ("Tenant_ID" int, id int, PRIMARY KEY ("Tenant_ID", id)); CREATE TABLE t (tenant_id int, p int, FOREIGN KEY (tenant_id, p) REFERENCES "P.p")"#),
        case("another key does", "CREATE TABLE p (tenant_id int, id int PRIMARY KEY, UNIQUE (tenant_id, id)); CREATE TABLE t (tenant_id int, p int REFERENCES p, FOREIGN KEY (tenant_id, p) REFERENCES p (tenant_id, id))"),
        case("to the tenants", "CREATE TABLE a (tenant_id int PRIMARY KEY); CREATE TABLE t (tenant_id int, other int REFERENCES a)"),
        case("to a table of all tenants", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (tenant_id int, a int REFERENCES a)"),
        case("from a table of all tenants", "CREATE TABLE p (tenant_id int, id int PRIMARY KEY); CREATE TABLE t (p int REFERENCES p)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let tenants: HashMap<Oid, (&Attribute, f32)> =
        tenant_tables(c).into_iter().map(|(t, a, confidence)| (t.oid, (a, confidence))).collect();
    let (mut open, mut carried) = (Vec::new(), 0usize);
    for (t, k) in c.foreign_keys() {
        let (Some((a, sure)), Some(parent)) = (tenants.get(&t.oid), c.relation(k.ref_relation)) else {
            continue;
        };
        let Some((pa, _)) = tenants.get(&parent.oid) else { continue };
        out.examine(&t.schema);
        if carries(t, k, a) {
            carried += 1;
        } else {
            open.push((t, k, *a, parent, *pa, *sure));
        }
    }
    if let (0, Some((.., confidence))) = (carried, open.first()) {
        let message = format!(
            "no foreign key carries the tenant: {} can refer to another tenant's rows",
            count(open.len(), "foreign key")
        );
        let names: Vec<String> =
            open.iter().take(50).map(|(t, k, ..)| t.constraint_object(k).identity).collect();
        let found = Finding::new(Object::database(&c.database), message)
            .severity(Severity::Info)
            .confidence(*confidence)
            .evidence("affected", open.len())
            .evidence("objects", names);
        return out.find(found);
    }
    for (t, k, a, parent, pa, confidence) in open {
        let columns = t.names(&k.columns);
        let message = format!(
            "foreign key {} of {} ({}) can refer to another tenant's row of {}",
            ident(&k.name),
            t.sql_name(),
            idents(&columns),
            parent.sql_name()
        );
        out.find(
            Finding::new(t.constraint_object(k), message)
                .key(t, &columns.join(","))
                .confidence(confidence)
                .fix(fix(t, k, a, parent, pa)),
        );
    }
}

/// By itself, or by another key over the same columns and the tenant.
fn carries(t: &Relation, k: &Constraint, a: &Attribute) -> bool {
    t.constraints.iter().any(|o| {
        o.kind == 'f'
            && o.ref_relation == k.ref_relation
            && o.columns.contains(&a.num)
            && k.columns.iter().all(|n| o.columns.contains(n))
    })
}

/// A key beside the one there is, which keeps what it does ON DELETE.
fn fix(t: &Relation, k: &Constraint, a: &Attribute, parent: &Relation, pa: &Attribute) -> Option<Fix> {
    if parent.kind != RelationKind::Table || a.base_type != pa.base_type {
        return None;
    }
    let (table, to) = (t.sql_name(), parent.sql_name());
    let columns = idents(&t.names(&[&[a.num], k.columns.as_slice()].concat()));
    let wanted = [&[pa.num], k.ref_columns.as_slice()].concat();
    let referred = idents(&parent.names(&wanted));
    // A partitioned table takes no foreign key that is not valid at once.
    let later = if t.kind == RelationKind::Table { " NOT VALID" } else { "" };
    let key = format!("ALTER TABLE {table} ADD FOREIGN KEY ({columns}) REFERENCES {to} ({referred}){later};");
    let fix = Fix::new(key, Safety::Rewrite);
    Some(match parent.constraints.iter().any(|u| matches!(u.kind, 'p' | 'u') && same(&u.columns, &wanted)) {
        true => fix,
        false => fix.after(format!("ALTER TABLE {to} ADD UNIQUE ({referred});")),
    })
}

fn same(a: &[i16], b: &[i16]) -> bool {
    a.len() == b.len() && a.iter().all(|n| b.contains(n))
}
