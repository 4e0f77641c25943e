//! One run of the linter: what was asked, the picture, the judgement.

use crate::error::Result;
use crate::lint::arguments::{self, List};
use crate::lint::{
    baseline, bodies, cluster, config, hba, ignores, own, rows, samples, snapshot, statistics, workload,
};
use crate::pg::guc;
use crate::pg::subxact::look;
use dbguard_core::lint::baseline::Found;
use dbguard_core::lint::catalog::{Catalog, Facts};
use dbguard_core::lint::engine::{self, Options, Run, Status};
use dbguard_core::lint::finding::Severity;
use dbguard_core::lint::rule::{Rule, Section};
use dbguard_core::lint::rules;
use dbguard_core::lint::scope::Scope;
use pgrx::PgSqlErrorCode;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CStr;
use std::time::Instant;

/// What a caller may ask for.
#[derive(Default)]
pub struct Request<'a> {
    pub schemas: List,
    pub rules: List,
    pub profile: Option<&'a str>,
    pub min_severity: Severity,
    pub baseline: Option<&'a str>,
    pub include_ignored: bool,
    pub max_seconds: Option<f32>,
    /// Conventions are told object by object.
    pub one_by_one: bool,
}

/// What was found, in the picture it was found in.
pub struct Outcome {
    pub catalog: Catalog,
    pub run: Run,
    schemas: Option<Vec<String>>,
    options: Options,
}

impl Outcome {
    /// Whether this run looked for what was found before.
    pub fn looked(&self, before: &Found) -> bool {
        let Some(ran) = self.run.examined.iter().find(|e| e.rule.code == before.code) else { return false };
        let rule = ran.rule;
        let skipped = self.run.rows.iter().any(|r| r.status == Status::Skipped && r.rule.code == rule.code);
        let asked = |names: &Vec<String>| before.schema.is_empty() || names.contains(&before.schema);
        let how = self.options.how.get(rule.code).copied().unwrap_or_default();
        !skipped
            && self.schemas.as_ref().is_none_or(asked)
            && self.options.config.speaks(rule, &before.schema, how)
    }
}

thread_local! {
    /// Milliseconds of each rule in this session's last run that had it.
    static LAST_MS: RefCell<HashMap<&'static str, f64>> = RefCell::new(HashMap::new());
}

pub fn last_ms(code: &str) -> Option<f64> {
    LAST_MS.with(|last| last.borrow().get(code).copied())
}

/// Index and constraint definitions are read under a lock on their table. Compiling a catalog query
/// costs more than it spares, other processes' work would not be seen, and sorts fit into memory.
const SNAPSHOT: &[(&CStr, &CStr)] = &[
    (c"lock_timeout", c"1s"),
    (c"jit", c"off"),
    (c"max_parallel_workers_per_gather", c"0"),
    (c"work_mem", c"64MB"),
];

/// The planner takes a view of statistics for a few rows, and would look through all of it once for
/// every column of the database.
const STATISTICS: &[(&CStr, &CStr)] = &[
    (c"enable_nestloop", c"off"),
    (c"jit", c"off"),
    (c"max_parallel_workers_per_gather", c"0"),
    (c"work_mem", c"64MB"),
];

pub fn run(request: Request) -> Result<Outcome> {
    let began = Instant::now();
    let deadline = request.max_seconds.map(arguments::seconds_argument).transpose()?;
    let config = config::read()?;
    let profile = request.profile.map(arguments::profile_argument).transpose()?;
    let own_rules = own::registered()?;
    let mut all = rules::all();
    all.extend(&own_rules);
    let chosen = arguments::rules_argument(request.rules, &all, profile, &config)?;
    let rules: Vec<&'static Rule> = chosen.iter().map(|(rule, _)| *rule).collect();
    let baseline = request.baseline.map(baseline::read).transpose()?;

    let mut facts = look(|| guc::with(SNAPSHOT, snapshot::take)).map_err(|e| {
        if e.code() == PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE {
            e.hint("Another session holds a table under an exclusive lock. Run lint again when it is done.")
        } else {
            e
        }
    })?;
    facts.params = config.params(&all);
    facts.own_rules = own_rules;
    facts.blanket_ignores = config.allows_blanket_ignores();
    ignores::read(&mut facts)?;
    let schemas = arguments::schemas_argument(request.schemas, &facts)?;
    rows::sequence_values(&mut facts);
    // a limit beyond all time is none
    let until = deadline.and_then(|d| began.checked_add(d));
    sections(&mut facts, &rules, schemas.as_deref(), until)?;
    let catalog = Catalog::new(facts, schemas.as_deref());
    let options = Options {
        min_severity: request.min_severity,
        config,
        how: chosen.iter().map(|(rule, how)| (rule.code, *how)).collect(),
        one_by_one: request.one_by_one,
        baseline: baseline.map(|b| b.accepted()),
        include_ignored: request.include_ignored,
        views: Some(own::ask),
        deadline: until
            .zip(deadline)
            .map(|(end, limit)| (end, format!("the time limit of {} s was reached", limit.as_secs_f32()))),
    };
    let run = engine::run(&catalog, &rules, &options);
    LAST_MS.with(|last| last.borrow_mut().extend(run.examined.iter().map(|e| (e.rule.code, e.ms))));
    Ok(Outcome { catalog, run, schemas, options })
}

/// Reads what the rules ask for beside the catalogs.
fn sections(
    facts: &mut Facts,
    rules: &[&'static Rule],
    schemas: Option<&[String]>,
    until: Option<Instant>,
) -> Result<()> {
    let wanted = |section| rules.iter().any(|r| r.reads.contains(&section));
    if wanted(Section::Rows) {
        let scope = Scope::new(facts, schemas);
        rows::default_partitions(facts, &scope);
    }
    if wanted(Section::Statistics) {
        facts.statistics = Some(guc::with(STATISTICS, statistics::take)?);
    }
    if wanted(Section::Samples) {
        guc::with(STATISTICS, || samples::read(facts))?;
    }
    if wanted(Section::Cluster) {
        facts.doors = Some(hba::doors()?);
        facts.cluster = Some(cluster::take()?);
    }
    if wanted(Section::Workload) {
        facts.workload = Some(workload::statements()?);
    }
    if wanted(Section::Bodies) {
        let scope = Scope::new(facts, schemas);
        facts.checked = Some(bodies::check(facts, &scope, until)?);
    }
    Ok(())
}
