//! JUnit XML: a suite a category, a test case a rule.

use super::Report;
use crate::lint::engine::Status;
use crate::lint::rule::Category;
use crate::lint::text::count;
use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

pub fn write(report: &Report) -> Result<String, String> {
    let mut junit = Junit::new(format!("dbguard {}", report.database));
    for category in Category::ALL {
        let mut suite = TestSuite::new(category.as_str());
        for e in report.run.examined.iter().filter(|e| e.rule.category == category) {
            let mut case =
                TestCase::new(format!("{} {}", e.rule.code, e.rule.name), status(report, e.rule.code));
            case.set_classname(format!("dbguard.{}", category.as_str()));
            case.set_time(Duration::from_secs_f64(e.ms / 1000.0));
            suite.add_test_case(case);
        }
        if !suite.test_cases.is_empty() {
            junit.add_test_suite(suite);
        }
    }
    junit.to_string().map_err(|e| e.to_string())
}

fn status(report: &Report, code: &str) -> TestCaseStatus {
    let of = |status| report.rows(status).filter(move |r| r.rule.code == code);
    let open: Vec<String> = of(Status::Open)
        .map(|r| format!("{}: {}: {}", r.severity.as_str(), r.object.identity, r.message))
        .collect();
    if !open.is_empty() {
        let mut failed = TestCaseStatus::non_success(NonSuccessKind::Failure);
        failed.set_message(count(open.len(), "finding")).set_type(code).set_description(open.join("\n"));
        return failed;
    }
    match of(Status::Skipped).next() {
        Some(r) => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(r.message.clone());
            skipped
        }
        None => TestCaseStatus::success(),
    }
}
