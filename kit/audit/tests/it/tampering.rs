//! An outsider changes the tables in every way there is, and each change is found and named.

use std::collections::BTreeMap;

use pando_audit::Head;
use pando_database::testing::{TestDatabase, each_engine};
use pando_database::{Row, params};
use uuid::Uuid;

use super::*;
use Fault::{Changed, ExpectedHeadDiffers, HeadDisagrees, Inserted, Missing, OutOfOrder, TailRemoved};

/// A change of a log with ten entries of the tenant `acme`, and the findings.
async fn expect(what: &str, statements: &[Statement], expected: &[(i64, Fault)]) {
    each_engine(async |database| {
        let house = House::on(database).await;
        house.write("acme", 10).await;
        house.write("birch", 3).await;
        assert!(house.verify("acme").await.is_intact());
        let ids = ids(&house).await;
        house.run(statements).await;
        let verdict = house.verify("acme").await;
        assert_eq!(faults(&verdict), expected, "{what}");
        assert_eq!(verdict.findings_total, expected.len() as u64);
        let now = self::ids(&house).await;
        for finding in &verdict.findings {
            assert_eq!(finding.entry_id, now.get(&finding.number).copied(), "{what}: {finding}");
        }
        assert_eq!(ids.len(), 10);
        assert!(house.verify("birch").await.is_intact(), "{what}");
    })
    .await;
}

