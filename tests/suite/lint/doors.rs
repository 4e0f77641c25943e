//! Rules about who comes in: pg_hba.conf and sessions.

use dbguard_tests::{Cluster, Db};

#[test]
fn lines_that_let_the_network_in() {
    // an address of this machine that no other server listens to
    let cluster = Cluster::start(&["listen_addresses = '127.83.19.7'"]);
    let mut db = Db::new_in(&cluster);
    let seen = "SELECT severity, status, message FROM dbguard.lint(rules => '{SEC021}')";
    let mut write = |lines: &str| {
        // read at once by the rule, never by the server
        db.exec(&format!(
            "DO $$ BEGIN EXECUTE format('COPY (SELECT unnest(string_to_array(%L, ''|''))) TO %L',
               'local all all trust|{lines}', current_setting('hba_file')); END $$"
        ));
        db.lines(seen)
    };
    assert_eq!(
        write("host all all 0.0.0.0/0 trust|hostssl all app ::0/0 password|host a,b all samenet password"),
        ["error | open | pg_hba.conf lets the network in: line 2: host all all 0.0.0.0 0.0.0.0 trust; line 4: host a,b all samenet password"]
    );
    assert_eq!(
        write("host all all 127.0.0.1/32 trust|host all all ::1/128 scram-sha-256"),
        ["warning | open | pg_hba.conf lets every account of this machine in: line 2: host all all 127.0.0.1 255.255.255.255 trust"]
    );
    let none: [String; 0] = [];
    assert_eq!(write("host all all 0.0.0.0/0 scram-sha-256|hostssl all all 10.0.0.0/8 trust clientcert=verify-full|host all all 0.0.0.0/0 reject"), none);
    let mut nobody = db.connect_as("doors_nobody");
    assert_eq!(
        nobody.lines(seen),
        ["error | skipped | not checked: permission denied for view pg_hba_file_rules"]
    );
}

#[test]
fn roles_of_applications() {
    let cluster = Cluster::start(&[]);
    let mut db = Db::new_in(&cluster);
    let seen = "SELECT code, severity, object, message FROM dbguard.lint(rules => '{SEC019,SEC031}')";
    let owner: Vec<Db> = (0..3).map(|_| db.connect_as("Shop.app")).collect();
    db.exec("CREATE TABLE t (a int)");
    assert!(db.lines(seen).is_empty(), "owns nothing");
    db.exec("ALTER TABLE t OWNER TO \"Shop.app\"");
    let message = "SEC031 | info | \"Shop.app\" | role \"Shop.app\" has 3 sessions and owns 1 table";
    assert_eq!(db.lines(seen), [message]);
    db.exec("ALTER ROLE \"Shop.app\" SUPERUSER");
    let message = "SEC019 | error | \"Shop.app\" | role \"Shop.app\", which may log in and has 3 sessions, is a superuser";
    assert_eq!(db.lines(seen), [message]);
    let fix = db.value("SELECT fix_sql FROM dbguard.lint(rules => '{SEC019}')");
    db.exec(&fix);
    assert!(db.lines("SELECT FROM dbguard.lint(rules => '{SEC019}')").is_empty());
    // tools are no applications
    let mut owner = owner;
    owner.iter_mut().for_each(|s| s.exec("SET application_name = 'psql'"));
    assert!(db.lines(seen).is_empty());
}
