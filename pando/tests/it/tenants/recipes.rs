//! How each operation is called with the names of somebody's things. An operation that is not here fails the test.

use serde_json::{Value, json};

use super::commerce;
use super::risk;
use super::things::{ended, picture};
use super::walker::Walker;
use super::webhooks;

/// An operation of `/openapi.json`, and the data that it is about.
pub(super) struct Recipe {
    pub(super) operation: &'static str,
    pub(super) about: About,
}

/// Whose data an operation is about.
pub(super) enum About {
    /// A tenant's: this calls the operation with all names that it takes.
    Tenant(fn(&mut Walker<'_>)),
    /// A tenant's, and a caller without a credential asks for those of the default tenant.
    Guests(fn(&mut Walker<'_>)),
    /// Nobody's, so that everybody may ask.
    Nobody,
    /// Everybody's, so that no credential of a tenant will do. The path is one of the operation's.
    All(&'static str),
}

use About::{All, Guests, Nobody, Tenant};

const PROFILES: &str = "/api/v1/profiles";
const CUSTOMERS: &str = "/api/v1/customers";
const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");

/// In this order, those that make things after those that change them: a caller may make a thing with any id.
#[rustfmt::skip]
pub(super) const RECIPES: &[Recipe] = &[
    // The server itself.
    Recipe { operation: "front_door", about: Nobody },
    Recipe { operation: "docs_page", about: Nobody },
    Recipe { operation: "docs_file", about: Nobody },
    Recipe { operation: "openapi_json", about: Nobody },
    Recipe { operation: "health", about: Nobody },
    Recipe { operation: "live", about: Nobody },
    Recipe { operation: "ready", about: Nobody },
    Recipe { operation: "metrics_text", about: All("/metrics") },
    Recipe { operation: "actuator_health", about: Nobody },
    Recipe { operation: "actuator_liveness", about: Nobody },
    Recipe { operation: "actuator_readiness", about: Nobody },
    Recipe { operation: "actuator_info", about: Nobody },
    Recipe { operation: "actuator_metrics", about: All("/actuator/metrics") },
    // Sessions: the cookie says whose it is.
    Recipe { operation: "read_session", about: Nobody },
    Recipe { operation: "log_session_in", about: Nobody },
    Recipe { operation: "log_session_out", about: Nobody },
    Recipe { operation: "change_session_password", about: Nobody },
    Recipe { operation: "session_go_to_provider", about: Nobody },
    Recipe { operation: "session_come_from_provider", about: Nobody },
    // Profiles.
    Recipe { operation: "list_profiles", about: Tenant(list_profiles) },
    Recipe { operation: "read_profile", about: Tenant(read_profile) },
    Recipe { operation: "profile_full", about: Tenant(|it| { read_tagged(it, "full"); }) },
    Recipe { operation: "profile_history", about: Tenant(|it| { of_profiles(it, "GET", "/history", &Value::Null); }) },
    Recipe { operation: "profile_data_export", about: Tenant(|it| { of_profiles(it, "GET", "/data-export", &Value::Null); }) },
    Recipe { operation: "get_user_profile", about: Tenant(get_user_profile) },
    Recipe { operation: "fetch_profile_export", about: Tenant(fetch_export) },
    Recipe { operation: "profiles_import_progress", about: Tenant(import_progress) },
    Recipe { operation: "export_profiles", about: Tenant(export_profiles) },
    Recipe { operation: "update_profile", about: Tenant(|it| { of_profiles(it, "PUT", "", &json!({"bio": "taken"})); }) },
    Recipe { operation: "patch_profile", about: Tenant(patch_profile) },
    Recipe { operation: "put_profile_address", about: Tenant(|it| { of_profiles(it, "PUT", "/address", &json!({"city": "Bonn"})); }) },
    Recipe { operation: "put_profile_preferences", about: Tenant(|it| { of_profiles(it, "PUT", "/preferences", &json!({"time_zone": "UTC"})); }) },
    Recipe { operation: "request_profile_data_export", about: Tenant(|it| { of_profiles(it, "POST", "/data-export", &Value::Null); }) },
    Recipe { operation: "restore_profile", about: Tenant(|it| { of_profiles(it, "POST", "/restore", &Value::Null); }) },
    Recipe { operation: "delete_profile", about: Tenant(|it| { of_profiles(it, "DELETE", "", &Value::Null); }) },
    Recipe { operation: "erase_profile", about: Tenant(|it| { of_profiles(it, "POST", "/erase", &Value::Null); }) },
    // Images.
    Recipe { operation: "list_images", about: Tenant(|it| { of_profiles(it, "GET", "/images", &Value::Null); }) },
    Recipe { operation: "read_image", about: Tenant(|it| { of_profiles(it, "GET", "/images/1", &Value::Null); }) },
    Recipe { operation: "read_image_media", about: Tenant(read_media) },
    Recipe { operation: "delete_image", about: Tenant(|it| { of_profiles(it, "DELETE", "/images/1", &Value::Null); }) },
    Recipe { operation: "add_image", about: Tenant(add_image) },
    // Tasks and schedules.
    Recipe { operation: "list_tasks", about: Tenant(list_tasks) },
    Recipe { operation: "list_task_types", about: Tenant(|it| { it.get("/api/v1/tasks/types"); }) },
    Recipe { operation: "read_task", about: Tenant(|it| of_tasks(it, "GET", "?wait=20s")) },
    Recipe { operation: "task_events", about: Tenant(task_events) },
    Recipe { operation: "cancel_task", about: Tenant(|it| of_tasks(it, "DELETE", "")) },
    Recipe { operation: "create_task", about: Tenant(create_task) },
    Recipe { operation: "list_schedules", about: Tenant(list_schedules) },
    Recipe { operation: "read_schedule", about: Tenant(|it| { it.get(&format!("/api/v1/schedules/{}", it.name("schedule"))); }) },
    Recipe { operation: "delete_schedule", about: Tenant(|it| { it.send("DELETE", &format!("/api/v1/schedules/{}", it.name("schedule")), &[], b""); }) },
    Recipe { operation: "put_schedule", about: Tenant(put_schedule) },
    // Customers.
    Recipe { operation: "list_customers", about: Tenant(list_customers) },
    Recipe { operation: "read_customer", about: Tenant(read_customer) },
    Recipe { operation: "customer_history", about: Tenant(|it| { it.get(&format!("{CUSTOMERS}/{}/history", it.name("customer"))); }) },
    Recipe { operation: "export_customers", about: Tenant(export_customers) },
    Recipe { operation: "customers_watch", about: Tenant(watch_customers) },
    Recipe { operation: "update_customer", about: Tenant(update_customer) },
    Recipe { operation: "delete_customer", about: Tenant(delete_customer) },
    // Webhooks.
    Recipe { operation: "list_webhooks", about: Tenant(webhooks::list) },
    Recipe { operation: "webhooks_event_types", about: Tenant(|it| { it.get("/api/v1/webhooks/event-types"); }) },
    Recipe { operation: "read_webhook", about: Tenant(|it| webhooks::of_webhook(it, "GET", "", &Value::Null)) },
    Recipe { operation: "list_webhook_deliveries", about: Tenant(webhooks::list_deliveries) },
    Recipe { operation: "read_delivery", about: Tenant(|it| { it.get(&format!("/api/v1/deliveries/{}", it.name("delivery"))); }) },
    Recipe { operation: "retry_delivery", about: Tenant(|it| { it.send("POST", &format!("/api/v1/deliveries/{}/retry", it.name("delivery")), &[], b""); }) },
    Recipe { operation: "change_webhook", about: Tenant(|it| webhooks::of_webhook(it, "PATCH", "", &json!({"status": "paused"}))) },
    Recipe { operation: "replace_webhook", about: Tenant(|it| webhooks::of_webhook(it, "PUT", "", &json!({"url": "https://localhost/", "events": ["*"]}))) },
    Recipe { operation: "rotate_webhook_secret", about: Tenant(|it| webhooks::of_webhook(it, "POST", "/rotate-secret", &Value::Null)) },
    Recipe { operation: "test_webhook", about: Tenant(|it| webhooks::of_webhook(it, "POST", "/test", &Value::Null)) },
    Recipe { operation: "recover_webhook", about: Tenant(|it| webhooks::of_webhook(it, "POST", "/recover?since=2026-01-01T00:00:00Z", &Value::Null)) },
    Recipe { operation: "delete_webhook", about: Tenant(|it| webhooks::of_webhook(it, "DELETE", "", &Value::Null)) },
    // Risk decisions.
    Recipe { operation: "list_assessments", about: Tenant(|it| { it.get("/api/v1/assess"); it.get("/api/v1/assess?limit=100&status=completed"); }) },
    Recipe { operation: "read_assessment", about: Tenant(|it| { it.get(&format!("/api/v1/assess/{}", it.name("assessment"))); }) },
    Recipe { operation: "assessment_history", about: Tenant(|it| { it.get(&format!("/api/v1/assess/{}/history", it.name("assessment"))); }) },
    Recipe { operation: "list_batches", about: Tenant(|it| { it.get("/api/v1/assess/batch"); it.get("/api/v1/assess/batch?limit=100&status=completed"); }) },
    Recipe { operation: "read_batch", about: Tenant(|it| { it.get(&format!("/api/v1/assess/batch/{}", it.name("batch"))); }) },
    Recipe { operation: "batch_results", about: Tenant(|it| { it.get(&format!("/api/v1/assess/batch/{}/results", it.name("batch"))); }) },
    Recipe { operation: "batch_state", about: Tenant(|it| { it.get(&format!("/api/v1/batch/{}/status", it.name("batch"))); }) },
    Recipe { operation: "cancel_batch", about: Tenant(|it| { it.send("DELETE", &format!("/api/v1/assess/batch/{}", it.name("batch")), &[], b""); }) },
    Recipe { operation: "resume_batch", about: Tenant(|it| { it.send("POST", &format!("/api/v1/assess/batch/{}/resume", it.name("batch")), &[], b""); }) },
    Recipe { operation: "assessment_replay", about: Tenant(|it| { it.get(&format!("/api/v1/assess/{}/replay", it.name("assessment"))); }) },
    Recipe { operation: "assessment_explain", about: Tenant(|it| { it.get(&format!("/api/v1/explain/{}", it.name("assessment"))); }) },
    Recipe { operation: "list_models_info", about: Tenant(|it| { it.get("/api/v1/models/info"); }) },
    Recipe { operation: "list_models_performance", about: Tenant(risk::model_performance) },
    Recipe { operation: "model_info", about: Tenant(|it| { it.get("/api/v1/models/ensemble/info"); }) },
    Recipe { operation: "screen_sanctions", about: Tenant(|it| { it.json("POST", "/api/v1/sanctions/screen", &[], &json!({"business_name": it.name("word")})); }) },
    // The shop.
    Recipe { operation: "list_catalog_products", about: Guests(commerce::list) },
    Recipe { operation: "read_catalog_product", about: Guests(|it| commerce::of_product(it, "GET", &Value::Null)) },
    Recipe { operation: "read_catalog_facets", about: Guests(commerce::count) },
    Recipe { operation: "list_catalog_categories", about: Guests(|it| { it.get("/api/categories?size=100"); it.get(&format!("/api/categories?parentId={}", it.name("category"))); }) },
    Recipe { operation: "read_catalog_category", about: Guests(|it| commerce::of_category(it, "GET", &Value::Null)) },
    Recipe { operation: "release_inventory_units", about: Tenant(|it| commerce::end(it, "release")) },
    Recipe { operation: "confirm_inventory_units", about: Tenant(|it| commerce::end(it, "confirm")) },
    Recipe { operation: "reserve_inventory_units", about: Tenant(commerce::reserve) },
    Recipe { operation: "read_cart", about: Guests(|it| { it.get("/api/cart"); }) },
    Recipe { operation: "replace_cart", about: Guests(|it| commerce::fill(it, "PUT", "/api/cart")) },
    Recipe { operation: "clear_cart", about: Guests(|it| { it.send("DELETE", "/api/cart", &[], b""); }) },
    Recipe { operation: "add_cart_item", about: Guests(|it| commerce::fill(it, "POST", "/api/cart/items")) },
    Recipe { operation: "change_cart_item", about: Guests(|it| commerce::of_line(it, "PUT", &json!({"quantity": 2}))) },
    Recipe { operation: "remove_cart_item", about: Guests(|it| commerce::of_line(it, "DELETE", &Value::Null)) },
    Recipe { operation: "merge_cart", about: Tenant(|it| { it.send("POST", "/api/cart/merge", &[], b""); }) },
    Recipe { operation: "read_cart_of_user", about: Tenant(|it| { it.get("/api/cart/ann"); }) },
    Recipe { operation: "replace_cart_of_user", about: Tenant(|it| commerce::fill(it, "PUT", "/api/cart/ann")) },
    Recipe { operation: "delete_cart_of_user", about: Tenant(|it| { it.send("DELETE", "/api/cart/ann", &[], b""); }) },
    Recipe { operation: "clear_cart_of_user", about: Tenant(|it| { it.send("DELETE", "/api/cart/ann/clear", &[], b""); }) },
    Recipe { operation: "read_inventory_stock", about: Tenant(|it| commerce::of_stock(it, "GET", "", &Value::Null)) },
    Recipe { operation: "list_inventory_movements", about: Tenant(|it| commerce::of_stock(it, "GET", "/movements", &Value::Null)) },
    Recipe { operation: "check_inventory_availability", about: Guests(commerce::availability) },
    Recipe { operation: "change_inventory_stock", about: Tenant(|it| commerce::of_stock(it, "PUT", "", &json!({"reorderPoint": 5}))) },
    Recipe { operation: "move_inventory_units", about: Tenant(commerce::move_units) },
    Recipe { operation: "list_orders", about: Tenant(commerce::orders) },
    Recipe { operation: "list_own_orders", about: Tenant(|it| { it.get("/api/orders/me"); }) },
    Recipe { operation: "read_order", about: Tenant(|it| commerce::of_order(it, "GET", "", &Value::Null)) },
    Recipe { operation: "cancel_order", about: Tenant(|it| commerce::of_order(it, "POST", "/cancel", &json!({"reason": "x"}))) },
    Recipe { operation: "put_cancel_order", about: Tenant(|it| commerce::of_order(it, "PUT", "/cancel", &json!({"reason": "x"}))) },
    Recipe { operation: "move_order", about: Tenant(|it| commerce::of_order(it, "PUT", "/status", &json!({"status": "SHIPPED"}))) },
    Recipe { operation: "create_order", about: Tenant(commerce::place) },
    Recipe { operation: "list_payments", about: Tenant(commerce::payments) },
    Recipe { operation: "read_payment", about: Tenant(|it| commerce::of_payment(it, "GET", "", &Value::Null)) },
    Recipe { operation: "refresh_payment", about: Tenant(|it| commerce::of_payment(it, "GET", "/status", &Value::Null)) },
    Recipe { operation: "refund_payment", about: Tenant(|it| commerce::of_payment(it, "POST", "/refund", &json!({"reason": "x"}))) },
    Recipe { operation: "create_payment", about: Tenant(|it| commerce::pay(it, "")) },
    Recipe { operation: "charge_payment", about: Tenant(|it| commerce::pay(it, "/charge")) },
    Recipe { operation: "take_payments_callback", about: Nobody },
    Recipe { operation: "change_catalog_product", about: Tenant(|it| commerce::of_product(it, "PUT", &json!({"price": 8}))) },
    Recipe { operation: "change_catalog_category", about: Tenant(|it| commerce::of_category(it, "PUT", &json!({"name": "Taken"}))) },
    Recipe { operation: "delete_catalog_category", about: Tenant(|it| commerce::of_category(it, "DELETE", &Value::Null)) },
    Recipe { operation: "delete_catalog_product", about: Tenant(|it| commerce::of_product(it, "DELETE", &Value::Null)) },
    // Those that make things.
    Recipe { operation: "create_catalog_category", about: Tenant(commerce::create_category) },
    Recipe { operation: "create_catalog_product", about: Tenant(commerce::create) },
    Recipe { operation: "list_rulesets", about: Tenant(|it| { it.get("/api/v1/rules"); it.get("/api/v1/rules?limit=1&before=2"); }) },
    Recipe { operation: "read_ruleset", about: Tenant(|it| { it.get("/api/v1/rules/1"); it.get("/api/v1/rules/0"); }) },
    Recipe { operation: "compare_rulesets", about: Tenant(|it| { it.get("/api/v1/rules/compare?from=0&to=1"); }) },
    Recipe { operation: "ruleset_shadow", about: Tenant(|it| { it.get("/api/v1/rules/shadow"); }) },
    Recipe { operation: "ruleset_backtest", about: Tenant(|it| { it.get(&format!("/api/v1/rules/backtests/{}", it.name("backtest"))); }) },
    Recipe { operation: "evaluate_ruleset", about: Tenant(risk::evaluate) },
    Recipe { operation: "test_ruleset", about: Tenant(|it| risk::of_ruleset(it, "POST", "/test", &Value::Null)) },
    Recipe { operation: "publish_ruleset", about: Tenant(|it| risk::of_ruleset(it, "POST", "/publish", &Value::Null)) },
    Recipe { operation: "roll_back_ruleset", about: Tenant(|it| risk::of_ruleset(it, "POST", "/rollback", &Value::Null)) },
    Recipe { operation: "start_ruleset_shadow", about: Tenant(|it| risk::of_ruleset(it, "POST", "/shadow", &Value::Null)) },
    Recipe { operation: "stop_ruleset_shadow", about: Tenant(|it| { it.send("DELETE", "/api/v1/rules/shadow", &[], b""); }) },
    Recipe { operation: "change_ruleset", about: Tenant(|it| risk::of_ruleset(it, "PUT", "", &risk::careful())) },
    Recipe { operation: "start_ruleset_backtest", about: Tenant(|it| risk::of_ruleset(it, "POST", "/backtest", &json!({}))) },
    Recipe { operation: "cancel_ruleset_backtest", about: Tenant(|it| { it.send("DELETE", &format!("/api/v1/rules/backtests/{}", it.name("backtest")), &[], b""); }) },
    Recipe { operation: "list_lists", about: Tenant(|it| { it.get("/api/v1/lists"); }) },
    Recipe { operation: "read_list", about: Tenant(|it| { it.get(&format!("/api/v1/lists/{}", it.name("list"))); }) },
    Recipe { operation: "list_list_entries", about: Tenant(|it| { it.get(&format!("/api/v1/lists/{}/entries", it.name("list"))); }) },
    Recipe { operation: "add_list_entries", about: Tenant(|it| risk::of_list(it, "POST", "/entries", &json!([{"id": "2", "name": "Taken"}]))) },
    Recipe { operation: "replace_list_entries", about: Tenant(|it| risk::of_list(it, "PUT", "/entries", &json!([]))) },
    Recipe { operation: "remove_list_entry", about: Tenant(|it| risk::of_list(it, "DELETE", "/entries/1", &Value::Null)) },
    Recipe { operation: "delete_list", about: Tenant(|it| risk::of_list(it, "DELETE", "", &Value::Null)) },
    Recipe { operation: "list_sanctions_false_positives", about: Tenant(|it| { it.get("/api/v1/sanctions/false-positives"); }) },
    Recipe { operation: "create_sanction_false_positive", about: Tenant(risk::false_positive) },
    Recipe { operation: "list_cases", about: Tenant(|it| { it.get("/api/v1/cases"); it.get("/api/v1/cases?limit=100&status=open"); }) },
    Recipe { operation: "read_case", about: Tenant(|it| { it.get(&format!("/api/v1/cases/{}", it.name("case"))); }) },
    Recipe { operation: "assign_case", about: Tenant(|it| risk::of_case(it, "assign", &json!({"assignee": "bolt"}))) },
    Recipe { operation: "note_case", about: Tenant(|it| risk::of_case(it, "notes", &json!({"note": "taken"}))) },
    Recipe { operation: "propose_case", about: Tenant(|it| risk::of_case(it, "propose", &json!({"outcome": "decline"}))) },
    Recipe { operation: "confirm_case", about: Tenant(|it| risk::of_case(it, "confirm", &json!({"agree": true}))) },
    Recipe { operation: "list_monitoring", about: Tenant(|it| { it.get("/api/v1/monitoring"); }) },
    Recipe { operation: "delete_monitoring", about: Tenant(|it| { it.send("DELETE", &format!("/api/v1/monitoring/{}", it.name("business")), &[], b""); }) },
    Recipe { operation: "create_monitoring", about: Tenant(|it| { it.json("POST", "/api/v1/monitoring", &[], &risk::monitored("Another Ltd")); }) },
    Recipe { operation: "create_list", about: Tenant(|it| { it.json("POST", "/api/v1/lists", &[], &json!({"name": "bad payers", "kind": "block"})); }) },
    Recipe { operation: "create_ruleset", about: Tenant(|it| { it.json("POST", "/api/v1/rules", &[], &risk::careful()); }) },
    Recipe { operation: "analytics_trends", about: Tenant(|it| { it.get("/api/v1/analytics/trends?timeframe=1y"); }) },
    Recipe { operation: "analytics_insights", about: Tenant(|it| { it.get("/api/v1/analytics/insights?timeframe=1y"); }) },
    Recipe { operation: "predict_assessment", about: Tenant(|it| { it.json("POST", &format!("/api/v1/assess/{}/predict", it.name("assessment")), &[], &json!({"horizon_months": 6})); }) },
    Recipe { operation: "analyze_scenarios", about: Tenant(risk::analyze) },
    Recipe { operation: "create_prediction_advanced", about: Tenant(risk::predict_advanced) },
    Recipe { operation: "check_compliance", about: Tenant(risk::check_compliance) },
    Recipe { operation: "read_media_monitoring", about: Tenant(|it| { it.get(&format!("/api/v1/media/monitor/{}", it.name("monitoring"))); }) },
    Recipe { operation: "delete_media_monitoring", about: Tenant(|it| { it.send("DELETE", &format!("/api/v1/media/monitor/{}", it.name("monitoring")), &[], b""); }) },
    Recipe { operation: "create_media_monitoring", about: Tenant(risk::monitor) },
    Recipe { operation: "create_assessment", about: Tenant(risk::create) },
    Recipe { operation: "assess_batches", about: Tenant(risk::assess_batch) },
    Recipe { operation: "create_batch", about: Tenant(risk::create_batch) },
    Recipe { operation: "submit_batches", about: Tenant(risk::submit_batch) },
    Recipe { operation: "create_webhook", about: Tenant(webhooks::create) },
    Recipe { operation: "create_profile", about: Tenant(create_profile) },
    Recipe { operation: "create_profile_random", about: Tenant(create_random) },
    Recipe { operation: "batch_profiles", about: Tenant(batch_profiles) },
    Recipe { operation: "import_profiles", about: Tenant(import_profiles) },
    Recipe { operation: "create_customer", about: Tenant(create_customer) },
    Recipe { operation: "batch_customers_create", about: Tenant(batch_customers) },
    Recipe { operation: "import_customers", about: Tenant(import_customers) },
];

/// The operations of the port of operators: everybody's queues, jobs and caches.
#[rustfmt::skip]
pub(super) const OF_OPERATORS: &[Recipe] = &[
    Recipe { operation: "read_session", about: Nobody },
    Recipe { operation: "log_session_in", about: Nobody },
    Recipe { operation: "log_session_out", about: Nobody },
    Recipe { operation: "change_session_password", about: Nobody },
    Recipe { operation: "session_go_to_provider", about: Nobody },
    Recipe { operation: "session_come_from_provider", about: Nobody },
    Recipe { operation: "docs_page", about: Nobody },
    Recipe { operation: "docs_file", about: Nobody },
    Recipe { operation: "openapi_json", about: Nobody },
    Recipe { operation: "health", about: Nobody },
    Recipe { operation: "live", about: Nobody },
    Recipe { operation: "ready", about: Nobody },
    Recipe { operation: "metrics_text", about: All("/metrics") },
    Recipe { operation: "actuator_health", about: Nobody },
    Recipe { operation: "actuator_liveness", about: Nobody },
    Recipe { operation: "actuator_readiness", about: Nobody },
    Recipe { operation: "actuator_info", about: Nobody },
    Recipe { operation: "actuator_metrics", about: All("/actuator/metrics") },
    Recipe { operation: "cache_caches", about: All("/admin/cache") },
    Recipe { operation: "cache", about: All("/admin/cache/profiles") },
    Recipe { operation: "cache_key", about: All("/admin/cache/profiles/keys/x") },
    Recipe { operation: "clear_cache", about: All("/admin/cache/profiles/clear") },
    Recipe { operation: "expire_cache", about: All("/admin/cache/profiles/expire") },
    Recipe { operation: "live_figures", about: All("/admin/live?figures=1") },
    Recipe { operation: "warm_cache", about: All("/admin/warm/profiles?count=1") },
    Recipe { operation: "list_queues", about: All("/api/v1/admin/queues") },
    Recipe { operation: "pause_queue", about: All("/api/v1/admin/queues/none/pause") },
    Recipe { operation: "resume_queue", about: All("/api/v1/admin/queues/none/resume") },
    Recipe { operation: "show_queue_job", about: All("/api/v1/admin/jobs/01900000-0000-7000-8000-000000000001") },
    Recipe { operation: "queues_dead_letters", about: All("/api/v1/admin/dead-letters") },
    Recipe { operation: "redrive_queues", about: All("/api/v1/admin/dead-letters/redrive") },
    Recipe { operation: "list_subscribers", about: All("/api/v1/admin/subscribers") },
    Recipe { operation: "forget_subscriber", about: All("/api/v1/admin/subscribers/none") },
];

/// Calls a route of the living profile and of the deleted one, as it is, with a version, and with a key.
fn of_profiles(walker: &mut Walker<'_>, method: &str, route: &str, body: &Value) {
    for word in ["profile", "deleted"] {
        let path = format!("{PROFILES}/{}{route}", walker.name(word));
        let key = walker.name("key");
        let consistency = walker.name("consistency");
        let headers: &[&[(&str, &str)]] = match method {
            "GET" => &[&[], &[], &[("pando-consistency", &consistency)]],
            _ => &[&[], &[("if-match", "\"1\"")], &[("if-match", "*")], &[("idempotency-key", &key)]],
        };
        for headers in headers {
            match body {
                Value::Null => walker.send(method, &path, headers, b""),
                body => walker.json(method, &path, headers, body),
            };
        }
    }
}

fn list_profiles(walker: &mut Walker<'_>) {
    let (id, gone) = (walker.name("profile"), walker.name("deleted"));
    for query in [
        "limit=1000".to_owned(),
        "limit=1000&sort=name&count=exact".to_owned(),
        "limit=1000&count=estimated".to_owned(),
        format!("ids={id},{gone}"),
        format!("email={}&count=exact", walker.name("email")),
        format!("email={}", walker.name("other_email")),
        format!("q={}&count=exact", walker.name("word")),
        format!("q={}&count=estimated", &walker.name("word")[..2]),
        format!("limit=1000&cursor={}", walker.name("profile_cursor")),
    ] {
        walker.get(&format!("{PROFILES}?{query}"));
    }
    let consistency = walker.name("consistency");
    walker.get_with(&format!("{PROFILES}?limit=1000"), &[("pando-consistency", &consistency)]);
}

fn read_profile(walker: &mut Walker<'_>) {
    read_tagged(walker, "");
    let path = format!("{PROFILES}/{}", walker.name("profile"));
    walker.get(&format!("{path}?fields=name"));
    walker.send("HEAD", &path, &[], b"");
}

/// Several times, because an answer may be remembered, and with the tag of the owner's answer.
fn read_tagged(walker: &mut Walker<'_>, part: &str) {
    let part = if part.is_empty() { String::new() } else { format!("/{part}") };
    of_profiles(walker, "GET", &part, &Value::Null);
    let path = format!("{PROFILES}/{}{part}", walker.name("profile"));
    for tag in ["\"1\"", "\"2\"", "\"3\"", "\"4\"", "*"] {
        walker.get_with(&path, &[("if-none-match", tag)]);
    }
}

fn get_user_profile(walker: &mut Walker<'_>) {
    for mode in ["sequential", "concurrent", "joined", "cached"] {
        walker.get(&format!("/getUserProfile?userID={}&mode={mode}", walker.name("profile")));
    }
}

fn fetch_export(walker: &mut Walker<'_>) {
    for word in ["export", "profile", "task"] {
        walker.get(&format!("/api/v1/exports/{}", walker.name(word)));
    }
}

fn import_progress(walker: &mut Walker<'_>) {
    for word in ["import", "later_import"] {
        walker.get(&format!("{PROFILES}:import?token={}", walker.name(word)));
    }
}

fn export_profiles(walker: &mut Walker<'_>) {
    let id = walker.name("profile");
    for query in ["format=ndjson".to_owned(), "format=csv".to_owned(), format!("after={id}")] {
        walker.get(&format!("{PROFILES}:export?{query}"));
    }
}

fn patch_profile(walker: &mut Walker<'_>) {
    let path = format!("{PROFILES}/{}", walker.name("profile"));
    for (media, body) in [
        ("application/merge-patch+json", json!({"bio": "taken"})),
        ("application/json-patch+json", json!([{"op": "test", "path": "/name", "value": "Wilhelmina"}])),
    ] {
        walker.send("PATCH", &path, &[("content-type", media)], body.to_string().as_bytes());
    }
}

fn read_media(walker: &mut Walker<'_>) {
    let name = walker.name("media");
    let (hash, rest) = name.split_once('.').unwrap();
    let ending = rest.rsplit('.').next().unwrap();
    // The owner's name for the file, the caller's own name for the same content, and that of the default tenant.
    for name in [name.clone(), format!("{hash}.{}.{ending}", walker.tenant), format!("{hash}.{ending}")] {
        let path = format!("/media/{name}");
        let tag = format!("\"{hash}\"");
        for headers in [
            &[][..],
            &[("if-none-match", tag.as_str())],
            &[("if-none-match", "*")],
            &[("range", "bytes=0-9")],
        ] {
            walker.get_with(&path, headers);
        }
    }
}

fn add_image(walker: &mut Walker<'_>) {
    let media = [("content-type", "image/png")];
    for word in ["profile", "deleted"] {
        let path = format!("{PROFILES}/{}/images", walker.name(word));
        walker.send("POST", &path, &media, &picture(1));
    }
}

fn list_tasks(walker: &mut Walker<'_>) {
    let task = walker.name("task");
    for query in
        ["limit=1000", "limit=1000&type=echo", "limit=1000&status=scheduled", "limit=1000&status=completed"]
    {
        walker.get(&format!("/api/v1/tasks?{query}"));
    }
    // A cursor of this list is no more than the id at its place, in quotes.
    walker.get(&format!("/api/v1/tasks?cursor={task}"));
}

fn of_tasks(walker: &mut Walker<'_>, method: &str, query: &str) {
    for word in ["task", "ended_task", "export"] {
        // The owner would wait for a task of tomorrow.
        let query = if walker.tenant == "acme" { "" } else { query };
        walker.send(method, &format!("/api/v1/tasks/{}{query}", walker.name(word)), &[], b"");
    }
}

fn task_events(walker: &mut Walker<'_>) {
    for word in ["task", "ended_task"] {
        if walker.tenant == "acme" && word == "task" {
            // Its stream would end tomorrow.
            continue;
        }
        let path = format!("/api/v1/tasks/{}/events", walker.name(word));
        walker.get(&path);
        walker.get_with(&path, &[("last-event-id", "completed-1-1")]);
    }
}

fn create_task(walker: &mut Walker<'_>) {
    let (key, path) = (walker.name("key"), "/api/v1/tasks/delayed");
    let unique = json!({"task_type": "echo", "delay": "1d", "unique_key": walker.name("unique_key")});
    for _ in 0..2 {
        walker.json("POST", path, &[("idempotency-key", &key)], &unique);
    }
    walker.json("POST", path, &[], &unique);
    // Tasks about things of somebody else.
    let (id, upload, token) = (walker.name("profile"), walker.name("export"), walker.name("import"));
    for (kind, data) in [
        ("export", json!({"profile_id": id})),
        ("erase", json!({"profile_id": id})),
        ("image_variants", json!({"profile_id": id, "number": 1})),
        ("profile_reindex", json!({})),
        ("import", json!({"upload": upload, "token": token, "format": "ndjson"})),
    ] {
        let task = json!({"task_type": kind, "data": data, "max_retries": 0});
        let made = walker.json("POST", path, &[], &task);
        if let Some(place) = made.header("location") {
            walker.get(&format!("{place}?wait=20s"));
        }
    }
    let all = walker.json("POST", path, &[], &json!({"task_type": "export", "data": {"format": "ndjson"}}));
    let receipt = ended(walker, all.header("location").unwrap());
    walker.get(&format!("/api/v1/exports/{}", receipt["id"].as_str().unwrap()));
}

fn list_schedules(walker: &mut Walker<'_>) {
    walker.get("/api/v1/schedules");
    walker.get(&format!("/api/v1/schedules?cursor={}", walker.name("schedule_cursor")));
}

fn put_schedule(walker: &mut Walker<'_>) {
    let path = format!("/api/v1/schedules/{}", walker.name("schedule"));
    let body = json!({"every": "24h", "task_type": "echo", "paused": true});
    for headers in [&[("if-match", "\"1\"")][..], &[("if-none-match", "*")], &[]] {
        walker.json("PUT", &path, headers, &body);
    }
}

fn list_customers(walker: &mut Walker<'_>) {
    for query in [
        "limit=1000".to_owned(),
        "limit=1000&offset=1".to_owned(),
        format!("email={}", walker.name("email")),
        format!("phone={}", walker.name("phone")),
        format!("limit=1000&cursor={}", walker.name("customer_cursor")),
    ] {
        walker.get(&format!("{CUSTOMERS}?{query}"));
    }
    let consistency = walker.name("consistency");
    walker.get_with(&format!("{CUSTOMERS}?limit=1000"), &[("pando-consistency", &consistency)]);
}

fn read_customer(walker: &mut Walker<'_>) {
    let consistency = walker.name("consistency");
    for word in ["customer", "other_customer"] {
        let path = format!("{CUSTOMERS}/{}", walker.name(word));
        for headers in
            [&[][..], &[], &[("pando-consistency", consistency.as_str())], &[("if-none-match", "\"1\"")]]
        {
            walker.get_with(&path, headers);
        }
    }
}

fn export_customers(walker: &mut Walker<'_>) {
    for query in [
        String::new(),
        format!("?after={}", walker.name("customer")),
        format!("?cursor={}", walker.name("customer_cursor")),
    ] {
        walker.get(&format!("{CUSTOMERS}/export{query}"));
    }
}

/// A watch shows a tenant its own customers only, from any position. The recipe stops at the last of them.
fn watch_customers(walker: &mut Walker<'_>) {
    walker.get(&format!("{CUSTOMERS}/watch?position=now"));
    let listed = walker.send_unnoted("GET", &format!("{CUSTOMERS}?limit=1"), &[], b"").value();
    let Some(last) = listed["customers"][0]["id"].as_str() else { return };
    let path = format!("{CUSTOMERS}/watch?position={}", walker.name("position"));
    let ends = format!("\"customer_created\",\"id\":\"{last}\"");
    let events = walker.watch(&path, |events| events.last().is_some_and(|event| event.contains(&ends)));
    let changes: Vec<String> = events.into_iter().filter(|line| line.starts_with("data: ")).collect();
    walker.note(&changes.join("\n"));
}

fn update_customer(walker: &mut Walker<'_>) {
    let (key, path) = (walker.name("key"), format!("{CUSTOMERS}/{}", walker.name("customer")));
    for headers in
        [&[][..], &[("if-match", "\"1\"")], &[("if-match", "*")], &[("idempotency-key", key.as_str())]]
    {
        walker.json("PATCH", &path, headers, &json!({"name": "Taken"}));
    }
}

fn delete_customer(walker: &mut Walker<'_>) {
    let path = format!("{CUSTOMERS}/{}", walker.name("customer"));
    for headers in [&[][..], &[("if-match", "\"1\"")], &[("if-match", "*")]] {
        walker.send("DELETE", &path, headers, b"");
    }
}

fn create_profile(walker: &mut Walker<'_>) {
    let key = walker.name("key");
    for word in ["email", "other_email"] {
        let person =
            json!({"name": walker.name("word"), "email": walker.name(word), "bio": "met at the oak"});
        walker.json("POST", PROFILES, &[("idempotency-key", &format!("{key}-{word}"))], &person);
        walker.json("POST", PROFILES, &[("idempotency-key", &format!("{key}-{word}"))], &person);
        walker.json("POST", PROFILES, &[("idempotency-key", &key)], &json!({"name": "Other"}));
    }
    let mine = json!({"name": "Mine", "email": "mine@example.org"});
    walker.json("POST", PROFILES, &[("idempotency-key", &key)], &mine);
}

fn create_random(walker: &mut Walker<'_>) {
    let key = walker.name("key");
    let made = walker.send_unnoted("POST", "/api/v1/profiles/random", &[("idempotency-key", &key)], b"");
    walker.note(&format!("{} {:?}", made.status, made.header("idempotent-replayed")));
    // An invented name is not the name of another tenant's thing.
    let id = made.value()["id"].as_str().map(str::to_owned);
    let path = format!("{PROFILES}/{}", id.unwrap_or_default());
    assert_eq!(walker.send_unnoted("DELETE", &path, &[], b"").status, 204, "{made:?}");
}

fn batch_profiles(walker: &mut Walker<'_>) {
    let (id, gone, key) = (walker.name("profile"), walker.name("deleted"), walker.name("key"));
    let item = |id: &str, version: Option<i64>| json!({"id": id, "name": "Batch", "email": format!("{id}@example.org"), "version": version});
    for items in
        [json!([item(&id, Some(1))]), json!([item(&id, None), item(&gone, None), {"name": "No address"}])]
    {
        let key = format!("{key}-{}", items.as_array().unwrap().len());
        walker.json("POST", "/api/v1/profiles:batch", &[("idempotency-key", &key)], &items);
    }
}

fn import_profiles(walker: &mut Walker<'_>) {
    let line = b"{\"name\": \"Imported\", \"email\": \"sent@example.org\"}\n";
    let path = |token: &str| format!("{PROFILES}:import?token={token}");
    let (now, later) = (walker.name("import"), walker.name("later_import"));
    walker.send("POST", &path(&now), &[NDJSON], line);
    walker.send("POST", &path(&now), &[NDJSON], b"another file\n");
    let sent = walker.send("POST", &path(&later), &[NDJSON, ("prefer", "respond-async")], line);
    ended(walker, sent.header("location").unwrap());
}

fn create_customer(walker: &mut Walker<'_>) {
    let key = walker.name("key");
    for (id, email) in [("customer", "email"), ("other_customer", "other_email")] {
        let (id, email) = (walker.name(id), walker.name(email));
        let customer = json!({"id": id, "name": "Wilhelmina", "email": email, "phone": walker.name("phone")});
        for _ in 0..2 {
            walker.json("POST", CUSTOMERS, &[("idempotency-key", &format!("{key}-{id}"))], &customer);
        }
        walker.json("POST", CUSTOMERS, &[], &customer);
    }
}

fn batch_customers(walker: &mut Walker<'_>) {
    let customer = |id: String| json!({"id": id, "name": "Batch", "email": "batch@example.org"});
    let customers = [customer(walker.name("customer")), customer(walker.name("key"))];
    for partial in [false, true] {
        let body = json!({"customers": customers, "partial": partial});
        walker.json("POST", &format!("{CUSTOMERS}/batch"), &[], &body);
    }
}

fn import_customers(walker: &mut Walker<'_>) {
    let (id, key) = (walker.name("other_customer"), walker.name("key"));
    let lines = format!(
        "{{\"id\": \"{id}\", \"name\": \"I\", \"email\": \"i@example.org\"}}\n\
         {{\"id\": \"{key}-last\", \"name\": \"L\", \"email\": \"l@example.org\"}}\n"
    );
    let headers = [NDJSON, ("idempotency-key", key.as_str())];
    for _ in 0..2 {
        walker.send("POST", &format!("{CUSTOMERS}/import"), &headers, lines.as_bytes());
    }
}
