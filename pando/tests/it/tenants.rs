//! Tenants that cannot reach each other. One tenant makes a thing of every kind. A second one calls every operation with
//! the names of these things, and a third one does the same with names that nothing ever had. Both get the same answers,
//! so the second tenant learns nothing, and the things of the first are as they were.

mod commerce;
mod recipes;
mod risk;
mod things;
mod walker;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::process::Command;

use pando_database::testing::TestPostgres;
use pando_servers::{Redis, python};

use crate::client::Client;
use crate::customers::{passes, stubs};
use crate::engines::Place;
use crate::harness::Running;
use recipes::{About, OF_OPERATORS, RECIPES, Recipe};
use walker::{Names, Walker};

/// The tenants: the owner, the one who knows the owner's names, and the one who knows names of nothing. Their names are equally
/// long, so that answers are.
const TENANTS: [&str; 3] = ["acme", "bolt", "cork"];

/// A server where callers have to say who they are, and a key for each tenant.
struct House {
    running: Running,
    operators: SocketAddr,
    keys: [String; 3],
    /// A key that belongs to no tenant.
    root: String,
}

impl House {
    fn open(place: &Place, variables: &[(&str, &str)]) -> Self {
        place.printed(&["migrate"], &[]);
        let make = |rest: &[&str]| {
            let arguments = [&["keys", "create", "--name", "k", "--role", "admin"], rest].concat();
            place.printed(&arguments, &[]).trim().to_owned()
        };
        let (keys, root) = (TENANTS.map(|tenant| make(&["--tenant", tenant])), make(&[]));
        let asking = [
            ("PANDO_AUTH__MODE", "required"),
            ("PANDO_ADMIN__ENABLED", "true"),
            ("PANDO_RISK__SAMPLE_MEDIA", "true"),
        ];
        let mut running = place.start(&[&asking, variables].concat());
        let operators = running.admin();
        Self { running, operators, keys, root }
    }

    /// A caller of one of the tenants.
    fn walker<'n>(&self, tenant: usize, names: &'n Names) -> Walker<'n> {
        let (address, key) = (self.running.address, self.keys[tenant].clone());
        let is_owner = tenant == 0;
        Walker { address, tenant: TENANTS[tenant], key, names, is_owner, notes: Vec::new() }
    }

    /// How often each statement about things of tenants was sent to the database.
    fn statements(&self) -> BTreeMap<String, f64> {
        let key = [("x-api-key", self.root.as_str())];
        let metrics =
            Client::connect(self.running.address).unwrap().send("GET", "/metrics", &key, b"").unwrap();
        let counts = metrics.body.lines().filter(|line| line.starts_with("db_operations_total{"));
        let counts = counts.filter_map(|line| line.rsplit_once(' '));
        counts.map(|(name, count)| (name.to_owned(), count.parse().unwrap())).collect()
    }
}

/// The operations of a document, each with its method and its path.
fn documented(address: SocketAddr) -> BTreeMap<String, (String, String)> {
    let document = Client::connect(address).unwrap().get("/openapi.json").unwrap().value();
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap().to_owned();
            operations.insert(name, (method.to_uppercase(), path.clone()));
        }
    }
    operations
}

/// Every operation has a recipe, and every recipe an operation.
fn check_recipes(operations: &BTreeMap<String, (String, String)>, recipes: &[Recipe]) {
    let known: BTreeSet<&str> = recipes.iter().map(|recipe| recipe.operation).collect();
    assert_eq!(known.len(), recipes.len(), "an operation has two recipes");
    let documented: BTreeSet<&str> = operations.keys().map(String::as_str).collect();
    let unknown: Vec<_> = documented.difference(&known).collect();
    assert!(unknown.is_empty(), "tests/it/tenants/recipes.rs does not say how to call {unknown:?}");
    let gone: Vec<_> = known.difference(&documented).collect();
    assert!(gone.is_empty(), "tests/it/tenants/recipes.rs has recipes for {gone:?}, which is no operation");
}

