//! Every rule's own cases: each makes it speak or leaves it silent, and its fix ends the matter.

use dbguard_core::lint::rule::{Case, Rule};
use dbguard_core::lint::rules;
use dbguard_tests::Db;
use std::collections::BTreeSet;

/// What a rule says in a database: object, fix. The test cluster runs without autovacuum, which is
/// MNT003's to say about every database of it.
fn findings(db: &mut Db, rule: &Rule) -> Vec<Vec<String>> {
    let code = rule.code;
    db.rows(&format!(
        "SELECT object, fix_sql, message, severity FROM dbguard.lint(rules => '{{{code}}}') WHERE status = 'open' AND details->>'setting' IS NULL"
    ))
}

fn built(case: &Case) -> Db<'static> {
    let mut db = Db::new();
    db.exec(case.sql);
    db
}

fn check_fires(rule: &Rule, case: &Case) -> Option<String> {
    let mut db = built(case);
    let found = findings(&mut db, rule);
    if found.is_empty() {
        return Some(format!("{} is silent: {}", rule.code, case.name));
    }
    let distinct: BTreeSet<&String> = found.iter().map(|f| &f[0]).collect();
    if distinct.len() != found.len() {
        return Some(format!("{} says one thing twice: {}: {found:?}", rule.code, case.name));
    }
    // as an application would run them: each text as one query
    for f in found.iter().filter(|f| f[1] != "<null>") {
        if let Err(e) = db.try_exec(&f[1]) {
            return Some(format!("{} fix fails: {}: {e:?}\n{}", rule.code, case.name, f[1]));
        }
    }
    let unfixed: Vec<&String> = found.iter().filter(|f| f[1] == "<null>").map(|f| &f[0]).collect();
    let left = findings(&mut db, rule);
    let left: Vec<&String> = left.iter().map(|f| &f[0]).collect();
    (left != unfixed).then(|| format!("{} fix does not end it: {}: {left:?}", rule.code, case.name))
}

fn check_silent(rule: &Rule, case: &Case) -> Option<String> {
    let found = findings(&mut built(case), rule);
    (!found.is_empty()).then(|| format!("{} speaks: {}: {found:?}", rule.code, case.name))
}

/// Several at a time, for each has its own database. A server built without ICU cannot have
/// collations of it, and not every server has the extensions: those cases are for the others.
fn run_all(mut cases: Vec<(&'static Rule, &'static Case)>, check: fn(&Rule, &Case) -> Option<String>) {
    let icu = Db::new().try_exec("CREATE COLLATION i (provider = icu, locale = 'de')");
    if icu.is_err_and(|e| e.code == "0A000") {
        cases.retain(|(_, case)| !case.sql.contains("provider = icu"));
    }
    if !Db::new().offers(&["plpgsql_check"]) {
        cases.retain(|(_, case)| !case.sql.contains("EXTENSION plpgsql_check"));
    }
    let queue = std::sync::Mutex::new(cases.into_iter());
    let wrong = std::sync::Mutex::new(vec![]);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| loop {
                let next = queue.lock().unwrap().next();
                let Some((rule, case)) = next else { break };
                wrong.lock().unwrap().extend(check(rule, case));
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_must_fire_fires_and_its_fix_ends_it() {
    run_all(
        rules::all().into_iter().flat_map(|r| r.fires.iter().map(move |c| (r, c))).collect(),
        check_fires,
    );
}

#[test]
fn near_misses_stay_silent() {
    run_all(
        rules::all().into_iter().flat_map(|r| r.silent.iter().map(move |c| (r, c))).collect(),
        check_silent,
    );
}
