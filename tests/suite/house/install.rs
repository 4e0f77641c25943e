//! The extension installs, and is what it says.

use dbguard_tests::Db;

#[test]
fn the_extension_installs() {
    let mut db = Db::new();
    let version = db.value("SELECT extversion FROM pg_extension WHERE extname = 'dbguard'");
    assert_eq!(db.value("SELECT dbguard.version()"), version);
}