async fn ids(house: &House) -> BTreeMap<i64, Uuid> {
    let rows = house.rows("select number, id from audit_entries where tenant = 'acme'", params![]).await;
    rows.iter().map(|row| (row.get(0).unwrap(), row.get(1).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_any_column_is_found() {
    let moment: pando_clock::Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
    for (sql, value) in [
        ("update audit_entries set id = $1 where tenant = 'acme' and number = 5", Value::from(Uuid::nil())),
        ("update audit_entries set at = $1 where tenant = 'acme' and number = 5", moment.into()),
        ("update audit_entries set actor = $1 where tenant = 'acme' and number = 5", "mallory".into()),
        ("update audit_entries set credential = $1 where tenant = 'acme' and number = 5", "".into()),
        ("update audit_entries set client = $1 where tenant = 'acme' and number = 5", "".into()),
        ("update audit_entries set request_id = $1 where tenant = 'acme' and number = 5", "x".into()),
        ("update audit_entries set action = $1 where tenant = 'acme' and number = 5", "x".into()),
        ("update audit_entries set resource = $1 where tenant = 'acme' and number = 5", "x".into()),
        ("update audit_entries set resource_id = $1 where tenant = 'acme' and number = 5", "x".into()),
        ("update audit_entries set result = $1 where tenant = 'acme' and number = 5", "failed".into()),
        ("update audit_entries set details = $1 where tenant = 'acme' and number = 5", "{}".into()),
        (
            "update audit_entries set previous = $1 where tenant = 'acme' and number = 5",
            vec![7_u8; 32].into(),
        ),
        ("update audit_entries set hash = $1 where tenant = 'acme' and number = 5", vec![7_u8; 32].into()),
        ("update audit_entries set hash = $1 where tenant = 'acme' and number = 5", vec![7_u8; 3].into()),
    ] {
        expect(sql, &[(sql, vec![value])], &[(5, Changed)]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_at_either_end_is_found() {
    let sql = "update audit_entries set actor = 'mallory' where tenant = 'acme' and number = $1";
    for number in [1_i64, 10] {
        expect(sql, &[(sql, params![number].into())], &[(number, Changed)]).await;
    }
    let sql = "update audit_entries set hash = $1 where tenant = 'acme' and number = 10";
    expect(sql, &[(sql, params![vec![7_u8; 32]].into())], &[(10, HeadDisagrees), (10, Changed)]).await;
    let renumbered = "update audit_entries set number = 20 where tenant = 'acme' and number = 5";
    expect(renumbered, &[(renumbered, vec![])], &[(5, Missing { through: 5 }), (20, Inserted)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_entry_is_found() {
    let sql = "delete from audit_entries where tenant = 'acme' and number between $1 and $2";
    for (first, last, fault) in [
        (1_i64, 1_i64, Missing { through: 1 }),
        (5, 5, Missing { through: 5 }),
        (4, 8, Missing { through: 8 }),
        (10, 10, TailRemoved { through: 10 }),
        (8, 10, TailRemoved { through: 10 }),
        (1, 10, TailRemoved { through: 10 }),
    ] {
        expect(sql, &[(sql, params![first, last].into())], &[(first, fault)]).await;
    }
    // The numbers of the rest are closed up.
    let close_up = [
        ("delete from audit_entries where tenant = 'acme' and number = 7", vec![]),
        ("update audit_entries set number = 1 - number where tenant = 'acme' and number > 7", vec![]),
        ("update audit_entries set number = -number where tenant = 'acme' and number < 0", vec![]),
    ];
    let moved = |number| (number, OutOfOrder { belongs_at: number + 1 });
    let found = [moved(7), moved(8), moved(9), (10, TailRemoved { through: 10 })];
    expect("closed up", &close_up, &found).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_changed_places_are_found() {
    let exchange =
        "update audit_entries set number = $1 - number where tenant = 'acme' and number in ($2, $3)";
    let positive = "update audit_entries set number = $1 + number where tenant = 'acme' and number < 0";
    for (one, two) in [(3_i64, 7_i64), (4, 5), (1, 2), (1, 10)] {
        // `one` becomes two - 100, and `two` one - 100.
        let statements =
            [(exchange, params![one + two - 100, one, two].into()), (positive, params![100_i64].into())];
        let mut found = vec![(one, OutOfOrder { belongs_at: two }), (two, OutOfOrder { belongs_at: one })];
        if two == 10 {
            found.insert(1, (10, HeadDisagrees));
        }
        expect("numbers", &statements, &found).await;
    }
    // The places keep their numbers and hashes, and only the contents change places.
    let copy = "insert into audit_entries (tenant, number, id, at, actor, request_id, action, resource, resource_id, \
                result, details, credential, client, previous, hash) select 'aside', number, id, at, actor, request_id, \
                action, resource, resource_id, result, details, credential, client, previous, hash from audit_entries \
                where tenant = 'acme' and number in (3, 7)";
    let back = "insert into audit_entries (tenant, number, id, at, actor, request_id, action, resource, resource_id, \
                result, details, credential, client, previous, hash) select 'acme', place.number, content.id, content.at, content.actor, \
                content.request_id, content.action, content.resource, content.resource_id, content.result, \
                content.details, content.credential, content.client, place.previous, place.hash from audit_entries as content join audit_entries as place \
                on place.tenant = 'aside' and place.number = 10 - content.number where content.tenant = 'aside'";
    let statements = [
        (copy, vec![]),
        ("delete from audit_entries where tenant = 'acme' and number in (3, 7)", vec![]),
        (back, vec![]),
        ("delete from audit_entries where tenant = 'aside'", vec![]),
    ];
    let found = [(3, OutOfOrder { belongs_at: 7 }), (7, OutOfOrder { belongs_at: 3 })];
    expect("contents", &statements, &found).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_head_is_found() {
    let number = "update audit_heads set number = $1 where tenant = 'acme'";
    let ahead = [(11, TailRemoved { through: 12 })];
    expect("ahead", &[(number, params![12_i64].into())], &ahead).await;
    let behind = [(8, HeadDisagrees), (9, Inserted), (10, Inserted)];
    expect("behind", &[(number, params![8_i64].into())], &behind).await;
    let hash = "update audit_heads set hash = $1 where tenant = 'acme'";
    for bytes in [vec![7_u8; 32], vec![7]] {
        expect("hash", &[(hash, params![bytes].into())], &[(10, HeadDisagrees)]).await;
    }
    let removed = "delete from audit_heads where tenant = 'acme'";
    expect("removed", &[(removed, vec![])], &[(10, HeadDisagrees)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_was_moved_to_another_tenant_is_found_in_both_logs() {
    each_engine(async |database| {
        let house = House::on(database).await;
        house.write("acme", 10).await;
        house.write("birch", 3).await;
        let sql = "update audit_entries set tenant = 'birch' where tenant = 'acme' and number = 4";
        house.run(&[(sql, vec![])]).await;
        assert_eq!(faults(&house.verify("acme").await), [(4, Missing { through: 4 })]);
        assert_eq!(faults(&house.verify("birch").await), [(4, Inserted)]);
        house
            .run(&[(
                "update audit_entries set tenant = 'cedar' where tenant = 'birch' and number = 1",
                vec![],
            )])
            .await;
        let found = [(1, HeadDisagrees), (1, Changed)];
        assert_eq!(faults(&house.verify("cedar").await), found);
    })
    .await;
}

/// A change, its statements, and the findings.
type Case = (&'static str, Vec<Statement>, Vec<(i64, Fault)>);

/// An entry that an outsider wrote who knows how the log is made.
struct Forgery {
    number: i64,
    previous: Vec<u8>,
    hash: [u8; 32],
}

impl Forgery {
    const INSERT: &str = "insert into audit_entries (tenant, number, previous, hash, id, at, actor, request_id, \
        action, resource, resource_id, result, details) values ('acme', $1, $2, $3, $4, $5, 'mallory', 'r', 'a', 'b', \
        'c', 'ok', '{}')";

    /// The format of the log, once more and by itself.
    fn new(number: i64, previous: &[u8]) -> Self {
        let mut bytes = Vec::from(previous);
        bytes.extend(number.to_be_bytes());
        bytes.extend(b"pando.audit.1");
        bytes.extend(Uuid::max().as_bytes());
        bytes.extend(0_i64.to_be_bytes());
        for text in ["acme", "mallory", "r", "a", "b", "c", "ok", "{}"] {
            bytes.extend((text.len() as u64).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        Self { number, previous: previous.into(), hash: blake3::hash(&bytes).into() }
    }

    fn insert(&self) -> Statement {
        let at = pando_clock::Timestamp::from_micros(0);
        let (previous, hash) = (self.previous.as_slice(), &self.hash[..]);
        (Self::INSERT, params![self.number, previous, hash, Uuid::max(), at].into())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_entry_is_found_wherever_it_is_put() {
    each_engine(async |database| {
        let house = House::on(database).await;
        house.write("acme", 10).await;
        let sql = "select number, hash from audit_entries order by number";
        let links = house.rows(sql, params![]).await;
        let hash = |number: usize| -> Vec<u8> { links[number - 1].get("hash").unwrap() };
        let remove: fn(i64) -> Statement =
            |number| ("delete from audit_entries where number = $1", params![number].into());
        let open = [
            ("update audit_entries set number = -1 - number where number >= 6", vec![]),
            ("update audit_entries set number = -number where number < 0", vec![]),
        ];
        let moved = |number| (number, OutOfOrder { belongs_at: number - 1 });
        let forged = |number, previous: &[u8]| Forgery::new(number, previous).insert();
        let zeros = [0; 32];
        let cases: [Case; 11] = [
            ("behind the end, linked", vec![forged(11, &hash(10))], vec![(11, Inserted)]),
            ("behind the end, not linked", vec![forged(11, &zeros)], vec![(11, Inserted)]),
            ("before the beginning", vec![forged(0, &zeros)], vec![(0, Inserted)]),
            ("far before it", vec![forged(-5, &zeros)], vec![(-5, Inserted)]),
            ("at the lowest number", vec![forged(i64::MIN, &zeros)], vec![(i64::MIN, Inserted)]),
            ("in the place of the first", vec![remove(1), forged(1, &zeros)], vec![(1, Changed)]),
            ("the first, not linked", vec![remove(1), forged(1, &hash(4))], vec![(1, Changed)]),
            ("in the place of the fifth", vec![remove(5), forged(5, &hash(4))], vec![(5, Changed)]),
            ("the fifth, not linked", vec![remove(5), forged(5, &zeros)], vec![(4, Changed), (5, Changed)]),
            ("in the place of the last", vec![remove(10), forged(10, &hash(9))], vec![(10, HeadDisagrees)]),
            (
                "between two",
                [&open[..], &[forged(6, &hash(5))]].concat(),
                vec![
                    (6, Inserted),
                    moved(7),
                    moved(8),
                    moved(9),
                    (10, HeadDisagrees),
                    moved(10),
                    (11, Inserted),
                ],
            ),
        ];
        let backup = "create table backup as select * from audit_entries";
        house.run(&[(backup, vec![])]).await;
        for (what, statements, mut found) in cases {
            house.run(&statements).await;
            let mut told = faults(&house.verify("acme").await);
            let key = |fault: &(i64, Fault)| (fault.0, format!("{:?}", fault.1));
            told.sort_by_key(key);
            found.sort_by_key(key);
            assert_eq!(told, found, "{what}");
            let restore = "insert into audit_entries select * from backup";
            house.run(&[("delete from audit_entries", vec![]), (restore, vec![])]).await;
            assert!(house.verify("acme").await.is_intact());
        }
    })
    .await;
}

/// SQLite stores a value of another type than the table declares.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_is_not_of_its_type_is_found() {
    for (sql, expected) in [
        ("update audit_entries set at = 'x' where number = 5", vec![(5, Changed)]),
        ("update audit_entries set actor = x'ff' where number = 5", vec![(5, Changed)]),
        ("update audit_entries set hash = 'x' where number = 5", vec![(5, Changed)]),
        ("update audit_entries set actor = cast(x'ff' as text) where number = 5", vec![(5, Changed)]),
        (
            "update audit_entries set number = 'x' where number = 5",
            vec![(5, Missing { through: 5 }), (11, Inserted)],
        ),
        ("update audit_heads set number = 'x'", vec![(10, HeadDisagrees)]),
    ] {
        let test = TestDatabase::sqlite();
        let house = House::on(test.open().await).await;
        house.write("acme", 10).await;
        house.run(&[(sql, vec![])]).await;
        assert_eq!(faults(&house.verify("acme").await), expected, "{sql}");
    }
}

/// Without a head that is kept elsewhere, a log that agrees with itself is believed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_rewritten_with_its_head_differs_from_the_head_that_was_kept() {
    each_engine(async |database| {
        let house = House::on(database).await;
        house.write("acme", 10).await;
        let kept = house.verify("acme").await.head.unwrap();
        let check = async |expected: Option<Head>| {
            faults(&house.audit.verify(&call("acme"), expected).await.unwrap())
        };
        let earlier = async |number: i64| {
            let sql = "select hash from audit_entries where number = $1";
            let rows: Vec<Row> = house.rows(sql, params![number]).await;
            Head { number, hash: rows[0].get::<Vec<u8>>(0).unwrap().try_into().unwrap() }
        };
        assert_eq!(check(Some(kept)).await, []);
        let (fourth, ninth) = (earlier(4).await, earlier(9).await);
        assert_eq!(check(Some(fourth)).await, []);
        assert_eq!(check(Some(Head { hash: ninth.hash, ..fourth })).await, [(4, ExpectedHeadDiffers)]);
        assert_eq!(check(Some(Head { number: 11, ..kept })).await, [(11, ExpectedHeadDiffers)]);

        // The last entry is replaced, and so is the head.
        let forgery = Forgery::new(10, &ninth.hash);
        let set_head = "update audit_heads set number = $1, hash = $2";
        let remove = "delete from audit_entries where number = 10";
        house
            .run(&[(remove, vec![]), forgery.insert(), (set_head, params![10_i64, &forgery.hash[..]].into())])
            .await;
        assert_eq!(check(None).await, []);
        assert_eq!(check(Some(kept)).await, [(10, ExpectedHeadDiffers)]);
        // The last entry is removed, and the head moved back.
        house.run(&[(remove, vec![]), (set_head, params![9_i64, &ninth.hash[..]].into())]).await;
        assert_eq!(check(None).await, []);
        assert_eq!(check(Some(kept)).await, [(10, ExpectedHeadDiffers)]);
        // The log begins with an entry that follows on another.
        let begun = Forgery::new(1, &[7; 32]);
        house
            .run(&[
                ("delete from audit_entries", vec![]),
                begun.insert(),
                (set_head, params![1_i64, &begun.hash[..]].into()),
            ])
            .await;
        assert_eq!(check(None).await, [(1, Changed)]);
        // Nothing is left at all.
        house.run(&[("delete from audit_entries", vec![]), ("delete from audit_heads", vec![])]).await;
        assert_eq!(check(None).await, []);
        let expected = BTreeMap::from([(Tenant::stored("acme"), kept)]);
        let verdicts = house.audit.verify_all(&call(""), &expected).await.unwrap();
        assert_eq!(verdicts.len(), 1);
        assert_eq!(faults(&verdicts[0]), [(10, ExpectedHeadDiffers)]);
    })
    .await;
}
