//! Which layer wins, where each value came from, and what is refused in which words.

use std::fs;
use std::path::PathBuf;

use pando::{ConfigError, Effective, Flags, Loaded, Sources};
use tempfile::TempDir;

/// A working directory, an environment and a command line of its own.
struct Scene {
    dir: TempDir,
    sources: Sources,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sources = Sources { working_dir: dir.path().to_owned(), ..Sources::default() };
        Self { dir, sources }
    }

    fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.dir.path().join(name), text).unwrap();
        self
    }

    fn variables(mut self, variables: &[(&str, &str)]) -> Self {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.sources.environment.extend(owned);
        self
    }

    fn flags(mut self, flags: Flags) -> Self {
        self.sources.flags = flags;
        self
    }

    fn load(&self) -> Loaded {
        self.sources.load().unwrap_or_else(|error| panic!("{error}"))
    }

    fn refused(&self) -> String {
        let ConfigError { problems } = self.sources.load().unwrap_err();
        problems.join("\n")
    }
}

fn effective(loaded: &Loaded, key: &str) -> Effective {
    loaded.effective().into_iter().find(|setting| setting.key == key).unwrap()
}

fn value(loaded: &Loaded, key: &str) -> String {
    effective(loaded, key).value.unwrap_or_default()
}

#[test]
fn nothing_configured_is_a_file_on_this_machine() {
    let scene = Scene::new();
    let loaded = scene.load();
    assert_eq!(loaded.config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(loaded.config.database_options().sqlite.path, PathBuf::from("./data/pando.db"));
    assert!(loaded.config.database.url.is_none() && loaded.config.database.host.is_none());
    assert!(loaded.effective().iter().all(|setting| setting.origin == "default"));
    assert_eq!(loaded.notes, [""; 0]);
}

#[test]
fn each_layer_wins_over_the_one_below_and_signs_for_its_values() {
    let scene = Scene::new().file(
        "pando.toml",
        "data_dir = \"/file\"\n[http]\ndeadline_ms = 1\ndrain_ms = 1\n[database.pool]\nmax = 1\n",
    );
    let scene = scene
        .variables(&[("PANDO_HTTP__DEADLINE_MS", "2"), ("PANDO_DATA_DIR", "/environment")])
        .flags(Flags { data: Some("/flag".into()), ..Flags::default() });
    let loaded = scene.load();
    let file = scene.dir.path().join("pando.toml").display().to_string();
    for (key, expected, origin) in [
        ("http.uri_bytes_max", "8192", "default"),
        ("database.pool.max", "1", file.as_str()),
        ("database.pool.min", "2", "default"),
        ("http.drain_ms", "1", file.as_str()),
        ("http.deadline_ms", "2", "PANDO_HTTP__DEADLINE_MS"),
        ("data_dir", "\"/flag\"", "--data"),
    ] {
        let setting = effective(&loaded, key);
        assert_eq!((setting.value.as_deref(), setting.origin.as_str()), (Some(expected), origin), "{key}");
    }
}

#[test]
fn a_file_named_on_the_command_line_replaces_the_one_in_place() {
    let mut scene = Scene::new()
        .file("pando.toml", "[http]\ndeadline_ms = 1\n")
        .file("second.toml", "[http]\ndeadline_ms = 2\n")
        .file("third.toml", "[http]\ndeadline_ms = 3\n");
    assert_eq!(scene.load().config.http.deadline_ms, 1);
    let path = |name: &str| scene.dir.path().join(name);
    let (second, third) = (path("second.toml"), path("third.toml"));
    scene = scene.variables(&[("PANDO_CONFIG", second.to_str().unwrap())]);
    assert_eq!(scene.load().config.http.deadline_ms, 2);
    scene.sources.file = Some(third);
    assert_eq!(scene.load().config.http.deadline_ms, 3);
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let mut scene = Scene::new();
    scene.sources.file = Some("/nowhere/pando.toml".into());
    assert!(scene.refused().starts_with("/nowhere/pando.toml: "), "{}", scene.refused());
}

#[test]
fn the_names_of_earlier_deployments_keep_working() {
    let loaded = Scene::new()
        .variables(&[
            ("SERVER_PORT", "9123"),
            ("DB_HOST", "db.internal"),
            ("DB_PASSWORD", "12345"),
            ("LOG_LEVEL", "DEBUG"),
            ("POD_NAME", "pando-7"),
        ])
        .load();
    assert_eq!(effective(&loaded, "http.listen").value.unwrap(), "\"127.0.0.1:9123\"");
    assert_eq!(effective(&loaded, "http.listen").origin, "SERVER_PORT");
    assert_eq!(value(&loaded, "database.host"), "\"db.internal\"");
    assert_eq!(loaded.config.database.password.as_ref().unwrap().expose(), "12345", "digits stay a text");
    assert_eq!(value(&loaded, "database.user"), "\"postgres\"");
    assert_eq!(value(&loaded, "database.database"), "\"profiles\"");
    assert_eq!(value(&loaded, "log.level"), "\"DEBUG\"");
    assert_eq!(value(&loaded, "http.pod_name"), "\"pando-7\"");
}

#[test]
fn a_database_named_in_the_environment_wins_over_a_url_in_the_file() {
    let scene = Scene::new()
        .file("pando.toml", "[database]\nurl = \"postgres://file/db\"\n")
        .variables(&[("DB_HOST", "environment"), ("DB_PORT", "6543")]);
    let database = scene.load().config.database;
    assert!(database.url.is_none());
    assert_eq!((database.host.as_deref(), database.port), (Some("environment"), Some(6543)));
}

#[test]
fn a_url_in_the_environment_is_not_joined_with_parts_in_the_file() {
    let scene = Scene::new()
        .file("pando.toml", "[database]\nhost = \"file\"\npassword = \"opensesame\"\n")
        .variables(&[("DB_URI", "postgres://environment/db")]);
    let database = scene.load().config.database;
    assert_eq!(database.url.unwrap().expose(), "postgres://environment/db");
    assert!(database.host.is_none() && database.password.is_none());
}

#[test]
fn a_url_wins_over_its_parts_and_that_is_said() {
    let scene = Scene::new().variables(&[("DATABASE_URL", "postgres://url/db"), ("DB_HOST", "part")]);
    let loaded = scene.load();
    assert_eq!(loaded.config.database.url.as_ref().unwrap().expose(), "postgres://url/db");
    assert_eq!(loaded.notes, ["DB_HOST: without effect, because DATABASE_URL is set"]);
}

#[test]
fn variables_set_to_nothing_are_not_set() {
    let loaded = Scene::new().variables(&[("DB_HOST", ""), ("SERVER_PORT", ""), ("PANDO_CONFIG", "")]).load();
    assert!(loaded.effective().iter().all(|setting| setting.origin == "default"));
}

#[test]
fn the_names_of_earlier_deployments_set_the_cache() {
    let scene = Scene::new().variables(&[
        ("REDIS_ADDRESS", "cache:6380"),
        ("REDIS_PASSWORD", "12345"),
        ("REDIS_DB", "3"),
        ("CACHE_TTL", "24h"),
        ("CACHE_MAX_SIZE", "10"),
        ("CACHE_POLICY", "fifo"),
        ("CACHE_WRITE_POLICY", "write-around"),
    ]);
    let config = scene.load().config;
    assert_eq!(config.redis.addresses, ["cache:6380"]);
    assert_eq!((config.redis.password.unwrap().expose(), config.redis.database), ("12345", 3));
    let cache = config.profiles.cache;
    assert_eq!((cache.l1_ttl_ms, cache.l2_ttl_ms, cache.entries_max), (30_000, 86_400_000, 10));
    assert_eq!(cache.policy, pando_cache::Policy::Fifo);
    assert_eq!(config.profiles.cache_writes, pando_service::CacheWrites::Around);

    let short = Scene::new().variables(&[("CACHE_TTL", "5"), ("REDIS_HOST", "cache")]).load().config;
    assert_eq!((short.profiles.cache.l1_ttl_ms, short.profiles.cache.l2_ttl_ms), (5_000, 5_000));
    assert_eq!(short.redis.addresses, ["cache:6379"]);
    let url = Scene::new().file("pando.toml", "[redis]\naddresses = [\"old:1\"]\n");
    let redis = url.variables(&[("REDIS_ADDRESS", "redis://new:2/1")]).load().config.redis;
    assert_eq!((redis.url.unwrap().expose(), redis.addresses.len()), ("redis://new:2/1", 0));
    let refused = Scene::new().variables(&[("CACHE_TTL", "soon")]).refused();
    assert!(refused.contains("CACHE_TTL: \"soon\" is not a time"), "{refused}");
}

#[test]
fn the_names_of_earlier_deployments_set_the_broker() {
    for name in ["RABBITMQ_URI", "QUEUE_URI"] {
        let loaded = Scene::new().variables(&[(name, "amqp://pando:opensesame@mq:5672/%2f")]).load();
        let url = effective(&loaded, "queue.broker.url");
        assert_eq!(url.value.as_deref(), Some("\"amqp://pando:***@mq:5672/%2f\""));
        assert_eq!(url.origin, name);
    }
    let refused = Scene::new().variables(&[("QUEUE_URI", "redis://mq")]).refused();
    assert!(refused.contains("queue: queue setting broker.url: "), "{refused}");
}

#[test]
fn single_queues_can_differ() {
    let scene = Scene::new().file("pando.toml", "[queue.queues.mail]\nconcurrency = 2\n");
    assert_eq!(scene.load().config.queue.queues["mail"].concurrency, Some(2));
    let refused = Scene::new().file("pando.toml", "[queue.queues.mail]\nconcurency = 2\n").refused();
    assert!(refused.contains("concurency"), "{refused}");
}

#[test]
fn names_for_parts_that_are_not_here_are_accepted_and_said_to_do_nothing() {
    let scene = Scene::new().variables(&[("RATE_LIMIT_REQUESTS", "5"), ("RATE_LIMIT_WINDOW_MINUTES", "1")]);
    assert_eq!(
        scene.load().notes,
        ["RATE_LIMIT_REQUESTS, RATE_LIMIT_WINDOW_MINUTES: accepted, but without effect in this version"]
    );
}

#[test]
fn every_unknown_key_of_a_file_is_named_with_the_nearest_one() {
    let scene = Scene::new().file("pando.toml", "datadir = \"x\"\n[http]\nlistn = \"127.0.0.1:1\"\n[htpp]\n");
    let refused = scene.refused();
    let file = scene.dir.path().join("pando.toml").display().to_string();
    for line in [
        format!("{file}: there is no setting `datadir`; the nearest one is `data_dir`"),
        format!("{file}: there is no setting `http.listn`; the nearest one is `http.listen`"),
        format!("{file}: there is no setting `htpp`"),
    ] {
        assert!(refused.contains(&line), "{line}\nis not in\n{refused}");
    }
}

#[test]
fn an_unknown_variable_is_refused_only_where_it_can_only_be_ours() {
    let refused = Scene::new().variables(&[("PANDO_HTTP__LISTN", "127.0.0.1:1")]).refused();
    assert_eq!(
        refused,
        "PANDO_HTTP__LISTN: there is no setting `http.listn`; the nearest one is `http.listen`"
    );
    let by_kubernetes = Scene::new().variables(&[("PANDO_SERVICE_HOST", "10.0.0.1")]);
    assert_eq!(
        by_kubernetes.load().notes,
        ["PANDO_SERVICE_HOST: not a setting of this program; it is ignored"]
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_named_with_its_place_and_what_was_expected() {
    for (variable, text, parts) in [
        ("PANDO_HTTP__DEADLINE_MS", "soon", ["http.deadline_ms", "u64"]),
        ("PANDO_HTTP__COMPRESS", "maybe", ["http.compress", "bool"]),
        ("PANDO_LOG__FORMAT", "xml", ["log.format", "auto, json, pretty"]),
        (
            "PANDO_ROLES",
            "profiles,billing",
            [
                "roles",
                "`billing` is not one of all, profiles, customers, tasks, webhooks, risk, commerce, worker",
            ],
        ),
        ("PANDO_DATABASE__POOL__MAX", "-1", ["database.pool.max", "usize"]),
        ("LOG_LEVEL", "loud", ["log.level", "trace"]),
        ("PANDO_HTTP__LISTEN", "8080", ["http.listen", "such as 127.0.0.1:8080"]),
        ("SERVER_PORT", "70000", ["SERVER_PORT", "65535"]),
        ("DB_PORT", "x", ["database.port", "u16"]),
    ] {
        let refused = Scene::new().variables(&[(variable, text)]).refused();
        assert!(refused.starts_with(variable), "{refused}");
        assert!(parts.iter().all(|part| refused.contains(part)), "{refused}");
    }
    let scene = Scene::new().file("pando.toml", "[http]\ndeadline_ms = \"soon\"\n");
    let refused = scene.refused();
    assert!(refused.contains("pando.toml: http.deadline_ms: "), "{refused}");
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_its_line() {
    let refused = Scene::new().file("pando.toml", "[database]\npassword = \"opensesame\n").refused();
    assert!(refused.contains("pando.toml: line 2: ") && !refused.contains("sesame"), "{refused}");
}

#[test]
fn lists_can_be_set_from_the_environment() {
    let variables = [("PANDO_HTTP__TRUSTED_PROXIES", "10.0.0.0/8, ::1"), ("PANDO_ROLES", "profiles")];
    let loaded = Scene::new().variables(&variables).load();
    assert_eq!(loaded.config.http.trusted_proxies, ["10.0.0.0/8", "::1"]);
    assert_eq!(value(&loaded, "roles"), "[\"profiles\"]");
}

#[test]
fn strangers_are_kept_out_unless_the_operator_says_otherwise() {
    for listen in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:80", "[::ffff:192.0.2.1]:80"] {
        let scene = Scene::new().flags(Flags { listen: Some(listen.to_owned()), ..Flags::default() });
        let refused = scene.refused();
        assert!(refused.starts_with("--listen: http.listen: "), "{refused}");
        assert!(refused.contains("auth.mode = \"off\""), "{refused}");
        scene.variables(&[("PANDO_AUTH__MODE", "off")]).load();
    }
    for listen in ["127.0.0.1:0", "[::1]:8080", "127.9.9.9:80"] {
        Scene::new().flags(Flags { listen: Some(listen.to_owned()), ..Flags::default() }).load();
    }
}

#[test]
fn secrets_are_never_listed() {
    let scene = Scene::new()
        .file("pando.toml", "[database]\nurl = \"postgres://pando:opensesame@db:5432/pando\"\n")
        .variables(&[("PANDO_DATABASE__PASSWORD", "opensesame")]);
    let loaded = scene.load();
    assert_eq!(value(&loaded, "database.url"), "\"postgres://pando:***@db:5432/pando\"");
    assert_eq!(value(&loaded, "database.password"), "\"***\"");
    assert!(!format!("{:?}", loaded.effective()).contains("sesame"));
    let wrong = Scene::new().file("pando.toml", "[database]\npassword = [\"opensesame\"]\n").refused();
    assert!(!wrong.contains("sesame"), "{wrong}");
}

#[test]
fn what_is_listed_can_be_read_back() {
    let mut text = String::new();
    for setting in Scene::new().load().effective() {
        if let Some(value) = setting.value {
            text.push_str(&format!("{} = {value}\n", setting.key));
        }
    }
    let loaded = Scene::new().file("pando.toml", &text).load();
    assert!(loaded.effective().iter().any(|setting| setting.origin.ends_with("pando.toml")));
}