/// A recipe for things of tenants.
type Call = fn(&mut Walker<'_>);

/// The walk of the three tenants through all operations.
struct Walk {
    house: House,
    /// The recipes of operations that read, and those of the others.
    reads: Vec<(&'static str, Call)>,
    writes: Vec<(&'static str, Call)>,
    of_owner: Names,
    of_nobody: Names,
}

impl Walk {
    fn begin(place: &Place, variables: &[(&str, &str)]) -> Self {
        let house = House::open(place, variables);
        let operations = documented(house.running.address);
        check_recipes(&operations, RECIPES);
        check_recipes(&documented(house.operators), OF_OPERATORS);
        let recipes = RECIPES.iter().filter_map(|recipe| match recipe.about {
            About::Tenant(call) | About::Guests(call) => Some((recipe.operation, call)),
            _ => None,
        });
        let (reads, writes) = recipes.partition(|(operation, _)| operations[*operation].0 == "GET");
        let unnamed = Names::new();
        let of_owner = things::live(&mut house.walker(0, &unnamed));
        let root = house.root.clone();
        let of_another = things::live(&mut Walker { tenant: "", key: root, ..house.walker(0, &unnamed) });
        let of_nobody = things::of_nobody(&of_owner, &of_another);
        Self { house, reads, writes, of_owner, of_nobody }
    }

    fn answers(&self, tenant: usize, call: Call) -> Vec<String> {
        let names = if tenant == 2 { &self.of_nobody } else { &self.of_owner };
        let mut walker = self.house.walker(tenant, names);
        call(&mut walker);
        walker.notes
    }

    /// The answers that the owner gets.
    fn owned(&self) -> Vec<(&'static str, Vec<String>)> {
        self.reads.iter().map(|(operation, call)| (*operation, self.answers(0, *call))).collect()
    }

    /// The names of the owner's things mean as little to another tenant as names of nothing.
    fn compare(&self, recipes: &[(&'static str, Call)], place: &str) {
        for (operation, call) in recipes {
            let (named, unnamed) = (self.answers(1, *call), self.answers(2, *call));
            assert_eq!(named.len(), unnamed.len(), "{place}: {operation}");
            for (named, unnamed) in named.iter().zip(&unnamed) {
                assert_eq!(named, unnamed, "{place}: {operation} knows things of another tenant");
            }
        }
    }

    /// Nor does it take the database longer to find out.
    fn compare_statements(&self, place: &str) {
        for (operation, call) in &self.reads {
            let ask = || {
                [1, 2].map(|tenant| {
                    let before = self.house.statements();
                    self.answers(tenant, *call);
                    let mut after = self.house.statements();
                    for (statement, count) in &mut after {
                        *count -= before.get(statement).unwrap_or(&0.0);
                    }
                    after.retain(|statement, count| *count > 0.0 && is_about_things(statement));
                    after
                })
            };
            // An answer that is remembered a moment later than usual costs a statement more: a difference that is real
            // comes every time.
            let [named, unnamed] = (0..5).map(|_| ask()).find(|[a, b]| a == b).unwrap_or_else(ask);
            assert_eq!(named, unnamed, "{place}: {operation} asks the database for more");
        }
    }

    /// A credential of a tenant opens nothing that is about all of them.
    fn check_operations_about_all(&self) {
        for (address, recipes) in
            [(self.house.running.address, RECIPES), (self.house.operators, OF_OPERATORS)]
        {
            let operations = documented(address);
            for Recipe { operation, about } in recipes {
                let (method, template) = &operations[*operation];
                let ask = |key: Option<&str>, path: &str| {
                    let key = key.map(|key| ("x-api-key", key));
                    let headers: Vec<_> =
                        key.into_iter().chain([("content-type", "application/json")]).collect();
                    Client::connect(address).unwrap().send(method, path, &headers, b"{}").unwrap()
                };
                match about {
                    About::All(path) => {
                        for key in &self.house.keys {
                            let refused = ask(Some(key), path);
                            assert_eq!(refused.status, 403, "{operation}: {refused:?}");
                            assert!(refused.body.contains("about all tenants"), "{operation}: {refused:?}");
                        }
                        assert_eq!(ask(None, path).status, 401, "{operation}");
                        assert_ne!(ask(Some(&self.house.root), path).status / 100, 5, "{operation}");
                    }
                    About::Nobody => assert!(ask(None, template).status < 500, "{operation}"),
                    About::Guests(_) => {
                        assert!([200, 204, 400].contains(&ask(None, template).status), "{operation}")
                    }
                    About::Tenant(_) => assert_eq!(ask(None, template).status, 401, "{operation}"),
                }
            }
        }
    }
}

/// Whether reads of tenants send the statement. Others are sent by the program itself at any time.
fn is_about_things(statement: &str) -> bool {
    let names = [
        "profiles.",
        "images.",
        "customers.",
        "queue.find\"",
        "queue.list\"",
        "queue.recurring_find",
        "queue.recurring_list",
        "risk.",
        "commerce.product",
        "commerce.cart",
        "webhooks.find\"",
        "webhooks.list\"",
        "webhooks.delivery",
    ];
    names.iter().any(|name| statement.contains(&format!("operation=\"{name}")))
}

fn walk(place: &Place, variables: &[(&str, &str)]) {
    let walk = Walk::begin(place, variables);
    let before = walk.owned();
    walk.compare_statements(place.name);
    walk.compare(&walk.reads, place.name);
    walk.compare(&walk.writes, place.name);
    walk.compare(&walk.reads, place.name);
    walk.check_operations_about_all();
    for ((operation, before), (_, after)) in before.iter().zip(walk.owned()) {
        let is_answer = |note: &String| note.contains("\n200\n") || note.starts_with("data: ");
        assert!(
            before.iter().any(is_answer),
            "{operation} was never called with a name of the owner's: {before:?}"
        );
        assert_eq!(before.len(), after.len(), "{}: {operation}", place.name);
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before, after, "{}: {operation} shows that another tenant was here", place.name);
        }
    }
}

#[test]
fn no_operation_tells_one_tenant_of_another_on_sqlite() {
    walk(&Place::sqlite(), &[]);
}

#[test]
fn no_operation_tells_one_tenant_of_another_on_postgres() {
    walk(&Place::postgres(TestPostgres::shared()), &[]);
}

/// Every read goes to Redis, where the entries of the owner are.
#[test]
fn no_operation_tells_one_tenant_of_another_through_redis() {
    let (redis, place) = (Redis::start(&[]), Place::postgres(TestPostgres::shared()));
    let url = redis.url();
    let l1 = ["PROFILES__CACHE", "PROFILES__PAGES", "CUSTOMERS__CACHE", "CUSTOMERS__PAGES"];
    let l1 = l1.map(|name| format!("PANDO_{name}__L1"));
    let variables: Vec<(&str, &str)> =
        l1.iter().map(|name| (name.as_str(), "false")).chain([("REDIS_ADDRESS", url.as_str())]).collect();
    walk(&place, &variables);
}

/// The same with the methods of gRPC, and with credentials that do not suffice.
fn walk_grpc(place: &Place) {
    let house = House::open(place, &[]);
    let reader = place.printed(&["keys", "create", "--name", "eyes", "--role", "readonly"], &[]);
    let keys = ["OWNER", "KNOWING", "GUESSING"].into_iter().zip(house.keys.clone());
    let others = [("READER", reader.trim().to_owned()), ("ADMIN", house.root.clone())];
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/tenants.py");
    let stubs = stubs();
    let mut client = Command::new(python());
    client.arg(script).arg(house.running.address.to_string()).arg(stubs.path()).envs(keys.chain(others));
    passes(&client.output().unwrap());
}

#[test]
fn no_method_of_grpc_tells_one_tenant_of_another() {
    for place in Place::both() {
        walk_grpc(&place);
    }
}
