//! The server over HTTP, with real jobs: datagen to blackhole.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_model::{Secret, SystemClock};
use sluice_runtime::Engine;
use sluice_server::{Server, ServerConfig};
use sluice_sql::session::{Environment, Home};

/// A server of its own directory and ports.
struct Fixture {
    server: Server,
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

async fn start(home: &std::path::Path, token: Option<&str>) -> Fixture {
    let connectors = sluice_registry::connectors();
    let clock = SystemClock::shared();
    let engine = Arc::new(Engine::new(connectors.clone(), Arc::clone(&clock)));
    let environment = Arc::new(Environment { connectors, engine, home: Home::at(home), clock });
    let config = ServerConfig {
        address: "127.0.0.1:0".parse().unwrap(),
        metrics_address: Some("127.0.0.1:0".parse().unwrap()),
        token: token.map(Secret::new),
        ..ServerConfig::default()
    };
    let server = Server::start(environment, config).await.unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let base = format!("http://{}", server.address());
    Fixture {
        server,
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
        base,
        token: token.map(str::to_owned),
    }
}

impl Fixture {
    async fn send(&self, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
        let mut request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.body(body.to_owned());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send("GET", path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Runs a script and returns its events.
    async fn script(&self, name: &str, script: &str) -> Vec<Value> {
        let body = json!({ "name": name, "script": script }).to_string();
        let (status, body) = self.send("POST", "/v1/scripts", Some(&body)).await;
        assert_eq!(status, 200, "{body}");
        match body {
            Value::String(lines) => lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            one => vec![one],
        }
    }

    /// Submits an unbounded job and waits until it runs.
    async fn job(&self, name: &str) -> String {
        let events = self.script(name, &endless(name)).await;
        let submitted =
            events.iter().find(|event| event["event"] == "submitted").unwrap_or_else(|| panic!("{events:?}"));
        let id = submitted["jobs"][0]["id"].as_str().unwrap().to_owned();
        self.until(&id, "RUNNING").await;
        id
    }

    async fn until(&self, id: &str, wanted: &str) {
        let mut last = Value::Null;
        for _ in 0..200 {
            last = self.get(&format!("/jobs/{id}/status")).await;
            if last["status"] == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let exceptions = self.get(&format!("/jobs/{id}/exceptions")).await;
        panic!("job {id} is {last}, not {wanted}: {exceptions}");
    }

    async fn completed(&self, id: &str, trigger: &Value) -> Value {
        let trigger = trigger["request-id"].as_str().unwrap_or_else(|| panic!("{trigger}"));
        for _ in 0..200 {
            let status = self.get(&format!("/jobs/{id}/savepoints/{trigger}")).await;
            if status["status"]["id"] == "COMPLETED" {
                return status["operation"].clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the operation {trigger} does not end");
    }
}

fn endless(name: &str) -> String {
    format!(
        "SET 'pipeline.name' = '{name}'; SET 'execution.checkpointing.interval' = '200ms';
         CREATE TABLE numbers (id BIGINT, word STRING) WITH ('connector' = 'datagen', 'rows-per-second' = '500');
         CREATE TABLE nothing (id BIGINT, word STRING) WITH ('connector' = 'blackhole');
         INSERT INTO nothing SELECT id, word FROM numbers;"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_from_submission_to_cancellation() {
    let home = tempfile::tempdir().unwrap();
    let fixture = start(home.path(), None).await;
    let id = fixture.job("shapes").await;

    let list = fixture.get("/jobs").await;
    assert_eq!(list, json!({ "jobs": [{ "id": id, "status": "RUNNING" }] }));
    assert_eq!(fixture.get("/v1/jobs").await, list);
    let overview = fixture.get("/jobs/overview").await;
    let job = &overview["jobs"][0];
    assert_eq!(
        (&job["jid"], &job["name"], &job["state"], &job["end-time"]),
        (&json!(id), &json!("shapes"), &json!("RUNNING"), &json!(-1))
    );
    assert!(job["tasks"]["running"].as_u64().unwrap() >= 1, "{job}");
    assert_eq!(fixture.get("/overview").await["jobs-running"], 1);

    let detail = fixture.get(&format!("/jobs/{id}")).await;
    let vertices = detail["vertices"].as_array().unwrap();
    assert!(vertices.len() >= 2, "{detail}");
    assert!(detail["timestamps"]["RUNNING"].as_i64().unwrap() > 0);
    assert_eq!(detail["plan"]["nodes"].as_array().unwrap().len(), vertices.len());
    let source = vertices.iter().find(|vertex| vertex["name"].as_str().unwrap().starts_with("Source")).unwrap();
    let source_id = source["id"].as_str().unwrap();
    let vertex = fixture.get(&format!("/jobs/{id}/vertices/{source_id}")).await;
    assert_eq!(vertex["subtasks"].as_array().unwrap().len() as u64, vertex["parallelism"].as_u64().unwrap());
    let pressure = fixture.get(&format!("/jobs/{id}/vertices/{source_id}/backpressure")).await;
    assert_eq!(pressure["status"], "ok");
    let ids = fixture.get(&format!("/jobs/{id}/vertices/{source_id}/metrics")).await;
    assert!(ids.as_array().unwrap().contains(&json!({ "id": "0.numRecordsOut" })), "{ids}");
    let value = fixture.get(&format!("/jobs/{id}/metrics?get=numRestarts")).await;
    assert_eq!(value, json!([{ "id": "numRestarts", "value": "0" }]));
    assert_eq!(fixture.get(&format!("/jobs/{id}/checkpoints/config")).await["interval"], 200);
    assert_eq!(fixture.get(&format!("/jobs/{id}/exceptions")).await["root-exception"], Value::Null);

    let (status, body) = fixture.send("PATCH", &format!("/jobs/{id}?mode=cancel"), None).await;
    assert_eq!((status, body), (202, json!({})));
    fixture.until(&id, "CANCELED").await;
    fixture.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_savepoints_and_stop() {
    let home = tempfile::tempdir().unwrap();
    let fixture = start(home.path(), None).await;
    let id = fixture.job("points").await;

    let (status, trigger) = fixture.send("POST", &format!("/jobs/{id}/checkpoints"), Some("")).await;
    assert_eq!(status, 202, "{trigger}");
    assert!(fixture.completed(&id, &trigger).await["checkpointId"].as_u64().unwrap() > 0);
    let checkpoints = fixture.get(&format!("/jobs/{id}/checkpoints")).await;
    assert!(checkpoints["counts"]["completed"].as_u64().unwrap() >= 1, "{checkpoints}");
    let newest = &checkpoints["latest"]["completed"];
    let detail = fixture.get(&format!("/jobs/{id}/checkpoints/details/{}", newest["id"])).await;
    assert_eq!(detail["status"], "COMPLETED");

    // As the seed's curl sends it: JSON under the content type of a form.
    let target = home.path().join("target");
    let body = json!({ "target-directory": target.display().to_string() }).to_string();
    let (status, trigger) = fixture.send("POST", &format!("/jobs/{id}/savepoints"), Some(&body)).await;
    assert_eq!(status, 202, "{trigger}");
    let operation = fixture.completed(&id, &trigger).await;
    assert!(operation["location"].as_str().unwrap().contains("target"), "{operation}");

    let (status, trigger) = fixture.send("POST", &format!("/jobs/{id}/stop"), Some(&body)).await;
    assert_eq!(status, 202, "{trigger}");
    assert!(fixture.completed(&id, &trigger).await["location"].is_string());
    fixture.until(&id, "FINISHED").await;
    let (status, body) = fixture.send("POST", &format!("/jobs/{id}/savepoints"), None).await;
    assert_eq!(status, 409, "{body}");
    fixture.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_come_back_with_the_next_server() {
    let home = tempfile::tempdir().unwrap();
    let first = start(home.path(), None).await;
    let id = first.job("survivor").await;
    let cancelled = first.job("cancelled").await;
    first.send("PATCH", &format!("/jobs/{cancelled}"), Some(r#"{"state": "cancelled"}"#)).await;
    first.until(&cancelled, "CANCELED").await;
    let stored = home.path().join("jobs").join(format!("{id}.json"));
    assert!(stored.exists());
    // One that cannot be started again must not hinder the other.
    let broken = "b".repeat(32);
    let recipe = std::fs::read_to_string(&stored).unwrap().replace(&id, &broken).replace("'blackhole'", "'blackhoel'");
    first.server.stop().await;
    std::fs::write(home.path().join("jobs").join(format!("{broken}.json")), recipe).unwrap();

    let second = start(home.path(), None).await;
    assert_eq!(second.server.recovered(), 1);
    second.until(&id, "RUNNING").await;
    assert!(second.get(&format!("/jobs/{id}/checkpoints")).await["latest"]["restored"]["id"].as_u64().is_some());
    let exceptions = second.get(&format!("/jobs/{broken}/exceptions")).await;
    assert!(exceptions["root-exception"].as_str().unwrap().contains("blackhoel"), "{exceptions}");
    assert_eq!(second.get(&format!("/jobs/{broken}/status")).await["status"], "FAILED");
    assert_eq!(second.send("GET", "/health/ready", None).await.0, 503);
    assert_eq!(second.send("PATCH", &format!("/jobs/{broken}"), None).await.0, 202);
    assert_eq!(second.send("GET", &format!("/jobs/{broken}"), None).await.0, 404);
    assert_eq!(second.send("GET", &format!("/jobs/{cancelled}"), None).await.0, 404);
    second.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said() {
    let home = tempfile::tempdir().unwrap();
    let fixture = start(home.path(), None).await;
    for (path, expected) in [
        ("/jobs/not-an-id", 400),
        ("/jobs/00000000000000000000000000000000", 404),
        ("/jobs/..%2f..%2fetc%2fpasswd", 400),
        ("/nothing", 404),
        ("/v1/sessions/none", 404),
        ("/taskmanagers/other", 404),
    ] {
        let (status, body) = fixture.send("GET", path, None).await;
        assert_eq!(status, expected, "{path}: {body}");
        assert!(body["errors"][0].is_string(), "{path}: {body}");
    }
    let (status, body) = fixture.send("POST", "/v1/sessions", Some("{")).await;
    assert_eq!(status, 400, "{body}");
    let huge = "x".repeat(5 << 20);
    assert_eq!(fixture.send("POST", "/v1/scripts", Some(&huge)).await.0, 413);
    fixture.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_asks_for_the_token() {
    let home = tempfile::tempdir().unwrap();
    let mut fixture = start(home.path(), Some("0123456789abcdef")).await;
    assert_eq!(fixture.send("GET", "/jobs", None).await.0, 200);
    let given = fixture.token.take();
    for token in [None, Some("0123456789abcdeX".to_owned())] {
        fixture.token = token;
        for path in ["/jobs", "/overview", "/metrics", "/v1/info", "/config", "/jobmanager/config", "/nothing"] {
            assert_eq!(fixture.send("GET", path, None).await.0, 401, "{path}");
        }
        assert_eq!(fixture.send("POST", "/v1/scripts", Some("{}")).await.0, 401);
        for path in ["/health", "/health/live", "/health/ready"] {
            assert_eq!(fixture.send("GET", path, None).await.0, 200, "{path}");
        }
    }
    fixture.token = given;
    let config = fixture.get("/jobmanager/config").await.to_string();
    assert!(config.contains("******") && !config.contains("0123456789abcdef"), "{config}");
    fixture.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let fixture = start(home.path(), None).await;
    let url = format!("{}/jobs", fixture.base);
    for (header, value) in [("host", "evil.example"), ("origin", "http://evil.example")] {
        let response = fixture.http.get(&url).header(header, value).send().await.unwrap();
        assert_eq!(response.status(), 403, "{header}");
        assert!(response.headers().get("access-control-allow-origin").is_none());
    }
    let page = fixture.http.get(&fixture.base).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    assert!(page.text().await.unwrap().contains(&format!("<script nonce=\"{nonce}\">")));
    fixture.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_prometheus_text() {
    let home = tempfile::tempdir().unwrap();
    let fixture = start(home.path(), None).await;
    let id = fixture.job("counted \"twice\"").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let address = fixture.server.metrics_address().unwrap();
    let text = fixture.http.get(format!("http://{address}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total "), "{text}");
    let labels = format!(r#"job="counted \"twice\"",job_id="{id}""#);
    assert!(text.contains(&format!("sluice_job_state{{{labels},state=\"RUNNING\"}} 1\n")), "{text}");
    assert!(text.contains("flink_taskmanager_job_task_numRecordsOut{"), "{text}");
    let mut seen = std::collections::HashSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(seen.insert(series.to_owned()), "twice: {series}");
    }
    fixture.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_through_the_gateway() {
    let home = tempfile::tempdir().unwrap();
    let fixture = start(home.path(), None).await;
    assert_eq!(fixture.get("/v1/info").await["productName"], "Apache Flink");
    let (_, session) =
        fixture.send("POST", "/v1/sessions", Some(r#"{"properties":{"parallelism.default":"1"}}"#)).await;
    let session = format!("/v1/sessions/{}", session["sessionHandle"].as_str().unwrap());
    let run = async |statement: &str| {
        let body = json!({ "statement": statement }).to_string();
        let (status, answer) = fixture.send("POST", &format!("{session}/statements"), Some(&body)).await;
        assert_eq!(status, 200, "{answer}");
        format!("{session}/operations/{}", answer["operationHandle"].as_str().unwrap())
    };
    let create = run("CREATE TABLE t (id INT, word STRING) WITH ('connector'='datagen','number-of-rows'='3',\
                      'fields.id.kind'='sequence','fields.id.start'='1','fields.id.end'='3')")
    .await;
    let page = fixture.get(&format!("{create}/result/0?rowFormat=JSON")).await;
    assert_eq!(page["results"]["data"][0]["fields"], json!(["OK"]), "{page}");
    assert_eq!(fixture.get(&format!("{create}/status")).await["status"], "FINISHED");

    let select = run("SELECT id FROM t").await;
    let mut next = format!("{select}/result/0?rowFormat=JSON");
    let mut ids = Vec::new();
    loop {
        let page = fixture.get(&next).await;
        assert_ne!(page["isQueryResult"], json!(false));
        for row in page["results"]["data"].as_array().into_iter().flatten() {
            assert_eq!(row["kind"], "INSERT");
            ids.push(row["fields"][0].as_i64().unwrap());
        }
        if page["resultType"] == "EOS" {
            break;
        }
        next = page["nextResultUri"].as_str().unwrap().to_owned();
    }
    assert_eq!(ids, [1, 2, 3]);

    let wrong = run("SELECT nothing FROM t").await;
    let (status, body) = fixture.send("GET", &format!("{wrong}/result/0"), None).await;
    assert_eq!(status, 500);
    assert!(body["errors"][1].as_str().unwrap().contains("nothing"), "{body}");
    assert_eq!(fixture.send("DELETE", &session, None).await.1, json!({ "status": "CLOSED" }));
    assert_eq!(fixture.send("GET", &session, None).await.0, 404);
    fixture.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_tells_what_happens_and_stops_at_the_first_error() {
    let home = tempfile::tempdir().unwrap();
    let fixture = start(home.path(), None).await;
    let script = "CREATE TABLE t (id INT) WITH ('connector'='datagen','number-of-rows'='2','fields.id.kind'='sequence',\
                  'fields.id.start'='1','fields.id.end'='2');\nSELECT id FROM t;\nSELECT nothing FROM t;\nSHOW TABLES;";
    let events = fixture.script("s", script).await;
    let names: Vec<&str> =
        events.iter().filter_map(|event| event["event"].as_str()).filter(|name| *name != "query-rows").collect();
    assert_eq!(
        names,
        ["statement", "done", "statement", "query-start", "query-end", "statement", "failed"],
        "{events:?}"
    );
    assert_eq!(events.last().unwrap()["error"]["line"], 3, "{events:?}");
    fixture.server.stop().await;
}
