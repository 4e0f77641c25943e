use crate::lint::catalog::{Catalog, Door};
use crate::lint::finding::{Finding, Object, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule, Section};

pub static RULE: Rule = Rule {
    code: "SEC021",
    name: "hba_trust_or_password",
    category: Category::Security,
    severity: Severity::Error,
    title: "pg_hba.conf lets the network in without a password, or with one in clear text",
    why: "With trust, whoever reaches the port is whoever they say, a superuser too; with password on a \
          connection that is not encrypted, whoever listens has it. Only the machine's own address: a \
          warning, for every account of the machine is let in. Sockets, a server that does not listen, \
          and lines that want a client certificate are left alone. Lines further up may take \
          connections before these do.",
    bad: "host all all 0.0.0.0/0 trust",
    good: "hostssl all all 10.0.0.0/8 scram-sha-256",
    remedy: "scram-sha-256 in these lines of pg_hba.conf, then SELECT pg_reload_conf()",
    peers: "pglinter C001-C002, pg-advisor",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Cluster],
    params: &[],
    recommended: true,
    check,
    fires: &[],
    silent: &[
        case("a server that does not listen", "SELECT"),
        case("whatever tables there are", "CREATE TABLE t (a int)"),
        case("whatever roles there are", "DO $$ BEGIN CREATE ROLE lint_app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(doors) = &c.doors else { return };
    let lines = match &doors.lines {
        Ok(lines) => lines,
        Err(reason) => return out.skip(Object::database(&c.database), reason.as_str()),
    };
    out.examine("");
    if !doors.listens {
        return;
    }
    // who only listens to this machine lets nobody else in, whatever the lines say
    let most = if doors.beyond { Severity::Error } else { Severity::Warning };
    let open: Vec<(&Door, Severity)> =
        lines.iter().filter_map(|d| Some((d, trouble(d)?.min(most)))).collect();
    let Some(severity) = open.iter().map(|(_, s)| *s).max() else { return };
    let texts: Vec<String> = open.iter().filter(|(_, s)| *s == severity).map(|(d, _)| text(d)).collect();
    let who = if severity == Severity::Error { "the network" } else { "every account of this machine" };
    let message = format!("pg_hba.conf lets {who} in: {}", texts.join("; "));
    out.find(
        Finding::new(Object::database(&c.database), message).severity(severity).evidence("lines", texts),
    );
}

fn trouble(d: &Door) -> Option<Severity> {
    let encrypted = matches!(d.kind.as_str(), "hostssl" | "hostgssenc");
    let local = matches!(d.address.as_str(), "localhost" | "samehost")
        || d.address.starts_with("127.")
        || d.address == "::1";
    match d.method.as_str() {
        _ if d.kind == "local" => None,
        "trust" if d.options.iter().any(|o| o.starts_with("clientcert")) => None,
        "trust" if local => Some(Severity::Warning),
        "trust" => Some(Severity::Error),
        "password" if !encrypted && !local => Some(Severity::Error),
        _ => None,
    }
}

fn text(d: &Door) -> String {
    let (databases, users) = (d.databases.join(","), d.users.join(","));
    let address = [d.address.as_str(), d.netmask.as_str()].join(" ");
    format!("line {}: {} {databases} {users} {} {}", d.line, d.kind, address.trim(), d.method)
}
